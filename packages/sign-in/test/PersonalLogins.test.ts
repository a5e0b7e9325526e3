import { describe, expect, it } from "@effect/vitest"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, TestClock } from "effect"
import * as PendingLogin from "../src/PendingLogin.js"
import * as SignIn from "../src/SignIn.js"
import * as Signer from "./support/Signer.js"
import { json, StubNetwork } from "./support/StubNetwork.js"

const server = "https://mcp.example/mcp"
const login = "https://login.example"

/** A process that asks for a login, and the address that it shows. */
const begin = (network: StubNetwork, folder: string, options: Partial<SignIn.Options>) =>
  Effect.gen(function*() {
    const signIn = yield* Effect.provide(
      SignIn.make({ url: server, loginWait: 0, ...options }),
      StateFolder.layerAt(folder)
    )
    yield* Effect.either(signIn.authorization.renew({ status: 401, challenge: undefined }, network.fetch))
    return Effect.map(signIn.state, (state) => state._tag === "LoginNeeded" ? state.address : state._tag)
  })

const pending = (folder: string) =>
  Effect.flatMap(StateFolder.StateFolder, (state) => PendingLogin.pendingLogins(state).entries).pipe(
    Effect.provide(StateFolder.layerAt(folder)),
    Effect.map((all) => all.map(([, { address, isPersonal }]) => [address, isPersonal === true] as const))
  )

/** Lets time pass, and what waits for files go on, until something is so; not for ever. */
const passing = (isSo: Effect.Effect<boolean>) =>
  Effect.gen(function*() {
    for (let steps = 0; steps < 500 && !(yield* isSo); steps++) {
      yield* TestClock.adjust("50 millis")
      yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
    }
  })

describe("a login of one of several people", () => {
  it.scoped.each(
    [
      ["browser", "all", undefined],
      ["browser", "the same person", { identity: "anna" }],
      ["browser", "another one", { identity: "ben" }],
      ["device", "all", undefined],
      ["device", "another one", { identity: "ben" }]
    ] as const
  )(
    "[A4 G22] (with a %s) is gone on with in no other process: not for %s",
    ([method, , person]) =>
      Effect.gen(function*() {
        let codes = 0
        const network = new StubNetwork().authServer(login).resource(server, login).at(`${login}/device`, () =>
          json(200, {
            device_code: `code-${++codes}`,
            user_code: `USER-${codes}`,
            verification_uri: `${login}/d?code=${codes}`,
            expires_in: 600
          }))
        const folder = yield* Signer.folder
        const first = yield* Effect.scoped(
          Effect.flatten(begin(network, folder, { method, person: { identity: "anna" } }))
        )
        expect(yield* pending(folder)).toEqual([[first, true]])
        const address = yield* begin(network, folder, { method, person })
        // At first it shows what the other process has left.
        yield* passing(Effect.map(address, (shown) =>
          shown !== first))
        const second = yield* address
        expect(second).toMatch(/^https?:/)
        expect(second).not.toBe(first)
        expect(yield* pending(folder)).toEqual([[second, person !== undefined]])
      })
  )
})

describe("a login that another process has left behind", () => {
  it.scoped.each(
    [
      ["all", 600_000, true],
      ["a little more than five seconds", 6500, true],
      ["a little less", 4500, false]
    ] as const
  )("[A4] is gone on with while at least five seconds are left: %s", ([, left, isInherited]) =>
    Effect.gen(function*() {
      let codes = 0
      const network = new StubNetwork().authServer(login).resource(server, login)
        .at(`${login}/device`, () =>
          json(200, {
            device_code: `code-${++codes}`,
            user_code: `USER-${codes}`,
            verification_uri: `${login}/d?code=${codes}`,
            expires_in: 600,
            interval: 1
          }))
        .at(`${login}/token`, () => json(400, { error: "authorization_pending" }))
      const folder = yield* Signer.folder
      yield* Effect.scoped(Effect.asVoid(begin(network, folder, { method: "device" })))
      yield* TestClock.adjust(600_000 - left)
      const asked = () => network.forms(`${login}/token`)
      const before = asked().length
      yield* Effect.asVoid(begin(network, folder, { method: "device" }))
      yield* passing(Effect.sync(() => asked().length > before))
      expect(asked().at(-1)).toMatchObject({ device_code: isInherited ? "code-1" : "code-2" })
    }))
})
