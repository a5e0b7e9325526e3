import { describe, expect, it } from "@effect/vitest"
import { Bytes } from "@mcp-lifeline/core/text"
import * as Body from "@mcp-lifeline/http-server/Body"
import { Framing } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import type { IncomingMessage } from "node:http"
import { PassThrough } from "node:stream"
import * as Answer from "../../transport-http/src/Answer.js"
import { EventLines } from "../../transport-http/src/EventLines.js"

const text = JSON.stringify({ id: 1, text: "x".repeat(5000) })

/** Gives the text byte by byte, all but the first in one buffer: who keeps the buffers that come, and not their bytes, reads it wrongly. */
const sendBytewise = (push: (piece: Buffer) => void): void => {
  push(Buffer.from(text.slice(0, 1)))
  const again = Buffer.alloc(1)
  for (const byte of Buffer.from(text.slice(1))) {
    again[0] = byte
    push(again)
  }
}

const doors: Readonly<Record<string, () => Promise<string>>> = {
  "a request's body": () =>
    new Promise((resolve, reject) => {
      const request = new PassThrough()
      Body.read(request as unknown as IncomingMessage, Bytes(10_000), (body) =>
        body._tag === "Json"
          ? resolve(JSON.stringify(body.value))
          : reject(new Error(body.refusal.message)))
      sendBytewise((piece) => request.emit("data", piece))
      request.emit("end")
    }),
  "an answer": () => {
    const body = new PassThrough()
    const read = Effect.runPromise(
      Answer.text({ status: 200, headers: {}, body: body as unknown as Answer.Body }, Bytes(10_000))
    )
    sendBytewise((piece) => body.emit("data", piece))
    body.emit("end")
    return read
  },
  "a line of a stream of events": () =>
    new Promise((resolve) => {
      const lines = new EventLines(Bytes(10_000))
      const got: Array<Buffer> = []
      const take = (piece: Buffer) => {
        lines.push(piece, (line) => got.push(Buffer.from(line)), () => undefined)
      }
      sendBytewise(take)
      take(Buffer.from("\n"))
      resolve(Buffer.concat(got).toString().trim())
    }),
  "a line of a process": () =>
    new Promise((resolve) => {
      const framing = new Framing(Bytes(10_000), Bytes(10_000))
      const take = (piece: Buffer) => framing.push(piece, (frame) => resolve(frame._tag === "Line" ? frame.text : ""))
      sendBytewise(take)
      take(Buffer.from("\n"))
    })
}

describe("bytes of others that are not complete", () => {
  it.each(Object.keys(doors))(
    "[X5] of %s are kept, and not a buffer for each piece in which they come",
    async (door) => {
      expect(await doors[door]!()).toBe(text)
    }
  )
})
