/** One JSON object a line: `time`, `level`, `message`, and `server` if the line is about one. */
import { Cause, Effect, Inspectable, Logger, LogLevel } from "effect"
import { type Output, serverOf, withoutName } from "../text/Output.js"
import { clean, json as jsonText } from "../text/Text.js"
import type * as EventLog from "./EventLog.js"

const json = ({ at, level, server, text }: EventLog.Entry): string =>
  jsonText({ time: new Date(at).toISOString(), level, ...(server === null ? {} : { server }), message: text })

export const entry = (output: Output, line: EventLog.Entry): Effect.Effect<void> => output.line(json(line))

const now = (level: EventLog.Entry["level"], text: string) =>
  Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (at) => json({ at, server: null, level, text })))

/** Every line is a JSON object; there are no frames. */
export const over = (output: Output): Output => ({
  ...output,
  live: false,
  line: (text) => Effect.flatMap(now("info", clean(text)), output.line),
  problem: (text) => Effect.flatMap(now("warning", clean(text)), output.problem),
  frame: () => Effect.void
})

/** `undefined` below warnings. */
export const entryOf = (
  { annotations, cause, date, logLevel, message }: Logger.Logger.Options<unknown>
): EventLog.Entry | undefined => {
  if (LogLevel.lessThan(logLevel, LogLevel.Warning)) return undefined
  const parts = Array.isArray(message) ? message : [message]
  const texts = [
    ...parts.map((part) => Inspectable.toStringUnknown(part, 0)),
    ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])
  ]
  return {
    at: date.getTime(),
    server: serverOf(annotations) ?? null,
    level: LogLevel.greaterThanEqual(logLevel, LogLevel.Error) ? "error" : "warning",
    text: clean(texts.join(" "))
  }
}

export const logger = (take: (line: EventLog.Entry) => void): Logger.Logger<unknown, void> =>
  Logger.make((options) => {
    const line = entryOf(options)
    if (line !== undefined) take(line)
  })

/** Only admins read the event log. */
export const eventLogger = (take: (line: EventLog.Entry) => void): Logger.Logger<unknown, void> =>
  logger(({ server, text, ...line }) =>
    take({ ...line, server, text: server === null ? text : withoutName(server, text) })
  )

/** Writes warnings and errors to standard error. */
export const jsonLogger = (output: Output): Logger.Logger<unknown, void> =>
  // Loggers are synchronous, and `problem` only writes to a stream.
  logger((line) => Effect.runSync(output.problem(json(line))))
