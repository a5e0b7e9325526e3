/**
 * What the gateway shows: lines that stay, and below them, on a terminal, one frame that is drawn anew in place.
 */
import { PlainText } from "@mcp-lifeline/core/internal"
import type { Scope } from "effect"
import { Cause, Effect, HashMap, Inspectable, Logger, LogLevel } from "effect"
import { clean, time } from "./Text.js"

/** Where a command writes. */
export interface Output {
  /** Whether frames are shown: standard output is a terminal that can redraw. */
  readonly live: boolean
  readonly colour: boolean
  /** Columns of the terminal, as they are now. */
  readonly width: Effect.Effect<number>
  /** Writes a line to standard output; on a terminal without what controls it, but for colours. */
  readonly line: (text: string) => Effect.Effect<void>
  /** Writes what a server has given: as it is, since it may be meant for another program; on a terminal without what controls it. */
  readonly given: (text: string) => Effect.Effect<void>
  /** Writes a line to standard error; on a terminal as `line` does. */
  readonly problem: (text: string) => Effect.Effect<void>
  /** Draws the frame anew. Nothing where frames are not shown. */
  readonly frame: (text: string) => Effect.Effect<void>
}

/** Whether a stream wants colours: a terminal, and neither NO_COLOR nor TERM=dumb. */
export const wantsColour = (stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean =>
  stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb"

/** What a stream is written: nothing that controls a terminal, where it is one. */
const safe = (stream: { readonly isTTY?: boolean }, text: string): string =>
  stream.isTTY === true ? PlainText.coloured(text) : text

// Loaded only for a terminal: its tables of Unicode are a tenth of what a command takes to start.
const loadFrames = Effect.promise(() => import("log-update"))

/** The output of this process. Closing takes the frame away and shows the cursor again. */
export const make: Effect.Effect<Output, never, Scope.Scope> = Effect.gen(function*() {
  const { env, stderr, stdout } = process
  // A terminal without a size has 0 rows, and a frame cut to its height is none at all.
  const live = stdout.isTTY === true && stdout.rows !== 0 && env["TERM"] !== "dumb"
  // Who reads us may go away; that is no reason to stop serving.
  const ignore = () => {}
  stdout.on("error", ignore)
  stderr.on("error", ignore)
  const frames = yield* Effect.acquireRelease(
    live ? Effect.map(loadFrames, ({ createLogUpdate }) => createLogUpdate(stdout)) : Effect.succeed(undefined),
    (frames) =>
      Effect.sync(() => {
        frames?.clear()
        frames?.done()
      })
  )
  let last = ""
  const above = (write: () => void) =>
    Effect.sync(() => {
      frames?.clear()
      write()
      if (last !== "") frames?.(last)
    })
  return {
    live,
    colour: wantsColour(stdout, env),
    width: Effect.sync(() => stdout.columns || 80),
    line: (text) => above(() => stdout.write(`${safe(stdout, text)}\n`)),
    given: (text) => above(() => stdout.write(`${stdout.isTTY === true ? PlainText.lines(text) : text}\n`)),
    problem: (text) => above(() => stderr.write(`${safe(stderr, text)}\n`)),
    frame: (text) =>
      Effect.sync(() => {
        last = PlainText.coloured(text)
        frames?.(last)
      })
  }
})

/** A logger that writes warnings and worse as lines to standard error, without disturbing the frame. */
export const logger = (output: Output): Logger.Logger<unknown, void> =>
  Logger.make(({ annotations, cause, date, logLevel, message }) => {
    if (LogLevel.lessThan(logLevel, LogLevel.Warning)) return
    const parts = Array.isArray(message) ? message : [message]
    const texts = [
      ...parts.map((part) => Inspectable.toStringUnknown(part, 0)),
      ...HashMap.toEntries(annotations).map(([key, value]) => `${key}=${Inspectable.toStringUnknown(value, 0)}`),
      ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])
    ]
    const text = clean(texts.join(" "))
    Effect.runSync(output.problem(`${time(date.getTime())} ${logLevel.label.toLowerCase()}: ${text}`))
  })
