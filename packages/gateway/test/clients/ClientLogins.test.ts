import { BackendUnavailable, ConnectionLost } from "@mcp-lifeline/core"
import { type ClientRequest, JsonRpcError } from "@mcp-lifeline/protocol"
import type * as SignInState from "@mcp-lifeline/sign-in/State"
import { Effect, Fiber, SubscriptionRef, TestClock } from "effect"
import { ClientLogins, type Options } from "../../src/clients/ClientLogins.js"
import { describe, expect, test } from "../support/vitest.js"

const issuer = "https://issuer.example"
const needed: SignInState.State = { _tag: "LoginNeeded", address: `${issuer}/login`, until: 1e15, stepUp: false }
const unlimited = { scope: undefined, expiresAt: undefined, renewable: false }
const signedIn: SignInState.State = { _tag: "SignedIn", issuer, ...unlimited }
const refused: SignInState.State = { _tag: "Refused", detail: "the user has refused" }

const error = { backend: "docs", message: "docs needs a login" }
const unavailable = JsonRpcError.fromCallError(new BackendUnavailable({ ...error, state: "Connecting" }))
const lost = JsonRpcError.fromCallError(new ConnectionLost({ ...error, generation: 1 }))

const request = (method = "tools/call") => ({ method }) as ClientRequest

const client = Effect.fnUntraced(function*(options: Partial<Options> = {}) {
  const state = yield* SubscriptionRef.make<SignInState.State>(needed)
  const happened: Array<string> = []
  const questions: Array<Record<string, unknown>> = []
  const user = { answer: Promise.resolve({ action: "accept" }) as Promise<any> }
  const scope = yield* Effect.scope
  const logins = new ClientLogins({
    signIn: (server) =>
      server === "docs" ? { state: SubscriptionRef.get(state), changes: state.changes } as never : undefined,
    capabilities: () => ({ elicitation: { url: {} } }),
    ask: (server, { params }) => {
      happened.push(`asked for ${server}`)
      questions.push(params)
      return user.answer
    },
    notify: (_, { method, params }) => {
      happened.push(params?.["elicitationId"] === questions[0]?.["elicitationId"] ? method : `${method} of another`)
    },
    connect: (server) => Effect.sync(() => void happened.push(`connected ${server}`)),
    run: (work) => void Effect.runSync(Effect.forkIn(work, scope)),
    ...options
  })
  const begin = (one = request(), error = unavailable, server = "docs") => logins.begin(one, server, error)
  const begun = Effect.fnUntraced(function*(one = request()) {
    const outcome = begin(one)
    if (outcome === undefined) return yield* Effect.dieMessage("nobody is asked")
    const fiber = yield* Effect.fork(outcome)
    yield* settled
    return fiber
  })
  const set = (to: SignInState.State) => Effect.zipRight(SubscriptionRef.set(state, to), settled)
  return { begin, begun, happened, logins, questions, set, user }
})

/** Promises of the user are answered, too. */
const settled = Effect.zipRight(
  Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
  TestClock.adjust(0)
)

const completed = "notifications/elicitation/complete"
const required = { code: -32_042, data: { elicitations: [{ mode: "url", url: needed.address }] } }

describe("a login during a call of a client", () => {
  test.scoped("[A1:unit] is asked for once by each call, of a client that can ask, where a login of its own helps", function*() {
    const { begin } = yield* client()
    const one = request()
    expect(begin(one)).toBeDefined()
    expect(begin(one)).toBeUndefined()
    expect(begin(request(), unavailable, "another")).toBeUndefined()
    expect(begin(request(), lost)).toBeUndefined()
    // Some server has answered that: it says nothing of ours.
    expect(begin(request(), { ...unavailable })).toBeUndefined()
    for (const capabilities of [undefined, {}, { elicitation: {} }, { elicitation: { form: {} } }]) {
      const { begin } = yield* client({ capabilities: () => capabilities })
      expect(begin()).toBeUndefined()
    }
  })

  test.scoped("[A1:unit] that is done connects the client's server, and the call is made again; a login that needs none is not asked for", function*() {
    const { begun, happened, questions, set } = yield* client()
    const call = yield* begun()
    expect([call.unsafePoll(), questions]).toMatchObject([null, [{ mode: "url", url: needed.address }]])
    yield* set(signedIn)
    expect(yield* Fiber.join(call)).toBe("again")
    expect(happened).toEqual(["asked for docs", completed, "connected docs"])
    expect(yield* Fiber.join(yield* begun())).toBeUndefined()
    expect(happened).toHaveLength(3)
  })

  test.scoped("[A1:unit] that was done before the user has answered is as good", function*() {
    const { begun, set, user } = yield* client()
    user.answer = new Promise(() => {})
    const call = yield* begun()
    yield* set(signedIn)
    expect(yield* Fiber.join(call)).toBe("again")
  })

  test.scoped("[A1:unit] that the user declines, or the client cannot ask for, leaves the error, and what was refused connects nothing", function*() {
    for (const answer of [{ action: "decline" }, { action: "cancel" }, {}, undefined]) {
      const { begun, happened, user } = yield* client()
      user.answer = answer === undefined ? Promise.reject(new Error("no")) : Promise.resolve(answer)
      expect(yield* Fiber.join(yield* begun())).toBeUndefined()
      expect(happened).toEqual(["asked for docs"])
    }
    const { begun, happened, set } = yield* client()
    const call = yield* begun()
    yield* set(refused)
    expect(yield* Fiber.join(call)).toBeUndefined()
    expect(happened).toEqual(["asked for docs", completed])
  })

  test.scoped("[A1:unit] is waited for during 45 s; after that the client gets the address, and hears once when it is done", function*() {
    const { begun, happened, set } = yield* client()
    const call = yield* begun()
    yield* TestClock.adjust(44_999)
    expect(call.unsafePoll()).toBeNull()
    yield* TestClock.adjust(1)
    expect(yield* Fiber.join(call)).toMatchObject(required)
    yield* settled
    yield* set(signedIn)
    yield* set(needed)
    yield* set(signedIn)
    expect(happened).toEqual(["asked for docs", completed])
  })

  test.scoped("[A1:unit] other requests are answered with the address at once, and nobody is asked", function*() {
    const { begun, happened, set } = yield* client()
    expect(yield* Fiber.join(yield* begun(request("resources/subscribe")))).toMatchObject(required)
    yield* settled
    yield* set(signedIn)
    expect(happened).toEqual([`${completed} of another`])
  })

  test.scoped("[A1:unit] a call to servers whose tools are not known fails as soon as one of them waits for a login", function*() {
    const { logins, set } = yield* client()
    yield* set(signedIn)
    const fiber = yield* Effect.fork(Effect.either(logins.needed(["another", "docs"])))
    yield* settled
    expect(fiber.unsafePoll()).toBeNull()
    // Without more scopes it can be used as before.
    yield* set({ ...needed, stepUp: true } as SignInState.State)
    expect(fiber.unsafePoll()).toBeNull()
    yield* set(needed)
    expect(yield* Fiber.join(fiber)).toMatchObject({ left: { _tag: "BackendUnavailable", backend: "docs" } })
    const none = yield* Effect.fork(logins.needed(["another"]))
    yield* settled
    expect(none.unsafePoll()).toBeNull()
    yield* Fiber.interrupt(none)
  })
})
