/**
 * Reads a response body as Server-Sent Events.
 */
import { Effect } from "effect"
import { createParser } from "eventsource-parser"
import type { EventSourceMessage } from "eventsource-parser"
import type { Readable } from "node:stream"

/** The body of a response. */
export interface Body extends Readable {
  readonly text: () => Promise<string>
  /** Reads and drops what is left, up to a limit in bytes. */
  readonly dump: (options: { readonly limit: number }) => Promise<unknown>
}

/** Where a stream stands, so that it can be resumed. */
export interface Position {
  /** Of the last event that had one. */
  lastEventId: string | undefined
  /** What the server asked for, in milliseconds. */
  retry: number | undefined
}

/** How a stream ended: `cause` is undefined when the server ended it cleanly. */
export interface End {
  readonly cause: unknown
}

/** How long a stream may stay open that has carried what it was for, in milliseconds. */
const linger = 1000

/** Ignores the rest of a body, so that its socket can be used again. */
export const discard = (body: Body): void => {
  body.on("error", () => {})
  body.dump({ limit: 65_536 }).catch(() => {})
}

/**
 * Feeds events until the stream ends, and keeps the position. When `complete` says that nothing more is expected, a stream
 * that the server leaves open is closed soon. Interrupting it closes the stream.
 */
export const read = (
  body: Body,
  position: Position,
  onEvent: (event: EventSourceMessage) => void,
  complete: () => boolean
): Effect.Effect<End> =>
  Effect.async((resume) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const decoder = new TextDecoder()
    const parser = createParser({
      onEvent: (event) => {
        // An id with a NUL or a line break would not be a legal header.
        if (event.id !== undefined && /^[\x20-\x7e]*$/.test(event.id)) {
          position.lastEventId = event.id === "" ? undefined : event.id
        }
        onEvent(event)
      },
      onRetry: (retry) => {
        position.retry = retry
      }
    })
    const finish = (cause: unknown) => {
      clearTimeout(timer)
      resume(Effect.succeed({ cause }))
    }
    body.on("data", (chunk: Buffer) => {
      parser.feed(decoder.decode(chunk, { stream: true }))
      if (timer === undefined && complete()) timer = setTimeout(() => body.destroy(), linger)
    })
    body.on("end", () => finish(undefined))
    body.on("error", (cause: unknown) => finish(cause))
    body.on("close", () => finish(new Error("The stream was closed")))
    return Effect.sync(() => {
      clearTimeout(timer)
      body.destroy()
    })
  })
