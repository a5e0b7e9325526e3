import { Backend, Sending } from "@mcp-lifeline/core"
import { HttpExchange, HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js"
import { type Clock, Duration, Effect } from "effect"
import * as SignIn from "../../testing/test/support/SignIn.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"

const { fault } = HttpExchange

const setup = Effect.gen(function*() {
  const server = yield* Harness.server
  const signIn = SignIn.askFor(server)
  return { ...signIn, server, connector: HttpConnector.make({ url: server.url, authProvider: signIn.provider }) }
})

/** Signed in, with a token that is refused and one to renew it with. */
const signedIn = Effect.tap(setup, ({ kept, origin }) =>
  Effect.sync(() => {
    kept.tokens = { access_token: "old", refresh_token: "good", token_type: "bearer", issuer: origin }
  }))

const refreshing = (asked: URLSearchParams) => asked.get("grant_type") === "refresh_token"

/** Gives other tokens each time, which the server takes if `isTaken`; counts them. */
const renewing = ({ demand, grant, onToken }: Effect.Effect.Success<typeof setup>, isTaken: boolean) => {
  const renewals = { count: 0 }
  onToken((asked) => {
    if (refreshing(asked)) grant.token = `renewed-${++renewals.count}`
    if (isTaken) demand.token = grant.token
    return undefined
  })
  return renewals
}

describe("logging in", () => {
  test.scopedLive("[T7] a login that is under way is asked for once, and used when it is over", function*() {
    const { connector, finish, logins } = yield* setup
    for (let attempt = 0; attempt < 3; attempt++) {
      const error = yield* Effect.flip(Harness.connect(connector))
      assert.deepStrictEqual([error.reason, error.permanent], ["unauthorized", false])
    }
    assert.strictEqual(logins.length, 1)
    yield* Effect.promise(finish)
    const { call } = yield* Harness.connect(connector)
    yield* call()
    assert.strictEqual(logins.length, 1)
  })

  test.scopedLive("[T7] a client is registered with its type: by where the browser leads back to, unless the provider says it", function*() {
    const cases = [
      [{ redirect_uris: ["http://127.0.0.1/callback"] }, "native"],
      [{ redirect_uris: ["http://[::1]:3000/callback"] }, "native"],
      [{ redirect_uris: ["com.example.app:/callback"] }, "native"],
      [{ redirect_uris: ["https://example.com/callback"] }, "web"],
      [{ redirect_uris: ["http://127.0.0.1/callback"], application_type: "web" }, "web"]
    ] as const
    for (const [clientMetadata, type] of cases) {
      const { connector, kept, provider, server } = yield* setup
      kept.client = undefined
      Object.assign(provider, { clientMetadata })
      yield* Effect.flip(Harness.connect(connector))
      const registration = server.seen.find(({ url }) => url === "/register")
      assert.deepInclude(JSON.parse(registration?.body ?? ""), { application_type: type })
    }
  })

  test.scopedLive("[T7] a provider that waits for the login until it is over: the attempt itself succeeds", function*() {
    const { connector, finish, logins, provider } = yield* setup
    const ask = provider.redirectToAuthorization
    provider.redirectToAuthorization = async (url) => {
      await ask(url)
      await finish()
    }
    const { call } = yield* Harness.connect(connector)
    yield* call()
    assert.strictEqual(logins.length, 1)
  })

  test.scopedLive("[R12:real T7] a session refused in unknown words with a renewed token, too, is in doubt; nobody has to log in", function*() {
    const made = yield* signedIn
    const { connector, demand, grant, logins, server } = made
    demand.token = grant.token = "old"
    const { call, connection } = yield* Harness.connect(connector)
    const { hook } = server
    const refusing = (turn: HttpExchange.Turn) =>
      turn.headers["mcp-session-id"] === connection.sessionId
        ? fault(turn.response, 401, { "www-authenticate": "Bearer" })
        : hook?.(turn)
    server.hook = refusing
    yield* Effect.flip(call())
    // As when the first request, which may have been none of a session, was answered.
    server.hook = hook
    yield* call()
    const renewals = renewing(made, true)
    server.hook = refusing
    for (let time = 0; time < 3; time++) {
      const error = yield* Effect.flip(call())
      assert.deepInclude(error, { fate: "rejected", reason: "unauthorized", ifSessionLost: "rejected" })
    }
    assert.strictEqual(renewals.count, 1)
    yield* (yield* Harness.connect(connector)).call()
    assert.deepStrictEqual([renewals.count, logins.length], [1, 0])
  })

  test.scopedLive("[R12:real T7] sessions that are bound to their first token: each renewal begins a new one, and nobody has to log in", function*() {
    const made = yield* signedIn
    const { connector, demand, logins, server } = made
    demand.token = "old"
    const { hook } = server
    const sessions = new Map<unknown, unknown>()
    server.hook = (turn) => {
      const { "mcp-session-id": id, authorization } = turn.headers
      if (id !== undefined && !sessions.has(id)) sessions.set(id, authorization)
      return id === undefined || sessions.get(id) === authorization
        ? hook?.(turn)
        : fault(turn.response, 401, { "www-authenticate": "Bearer" })
    }
    const renewals = renewing(made, true)
    const backend = yield* Backend.make("bound", { connector, keepalive: { method: "none" } })
    const call = Effect.asVoid(backend.callTool({ name: "echo", arguments: { text: "hello" } }))
    yield* call
    for (const time of [1, 2]) {
      demand.token = "another"
      yield* Effect.all([call, call, call], { concurrency: "unbounded" })
      // The end of the old session is refused as well, and tells nothing of the token.
      yield* Effect.promise(() => server.until(() => server.count("DELETE") === time))
      yield* Effect.repeatN(call, 20)
      assert.deepStrictEqual([renewals.count, logins.length], [time, 0])
    }
  })

  test.scopedLive("[T7] a token that is refused after a login leads to the next login", function*() {
    const { connector, demand, finish, grant, logins } = yield* setup
    yield* Effect.flip(Harness.connect(connector))
    yield* Effect.promise(finish)
    const { call } = yield* Harness.connect(connector)
    demand.token = grant.token = "token-2"
    assert.strictEqual((yield* Effect.flip(call())).reason, "unauthorized")
    assert.strictEqual((yield* Effect.flip(call())).reason, "unauthorized")
    assert.strictEqual(logins.length, 2)
    yield* Effect.promise(finish)
    yield* call()
    assert.strictEqual(logins.length, 2)
  })

  test.scopedLive("[T12:real] an authorization server whose answers have no end ends the attempt, and not the process", function*() {
    const { connector, server } = yield* setup
    const { hook } = server
    let most = 0
    const endless = HttpFault.endlessLine((bytes) => {
      most = Math.max(most, bytes)
    })
    server.hook = (turn) => {
      if (!turn.url.includes(".well-known")) return hook?.(turn)
      void endless(turn, () => Promise.reject(new Error("not carried out")))
      return true
    }
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.strictEqual(error.reason, "unauthorized")
    // What was read, and what the kernel's buffers take.
    assert.isBelow(most, 30_000_000)
  })

  test.scopedLive("[T7] more rights are asked for once: a scope that is not granted is not asked for with every call", function*() {
    const { connector, demand, finish, grant, logins } = yield* setup
    yield* Effect.flip(Harness.connect(connector))
    yield* Effect.promise(finish)
    const { call } = yield* Harness.connect(connector)
    const want = (scope: string) => `Bearer error="insufficient_scope", scope="${scope}"`
    Object.assign(demand, { token: "never", status: 403, challenge: want("admin") })
    for (let login = 0; login < 3; login++) {
      const error = yield* Effect.flip(call())
      assert.deepStrictEqual([error.fate, error.reason], ["rejected", "unauthorized"])
      grant.token = `token-${login + 2}`
      if (login === 0) yield* Effect.promise(finish)
    }
    assert.strictEqual(logins.length, 2)
    assert.strictEqual(logins[1]?.searchParams.get("scope"), "admin")
    demand.challenge = want("write")
    yield* Effect.flip(call())
    assert.strictEqual(logins.length, 3)
    assert.strictEqual(logins[2]?.searchParams.get("scope"), "write")
  })

  const hurried = <A, E, R>(work: (pauses: ReadonlyArray<number>) => Effect.Effect<A, E, R>) =>
    Effect.clockWith((clock) => {
      const pauses: Array<number> = []
      const sleep: Clock.Clock["sleep"] = (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis !== 2_000 && millis !== 8_000) return clock.sleep(duration)
        pauses.push(millis)
        return Effect.void
      }
      return Effect.withClock(work(pauses), Object.assign(Object.create(clock), { sleep }) as Clock.Clock)
    })

  it.scopedLive("[T7] a refresh token that is refused once is tried again, and nobody has to log in", () =>
    hurried((pauses) =>
      Effect.gen(function*() {
        for (const times of [1, 2]) {
          for (const refusal of [[400, "invalid_grant"], [401, "invalid_client"], [400, "invalid_request"]] as const) {
            const { connector, logins, onToken, registrations } = yield* signedIn
            let refused = 0
            onToken(() => refused++ < times ? refusal : undefined)
            yield* (yield* Harness.connect(connector)).call()
            assert.deepStrictEqual([logins, registrations], [[], []])
          }
        }
        assert.deepStrictEqual(pauses, [2_000, 2_000, 2_000, 2_000, 8_000, 2_000, 8_000, 2_000, 8_000])
      })
    ))

  test.scopedLive("[T7] tokens that are renewed, and refused at once each time, lead to a login; those that were good for a while do not", function*() {
    const made = yield* signedIn
    const { connector, demand, finish, grant, logins } = made
    const renewals = renewing(made, false)
    demand.token = "renewed-1"
    const { call } = yield* Harness.connect(connector)
    for (const token of ["renewed-2", "renewed-3", "renewed-4"]) {
      demand.token = token
      yield* call()
    }
    demand.token = "another"
    for (let time = 0; time < 4; time++) yield* Effect.flip(call())
    // The session may be bound to the token that it has taken last: a new one tells.
    assert.deepStrictEqual([logins.length, renewals.count], [0, 5])
    for (let time = 0; time < 3; time++) yield* Effect.flip(Harness.connect(connector))
    assert.strictEqual(logins.length, 1)
    assert.isAtMost(renewals.count, 7)
    grant.token = "another"
    yield* Effect.promise(finish)
    yield* call()
  })

  it.scopedLive("[T7] a token endpoint that has moved, or that another process has asked meanwhile, costs no login", () =>
    hurried((pauses) =>
      Effect.gen(function*() {
        const moved = yield* signedIn
        const { hook } = moved.server
        moved.server.hook = (turn) =>
          turn.url === "/token"
            ? fault(turn.response, 307, { location: "/moved" })
            : hook?.({ ...turn, url: turn.url === "/moved" ? "/token" : turn.url })
        yield* (yield* Harness.connect(moved.connector)).call()
        assert.deepStrictEqual([moved.logins.length, pauses.length], [0, 0])
        // Another process has used the refresh token.
        const { connector, kept, logins, onToken, server } = yield* signedIn
        onToken(() => {
          kept.tokens = { access_token: "token-1", refresh_token: "next", token_type: "bearer" }
          return [400, "invalid_grant"]
        })
        yield* (yield* Harness.connect(connector)).call()
        assert.deepStrictEqual([logins.length, kept.tokens?.refresh_token], [0, "next"])
        assert.strictEqual(server.seen.filter(({ url }) => url === "/token").length, 1)
      })
    ))

  it.scopedLive("[T7] a provider that needs no person forgets what is refused; where a client is unknown, its server is looked for anew", () =>
    hurried(() =>
      Effect.gen(function*() {
        const machine = yield* signedIn
        const forgotten: Array<string> = []
        machine.onToken(() => forgotten.length === 0 ? [400, "invalid_grant"] : undefined)
        Object.assign(machine.provider, {
          redirectUrl: undefined,
          prepareTokenRequest: () => new URLSearchParams({ grant_type: "client_credentials" }),
          invalidateCredentials: (what: string) => void forgotten.push(what)
        })
        yield* (yield* Harness.connect(machine.connector)).call()
        assert.deepStrictEqual([forgotten, machine.logins.length], [["tokens"], 0])
        const { connector, logins, onToken, provider, registrations } = yield* signedIn
        let asked = 0
        onToken(() => [401, "invalid_client"])
        Object.assign(provider, { discoveryState: () => void asked++ })
        yield* Effect.flip(Harness.connect(connector))
        assert.deepStrictEqual([asked, registrations, logins.length], [1, ["client-1"], 1])
      })
    ))

  test.scopedLive("[T7] tokens that only calls are refused with are renewed in vain, whatever else is taken meanwhile", function*() {
    const made = yield* signedIn
    const { connector, logins, server } = made
    const { hook } = server
    server.hook = (turn) => turn.url !== "/mcp" || turn.rpc === "tools/call" ? hook?.(turn) : undefined
    const renewals = renewing(made, false)
    const { call, connection } = yield* Harness.connect(connector)
    for (let time = 0; time < 4; time++) {
      yield* Effect.flip(call())
      yield* Sending.ask(connection, "ping", undefined, { timeout: 5_000 })
    }
    assert.deepStrictEqual([logins.length, renewals.count], [1, 2])
  })

  for (const invalidates of [true, false]) {
    const whose = invalidates ? "the provider could forget" : "a provider that cannot forget"
    const refusals = [
      [400, "invalid_grant"],
      [400, "invalid_request"],
      [400, "temporarily_unavailable"],
      [403, "no_such_thing"]
    ] as const
    for (const [status, code] of refusals) {
      it.scopedLive(`[T7] a refresh token that is refused with ${code} each time leads to one login, which is kept until the next: ${whose}`, () =>
        hurried(() =>
          Effect.gen(function*() {
            const { connector, finish, kept, logins, onToken, provider, server } = yield* signedIn
            onToken((asked) => refreshing(asked) ? [status, code] : undefined)
            if (invalidates) {
              provider.invalidateCredentials = () => {
                kept.tokens = undefined
              }
            }
            for (let attempt = 0; attempt < 3; attempt++) {
              assert.strictEqual((yield* Effect.flip(Harness.connect(connector))).reason, "unauthorized")
            }
            assert.strictEqual(logins.length, 1)
            assert.strictEqual(kept.tokens?.refresh_token, "good")
            assert.strictEqual(server.seen.filter(({ url }) => url === "/token").length, 3)
            yield* Effect.promise(finish)
            yield* (yield* Harness.connect(connector)).call()
          })
        ))
    }

    for (const code of ["invalid_client", "unauthorized_client"]) {
      it.scopedLive(`[T7] ${code}: the client is registered again, and the login succeeds: ${whose}`, () =>
        hurried(() =>
          Effect.gen(function*() {
            const { connector, finish, kept, logins, onToken, provider, registrations } = yield* signedIn
            onToken((asked) => asked.get("client_id") === "me" ? [401, code] : undefined)
            if (invalidates) {
              provider.invalidateCredentials = () => {
                kept.tokens = kept.client = undefined
              }
            }
            for (let attempt = 0; attempt < 3; attempt++) yield* Effect.flip(Harness.connect(connector))
            assert.deepStrictEqual(registrations, ["client-1"])
            assert.deepStrictEqual(logins.map((url) => url.searchParams.get("client_id")), ["client-1"])
            yield* Effect.promise(finish)
            yield* (yield* Harness.connect(connector)).call()
          })
        ))
    }
  }

  test.scopedLive("[T7] an authorization server that fails for a while is asked again; nobody has to log in for it", function*() {
    const { connector, kept, logins, onToken, origin } = yield* signedIn
    onToken(() => [503, "server_error"])
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.deepStrictEqual([error.reason, error.permanent], ["unauthorized", false])
    assert.include(error.message, "HTTP 503")
    assert.include(error.message, `${origin}/token`)
    assert.deepStrictEqual([logins.length, kept.tokens?.refresh_token], [0, "good"])
    onToken(() => undefined)
    yield* (yield* Harness.connect(connector)).call()
    assert.strictEqual(logins.length, 0)
  })

  test.scopedLive("[T7] more rights are asked for by a login, though there is a refresh token: it would bring the same rights", function*() {
    const { connector, demand, kept, logins, server } = yield* signedIn
    demand.token = "old"
    const { call } = yield* Harness.connect(connector)
    Object.assign(demand, {
      token: "never",
      status: 403,
      challenge: 'Bearer error="insufficient_scope", scope="admin"'
    })
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.strictEqual((yield* Effect.flip(call())).reason, "unauthorized")
    }
    assert.deepStrictEqual(logins.map((url) => url.searchParams.get("scope")), ["admin"])
    assert.strictEqual(server.seen.filter(({ url }) => url === "/token").length, 0)
    assert.strictEqual(kept.tokens?.refresh_token, "good")
  })

  test.scopedLive("[T7] a provider that throws for want of a person is asked once, too", function*() {
    const { connector, logins, provider } = yield* setup
    provider.redirectToAuthorization = (url) => {
      logins.push(url)
      throw new Error("nobody is here")
    }
    for (let attempt = 0; attempt < 3; attempt++) {
      const error = yield* Effect.flip(Harness.connect(connector))
      assert.isDefined(HttpConnector.loginNeeded(error))
      assert.include(error.message, attempt === 0 ? "nobody is here" : "log in")
    }
    assert.strictEqual(logins.length, 1)
  })

  test.scopedLive("[T7] a login that a person has to finish is told by the official class, and why OAuth failed by the message", function*() {
    const { connector, demand, finish, kept, logins, server } = yield* setup
    const error = yield* Effect.flip(Harness.connect(connector))
    assert.instanceOf(HttpConnector.loginNeeded(error), UnauthorizedError)
    assert.include(error.message, server.url)
    yield* Effect.promise(finish)
    const { call } = yield* Harness.connect(connector)
    demand.token = "token-2"
    kept.client = undefined
    server.hook = ({ response, url }) =>
      url === "/mcp"
        ? fault(response, 401)
        : url === "/register"
        ? fault(response, 400, {}, JSON.stringify({ error: "invalid_redirect_uri", error_description: "not ours" }))
        : fault(response, 404)
    const refused = yield* Effect.flip(call())
    assert.deepStrictEqual([refused.fate, refused.reason], ["notSent", "unauthorized"])
    assert.include(refused.message, "not ours")
    const failed = yield* Effect.flip(Harness.connect(connector))
    assert.isUndefined(HttpConnector.loginNeeded(failed))
    assert.include(failed.message, "not ours")
    assert.strictEqual(logins.length, 1)
  })
})
