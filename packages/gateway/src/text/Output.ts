import { PlainText } from "@mcp-lifeline/core/text"
import type { Scope } from "effect"
import { Cause, Clock, Effect, HashMap, Inspectable, Logger, LogLevel, Option, Schedule } from "effect"
import { clean, span, time } from "./Text.js"

export interface Output {
  /** Whether frames are shown. */
  readonly live: boolean
  readonly colour: boolean
  /** For tables, in columns. */
  readonly width: Effect.Effect<number>
  /** On a terminal, without control sequences other than colours. */
  readonly line: (text: string) => Effect.Effect<void>
  /** Unchanged, because it may be for another program; on a terminal without control sequences. */
  readonly raw: (text: string) => Effect.Effect<void>
  /** To standard error, as `line`. */
  readonly problem: (text: string) => Effect.Effect<void>
  /** Does nothing unless `live`. */
  readonly frame: (text: string) => Effect.Effect<void>
}

/** In columns: names stay whole, for searches. */
const forPrograms = 160

export const wantsColour = (stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean =>
  stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb"

const safe = (stream: { readonly isTTY?: boolean }, text: string): string =>
  stream.isTTY === true ? PlainText.coloured(text) : text

// Only for a terminal: its Unicode tables take a tenth of a command's start time.
const loadFrames = Effect.promise(() => import("log-update"))

/** Closing the scope removes the frame and shows the cursor again. */
export const make: Effect.Effect<Output, never, Scope.Scope> = Effect.gen(function*() {
  const { env, stderr, stdout } = process
  // A terminal without a known size has 0 rows.
  const live = stdout.isTTY === true && stdout.rows !== 0 && env["TERM"] !== "dumb"
  // If its reader goes away, the gateway continues.
  stdout.on("error", () => {})
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
    width: Effect.sync(() => stdout.columns || (stdout.isTTY ? 80 : forPrograms)),
    line: (text) => above(() => stdout.write(`${safe(stdout, text)}\n`)),
    raw: (text) => above(() => stdout.write(`${stdout.isTTY === true ? PlainText.lines(text) : text}\n`)),
    problem: (text) => above(() => stderr.write(`${safe(stderr, text)}\n`)),
    frame: (text) =>
      Effect.sync(() => {
        last = PlainText.coloured(text)
        frames?.(last)
      })
  }
})

/** After a second, shows what the command waits for, and how long. */
export const whileWaiting = <A, E, R>(
  output: Output,
  what: string,
  work: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    const show = Effect.flatMap(
      Clock.currentTimeMillis,
      (now) => output.frame(`${what}: ${span(now - began)}; Ctrl+C ends it`)
    )
    const display = Effect.schedule(show, Schedule.spaced("1 second"))
    return yield* Effect.scoped(Effect.zipRight(Effect.forkScoped(display), work)).pipe(
      Effect.ensuring(output.frame(""))
    )
  })

export const serverOf = (annotations: HashMap.HashMap<string, unknown>): string | undefined => {
  const server = Option.getOrUndefined(HashMap.get(annotations, "backend"))
  return typeof server === "string" ? server : undefined
}

export const about = (server: string | undefined, text: string): string =>
  server === undefined || namesFirst(server, text) ? text : `${server}: ${text}`

export const withoutName = (server: string, text: string): string =>
  namesFirst(server, text) ? text.slice(server.length).replace(/^:? /, "") : text

/** `docs: ..` and `docs offers ..` begin with `docs`, `docs2 offers ..` does not. */
const namesFirst = (server: string, text: string): boolean =>
  text.startsWith(server) && !/[\w-]/.test(text.charAt(server.length))

export const logger = (output: Output): Logger.Logger<unknown, void> =>
  Logger.make(({ annotations, cause, date, logLevel, message }) => {
    if (LogLevel.lessThan(logLevel, LogLevel.Warning)) return
    const parts = Array.isArray(message) ? message : [message]
    const said = parts.map((part) => Inspectable.toStringUnknown(part, 0)).join(" ")
    const others = HashMap.toEntries(HashMap.remove(annotations, "backend"))
    const texts = [
      about(serverOf(annotations), said),
      ...others.map(([key, value]) => `${key}=${Inspectable.toStringUnknown(value, 0)}`),
      ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])
    ]
    const text = clean(texts.join(" "))
    // `problem` only writes to a stream.
    Effect.runSync(output.problem(`${time(date.getTime())} ${logLevel.label.toLowerCase()}: ${text}`))
  })
