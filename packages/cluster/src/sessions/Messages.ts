import { JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import type { ServerResponse } from "node:http"
import * as Passage from "./Passage.js"

/** None if it is no JSON, or has only notifications and answers. */
export const requestsIn = (body: Buffer): ReadonlyArray<JSONRPCRequest> => {
  try {
    const value: unknown = JSON.parse(body.toString())
    return (Array.isArray(value) ? value : [value]).flatMap((one) => {
      const read = JsonRpc.read(one)
      return read._tag === "Message" && JsonRpc.isRequest(read.message) ? [read.message] : []
    })
  } catch {
    return []
  }
}

const hasGone = "the replica of the gateway on which the session lived has gone"
const nobodyServes = "no replica of the gateway could serve the session"

/** `unknown`: nobody knows what became of the requests. `notSent`: they may be sent again. */
export const answerWithout = (response: ServerResponse, body: Buffer, fate: "unknown" | "notSent"): void => {
  const error = fate === "unknown"
    ? JsonRpcError.interrupted(hasGone, fate)
    : JsonRpcError.withMessage(
      JsonRpcError.interrupted(nobodyServes, fate),
      `${nobodyServes} before the request was sent: it was not carried out, and may be sent again`
    )
  const answers = requestsIn(body).map(({ id }) => ({ jsonrpc: "2.0", id, error }))
  if (Passage.isStreaming(response)) {
    for (const answer of answers) response.write(Passage.event(answer))
    return void response.end()
  }
  if (response.headersSent) return void response.destroy()
  const isBatch = body.toString("latin1", 0, 100).trimStart().startsWith("[")
  response.writeHead(200, { "Content-Type": "application/json" })
  response.end(JSON.stringify(isBatch ? answers : answers[0]))
}
