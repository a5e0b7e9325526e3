import { Backend } from "@mcp-lifeline/core"
import { HttpExchange, HttpFault, type HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import { pairs } from "../../testing/test/support/pairs.js"
import * as SignIn from "../../testing/test/support/SignIn.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import { supervise, textOf } from "./fixtures/Supervised.js"

type Dialect = Exclude<HttpFaultServer.LostSession, number>

const dialects: ReadonlyArray<Dialect> = [
  { status: 404 },
  { status: 410, message: "Gone" },
  { status: 400 },
  { status: 400, code: -32000, message: "Bad Request: Server not initialized" },
  { status: 401 },
  { status: 401, message: "Unauthorized: Session not found" },
  { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } },
  { status: 403, message: "Forbidden" },
  { status: 406, message: "Session expired" },
  { status: 422, message: "Unexpected message, expect initialize request" },
  { status: 500, code: -32603, message: "Session not found" },
  { status: 200, code: -32600, message: "missing or invalid Mcp-Session-Id" },
  { status: 200, code: -32002, message: "Server not initialized", pings: true },
  { status: 200, code: -32603, message: "Invalid session ID" },
  { status: 200, code: -32602, message: "Invalid request parameters", pings: true },
  { status: 200, code: 0, message: "Session not found" },
  { status: 200, code: 404, message: "Unknown session" },
  { status: 200, code: "SESSION_NOT_FOUND" as never, message: "call it again" }
]

const named = ({ code, message, status }: Dialect) => `${status} ${code ?? ""} ${message ?? ""}`

describe.concurrent("sessions that a server has forgotten", () => {
  for (const dialect of dialects) {
    test.scopedLive(`[R12:real] ${named(dialect)}: the next call succeeds on a new session`, function*() {
      const server = yield* Harness.server
      const backend = yield* supervise(server)
      yield* backend.callTool({ name: "echo" })
      server.lostSession = dialect
      server.sessions.clear()
      const call = backend.callTool({ name: "echo", arguments: { message: "again" } })
      const first = yield* Effect.either(call)
      // Only a status says that nothing was carried out.
      const isRefused = dialect.status >= 400 && dialect.status < 500
      assert.strictEqual(first._tag, isRefused ? "Right" : "Left")
      if (!isRefused) assert.strictEqual(textOf(yield* call), "again")
      const { generation, state } = yield* backend.status
      assert.deepStrictEqual([state, generation], ["Connected", 2])
      assert.strictEqual(server.count("initialize"), 2)
      assert.strictEqual(server.applied.length, 2)
    })
  }

  const codes = [undefined, 0, 404, 32600, -32600, -32001, -32603, -31000, "SESSION_GONE"]
  const requests = {
    "a call": (backend: Backend.Backend) => Effect.asVoid(backend.callTool({ name: "echo" }, { idempotent: true })),
    "a list": (backend: Backend.Backend) => Effect.asVoid(backend.request("tools/list", {})),
    "a notification": (backend: Backend.Backend) =>
      Effect.zipRight(
        Effect.ignore(backend.notify("notifications/progress", { progressToken: 1, progress: 1 })),
        backend.callTool({ name: "echo" }, { idempotent: true })
      )
  }
  const refusals = codes.flatMap((code) =>
    (code === undefined ? [400, 404] : [200, 400, 404]).map((status) => ({ code: code as number | undefined, status }))
  )
  for (const [[what, request], { code, status }] of pairs(Object.entries(requests), refusals, 9)) {
    test.scopedLive(`[R12:real] ${what}, HTTP ${status}, code ${code}: what each request is refused with begins a new session`, function*() {
      const server = yield* Harness.server
      const backend = yield* supervise(server)
      server.lostSession = { status, code, message: "" }
      // The one in its place, too.
      for (const sessions of [2, 3]) {
        server.sessions.clear()
        yield* request(backend)
        assert.strictEqual(server.count("initialize"), sessions)
      }
      assert.strictEqual((yield* backend.status).state, "Connected")
    })
  }

  test.scopedLive("[R12:real] a server without sessions loses none, whatever it says", function*() {
    const server = yield* Harness.server
    server.stateful = false
    const backend = yield* supervise(server)
    for (const status of [400, 404, 406]) {
      server.fail("tools/call", HttpFault.status(status, { body: "Session not found" }), 1)
      const outcome = yield* Effect.either(backend.callTool({ name: "echo" }))
      // Who knows nothing of the address is not the server, which is asked again.
      assert.strictEqual(outcome._tag, status === 404 ? "Right" : "Left")
    }
    assert.strictEqual(server.count("initialize"), 1)
    assert.strictEqual((yield* backend.status).generation, 1)
  })

  const whereLoginIsPossible = (hook: (turn: HttpExchange.Turn) => boolean | undefined) =>
    Effect.gen(function*() {
      const server = yield* Harness.server
      const signIn = SignIn.askFor(server)
      const { hook: others } = server
      server.hook = (turn) => turn.url === "/mcp" ? hook(turn) : others?.(turn)
      const connector = HttpConnector.make({
        url: server.url,
        transport: "streamable",
        authProvider: signIn.provider
      })
      const backend = yield* Backend.make("test", { connector, reconnect: { initialDelay: 20, maxDelay: 200 } })
      const call = backend.callTool({ name: "echo", arguments: { message: "again" } })
      return { ...signIn, backend, call, server }
    })

  test.scopedLive("[R12:real] where a login is possible, nobody has to log in for a session that was begun without one", function*() {
    const { backend, call, logins, server } = yield* whereLoginIsPossible(() => undefined)
    yield* call
    server.lostSession = { status: 401 }
    server.sessions.clear()
    assert.strictEqual(textOf(yield* call), "again")
    const { generation, state } = yield* backend.status
    assert.deepStrictEqual([state, generation], ["Connected", 2])
    assert.deepStrictEqual([logins.length, server.seen.filter(({ url }) => url !== "/mcp").length], [0, 0])
  })

  test.scopedLive("[T7] a server that wants a login for calls only, and does not say how: it is asked for where the session proves to be alive", function*() {
    const { call, finish, logins, server } = yield* whereLoginIsPossible(({ headers, response, rpc }) =>
      rpc === "tools/call" && headers["authorization"] === undefined ? HttpExchange.fault(response, 401) : undefined
    )
    assert.include((yield* Effect.flip(call)).message, "401")
    assert.strictEqual(logins.length, 0)
    assert.include((yield* Effect.flip(call)).message, "log in")
    assert.strictEqual(logins.length, 1)
    yield* Effect.promise(finish)
    assert.strictEqual(textOf(yield* call), "again")
    assert.strictEqual(server.count("initialize"), 1)
  })
})
