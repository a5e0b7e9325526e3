import { describe, expect, it } from "@effect/vitest"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, TestClock } from "effect"
import * as PendingLogin from "../src/PendingLogin.js"
import * as SignIn from "../src/SignIn.js"
import * as Signer from "./support/Signer.js"
import { StubNetwork } from "./support/StubNetwork.js"

const server = "https://mcp.example/mcp"
const login = "https://login.example"

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
      ["all", undefined],
      ["the same person", { identity: "anna" }],
      ["another one", { identity: "ben" }]
    ] as const
  )("[A4 G22] is gone on with in no other process: not for %s", ([, person]) =>
    Effect.gen(function*() {
      const network = new StubNetwork().authServer(login).resource(server, login)
      const folder = yield* Signer.folder
      const first = yield* Effect.scoped(Effect.flatten(begin(network, folder, { person: { identity: "anna" } })))
      expect(yield* pending(folder)).toEqual([[first, true]])
      const address = yield* begin(network, folder, { person })
      // At first it shows what the other process has left.
      yield* passing(Effect.map(address, (shown) => shown !== first))
      const second = yield* address
      expect(second).toMatch(/^https?:/)
      expect(second).not.toBe(first)
      expect(yield* pending(folder)).toEqual([[second, person !== undefined]])
    }))
})
