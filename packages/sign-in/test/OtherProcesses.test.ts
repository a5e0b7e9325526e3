import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Either, Option, Redacted, TestClock } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Grant from "../src/Grant.js"
import * as PendingLogin from "../src/PendingLogin.js"
import * as SignIn from "../src/SignIn.js"
import { grant, keep, waiting } from "./support/grants.js"
import { inTime } from "./support/inTime.js"
import { json, StubNetwork } from "./support/StubNetwork.js"

const [server, login] = [grant().server, grant().issuer]

const make = (state: StateFolder.StateFolder["Type"], network: StubNetwork, options: Partial<SignIn.Options> = {}) =>
  Effect.map(
    Effect.provideService(
      SignIn.make({ url: server, loginWait: 0, ...options }),
      StateFolder.StateFolder,
      state
    ),
    (signIn) => ({
      signIn,
      renew: Effect.either(signIn.authorization.renew({ status: 401, challenge: undefined }, network.fetch)),
      tokens: Effect.either(signIn.authorization.tokens(network.fetch))
    })
  )

const state = Effect.map(folder, StateFolder.make)

const network = () => new StubNetwork().authServer(login).resource(server, login)

const refresh = Redacted.make("the refresh token")

const kept = (state: StateFolder.StateFolder["Type"]) =>
  Effect.map(Grant.grants(state).entries, (all) => all.map(([, { access }]) => Redacted.value(access)))

describe("tokens that several want at once", () => {
  test.scoped("[A2] are renewed by one, and the others go on with what it got", function*() {
    const folder = yield* state
    yield* keep(folder, { grants: [grant({ refresh })] })
    const net = network()
    const processes = yield* Effect.forEach([1, 2, 3], () => make(folder, net))
    const renewed = yield* Effect.all(processes.map(({ renew }) => renew), { concurrency: "unbounded" })
    expect(renewed).toEqual([Either.right(true), Either.right(true), Either.right(true)])
    expect(net.forms(`${login}/token`)).toEqual([{
      grant_type: "refresh_token",
      refresh_token: "the refresh token",
      client_id: "client-1"
    }])
    for (const { tokens } of processes) {
      const got = Either.getOrThrow(yield* tokens)
      expect(got && Redacted.value(got.access)).toBe("token-1")
    }
    expect(yield* kept(folder)).toEqual(["token-1"])
  })

  test.scoped("[A2] of a machine are asked for again before they end, with its credentials and for the same", function*() {
    const [folder, net] = [yield* state, network()]
    const machine = { id: "robot", secret: Redacted.make("secret"), issuer: login }
    const { renew, signIn, tokens } = yield* make(folder, net, {
      method: "credentials",
      client: machine,
      scope: "read"
    })
    expect(yield* renew).toEqual(Either.right(true))
    yield* TestClock.adjust("3299 seconds")
    const first = Either.getOrThrow(yield* tokens)
    expect(first && Redacted.value(first.access)).toBe("token-1")
    yield* TestClock.adjust("1 second")
    const before = net.asked.length
    const second = Either.getOrThrow(yield* tokens)
    expect(second && Redacted.value(second.access)).toBe("token-2")
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
    const { tokens } = yield* make(folder, net)
    expect(Either.getOrThrow(yield* tokens)).toMatchObject({ refresh })
    yield* TestClock.adjust("59 seconds")
    expect(yield* inTime(tokens)).toEqual(Either.right(undefined))
    expect(yield* tokens).toEqual(Either.right(undefined))
    expect([net.forms(`${login}/token`).length, yield* kept(folder)]).toEqual([3, ["secret-access"]])
  })

  test.scoped("[A1] of a machine need the id of its client, before which nothing is asked for", function*() {
    const net = network()
    const { renew, signIn } = yield* make(yield* state, net, { method: "credentials", client: {} })
    const outcome = yield* renew
    expect(Either.isLeft(outcome) && outcome.left).toMatchObject({
      detail: "a sign-in with client credentials needs the id of a client"
    })
    expect(yield* signIn.state).toEqual({
      _tag: "Refused",
      detail: "a sign-in with client credentials needs the id of a client"
    })
    expect(net.forms(`${login}/token`)).toEqual([])
  })
})

describe("tokens that are not there", () => {
  test.scoped("[A4] are looked for once a second, however often a server is called, and at once when it refuses", function*() {
    const [folder, net] = [yield* state, network()]
    let looks = 0
    const collection: typeof folder.collection = (name, schema, bounds) => {
      const one = folder.collection(name, schema, bounds)
      return name !== "grants" ? one : {
        ...one,
        entries: Effect.suspend(() => {
          looks++
          return one.entries
        })
      }
    }
    const looking = { ...folder, collection }
    const [first, second] = [yield* make(looking, net), yield* make(looking, net)]
    yield* TestClock.adjust("1 second")
    looks = 0
    for (let calls = 0; calls < 5; calls++) expect(yield* first.tokens).toEqual(Either.right(undefined))
    expect(looks).toBe(1)
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
  const passing = (isSo: Effect.Effect<boolean>, most = 500) =>
    Effect.gen(function*() {
      for (let steps = 0; steps < most && !(yield* isSo); steps++) {
        yield* TestClock.adjust("50 millis")
        yield* Effect.promise(() => new Promise((done) => setImmediate(done)))
      }
    })
  const behind = (first: PendingLogin.PendingLogin, options: Partial<SignIn.Options> = {}) =>
    Effect.gen(function*() {
      const folder = yield* state
      const pending = PendingLogin.pendingLogins(folder)
      yield* folder.lock(`login-${slot}`)
      yield* pending.set(slot, first)
      // Several, which do the same at the same time.
      const all = yield* Effect.forEach([1, 2, 3], () => make(folder, network(), options))
      for (const { renew } of all) yield* Effect.forkScoped(renew)
      const shown = Effect.map(
        Effect.forEach(all, ({ signIn }) => signIn.state),
        (now) => [...new Set(now.map((one) => one._tag === "LoginNeeded" ? one.address : one._tag))].join()
      )
      return { pending, shown }
    })

  test.scoped("[A3:unit A4] is shown as it is now, and no longer than it can be finished", function*() {
    yield* TestClock.setTime(1_000_000)
    const { pending, shown } = yield* behind(waiting(1_600_000, { address }))
    yield* passing(Effect.map(shown, (now) => now === address))
    expect(yield* shown).toBe(address)
    yield* pending.set(slot, waiting(1_600_000, { address: next }))
    yield* passing(Effect.map(shown, (now) => now === next))
    expect(yield* shown).toBe(next)
    const over = yield* behind(waiting(999_999, { address }))
    yield* passing(Effect.map(over.shown, (now) => now === address), 20)
    expect(yield* over.shown).not.toBe(address)
  })

  test.scoped("[A4:unit] is opened in a browser by the first process that has one, once, and that is kept", function*() {
    for (const opened of [false, true]) {
      const asked: Array<string> = []
      const browser = { open: (to: string) => Effect.sync(() => asked.push(to) > 0) }
      const { pending, shown } = yield* behind(waiting(600_000, { address, opened }), { browser })
      yield* passing(Effect.map(shown, (now) => now === address))
      const isKept = Effect.map(pending.get(slot), (kept) => Option.getOrUndefined(kept)?.opened === true)
      yield* passing(isKept)
      expect(yield* isKept).toBe(true)
      yield* passing(Effect.succeed(false), 20)
      expect(asked).toEqual(opened ? [] : [address])
    }
  })
})
