/**
 * The body of a request: read within a bound, and parsed once. A body that is refused is still looked through for the id of its
 * request, so that the refusal answers it.
 */
import { Nesting } from "@mcp-lifeline/core/internal"
import { IdScanner, JsonRpc, Pieces } from "@mcp-lifeline/protocol"
import type { IncomingMessage } from "node:http"
import type { Refusal } from "./Refusal.js"
import type { Shares } from "./Shares.js"

/** A body that is not taken. */
export interface Refused {
  readonly _tag: "Refused"
  readonly refusal: Refusal
}

/** What became of reading. */
export type Body = { readonly _tag: "Json"; readonly value: unknown } | Refused

/** The same of a body that is not parsed yet. */
export type Whole = { readonly _tag: "Whole"; readonly bytes: Buffer } | Refused

/** How much of a body that is too large is looked through for its id, as a multiple of the bound. */
const searched = 4
/** How much of a body that nobody wants is, in bytes. */
const skimmed = 256 * 1024

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

const refused = (refusal: Refusal): Refused => ({ _tag: "Refused", refusal })

const whole = (bytes: Buffer): Whole => {
  if (!isDeeper(bytes, Nesting.defaultDepth)) return { _tag: "Whole", bytes }
  const message = `The request is nested more than ${Nesting.defaultDepth} levels deep: send it in another form`
  return refused({ status: 400, code: JsonRpc.invalidRequest, message, id: idIn([bytes]).id, isRead: true })
}

const parse = (bytes: Buffer): Body => {
  try {
    return { _tag: "Json", value: JSON.parse(bytes.toString("utf8")) }
  } catch {
    return refused({ status: 400, code: JsonRpc.parseError, message: "The body is not JSON", isRead: true })
  }
}

/** What of the memory for bodies one client may use. */
export interface Room {
  /** Takes so many bytes more; says whether there were as many. */
  readonly take: (bytes: number) => boolean
  readonly release: (bytes: number) => void
}

/** A client's room, of which all clients have a share; who is in no session is known by where it comes from, and by what it says it is. */
export const roomIn = (shares: Shares, { headers, socket }: IncomingMessage, session?: string): Room => {
  const client = session ?? `${socket.remoteAddress} ${String(headers["user-agent"]).slice(0, 200)}`
  return { take: (bytes) => shares.take(client, bytes), release: (bytes) => shares.release(client, bytes) }
}

/** So much of each body is not counted, so that a small request is read whoever else sends large ones; connections are limited. */
const uncounted = 16 * 1024

const crowded: Refusal = {
  status: 503,
  message:
    "Other requests that are on their way use the memory that this client may have for them: send this one again when they are done",
  headers: { "Retry-After": "1" }
}

/** Calls back with a refusal that answers the request, once its id is found or not; not at all where the client goes away before. */
const answerWith = (
  request: IncomingMessage,
  refusal: Refusal,
  { maxBytes, scanner }: { readonly maxBytes: number; readonly scanner: IdScanner },
  done: (body: Refused) => void
): void => {
  let length = 0
  const finish = (isRead: boolean): void => {
    request.off("data", take)
    request.off("end", end)
    done(refused({ ...refusal, id: scanner.id, isRead }))
  }
  const take = (chunk: Buffer): void => {
    length += chunk.length
    scanner.push(chunk)
    if (length > maxBytes) finish(false)
  }
  const end = (): void => finish(true)
  request.on("data", take)
  request.on("end", end)
  request.on("error", () => undefined)
}

/** Reads of a body only what it takes to answer the request with a refusal, and keeps nothing. */
export const skim = (request: IncomingMessage, refusal: Refusal, done: (body: Refused) => void): void =>
  answerWith(request, refusal, { maxBytes: skimmed, scanner: new IdScanner() }, done)

/**
 * Reads the body, which is not nested too deeply if it is JSON, and calls back once; not at all where the client goes away before its end.
 * `room`: for what is kept meanwhile.
 */
export const readBytes = (
  request: IncomingMessage,
  maxBytes: number,
  done: (body: Whole) => void,
  room?: Room
): void => {
  const chunks = new Pieces()
  let length = 0
  let counted = 0
  /** Nothing is kept any more. */
  const stop = (): void => {
    request.off("data", take)
    request.off("end", end)
    request.off("close", stop)
    room?.release(counted)
    counted = 0
  }
  const isCrowded = (): boolean => {
    const more = Math.max(0, length - uncounted) - counted
    if (more === 0 || room === undefined) return false
    if (!room.take(more)) return true
    counted += more
    return false
  }
  const take = (chunk: Buffer): void => {
    length += chunk.length
    const refusal = length > maxBytes
      ? { status: 413, message: `The body of the request is larger than ${maxBytes} bytes, the maximum` }
      : isCrowded()
      ? crowded
      : undefined
    chunks.push(chunk)
    if (refusal === undefined) return
    stop()
    const scanner = idIn(chunks)
    chunks.clear()
    answerWith(request, refusal, { maxBytes: maxBytes * searched - length, scanner }, done)
  }
  const end = (): void => {
    stop()
    done(whole(chunks.take()))
  }
  request.on("data", take)
  request.on("end", end)
  request.on("close", stop)
  request.on("error", () => undefined)
}

/** The same with the body parsed. */
export const read = (request: IncomingMessage, maxBytes: number, done: (body: Body) => void, room?: Room): void =>
  readBytes(request, maxBytes, (body) => done(body._tag === "Whole" ? parse(body.bytes) : body), room)
