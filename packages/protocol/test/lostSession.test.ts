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
  [undefined, -32002, "Server not initialized"],
  [undefined, -32099, "Server not initialized"],
  [undefined, -32600, "missing or invalid Mcp-Session-Id"]
]

const rejectedIfLost: ReadonlyArray<Row> = [
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
  [undefined, undefined, "Session not found"],
  [undefined, 0, "Unknown session: open a page first"],
  [undefined, 404, "Session not found"]
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

  it("[R12] what may be one, and may have been carried out", () => {
    assert.deepStrictEqual(verdicts(answeredIfLost), answeredIfLost.map(() => ({ _tag: "Doubtful", fate: "answered" })))
  })

  it("[R12] what says nothing of the session: a method or a tool of its own, a rate, an outage", () => {
    assert.deepStrictEqual(verdicts(alive), alive.map(() => ({ _tag: "Alive" })))
  })
})
