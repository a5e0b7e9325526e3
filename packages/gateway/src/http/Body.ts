/**
 * The body of a request: read within a bound, and parsed once. A body that is refused is still looked through for the id of its
 * request, so that the refusal answers it.
 */
import { Nesting } from "@mcp-lifeline/core"
import { IdScanner, JsonRpc } from "@mcp-lifeline/protocol"
import type { IncomingMessage } from "node:http"
import type { Refusal } from "./Refusal.js"

/** What became of reading. */
export type Body = { readonly _tag: "Json"; readonly value: unknown } | {
  readonly _tag: "Refused"
  readonly refusal: Refusal
}

/** How much of a body that is too large is looked through for its id, as a multiple of the bound. */
const searched = 4

const quote = 0x22
const backslash = 0x5C

/** Whether a JSON text has more levels of arrays and objects than so many. */
const isDeeper = (text: Uint8Array, levels: number): boolean => {
  let depth = 0
  for (let i = 0; i < text.length; i++) {
    const byte = text[i]!
    if (byte === quote) {
      for (i++; i < text.length && text[i] !== quote; i++) if (text[i] === backslash) i++
    } else if (byte === 0x7B || byte === 0x5B) {
      if (++depth > levels) return true
    } else if (byte === 0x7D || byte === 0x5D) depth--
  }
  return false
}

const idIn = (chunks: Iterable<Uint8Array>): IdScanner => {
  const scanner = new IdScanner()
  for (const chunk of chunks) scanner.push(chunk)
  return scanner
}

const refused = (refusal: Refusal): Body => ({ _tag: "Refused", refusal })

const parse = (bytes: Buffer): Body => {
  if (isDeeper(bytes, Nesting.defaultDepth)) {
    const message = `The request is nested more than ${Nesting.defaultDepth} levels deep: send it in another form`
    return refused({ status: 400, code: JsonRpc.invalidRequest, message, id: idIn([bytes]).id, isRead: true })
  }
  try {
    return { _tag: "Json", value: JSON.parse(bytes.toString("utf8")) }
  } catch {
    return refused({ status: 400, code: JsonRpc.parseError, message: "The body is not JSON", isRead: true })
  }
}

/** Reads the body and calls back once; not at all where the client goes away before its end. */
export const read = (request: IncomingMessage, maxBytes: number, done: (body: Body) => void): void => {
  const chunks: Array<Buffer> = []
  let length = 0
  let scanner: IdScanner | undefined
  const tooLarge = (isRead: boolean): void => {
    request.off("data", take)
    request.off("end", end)
    const message = `The body of the request is larger than ${maxBytes} bytes, the maximum`
    done(refused({ status: 413, message, id: scanner?.id, isRead }))
  }
  const take = (chunk: Buffer): void => {
    length += chunk.length
    if (length <= maxBytes) return void chunks.push(chunk)
    scanner ??= idIn(chunks.splice(0))
    scanner.push(chunk)
    if (length > maxBytes * searched) tooLarge(false)
  }
  const end = (): void => {
    if (scanner !== undefined) return tooLarge(true)
    done(parse(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
  }
  request.on("data", take)
  request.on("end", end)
  request.on("error", () => undefined)
}
