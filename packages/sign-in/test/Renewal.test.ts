import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Either, Option, Redacted, TestClock } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Challenge from "../src/Challenge.js"
import * as Grant from "../src/Grant.js"
import * as Renewal from "../src/Renewal.js"
import { grant, issuer, server } from "./support/grants.js"
import { grantsIn, network, subjectOf } from "./support/SignIns.js"
import { json } from "./support/StubNetwork.js"

const make = (kept: ReadonlyArray<Grant.Grant>, changes: Partial<Renewal.Subject> = {}) =>
  Effect.gen(function*() {
    const state = StateFolder.make(yield* folder)
    const grants = Grant.grants(state)
    for (const one of kept) yield* grants.set(Grant.key(one), one)
    return { all: grantsIn(state), network: network(), subject: subjectOf(state, changes) }
  })

const withRefresh = (changes: Partial<Grant.Grant> = {}) => grant({ refresh: Redacted.make("r"), ...changes })

describe("tokens that are renewed", () => {
  test.scoped("[A2:unit] are kept as they came, with when that was; what is not said of them stays", function*() {
    const answers = [
      [{}, { scope: "a", expiresAt: undefined }],
      [
        { refresh_token: "next", scope: "b", expires_in: 60 },
        { refresh: Redacted.make("next"), scope: "b", expiresAt: 160_000 }
      ]
    ] as const
    for (const [said, kept] of answers) {
      const first = withRefresh({ scope: "a", asked: "a", obtainedAt: 7, expiresAt: 1000 })
      const other = withRefresh({ account: "work", access: Redacted.make("of another account") })
      const { all, network, subject } = yield* make([first, other])
      network.at(`${issuer}/token`, { access_token: "new", token_type: "Bearer", ...said })
      yield* TestClock.setTime(100_000)
      const renewed = yield* Renewal.beforeTheEnd(subject, network.fetch, first)
      expect(renewed).toEqual({ ...first, access: Redacted.make("new"), obtainedAt: 100_000, ...kept })
      const stored = yield* all
      expect(stored).toHaveLength(2)
      expect(stored).toEqual(expect.arrayContaining([renewed, other]))
    }
  })

  test.scoped("[X2:unit] are asked for with the key of the user only by the client that the user has registered, where the user has", function*() {
    const signingKey = { key: Redacted.make("no key"), algorithm: "ES256" }
    for (const named of [{ issuer }, { issuer: "https://other.example" }, {}]) {
      const configured = { ...named, signingKey }
      const { network, subject } = yield* make([withRefresh()], { configured })
      const renewed = yield* Effect.either(Renewal.beforeTheEnd(subject, network.fetch, withRefresh()))
      expect(renewed._tag).toBe("Right")
      expect(network.forms(`${issuer}/token`)[0]).not.toHaveProperty("client_assertion")
    }
    // A key that cannot sign is used, and so seen, there alone.
    const mine = withRefresh({ client: { origin: "configured", id: "mine", redirects: [] } })
    const { network, subject } = yield* make([mine], { configured: { id: "mine", issuer, signingKey } })
    expect(yield* Effect.either(Renewal.beforeTheEnd(subject, network.fetch, mine))).toMatchObject({
      left: { detail: expect.stringContaining("cannot sign") }
    })
    expect(network.asked).toEqual([])
  })

  test.scoped("[A2:unit] need nothing of an answer but the token, and lose no refresh token that came with it", function*() {
    const form = (text: string) =>
      new Response(text, { headers: { "content-type": "application/x-www-form-urlencoded" } })
    const answers: ReadonlyArray<readonly [answer: object | (() => Response), scope: string]> = [
      [{}, "a"],
      [{ token_type: null }, "a"],
      [{ token_type: "access_token" }, "a"],
      [{ token_type: 7, expires_in: "soon", scope: 5 }, "a"],
      [{ scope: ["b", "c"] }, "b c"],
      [{ scope: null, expires_in: null }, "a"],
      [() => form("access_token=new&refresh_token=next&token_type=bearer&scope=b%20c"), "b c"]
    ]
    for (const [answer, scope] of answers) {
      const { network, subject } = yield* make([withRefresh({ scope: "a" })])
      const token = { access_token: "new", refresh_token: "next", ...answer }
      network.at(`${issuer}/token`, typeof answer === "function" ? answer as () => Response : token)
      const renewed = yield* Renewal.beforeTheEnd(subject, network.fetch, withRefresh({ scope: "a" }))
      expect(renewed, JSON.stringify(answer)).toMatchObject({
        access: Redacted.make("new"),
        refresh: Redacted.make("next"),
        scope
      })
    }
  })

  test.scoped("[A2:unit X2:unit] are never asked for without the resource, whatever is refused", function*() {
    for (const refusal of [{ error: "invalid_target" }, { error: "invalid_request" }, { message: "resource?" }]) {
      const { network, subject } = yield* make([withRefresh({ resource: server })])
      network.at(`${issuer}/token`, ({ body }) =>
        new URLSearchParams(body).has("resource")
          ? json(400, refusal)
          : json(200, { access_token: "new", token_type: "Bearer" }))
      yield* Effect.ignore(Renewal.beforeTheEnd(subject, network.fetch, withRefresh({ resource: server }), true))
      const asked = network.forms(`${issuer}/token`)
      expect(asked.length).toBeGreaterThan(0)
      expect(asked.every((form) => form.resource === server)).toBe(true)
    }
  })

  test.scoped("[A2:unit] one whose refresh token was refused before is asked with once", function*() {
    const { all, network, subject } = yield* make([withRefresh()])
    network.at(`${issuer}/token`, () => json(400, { error: "invalid_grant" }))
    expect(yield* Renewal.beforeTheEnd(subject, network.fetch, withRefresh(), true)).toBeUndefined()
    expect([network.forms(`${issuer}/token`).length, (yield* all).length]).toEqual([1, 1])
  })
})

describe("tokens that were refused", () => {
  type Refused = Partial<Challenge.Challenge>
  const after = (challenge: Refused, refused: Grant.Grant, changes: Partial<Renewal.Subject> = {}, stub = network()) =>
    Effect.gen(function*() {
      const made = { ...yield* make([refused], changes), network: stub }
      const said = { ...Challenge.none, ...challenge }
      const outcome = yield* Effect.either(
        Renewal.afterRefusal(made.subject, made.network.fetch, said, refused, "dead")
      )
      return {
        ...made,
        outcome: Either.getOrUndefined(outcome),
        failure: Option.getOrUndefined(Either.getLeft(outcome))
      }
    })

  test.scoped("[A1:unit] what another authorization server gave is not sent to the one that speaks for the server now", function*() {
    const moved = withRefresh({ issuer: "https://other.example", asked: "old" })
    const { network, outcome } = yield* after({}, moved)
    expect(outcome).toMatchObject({ _tag: "LoginNeeded", discovered: { issuer }, scope: undefined })
    expect(network.to("https://other.example")).toEqual([])
    expect(network.forms(`${issuer}/token`)).toEqual([])
    const more = yield* after({ status: 403, scope: "b" }, moved)
    expect(more.outcome).toMatchObject({ _tag: "LoginNeeded", scope: "b" })
  })

  test.scoped("[A1:unit] come from the same authorization server, with or without a slash, whoever spells it so", function*() {
    for (const spelled of [{ issuer: `${issuer}/` }, { named: `${issuer}/` }, { said: `${issuer}/` }]) {
      const kept = withRefresh({ issuer: spelled.issuer ?? issuer })
      const { all, network, subject } = yield* make([kept])
      network.authServer(issuer, { issuer: spelled.said ?? issuer }).resource(server, spelled.named ?? issuer)
      const outcome = yield* Renewal.afterRefusal(subject, network.fetch, Challenge.none, kept, "good")
      expect([spelled, outcome._tag, (yield* all).length]).toEqual([spelled, "Renewed", 1])
    }
  })

  test.scoped("[X2:unit] nothing is asked of an authorization server that the user has not named", function*() {
    const { failure, network } = yield* after({}, withRefresh(), { configured: { issuer: "https://mine.example" } })
    expect(failure).toMatchObject({
      _tag: "Refused",
      detail: expect.stringContaining("you have named https://mine.example")
    })
    expect(network.forms(`${issuer}/token`)).toEqual([])
  })

  test.scoped("[A1:unit] more rights that were asked for and not given are not asked for again for ten minutes", function*() {
    const had = withRefresh({ asked: "a b", scope: "a", obtainedAt: 1000 })
    const until = Renewal.refusalTime
    for (const [later, tag] of [[0, "Pointless"], [until - 1, "Pointless"], [until, "LoginNeeded"]] as const) {
      yield* TestClock.setTime(1000 + later)
      const { network, outcome } = yield* after({ status: 403, scope: "b" }, had)
      expect([later, outcome?._tag]).toEqual([later, tag])
      expect(network.forms(`${issuer}/token`)).toEqual([])
    }
    const { outcome } = yield* after({ status: 403, scope: "c" }, had)
    expect(outcome).toMatchObject({ _tag: "LoginNeeded", scope: "a b c" })
  })

  test.scoped("[A2:unit] are renewed also where the metadata are away, but not for more rights, and not where they are wrong", function*() {
    const at = (challenge: Refused, page: () => Response) =>
      Effect.gen(function*() {
        const stub = network().at("https://mcp.example/.well-known/oauth-protected-resource/mcp", page)
        const { failure, outcome } = yield* after(challenge, withRefresh(), {}, stub)
        return [(failure ?? outcome)?._tag, stub.forms(`${issuer}/token`).length]
      })
    const [away, wrong] = [() => json(503, {}), () => json(200, { resource: 7 })]
    expect(yield* at({}, away)).toEqual(["Renewed", 1])
    expect(yield* at({ status: 403 }, away)).toEqual(["Later", 0])
    expect(yield* at({}, wrong)).toEqual(["Refused", 0])
  })
})
