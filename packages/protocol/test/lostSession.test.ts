import { assert, describe, it } from "@effect/vitest"
import { LostSession } from "@mcp-lifeline/protocol"

/** What a server answers: status, code, message. */
type Row = readonly [status: number | undefined, code: number | undefined, message: string]

const verdicts = (rows: ReadonlyArray<Row>) =>
  rows.map(([status, code, message]) => LostSession.verdict({ status, code, message }))

const lost: ReadonlyArray<Row> = [
  [404, undefined, ""],
  [404, -32001, "Session not found"],
  [404, -32600, "Session not found or has expired."],
  [410, undefined, "Gone"],
  [400, -32000, "Bad Request: Server not initialized"],
  [400, -32000, "Bad Request: No valid session ID provided"],
  [400, undefined, "Invalid session ID"],
  [400, -32602, "Invalid session ID"],
  [400, -32000, "Bad Request: No valid session ID or not an initialize request"],
  [400, undefined, "No active transport"],
  [401, undefined, "Unauthorized: Session not found"],
  [401, -32000, "Unauthorized: No valid session ID provided"],
  [422, undefined, "Unexpected message, expect initialize request"],
  [422, undefined, "Unprocessable Entity: Unexpected message, expect initialize request"],
  [403, undefined, "Session expired"],
  [403, undefined, "session user mismatch"],
  [403, -32001, "Mcp-Session-Id principal mismatch"],
  [500, -32603, "Session not found"],
  [500, -32603, "Session not found: 6f1f"],
  [500, undefined, "Error POSTing to endpoint (HTTP 400): No valid session ID provided"],
  [503, undefined, "Unknown MCP session"],
  [undefined, -32001, "Session not found"],
  [undefined, -32001, "The session is closing"],
  [undefined, -32001, "SESSION_NOT_FOUND"],
  [400, undefined, "UnknownSession"],
  [400, -32000, "Mcp-Session-Id is missing"],
  [400, undefined, "session_expired"],
  [400, undefined, "Session does not exist"],
  [400, undefined, "cannot find session 6f1f"],
  [undefined, -32002, "Server not initialized"],
  [undefined, -32099, "Server not initialized"],
  [undefined, -32600, "missing or invalid Mcp-Session-Id"]
]

const codes = [0, 1, 404, 410, 500, -1, -32099, -32602, -32603, -31000, -32769]
const words = [
  "Session not found",
  "unknown session",
  "Session expired",
  "No valid session ID provided",
  "session_not_found"
]
const uses = [
  "session already exists",
  "Session is busy: not initialized",
  "session locked",
  "session limit: invalid session",
  "too many sessions"
]

const rejectedIfLost: ReadonlyArray<Row> = [
  [400, undefined, "session already exists"],
  [400, -32000, "Invalid session ID: already in use"],
  [400, undefined, "the session wants other arguments"],
  [404, undefined, "Session already exists"],
  [406, undefined, "Session expired"],
  [409, undefined, "session locked"],
  [400, undefined, ""],
  [400, -32602, "bad arguments"],
  [401, undefined, ""],
  [403, undefined, "Forbidden"],
  [422, undefined, "name must be a string"],
  [undefined, -32603, "Invalid session ID"],
  [undefined, -32602, "Invalid request parameters"],
  [undefined, -32602, "Invalid session ID"],
  [undefined, -32600, "Invalid Request"]
]

const answeredIfLost: ReadonlyArray<Row> = [
  [undefined, -32603, "Internal error"],
  [undefined, -32000, "boom"],
  [undefined, -32768, "boom"]
]

const alive: ReadonlyArray<Row> = [
  [405, undefined, "Method Not Allowed"],
  [406, -32000, "Not Acceptable"],
  [413, undefined, "Payload Too Large"],
  [429, undefined, "session quota"],
  [500, undefined, "Internal Server Error"],
  [500, -32603, "the browser crashed"],
  [502, undefined, "Bad Gateway"],
  [503, undefined, "Service Unavailable"],
  [undefined, -32601, "Method not found"],
  [undefined, -32002, "Resource not found"],
  [undefined, -32042, "Elicitation required"],
  [undefined, -32769, "boom"],
  [undefined, 0, "the page has no element"],
  [undefined, 404, "no such page"],
  [503, undefined, "session limit: no active session"]
]

describe("what servers say of a session", () => {
  it("[R12] the words of known servers for a session that they have forgotten", () => {
    assert.deepStrictEqual(verdicts(lost), lost.map(() => ({ _tag: "Lost" })))
  })

  it("[R12] what may be one, and was refused before it was carried out", () => {
    assert.deepStrictEqual(
      verdicts(rejectedIfLost),
      rejectedIfLost.map(() => ({ _tag: "Doubtful", fate: "rejected" }))
    )
  })

  it("[R12] words that say it make it likely, whatever the code of JSON-RPC", () => {
    for (const code of codes) {
      for (const message of words) {
        const { _tag } = LostSession.verdict({ status: undefined, code, message })
        assert.notStrictEqual(_tag, "Alive", `${code} ${message}`)
      }
    }
  })

  it("[R12] an error of what the server offers may speak of another session: then the server is asked", () => {
    const said = { status: undefined, message: "Browser session expired" }
    for (const code of [-32000, -32002, -32600]) {
      for (const method of ["tools/call", "tasks/result", "prompts/get", "resources/read", "completion/complete"]) {
        assert.deepStrictEqual(LostSession.verdict({ ...said, code, method }), { _tag: "Doubtful", fate: "rejected" })
      }
      for (const method of ["ping", "tools/list", undefined]) {
        assert.strictEqual(LostSession.verdict({ ...said, code, method })._tag, "Lost")
      }
    }
    const method = "tools/call"
    assert.strictEqual(LostSession.verdict({ ...said, code: -32001, method })._tag, "Lost")
    for (const message of ["Server not initialized", "missing or invalid Mcp-Session-Id"]) {
      assert.strictEqual(LostSession.verdict({ status: undefined, code: -32002, message, method })._tag, "Lost")
    }
  })

  it("[R12] words of a session that is in use are no verdict, whatever the status or code", () => {
    for (const message of uses) {
      for (const status of [undefined, 400, 401, 403, 404, 409, 410, 422, 423, 500, 503]) {
        for (const code of [undefined, ...codes, -32000, -32001, -32600]) {
          const { _tag } = LostSession.verdict({ status, code, message })
          assert.notStrictEqual(_tag, "Lost", `${status} ${code} ${message}`)
        }
      }
    }
  })

  it("[R12] what may be one, and may have been carried out", () => {
    assert.deepStrictEqual(verdicts(answeredIfLost), answeredIfLost.map(() => ({ _tag: "Doubtful", fate: "answered" })))
  })

  it("[R12] what says nothing of the session: a method or a tool of its own, a rate, an outage", () => {
    assert.deepStrictEqual(verdicts(alive), alive.map(() => ({ _tag: "Alive" })))
  })
})
