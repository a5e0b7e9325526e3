import { Bytes } from "@mcp-lifeline/core/text"
import { Arrivals, Oversized, Pieces } from "@mcp-lifeline/protocol"
import { Effect, Either } from "effect"
import type { Readable, TransformCallback } from "node:stream"
import { pipeline, Transform } from "node:stream"
import * as Zlib from "node:zlib"
import { AnswerFailure, fromNetwork } from "./HttpFailure.js"
import type { HttpFailure } from "./HttpFailure.js"

export interface Body extends Readable {
  /** Reads and drops the rest, up to a limit in bytes. */
  readonly dump: (options: { readonly limit: number }) => Promise<unknown>
}

/** Whoever gets it reads the body or discards it. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Body
}

export const header = (answer: Answer, name: string): string | undefined => {
  const value = answer.headers[name]
  return typeof value === "object" ? value[0] : value
}

/** Without parameters; empty if there is none. */
export const mediaType = (answer: Answer): string =>
  (header(answer, "content-type") ?? "").replace(/;.*/s, "").trim().toLowerCase()

/** How long a discarded body may go on, in milliseconds. */
const discardTimeout = 1000

/** Reads the rest so that the socket can be reused; closes it if the body does not end. */
export const discard = (body: Body): void => {
  body.on("error", () => {})
  if (!body.readableEnded) {
    const timer = setTimeout(() => body.destroy(), discardTimeout).unref()
    body.once("close", () => clearTimeout(timer))
  }
  body.dump({ limit: 65_536 }).catch(() => {})
}

export const ignore = ({ body }: Answer): Effect.Effect<undefined> => {
  discard(body)
  return Effect.succeed(undefined)
}

export const refuse = ({ body }: Answer, detail: string): Effect.Effect<never, AnswerFailure> => {
  discard(body)
  return Effect.fail(new AnswerFailure({ detail }))
}

// Events are handed on as they come, not when a block is full. The text itself shows when a stream was cut.
const zlib = { flush: Zlib.constants.Z_SYNC_FLUSH, finishFlush: Zlib.constants.Z_SYNC_FLUSH }
const brotli = {
  flush: Zlib.constants.BROTLI_OPERATION_FLUSH,
  finishFlush: Zlib.constants.BROTLI_OPERATION_FLUSH
}

/** `deflate` with the zlib header, as specified, and without, as some servers send it. */
class Deflate extends Transform {
  #inner: Transform | undefined

  override _transform(chunk: Buffer, encoding: BufferEncoding, done: TransformCallback): void {
    this.#inner ??= this.#begin(chunk)
    this.#inner.write(chunk, encoding, done)
  }

  #begin(chunk: Buffer): Transform {
    const hasHeader = (chunk[0]! & 0x0F) === 8
    const inner = hasHeader ? Zlib.createInflate(zlib) : Zlib.createInflateRaw(zlib)
    inner.on("data", (piece: Buffer) => this.push(piece))
    inner.on("error", (error) => this.destroy(error))
    return inner
  }

  override _flush(done: TransformCallback): void {
    if (this.#inner === undefined) return done()
    this.#inner.once("end", done)
    this.#inner.end()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inner?.destroy()
    done(error)
  }
}

const decoders: { readonly [coding: string]: () => Transform } = {
  "gzip": () => Zlib.createGunzip(zlib),
  "x-gzip": () => Zlib.createGunzip(zlib),
  "deflate": () => new Deflate(),
  "br": () => Zlib.createBrotliDecompress(brotli)
}

export const content = (answer: Answer): Effect.Effect<Readable, AnswerFailure> => {
  const { body, headers } = answer
  const names = String(headers["content-encoding"] ?? "").toLowerCase().split(",").map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity")
  const [name] = names
  if (name === undefined) return Effect.succeed(body)
  const unknown = names.find((name) => !Object.hasOwn(decoders, name))
  // Only the final output is counted: between two codings, some hundred bytes could become gigabytes.
  if (unknown === undefined && names.length === 1) return Effect.sync(() => pipeline(body, decoders[name]!(), () => {}))
  return refuse(
    answer,
    `the answer is encoded with ${
      (unknown ?? names.join(", ")).slice(0, 100)
    }; Lifeline understands gzip, deflate or br, once, and asks for no other (accept-encoding): correct this at the server, or at the proxy in front of it`
  )
}

const decoderError = /^(Z_|ERR__|ERR_BROTLI|ERR_ZLIB)/

const failure = (cause: unknown): HttpFailure =>
  decoderError.test(String((cause as { readonly code?: unknown } | null)?.code))
    ? new AnswerFailure({
      detail: "the answer is not compressed as its content-encoding says: correct this at the server"
    })
    : fromNetwork(cause)

/** A body that is too long, or for which `arrivals` has no room, is dropped as soon as that shows. */
export const text = (
  answer: Answer,
  maxBytes: Bytes,
  arrivals = new Arrivals.Arrivals()
): Effect.Effect<string, HttpFailure> =>
  Effect.flatMap(content(answer), (readable) =>
    Effect.async<string, HttpFailure>((resume) => {
      const decoder = new TextDecoder()
      const pieces = new Pieces()
      const arrival = arrivals.begin()
      let bytes = 0
      const drop = (): void => {
        pieces.clear()
        arrival.end()
      }
      readable.on("data", (piece: Buffer) => {
        bytes += piece.length
        const isCrowded = bytes <= maxBytes && !arrival.keeps(Bytes(bytes))
        if (bytes <= maxBytes && !isCrowded) return pieces.push(piece)
        drop()
        resume(
          Effect.fail(new AnswerFailure({ detail: isCrowded ? Oversized.crowded : Oversized.tooLong(maxBytes) }))
        )
        readable.destroy()
      })
      readable.on("end", () => {
        const whole = pieces.take()
        resume(Either.try({
          try: () => decoder.decode(whole),
          catch: () =>
            new AnswerFailure({ detail: `the answer is longer than the longest string of Node.js (${bytes})` })
        }))
      })
      readable.on("error", (cause) => resume(Effect.fail(failure(cause))))
      // It follows each end.
      readable.on("close", () => {
        drop()
        if (!readable.readableEnded) resume(Effect.fail(failure(new Error("The body was closed"))))
      })
      return Effect.sync(() => readable.destroy())
    }))

/** In milliseconds. */
const refusalTimeout = 800

/** Up to `limit` characters of a body, as far as they come within `refusalTimeout`; never fails. */
export const someText = (answer: Answer, limit: number): Effect.Effect<string> =>
  Effect.flatMap(Effect.option(content(answer)), (found) => {
    if (found._tag === "None") return Effect.succeed("")
    const readable = found.value
    return Effect.async<string>((resume) => {
      const decoder = new TextDecoder()
      let said = ""
      const finish = () => {
        clearTimeout(timer)
        resume(Effect.succeed(said))
      }
      const timer = setTimeout(() => {
        finish()
        readable.destroy()
      }, refusalTimeout)
      readable.on("data", (chunk: Buffer) => {
        said += decoder.decode(chunk, { stream: true })
        if (said.length > limit) {
          finish()
          readable.destroy()
        }
      })
      readable.on("error", finish)
      readable.on("close", finish)
      readable.on("end", finish)
      return Effect.sync(() => {
        clearTimeout(timer)
        readable.destroy()
      })
    })
  })
