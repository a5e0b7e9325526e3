import { Bytes } from "@mcp-lifeline/core/text"
import { Arrivals, Oversized, Turns } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { createParser } from "eventsource-parser"
import type { EventSourceMessage } from "eventsource-parser"
import type { Readable } from "node:stream"
import type { Answer } from "./Answer.js"
import { content } from "./Answer.js"
import { EventLines } from "./EventLines.js"
import { AnswerFailure } from "./HttpFailure.js"

export interface Position {
  lastEventId: string | undefined
  /** What the server asked for, in milliseconds. */
  retry: number | undefined
}

/** `cause`: undefined if the server ended it cleanly, an AnswerFailure if we did. */
export interface End {
  readonly cause: unknown
  /** Nothing came for `maxSilence`. */
  readonly isSilent?: boolean
  /** It brought a message, or a `retry`. */
  readonly wasOfUse?: boolean
}

/** Within so many milliseconds of opening, a server sends what it kept; later events are new. */
const replayed = 1000

export interface Reader {
  /** Where it gives a function, that is called next: for a long event in another turn. */
  readonly onEvent: (event: EventSourceMessage) => unknown
  /** A sign of life. */
  readonly onComment?: (() => void) | undefined
  /** A message was too long; the stream goes on. */
  readonly onDropped: (message: Oversized.Oversized) => void
  /** Whether nothing more is expected: then a stream that the server leaves open is closed soon. */
  readonly complete: () => boolean
  /** Milliseconds without a byte that end the stream, unless a byte has come later than `replayed`. Default: no limit. */
  readonly maxSilence?: number | undefined
  /** Reading stops until the promise is resolved. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** Of a line, and of an event. */
  readonly maxBytes: Bytes
  /** Of the server. Default: its own. */
  readonly arrivals?: Arrivals.Arrivals | undefined
}

/** Milliseconds that the server has to end an answered stream, so that its socket can be used again. Then it is closed: calls may wait for a socket. */
const linger = 250

/** Keeps the position. An interruption closes the stream. */
export const read = (answer: Answer, position: Position, reader: Reader): Effect.Effect<End, AnswerFailure> =>
  Effect.flatMap(content(answer), (body) => readBody(body, position, reader))

const readBody = (
  body: Readable,
  position: Position,
  {
    arrivals = new Arrivals.Arrivals(),
    complete,
    drained,
    maxBytes,
    maxSilence,
    onComment,
    onDropped,
    onEvent
  }: Reader
): Effect.Effect<End> =>
  Effect.async((resume) => {
    const arrival = arrivals.begin()
    let closing: ReturnType<typeof setTimeout> | undefined
    let silence: ReturnType<typeof setTimeout> | undefined
    let overflow = false
    let wasOfUse = false
    let isOver = false
    const turns = new Turns.Turns()
    const expectEnd = () => {
      if (closing === undefined && !isOver && complete()) closing = setTimeout(() => body.destroy(), linger)
    }
    const decoder = new TextDecoder()
    /** Characters of the begun event, which the parser keeps; whether the next one begins a line. */
    let begun = 0
    let beginsLine = true
    const lines = new EventLines(maxBytes, (bytes) => arrival.keeps(Bytes(begun + bytes)))
    const parser = createParser({
      // Characters are never more than bytes; the rest is for the field name.
      maxBufferSize: maxBytes + 64,
      onError: ({ type }) => {
        overflow ||= type === "max-buffer-size-exceeded"
      },
      onEvent: (event) => {
        // Another id would not be a legal header.
        if (event.id !== undefined && /^[\x20-\x7e]*$/.test(event.id)) {
          position.lastEventId = event.id === "" ? undefined : event.id
        }
        // Without data it only marks a place.
        wasOfUse ||= event.data !== ""
        turns.run(event.data.length, () => isOver ? undefined : onEvent(event), (hand) => {
          if (isOver) return
          if (typeof hand === "function") hand()
          expectEnd()
        })
      },
      onComment: (comment) => {
        begun = Math.max(0, begun - comment.length - 2)
        onComment?.()
      },
      onRetry: (retry) => {
        wasOfUse = true
        position.retry = retry
      }
    })
    const end = () => {
      isOver = true
      clearTimeout(closing)
      clearTimeout(silence)
      lines.clear()
      arrival.end()
    }
    const finish = (cause: unknown, isSilent = false) =>
      turns.run(0, () => {
        end()
        resume(Effect.succeed({ cause, isSilent, wasOfUse }))
      })
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
    const pause = () => {
      const waiting = drained?.()
      if (waiting === undefined) return
      clearTimeout(silence)
      body.pause()
      void waiting.then(() => body.resume())
    }
    let endedInCr = false
    /** The parser would wait after a CR for what follows, so every line ends in LF. */
    const withLineFeeds = (text: string): string => {
      const rest = endedInCr && text.startsWith("\n") ? text.slice(1) : text
      if (text !== "") endedInCr = text.endsWith("\r")
      return rest.includes("\r") ? rest.replace(/\r\n?/g, "\n") : rest
    }
    const count = (text: string) => {
      const last = text.lastIndexOf("\n\n")
      const end = last !== -1 ? last + 2 : beginsLine && text.startsWith("\n") ? 1 : undefined
      begun = end === undefined ? begun + text.length : text.length - end
      if (text !== "") beginsLine = text.endsWith("\n")
    }
    const onLines = (chunk: Buffer) => {
      if (overflow) return
      const text = withLineFeeds(decoder.decode(chunk, { stream: true }))
      count(text)
      parser.feed(text)
    }
    body.on("data", (chunk: Buffer) => {
      listen()
      lines.push(chunk, onLines, onDropped)
      const isTooLong = overflow || lines.isEndless
      if (isTooLong || !arrival.keeps(Bytes(begun + lines.kept))) {
        const cause = new AnswerFailure({ detail: isTooLong ? Oversized.tooLong(maxBytes) : Oversized.crowded })
        finish(cause)
        body.destroy(cause)
        return
      }
      expectEnd()
      turns.hold(body)
      turns.run(0, pause)
    })
    body.on("end", () => finish(undefined))
    body.on("error", (cause: unknown) => finish(cause))
    body.on("close", () => {
      // An error, with its stack, took a twentieth of the time of a call.
      if (!body.readableEnded) finish(new Error("The stream was closed"))
    })
    return Effect.sync(() => {
      end()
      body.destroy()
    })
  })
