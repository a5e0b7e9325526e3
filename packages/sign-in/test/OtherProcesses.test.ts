import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Either, Option, Redacted, TestClock } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as PendingLogin from "../src/PendingLogin.js"
import type * as SignIn from "../src/SignIn.js"
import { grant, keep, waiting } from "./support/grants.js"
import {
  addressOf,
  counting,
  grantsIn,
  inTime,
  login,
  make,
  makeBrowser,
  network,
  passing,
  server
} from "./support/SignIns.js"
import { json } from "./support/StubNetwork.js"

const state = Effect.map(folder, StateFolder.make)

const refresh = Redacted.make("the refresh token")

const kept = (folder: StateFolder.StateFolder["Type"]) =>
  Effect.map(grantsIn(folder), (all) => all.map(({ access }) => Redacted.value(access)))

describe("tokens that several want at once", () => {
  test.scoped("[A2] are renewed by one, and the others go on with what it got", function*() {
    const folder = yield* state
    yield* keep(folder, { grants: [grant({ refresh })] })
    const net = network()
    const processes = yield* Effect.forEach([1, 2, 3], () => make(net, folder))
    const renewed = yield* Effect.all(processes.map(({ renew }) => renew), { concurrency: "unbounded" })
    expect(renewed).toEqual([Either.right(true), Either.right(true), Either.right(true)])
    expect(net.forms(`${login}/token`)).toEqual([{
      grant_type: "refresh_token",
      refresh_token: "the refresh token",
      client_id: "client-1"
    }])
    for (const { token } of processes) expect(yield* token).toBe("token-1")
    expect(yield* kept(folder)).toEqual(["token-1"])
  })

  test.scoped("[A2] of a machine are asked for again before they end, with its credentials and for the same", function*() {
    const [folder, net] = [yield* state, network()]
    const machine = { id: "robot", secret: Redacted.make("secret"), issuer: login }
    const options = { method: "credentials", client: machine, scope: "read" } as const
    const { renew, signIn, token } = yield* make(net, folder, options)
    expect(yield* renew).toEqual(Either.right(true))
    yield* TestClock.adjust("3299 seconds")
    expect(yield* token).toBe("token-1")
    yield* TestClock.adjust("1 second")
    const before = net.asked.length
    expect(yield* token).toBe("token-2")
    expect(net.asked.slice(before).map(({ url }) => url)).toEqual([`${login}/token`])
    const form = { grant_type: "client_credentials", scope: "read", resource: server }
    expect(net.forms(`${login}/token`)).toEqual([form, form])
    expect(net.asked.at(-1)?.headers.get("authorization")).toBe(
      `Basic ${Buffer.from("robot:secret").toString("base64")}`
    )
    expect(yield* kept(folder)).toEqual(["token-2"])
    expect(yield* signIn.state).toEqual({
      _tag: "SignedIn",
      issuer: login,
      scope: "read",
      expiresAt: (3300 + 3600) * 1000,
      renewable: true
    })
  })

  test.scoped("[A2] that cannot be renewed any more are not used, and kept until the next login", function*() {
    const folder = yield* state
    yield* keep(folder, { grants: [grant({ refresh, expiresAt: 60_000 })] })
    const net = network().at(`${login}/token`, () => json(400, { error: "invalid_grant" }))
    const { tokens } = yield* make(net, folder)
    expect(Either.getOrThrow(yield* tokens)).toMatchObject({ refresh })
    yield* TestClock.adjust("59 seconds")
    expect(yield* inTime(tokens)).toEqual(Either.right(undefined))
    expect(yield* tokens).toEqual(Either.right(undefined))
    expect([net.forms(`${login}/token`).length, yield* kept(folder)]).toEqual([3, ["secret-access"]])
  })

  test.scoped("[A1] of a machine need the id of its client, before which nothing is asked for", function*() {
    const net = network()
    const { renew, signIn } = yield* make(net, yield* state, { method: "credentials", client: {} })
    const detail = "a sign-in with client credentials needs the id of a client"
    expect(yield* renew).toMatchObject({ left: { detail } })
    expect(yield* signIn.state).toEqual({ _tag: "Refused", detail })
    expect(net.forms(`${login}/token`)).toEqual([])
  })
})

describe("tokens that are not there", () => {
  test.scoped("[A4] are looked for once a second, however often a server is called, and at once when it refuses", function*() {
    const [folder, net] = [yield* state, network()]
    const { counted, folder: looking } = counting(folder)
    const [first, second] = [yield* make(net, looking), yield* make(net, looking)]
    yield* TestClock.adjust("1 second")
    counted.looks = 0
    for (let calls = 0; calls < 5; calls++) expect(yield* first.tokens).toEqual(Either.right(undefined))
    expect(counted.looks).toBe(1)
    expect(yield* second.tokens).toEqual(Either.right(undefined))
    yield* keep(folder, { grants: [grant({ refresh })] })
    expect(yield* first.tokens).toEqual(Either.right(undefined))
    yield* TestClock.adjust("999 millis")
    expect(yield* first.tokens).toEqual(Either.right(undefined))
    expect(yield* second.renew).toEqual(Either.right(true))
    yield* TestClock.adjust("1 millis")
    expect(Either.getOrThrow(yield* first.tokens)).toMatchObject({ refresh })
  })
})

describe("a login that another process owns", () => {
  const slot = StateFolder.key(server, "default")
  const [address, next] = [`${login}/authorize?state=1`, `${login}/authorize?state=2`]
  const goesOn = (isSo: Effect.Effect<boolean>, most?: number) => passing("50 millis", isSo, most)
  const behind = (first: PendingLogin.PendingLogin, options: Partial<SignIn.Options> = {}) =>
    Effect.gen(function*() {
      const folder = yield* state
      const pending = PendingLogin.pendingLogins(folder)
      yield* folder.lock(`login-${slot}`)
      yield* pending.set(slot, first)
      // Several, which do the same at the same time.
      const all = yield* Effect.forEach([1, 2, 3], () => make(network(), folder, options))
      for (const { renew } of all) yield* Effect.forkScoped(renew)
      const shown = Effect.map(
        Effect.forEach(all, ({ signIn }) => addressOf(signIn)),
        (now) => [...new Set(now)].join()
      )
      return { pending, shown }
    })

  test.scoped("[A3:unit A4] is shown as it is now, and no longer than it can be finished", function*() {
    yield* TestClock.setTime(1_000_000)
    const { pending, shown } = yield* behind(waiting(1_600_000, { address }))
    yield* goesOn(Effect.map(shown, (now) => now === address))
    expect(yield* shown).toBe(address)
    yield* pending.set(slot, waiting(1_600_000, { address: next }))
    yield* goesOn(Effect.map(shown, (now) => now === next))
    expect(yield* shown).toBe(next)
    const over = yield* behind(waiting(999_999, { address }))
    yield* goesOn(Effect.map(over.shown, (now) => now === address), 20)
    expect(yield* over.shown).not.toBe(address)
  })

  test.scoped("[A4:unit] is opened in a browser by the first process that has one, once, and that is kept", function*() {
    for (const opened of [false, true]) {
      const { browser, opened: asked } = makeBrowser()
      const { pending, shown } = yield* behind(waiting(600_000, { address, opened }), { browser })
      yield* goesOn(Effect.map(shown, (now) => now === address))
      const isKept = Effect.map(pending.get(slot), (kept) => Option.getOrUndefined(kept)?.opened === true)
      yield* goesOn(isKept)
      expect(yield* isKept).toBe(true)
      yield* goesOn(Effect.succeed(false), 20)
      expect(asked).toEqual(opened ? [] : [address])
    }
  })
})
