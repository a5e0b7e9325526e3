/**
 * Reads a response body as Server-Sent Events.
 */
import { Oversized } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { createParser } from "eventsource-parser"
import type { EventSourceMessage } from "eventsource-parser"
import type { Readable } from "node:stream"
import type { Answer } from "./Answer.js"
import { content } from "./Answer.js"
import { EventLines } from "./EventLines.js"
import { AnswerFailure } from "./HttpFailure.js"

/** Where a stream stands, so that it can be resumed. */
export interface Position {
  /** Of the last event that had one. */
  lastEventId: string | undefined
  /** What the server asked for, in milliseconds. */
  retry: number | undefined
}

/** How a stream ended: `cause` is undefined when the server ended it cleanly, and an AnswerFailure where we did. */
export interface End {
  readonly cause: unknown
  /** Nothing came for `maxSilence`. */
  readonly isSilent?: boolean
}

/** How long a stream may stay open that has carried what it was for, in milliseconds. */
const linger = 1000

/** A server has sent what it kept so long after it opened a stream, in milliseconds: what comes later is new. */
const replayed = 1000

/** What is done with a stream. */
export interface Reader {
  readonly onEvent: (event: EventSourceMessage) => void
  /** A comment came, by which a server shows that it lives. */
  readonly onComment?: (() => void) | undefined
  /** A message was too long and was dropped; the stream goes on. */
  readonly onDropped: (message: Oversized.Oversized) => void
  /** Says that nothing more is expected: a stream that the server leaves open is then closed soon. */
  readonly complete: () => boolean
  /**
   * So many milliseconds without a byte end the stream, as if the server had; not once one has come later than what a server
   * sends at once. Default: none do.
   */
  readonly maxSilence?: number | undefined
  /** While it gives a promise, nothing more is read until that is resolved. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** The longest line, and the longest event, in bytes. */
  readonly maxBytes: number
}

/** Feeds events until the stream ends, and keeps the position. Interrupting it closes the stream. */
export const read = (answer: Answer, position: Position, reader: Reader): Effect.Effect<End, AnswerFailure> =>
  Effect.flatMap(content(answer), (body) => readBody(body, position, reader))

const readBody = (
  body: Readable,
  position: Position,
  { complete, drained, maxBytes, maxSilence, onComment, onDropped, onEvent }: Reader
): Effect.Effect<End> =>
  Effect.async((resume) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let silence: ReturnType<typeof setTimeout> | undefined
    let overflow = false
    const decoder = new TextDecoder()
    const lines = new EventLines(maxBytes)
    const parser = createParser({
      // In characters, of which there are not more than bytes: a line with the name of its field fits.
      maxBufferSize: maxBytes + 64,
      onError: ({ type }) => {
        overflow ||= type === "max-buffer-size-exceeded"
      },
      onEvent: (event) => {
        // An id with a NUL or a line break would not be a legal header.
        if (event.id !== undefined && /^[\x20-\x7e]*$/.test(event.id)) {
          position.lastEventId = event.id === "" ? undefined : event.id
        }
        onEvent(event)
      },
      onComment,
      onRetry: (retry) => {
        position.retry = retry
      }
    })
    const finish = (cause: unknown, isSilent = false) => {
      clearTimeout(timer)
      clearTimeout(silence)
      resume(Effect.succeed({ cause, isSilent }))
    }
    const since = performance.now()
    const listen = () => {
      clearTimeout(silence)
      if (maxSilence === undefined || performance.now() - since > replayed) return
      silence = setTimeout(() => {
        finish(undefined, true)
        body.destroy()
      }, maxSilence)
    }
    listen()
    const onLines = (chunk: Buffer) => {
      if (!overflow) parser.feed(decoder.decode(chunk, { stream: true }))
    }
    body.on("data", (chunk: Buffer) => {
      listen()
      lines.push(chunk, onLines, onDropped)
      if (overflow || lines.isEndless) {
        const cause = new AnswerFailure({ detail: Oversized.tooLong(maxBytes) })
        finish(cause)
        body.destroy(cause)
        return
      }
      if (timer === undefined && complete()) timer = setTimeout(() => body.destroy(), linger)
      const waiting = drained?.()
      if (waiting === undefined) return
      clearTimeout(silence)
      body.pause()
      void waiting.then(() => body.resume())
    })
    body.on("end", () => finish(undefined))
    body.on("error", (cause: unknown) => finish(cause))
    body.on("close", () => {
      // An error, with its stack, took a twentieth of the time of a call.
      if (!body.readableEnded) finish(new Error("The stream was closed"))
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      clearTimeout(silence)
      body.destroy()
    })
  })
