import { anyone } from "@mcp-lifeline/http-server/Caller"
import { Effect, Either, Redacted } from "effect"
import * as GatewayAuthentication from "../../src/access/GatewayAuthentication.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"
import { authOf } from "../support/Issuer.js"
import { describe, expect, it, test } from "../support/vitest.js"

const auth = authOf({ algorithms: ["RS256"], clockTolerance: 0 })

const made = () => {
  const who = { tokens: [] as Array<string>, isNeeded: false, areClientsNeeded: false, ofAnn: ["ann-token"] }
  const redacted = (all: ReadonlyArray<string>) => all.map((one) => Redacted.make(one))
  const clients = {
    isNeeded: () => who.areClientsNeeded,
    holders: () => [{ caller: NamedCaller.of("ann"), tokens: redacted(who.ofAnn) }]
  }
  return { who, clients, tokens: () => redacted(who.tokens) }
}

const asked = (token?: string) =>
  ({
    url: "/mcp",
    socket: { remoteAddress: "127.0.0.1", localPort: 1 },
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` }
  }) as never

describe("who may use the gateway", () => {
  it("[X1:unit] everybody, where neither the gateway nor a client has a token, and nobody else from the moment on in which one has", () => {
    const { clients, tokens, who } = made()
    const own = GatewayAuthentication.byToken({ clients, isNeeded: false, tokens })
    expect([own.isNeeded, own.check(asked()), own.check(asked("wrong"))]).toEqual([false, anyone, anyone])
    who.areClientsNeeded = true
    expect([own.isNeeded, own.check(asked())]).toMatchObject([true, { status: 401 }])
    expect(own.check(asked("wrong"))).toMatchObject({ status: 401 })
    expect(own.check(asked("ann-token"))).toMatchObject({ name: "ann" })
    who.tokens.push("operator")
    expect(own.check(asked("operator"))).toBe(anyone)
    who.ofAnn = ["operator"]
    expect(own.check(asked("operator"))).toMatchObject({ status: 401 })
  })

  it("[X1:unit] with a token of the gateway whoever has that, whether or not there can be clients", () => {
    for (const hasClients of [true, false]) {
      const { clients, tokens, who } = made()
      who.tokens.push("operator")
      const own = GatewayAuthentication.byToken({ clients: hasClients ? clients : undefined, isNeeded: true, tokens })
      expect([own.isNeeded, own.check(asked())]).toMatchObject([true, { status: 401 }])
      expect([own.check(asked("wrong")), own.check(asked("operator"))]).toMatchObject([{ status: 401 }, anyone])
    }
  })

  test.scoped("[G21:unit X1] with an authorization server nobody without a token, also where the gateway has none of its own", function*() {
    const { clients, tokens, who } = made()
    const options = { clients, isNeeded: false, tokens, auth: () => auth }
    const place = { host: "0.0.0.0", publicUrl: "https://mcp.example.com" }
    const { authentication, isUsable, pages, problem } = yield* GatewayAuthentication.make({ ...options, place })
    expect(authentication.isNeeded).toBe(true)
    for (const token of [undefined, "wrong", "a.b.c"]) {
      expect(yield* Effect.promise(async () => authentication.check(asked(token)))).toMatchObject({ status: 401 })
    }
    expect(authentication.check(asked("ann-token"))).toMatchObject({ name: "ann" })
    who.tokens.push("operator")
    expect(authentication.check(asked("operator"))).toBe(anyone)
    expect([...pages.keys()]).toContain("/.well-known/oauth-protected-resource")
    // No issuer is known whose tokens could be checked.
    expect([yield* isUsable, problem()]).toEqual([false, undefined])
  })

  test.scoped("[G21:unit] without one nothing of it is there; and none without a name of the gateway, which tokens are for", function*() {
    const { clients, tokens } = made()
    const place = { host: "0.0.0.0" }
    const without = yield* GatewayAuthentication.make({ clients, isNeeded: false, tokens, auth: undefined, place })
    expect([without.pages.size, without.problem(), yield* without.isUsable]).toEqual([0, undefined, true])
    expect(without.authentication.check(asked())).toBe(anyone)
    const options = { clients, isNeeded: false, tokens, auth: () => auth, place }
    const refused = yield* Effect.either(GatewayAuthentication.make(options))
    expect(Either.isLeft(refused) && refused.left.message).toContain("lifeline.auth.audience is missing")
  })
})
