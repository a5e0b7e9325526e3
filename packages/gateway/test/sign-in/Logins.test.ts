import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as PendingLogin from "../../src/sign-in/PendingLogin.js"
import * as SignIn from "../../src/sign-in/SignIn.js"
import * as StateFolder from "../../src/state/StateFolder.js"
import * as Signer from "../support/Signer.js"
import { StubNetwork } from "../support/StubNetwork.js"

const server = "https://mcp.example/mcp"
const login = "https://login.example"

const make = (network: StubNetwork, folder: string, options: Partial<SignIn.Options> = {}) =>
  Effect.map(
    SignIn.make({ url: server, patience: 0, ...options }).pipe(Effect.provide(StateFolder.layerAt(folder))),
    (signIn) => ({
      signIn,
      renew: Effect.either(signIn.authorization.renew({ status: 401, challenge: undefined }, network.fetch)),
      tokens: Effect.either(signIn.authorization.tokens(network.fetch))
    })
  )

const pending = (folder: string) =>
  Effect.flatMap(StateFolder.StateFolder, (state) => PendingLogin.pendingLogins(state).entries).pipe(
    Effect.provide(StateFolder.layerAt(folder))
  )

/** A machine, which needs no person. */
const machine = {
  method: "credentials",
  client: { id: "robot", secret: Redacted.make("secret"), issuer: login }
} as const

describe("a login that waits for a person", () => {
  it.scoped("[A4] is over, and shown by nobody, as soon as its process uses the tokens of another login", () =>
    Effect.gen(function*() {
      for (const way of ["tokens", "renew"] as const) {
        const network = new StubNetwork().authServer(login).resource(server, login)
        const folder = yield* Signer.folder
        const waiting = yield* make(network, folder)
        yield* waiting.renew
        expect((yield* waiting.signIn.state)._tag).toBe("LoginNeeded")
        expect(yield* pending(folder)).toHaveLength(1)
        const other = yield* make(network, folder, machine)
        yield* other.renew
        expect((yield* waiting[way])._tag).toBe("Right")
        expect(yield* waiting.signIn.state).toMatchObject({ _tag: "SignedIn", issuer: login })
        expect(waiting.signIn.authorization.isRunning()).toBe(false)
        // No time has passed: not only after it has looked for them.
        expect(yield* pending(folder)).toEqual([])
      }
    }))

  it.scoped("[A4] is over in a process that waits for the one that has begun it as well", () =>
    Effect.gen(function*() {
      const network = new StubNetwork().authServer(login).resource(server, login)
      const folder = yield* Signer.folder
      const first = yield* make(network, folder)
      yield* first.renew
      const second = yield* make(network, folder)
      yield* second.renew
      const [one, two] = [yield* first.signIn.state, yield* second.signIn.state]
      expect(one).toEqual(two)
      expect(one._tag).toBe("LoginNeeded")
      yield* (yield* make(network, folder, machine)).renew
      expect((yield* second.tokens)._tag).toBe("Right")
      expect((yield* second.signIn.state)._tag).toBe("SignedIn")
      expect(second.signIn.authorization.isRunning()).toBe(false)
    }))
})
