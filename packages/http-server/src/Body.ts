/** Searches even a refused body for the id of its request, so that the refusal can answer it. */
import { Bytes, ExactJson, JsonValue, kibibytes } from "@mcp-lifeline/core/text"
import { JsonRpc, JsonScanner, JsonShape, Pieces, type Shares, Turns } from "@mcp-lifeline/protocol"
import { IncomingMessage } from "node:http"
import * as Arrival from "./Arrival.js"
import * as Caller from "./Caller.js"
import type { Refusal } from "./Refusal.js"

export interface Refused {
  readonly _tag: "Refused"
  readonly refusal: Refusal
}

/** `size`: about how much memory the value takes. */
export type Body = { readonly _tag: "Json"; readonly value: unknown; readonly size: Bytes } | Refused

export type Whole = { readonly _tag: "Whole"; readonly bytes: Buffer } | Refused

/** A too large body is searched for its id up to this multiple of the limit. */
const searchedFactor = 4
/** How much of a body is searched that is refused before it is read, in bytes. */
const searchedBytes = kibibytes(256)

const refused = (refusal: Refusal): Refused => ({ _tag: "Refused", refusal })

const refuse = (status: number, what: string): Refusal => ({
  status,
  code: JsonRpc.invalidRequest,
  message: `The request ${what}: send it in another form`
})

const excess = ({ depth, values }: JsonScanner): Refusal | undefined => {
  if (depth > JsonValue.defaultDepth) return refuse(400, `is nested more than ${JsonValue.defaultDepth} levels deep`)
  return values > JsonShape.mostValues ? refuse(413, JsonShape.tooMany) : undefined
}

const parse = (bytes: Buffer, { values }: JsonScanner): Body => {
  try {
    const value = ExactJson.parse(bytes.toString("utf8"))
    return { _tag: "Json", value, size: JsonShape.bytesOf(bytes.length, values) }
  } catch {
    return refused({ status: 400, code: JsonRpc.parseError, message: "The body is not JSON", isRead: true })
  }
}

/** Whether there is room for so many bytes of a body (`Shares.part`). */
export type Room = (bytes: number) => boolean

/** A caller that nothing tells from others is known by its session, or else by its address and user agent. */
export const roomFor = (shares: Shares, request: IncomingMessage, session?: string): Room => {
  const { subject } = Caller.of(request)
  const client = subject === ""
    ? session ?? `${Arrival.of(request).address} ${String(request.headers["user-agent"]).slice(0, 200)}`
    : `caller ${subject}`
  return shares.part(client)
}

/** Small requests always have room: connections are limited. */
export const countedOf = (bytes: number): Bytes => Bytes(Math.max(0, bytes - kibibytes(16)))

const crowded: Refusal = {
  status: 503,
  message:
    "Other requests that are on their way use the memory that this client may have for them: send this one again when they are done",
  headers: { "Retry-After": "1" }
}

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

/** Reads only until the refusal can name the request, and keeps nothing. */
export const skim = (request: IncomingMessage, refusal: Refusal, done: (body: Refused) => void): void =>
  answerWith(request, refusal, { maxBytes: searchedBytes, scanner: new JsonScanner() }, done)

const readTo = <A>(
  request: IncomingMessage,
  maxBytes: Bytes,
  take: (bytes: Buffer, found: JsonScanner) => A | Refused,
  done: (body: A | Refused) => void,
  room?: Room
): void => {
  const chunks = new Pieces()
  const scanner = new JsonScanner()
  const unscanned: Array<Buffer> = []
  let length = 0
  const stop = (): void => {
    request.off("data", add)
    request.off("end", end)
    request.off("close", stop)
    room?.(0)
  }
  const add = (chunk: Buffer): void => {
    length += chunk.length
    unscanned.push(chunk)
    // Fewer bytes have neither too many levels nor values.
    if (length > Math.min(maxBytes, JsonValue.defaultDepth)) {
      for (const one of unscanned.splice(0)) {
        scanner.push(one)
      }
    }
    const refusal = length > maxBytes
      ? { status: 413, message: `The body of the request is larger than ${maxBytes} bytes, the maximum` }
      : room?.(countedOf(length)) === false
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
 * Refuses JSON that is nested too deeply or has too many values. Calls `done` once, or never if the client disconnects. `room` limits what is kept
 * meanwhile.
 */
export const readBytes = (
  request: IncomingMessage,
  maxBytes: Bytes,
  done: (body: Whole) => void,
  room?: Room
): void => readTo(request, maxBytes, (bytes) => ({ _tag: "Whole", bytes }), done, room)

export const read = (request: IncomingMessage, maxBytes: Bytes, done: (body: Body) => void, room?: Room): void =>
  readTo(request, maxBytes, parse, done, room)

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
