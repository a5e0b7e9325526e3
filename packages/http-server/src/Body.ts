/**
 * Reads the body of a request within a limit, and parses it once. Searches even a refused body for the id of its request, so that the refusal
 * can answer it.
 */
import { Bytes, ExactJson, kibibytes, Nesting } from "@mcp-lifeline/core/internal"
import { JsonRpc, JsonScanner, JsonShape, Pieces, Turns } from "@mcp-lifeline/protocol"
import { IncomingMessage } from "node:http"
import * as Arrival from "./Arrival.js"
import * as Caller from "./Caller.js"
import type { Refusal } from "./Refusal.js"
import type { Shares } from "./Shares.js"

export interface Refused {
  readonly _tag: "Refused"
  readonly refusal: Refusal
}

/** The result of reading. `size`: about how much memory the value takes. */
export type Body = { readonly _tag: "Json"; readonly value: unknown; readonly size: Bytes } | Refused

/** The result of reading without parsing. */
export type Whole = { readonly _tag: "Whole"; readonly bytes: Buffer } | Refused

/** How much of a too large body is searched for its id, as a multiple of the limit. */
const searchedFactor = 4
/** How much of a body is searched that is refused before it is read, in bytes. */
const searchedBytes = kibibytes(256)

const refused = (refusal: Refusal): Refused => ({ _tag: "Refused", refusal })

const refuse = (status: number, what: string): Refusal => ({
  status,
  code: JsonRpc.invalidRequest,
  message: `The request ${what}: send it in another form`
})

/** Why a body of this shape is refused; undefined where it is not. */
const excess = ({ depth, values }: JsonScanner): Refusal | undefined => {
  if (depth > Nesting.defaultDepth) return refuse(400, `is nested more than ${Nesting.defaultDepth} levels deep`)
  return values > JsonShape.mostValues ? refuse(413, JsonShape.tooMany) : undefined
}

const whole = (bytes: Buffer): Whole => ({ _tag: "Whole", bytes })

const parse = (bytes: Buffer, { values }: JsonScanner): Body => {
  try {
    const value = ExactJson.parse(bytes.toString("utf8"))
    return { _tag: "Json", value, size: JsonShape.bytesOf(bytes.length, values) }
  } catch {
    return refused({ status: 400, code: JsonRpc.parseError, message: "The body is not JSON", isRead: true })
  }
}

/** The memory for bodies that one client may use. */
export interface Room {
  /** Takes this many bytes more, if there are as many; returns whether there were. */
  readonly take: (bytes: Bytes) => boolean
  readonly release: (bytes: Bytes) => void
}

/**
 * A client's share of the memory for bodies: that of its caller. A caller that nothing tells from others is known by its session, or else by its address
 * and its user agent.
 */
export const roomFor = (shares: Shares, request: IncomingMessage, session?: string): Room => {
  const { subject } = Caller.of(request)
  const client = subject === ""
    ? session ?? `${Arrival.of(request).address} ${String(request.headers["user-agent"]).slice(0, 200)}`
    : `caller ${subject}`
  return { take: (bytes) => shares.take(client, bytes), release: (bytes) => shares.release(client, bytes) }
}

/** These first bytes of each body do not count, so that small requests always have room. Connections are limited, so this is, too. */
const uncounted = kibibytes(16)

const crowded: Refusal = {
  status: 503,
  message:
    "Other requests that are on their way use the memory that this client may have for them: send this one again when they are done",
  headers: { "Retry-After": "1" }
}

/** Reads on for the id of the request, and calls `done` with the refusal. Calls nothing if the client disconnects before. */
const answerWith = (
  request: IncomingMessage,
  refusal: Refusal,
  { maxBytes, scanner }: { readonly maxBytes: Bytes; readonly scanner: JsonScanner },
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

/** Reads only as much of a body as it takes to answer the request with a refusal, and keeps nothing. */
export const skim = (request: IncomingMessage, refusal: Refusal, done: (body: Refused) => void): void =>
  answerWith(request, refusal, { maxBytes: searchedBytes, scanner: new JsonScanner() }, done)

/** Calls `done` once, or never if the client disconnects before the end. */
const readTo = <A>(
  request: IncomingMessage,
  maxBytes: Bytes,
  take: (bytes: Buffer, found: JsonScanner) => A | Refused,
  done: (body: A | Refused) => void,
  room?: Room
): void => {
  const chunks = new Pieces()
  const scanner = new JsonScanner()
  let length = 0
  let counted = 0
  const stop = (): void => {
    request.off("data", add)
    request.off("end", end)
    request.off("close", stop)
    room?.release(Bytes(counted))
    counted = 0
  }
  const isCrowded = (): boolean => {
    const more = Math.max(0, length - uncounted) - counted
    if (more === 0 || room === undefined) return false
    if (!room.take(Bytes(more))) return true
    counted += more
    return false
  }
  const add = (chunk: Buffer): void => {
    length += chunk.length
    scanner.push(chunk)
    const refusal = length > maxBytes
      ? { status: 413, message: `The body of the request is larger than ${maxBytes} bytes, the maximum` }
      : isCrowded()
      ? crowded
      : excess(scanner)
    if (refusal === undefined) return chunks.push(chunk)
    stop()
    chunks.clear()
    answerWith(request, refusal, { maxBytes: Bytes(maxBytes * searchedFactor - length), scanner }, done)
  }
  const end = (): void => {
    stop()
    const bytes = chunks.take()
    Turns.run(length, () => take(bytes, scanner), done)
  }
  request.on("data", add)
  request.on("end", end)
  request.on("close", stop)
  request.on("error", () => undefined)
}

/**
 * Reads the body, and refuses JSON that is nested too deeply, or has too many values. Calls `done` once, or never if the client disconnects before
 * the end. `room` limits what is kept meanwhile.
 */
export const readBytes = (
  request: IncomingMessage,
  maxBytes: Bytes,
  done: (body: Whole) => void,
  room?: Room
): void => readTo(request, maxBytes, whole, done, room)

/** Reads and parses the body, like `readBytes`. */
export const read = (request: IncomingMessage, maxBytes: Bytes, done: (body: Body) => void, room?: Room): void =>
  readTo(request, maxBytes, parse, done, room)

/** A copy of a request whose body has been read, from which the body can be read again. */
export const returned = (request: IncomingMessage, body: Buffer): IncomingMessage => {
  const copy = new IncomingMessage(request.socket)
  copy.method = request.method
  copy.url = request.url
  copy.headers = request.headers
  copy.complete = true
  Caller.note(copy, Caller.of(request))
  Arrival.note(copy, Arrival.of(request))
  copy.push(body)
  copy.push(null)
  return copy
}
