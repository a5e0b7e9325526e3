/**
 * Node.js refuses some requests before a listener sees them, without a body, which is no answer of the protocol.
 */
import { JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"

const late = JsonRpcError.interrupted(
  "the request did not arrive as a whole in time, as when this program was stopped meanwhile",
  "notSent"
)

const invalid = (message: string) => ({ code: JsonRpc.invalidRequest, message })

/** By the codes of Node.js. */
const answers: Readonly<Record<string, readonly [status: number, error: object]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, late],
  HPE_HEADER_OVERFLOW: [431, invalid("The headers of the request are too large")],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, invalid("The extensions of a chunk of the request are too large")]
}

/** `hasBegun`: the request has an answer already, or the one before is not written yet. */
export const answer = (
  { code = "" }: NodeJS.ErrnoException,
  socket: Duplex,
  hasBegun: boolean
): void => {
  // Nothing can be written to a connection that is lost, or whose handshake has failed.
  const isOfRequest = code.startsWith("HPE_") || Object.hasOwn(answers, code)
  if (!socket.writable || hasBegun || !isOfRequest) return void socket.destroy()
  const [status, error] = answers[code] ?? [400, invalid("The request is not valid HTTP")]
  const text = JSON.stringify({ jsonrpc: "2.0", error, id: null })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(text)}`,
    ...(status === 408 ? ["Retry-After: 1"] : []),
    "Connection: close"
  ]
  socket.end(`${head.join("\r\n")}\r\n\r\n${text}`, () => socket.destroy())
}
