/** A sign-in to a server on a network of stubs: each that is made is a process of its own, with the state folder that it is given. */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Chunk, type Duration, Effect, Either, Fiber, Redacted, Stream, TestClock } from "effect"
import * as Client from "../../src/Client.js"
import * as Grant from "../../src/Grant.js"
import * as PendingLogin from "../../src/PendingLogin.js"
import type * as Renewal from "../../src/Renewal.js"
import * as SignIn from "../../src/SignIn.js"
import type * as State from "../../src/State.js"
import { issuer, server } from "./grants.js"
import { StubNetwork } from "./StubNetwork.js"

export { issuer as login, server } from "./grants.js"

type Folder = StateFolder.StateFolder["Type"]

export const network = (name?: string) => new StubNetwork().authServer(issuer, {}, name).resource(server, issuer)

export const make = (network: StubNetwork, folder: string | Folder, options: Partial<SignIn.Options> = {}) =>
  Effect.gen(function*() {
    const state = typeof folder === "string" ? StateFolder.make(folder) : folder
    const signIn = yield* Effect.provideService(
      SignIn.make({ url: server, loginWait: 0, ...options }),
      StateFolder.StateFolder,
      state
    )
    const { authorization } = signIn
    const refused = (status = 401, challenge?: string) =>
      Effect.either(authorization.renew({ status, challenge }, network.fetch))
    return {
      signIn,
      refused,
      renew: refused(),
      tokens: Effect.either(authorization.tokens(network.fetch)),
      /** The text of the token that is sent, or why there is none. */
      token: Effect.map(
        Effect.either(authorization.tokens(network.fetch)),
        (outcome) =>
          Either.isRight(outcome) ? outcome.right && Redacted.value(outcome.right.access) : outcome.left.detail
      )
    }
  })

export const grantsIn = (folder: string | Folder) => {
  const { entries } = Grant.grants(typeof folder === "string" ? StateFolder.make(folder) : folder)
  return Effect.map(entries, (all) => all.map(([, grant]) => grant))
}

export const clientsIn = (folder: string) =>
  Effect.map(Client.registered(StateFolder.make(folder)).entries, (all) => all.map(([, client]) => client))

export const loginsIn = (folder: string) => PendingLogin.pendingLogins(StateFolder.make(folder))

/** The folder, and how often its grants were looked for. */
export const counting = (folder: Folder) => {
  const counted = { looks: 0 }
  const collection: Folder["collection"] = (name, schema, bounds) => {
    const one = folder.collection(name, schema, bounds)
    const look = Effect.sync(() => void counted.looks++)
    return name === "grants" ? { ...one, entries: Effect.zipRight(look, one.entries) } : one
  }
  return { counted, folder: { ...folder, collection } }
}

export const subjectOf = (folder: Folder, changes: Partial<Renewal.Subject> = {}): Renewal.Subject => ({
  folder,
  kept: Grant.grants(folder),
  url: new URL(server),
  server,
  account: "default",
  id: "docs",
  method: undefined,
  configured: {},
  scope: undefined,
  ...changes
})

/** Where a person is asked to go; otherwise the state's name. */
export const addressOf = (signIn: SignIn.SignIn) =>
  Effect.map(signIn.state, (state) => state._tag === "LoginNeeded" ? state.address : state._tag)

export const reaches = (signIn: SignIn.SignIn, tag: State.State["_tag"]) =>
  Stream.runHead(Stream.filter(signIn.changes, ({ _tag }) => _tag === tag))

export const makeBrowser = () => {
  const opened: Array<string> = []
  return { opened, browser: { open: (address: string) => Effect.sync(() => opened.push(address) > 0) } }
}

/** Files and sockets take a turn of the real world. */
export const turn = Effect.promise(() => new Promise((done) => setImmediate(done)))

/** Lets the virtual clock go on until it is so; at most so many steps. */
export const passing = (step: Duration.DurationInput, isSo: Effect.Effect<boolean>, most = 500) =>
  Effect.gen(function*() {
    for (let steps = 0; steps < most && !(yield* isSo); steps++) {
      yield* TestClock.adjust(step)
      yield* turn
    }
  })

/** Runs it, and lets the virtual clock go on whenever it waits. */
export const inTime = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(work)
    while (fiber.unsafePoll() === null) {
      if (!Chunk.isEmpty(yield* TestClock.sleeps())) yield* TestClock.adjust("1 second")
      yield* turn
    }
    return yield* Fiber.join(fiber)
  })
