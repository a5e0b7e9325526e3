import { PassThrough } from "node:stream"
import { describe, expect, it } from "vitest"
import * as ParserFailure from "../src/ParserFailure.js"

const answerTo = async (error: object, hasBegun = false, isWritable = true) => {
  const socket = new PassThrough()
  const chunks: Array<Buffer> = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {})
  const closed = new Promise((resolve) => socket.once("close", resolve))
  if (!isWritable) socket.end()
  ParserFailure.answer(error as NodeJS.ErrnoException, socket, hasBegun)
  await closed
  return Buffer.concat(chunks).toString()
}

describe("a request that Node.js refuses", () => {
  it.each([
    ["ERR_HTTP_REQUEST_TIMEOUT", "408 Request Timeout", "Retry-After: 1", "did not arrive as a whole in time"],
    ["HPE_HEADER_OVERFLOW", "431 Request Header Fields Too Large", "", "headers of the request are too large"],
    ["HPE_CHUNK_EXTENSIONS_OVERFLOW", "413 Payload Too Large", "", "extensions of a chunk"],
    ["HPE_INVALID_METHOD", "400 Bad Request", "", "not valid HTTP"],
    ["HPE_INVALID_EOF_STATE", "400 Bad Request", "", "not valid HTTP"]
  ])(
    "[X1:unit] with %s has an answer of the protocol, and then the connection ends",
    async (code, status, more, said) => {
      const [head = "", body = ""] = (await answerTo({ code })).split("\r\n\r\n")
      expect(head.split("\r\n")).toEqual([
        `HTTP/1.1 ${status}`,
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(body)}`,
        ...(more === "" ? [] : [more]),
        "Connection: close"
      ])
      expect(JSON.parse(body)).toMatchObject({
        jsonrpc: "2.0",
        id: null,
        error: { code: expect.any(Number), message: expect.stringContaining(said) }
      })
      expect([await answerTo({ code }, true), await answerTo({ code }, false, false)]).toEqual(["", ""])
    }
  )

  it.each([{ code: "ECONNRESET" }, { code: "EPIPE" }, { code: "ERR_SSL_HTTP_REQUEST" }, { code: "toString" }, {}])(
    "[X1:unit] has no answer where its connection is lost, or no request was read: %j",
    async (error) => expect(await answerTo(error)).toBe("")
  )
})
