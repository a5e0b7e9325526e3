import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Either, Fiber, Redacted, TestClock } from "effect"
import * as Grant from "../../../sign-in/src/Grant.js"
import * as SignIn from "../../../sign-in/src/SignIn.js"
import { grant, keep } from "../../../sign-in/test/support/grants.js"
import { json, StubNetwork } from "../../../sign-in/test/support/StubNetwork.js"
import { describe, expect, test } from "../../../testing/test/support/vitest.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"
import { type Replica, replica } from "./Replica.js"

const [server, login] = [grant().server, grant().issuer]
const followed = ["grants", "clients", "logins"]

/** An authorization server whose refresh tokens are good for one time; the second use of one ends the login. */
const rotating = (): StubNetwork => {
  const net = new StubNetwork().authServer(login).resource(server, login)
  let good = "refresh-0"
  let count = 0
  return net.at(`${login}/token`, ({ body }) => {
    if (new URLSearchParams(body).get("refresh_token") !== good) return json(400, { error: "invalid_grant" })
    good = `refresh-${++count}`
    return json(200, { access_token: `access-${count}`, refresh_token: good, token_type: "Bearer", expires_in: 3600 })
  })
}

const first = grant({
  access: Redacted.make("access-0"),
  refresh: Redacted.make("refresh-0"),
  expiresAt: 3_600_000
})

const signIn = ({ state }: Replica, net: StubNetwork) =>
  Effect.map(
    Effect.provideService(SignIn.make({ url: server, loginWait: 0 }), StateFolder, state),
    ({ authorization }) => ({
      accepted: Effect.sync(() => authorization.accepted?.()),
      renew: Effect.either(authorization.renew({ status: 401, challenge: undefined }, net.fetch)),
      access: Effect.map(
        Effect.either(authorization.tokens(net.fetch)),
        (tokens) => Either.isRight(tokens) && tokens.right && Redacted.value(tokens.right.access)
      )
    })
  )

const ended = <A, E>(fiber: Fiber.Fiber<A, E>) =>
  Effect.gen(function*() {
    while (true) {
      const exit = yield* fiber.poll
      if (exit._tag === "Some") return yield* exit.value
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("100 millis")
    }
  })

const kept = ({ state }: Replica) =>
  Effect.map(
    Grant.grants(state).entries,
    (all) => all.map(([, { access, refresh }]) => [access, refresh].map((one) => one && Redacted.value(one)))
  )

describe("a login that replicas share", () => {
  test.scoped("[D7][A2] is renewed once for all of them, and each has the new tokens", function*() {
    const [store, net] = [MemoryStore.make(), rotating()]
    const replicas = yield* Effect.all([1, 2, 3].map(() => replica(store, { followed })))
    yield* keep(replicas[0]!.state, { grants: [first] })
    const logins = yield* Effect.forEach(replicas, (one) => signIn(one, net))
    for (const { access } of logins) expect(yield* access).toBe("access-0")
    for (let round = 1; round <= 3; round++) {
      const all = yield* Effect.fork(Effect.all(logins.map(({ renew }) => renew), { concurrency: "unbounded" }))
      expect(yield* ended(all)).toEqual(Array(3).fill(Either.right(true)))
      for (const { accepted, access } of logins) {
        expect(yield* access).toBe(`access-${round}`)
        yield* accepted
      }
    }
    expect(net.forms(`${login}/token`).map((form) => form["refresh_token"])).toEqual([
      "refresh-0",
      "refresh-1",
      "refresh-2"
    ])
    for (const one of replicas) expect(yield* kept(one)).toEqual([["access-3", "refresh-3"]])
  })

  test.scoped("[D7][D5] is not lost when the database goes away while it is renewed", function*() {
    const [store, net] = [MemoryStore.make(), rotating()]
    const [a, b] = [yield* replica(store, { followed }), yield* replica(store, { followed })]
    yield* keep(a.state, { grants: [first] })
    const [ofA, ofB] = [yield* signIn(a, net), yield* signIn(b, net)]
    expect([yield* ofA.access, yield* ofB.access]).toEqual(["access-0", "access-0"])
    const inner = rotating()
    net.at(`${login}/token`, async ({ body }) => {
      a.way.fate = "refused"
      return inner.fetch(`${login}/token`, { method: "POST", body })
    })
    expect(yield* ended(yield* Effect.fork(ofA.renew))).toEqual(Either.right(true))
    expect(yield* ofA.access).toBe("access-1")
    // The other one waits for what this one has got.
    const waiting = yield* Effect.fork(ofB.renew)
    for (let times = 0; times < 20; times++) {
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("1 second")
    }
    expect((yield* waiting.poll)._tag).toBe("None")
    a.way.fate = "ok"
    expect(yield* ended(waiting)).toEqual(Either.right(true))
    expect(yield* ofB.access).toBe("access-1")
    expect(inner.forms(`${login}/token`)).toHaveLength(1)
  })

  test.scoped("[D7][D5] is not renewed by what was read before the database went away", function*() {
    const [store, net] = [MemoryStore.make(), rotating()]
    const [a, b] = [yield* replica(store, { followed }), yield* replica(store, { followed })]
    yield* keep(a.state, { grants: [first] })
    const [ofA, ofB] = [yield* signIn(a, net), yield* signIn(b, net)]
    expect([yield* ofA.access, yield* ofB.access]).toEqual(["access-0", "access-0"])
    a.way.isRenewed = false
    expect(yield* ended(yield* Effect.fork(ofB.renew))).toEqual(Either.right(true))
    a.way.lock = () => {
      a.way.fate = "refused"
    }
    const renewing = yield* Effect.fork(ofA.renew)
    for (let times = 0; times < 20; times++) {
      yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("1 second")
    }
    expect([a.way.fate, (yield* renewing.poll)._tag]).toEqual(["refused", "None"])
    a.way.fate = "ok"
    expect(yield* ended(renewing)).toEqual(Either.right(true))
    expect(yield* ofA.access).toBe("access-1")
    expect(net.forms(`${login}/token`)).toHaveLength(1)
    for (const one of [a, b]) expect(yield* kept(one)).toEqual([["access-1", "refresh-1"]])
  })
})
