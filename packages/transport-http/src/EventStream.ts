/**
 * Reads a response body as Server-Sent Events.
 */
import { Bytes } from "@mcp-lifeline/core/internal"
import { Arrivals, Oversized, Turns } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { createParser } from "eventsource-parser"
import type { EventSourceMessage } from "eventsource-parser"
import type { Readable } from "node:stream"
import type { Answer } from "./Answer.js"
import { content } from "./Answer.js"
import { EventLines } from "./EventLines.js"
import { AnswerFailure } from "./HttpFailure.js"
import { Lingering } from "./Lingering.js"

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
  /** It brought a message, or how long the server wants us to wait: it was of use, however short it was. */
  readonly wasOfUse?: boolean
}

/** A server has sent what it kept so long after it opened a stream, in milliseconds: what comes later is new. */
const replayed = 1000

export interface Reader {
  /** Where it gives a function, that is called next: for a long event in another turn. */
  readonly onEvent: (event: EventSourceMessage) => unknown
  /** A comment came, by which a server shows that it lives. */
  readonly onComment?: (() => void) | undefined
  /** A message was too long and was dropped; the stream goes on. */
  readonly onDropped: (message: Oversized.Oversized) => void
  /** Says that nothing more is expected: a stream that the server leaves open is then closed soon. */
  readonly complete: () => boolean
  /** Where it waits for its end meanwhile. Default: alone, for a second. */
  readonly lingering?: Lingering | undefined
  /**
   * So many milliseconds without a byte end the stream, as if the server had; not once one has come later than what a server
   * sends at once. Default: none do.
   */
  readonly maxSilence?: number | undefined
  /** While it gives a promise, nothing more is read until that is resolved. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** The longest line, and the longest event, in bytes. */
  readonly maxBytes: Bytes
  /** Of the server. Default: it has one by itself. */
  readonly arrivals?: Arrivals.Arrivals | undefined
}

const alone = new Lingering(Number.POSITIVE_INFINITY)

/** Feeds events until the stream ends, and keeps the position. Interrupting it closes the stream. */
export const read = (answer: Answer, position: Position, reader: Reader): Effect.Effect<End, AnswerFailure> =>
  Effect.flatMap(content(answer), (body) => readBody(body, position, reader))

const readBody = (
  body: Readable,
  position: Position,
  {
    arrivals = new Arrivals.Arrivals(),
    complete,
    drained,
    lingering = alone,
    maxBytes,
    maxSilence,
    onComment,
    onDropped,
    onEvent
  }: Reader
): Effect.Effect<End> =>
  Effect.async((resume) => {
    const arrival = arrivals.begin()
    let forget: (() => void) | undefined
    let silence: ReturnType<typeof setTimeout> | undefined
    let overflow = false
    let wasOfUse = false
    let isOver = false
    const turns = new Turns.Turns()
    const expectEnd = () => {
      if (forget === undefined && !isOver && complete()) forget = lingering.linger(() => body.destroy())
    }
    const decoder = new TextDecoder()
    /** Characters of the event that has begun, which the parser keeps, and whether the next one begins a line. */
    let begun = 0
    let beginsLine = true
    const lines = new EventLines(maxBytes, (bytes) => arrival.keeps(Bytes(begun + bytes)))
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
      forget?.()
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
    /** The parser waits after a CR for what follows, so it is given LF for every end of a line. */
    const withLineFeeds = (text: string): string => {
      const rest = endedInCr && text.startsWith("\n") ? text.slice(1) : text
      if (text !== "") endedInCr = text.endsWith("\r")
      return rest.includes("\r") ? rest.replace(/\r\n?/g, "\n") : rest
    }
    /** An empty line ends an event. */
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
