/**
 * Lines on standard error, where hosts show what a server has to say to people.
 */
import { Cause, Logger } from "effect"
import { clean } from "./Text.js"

/** What nobody has read, in bytes; past it lines are dropped. */
const most = 1024 * 1024

let dropped = 0

/** Writes one line as it is. Where nobody reads standard error, it is dropped, and the next line that is read says so. */
export const write = (text: string): void => {
  const { stderr } = process
  if (stderr.writableLength > most) return void dropped++
  if (dropped > 0) stderr.write(`mcp-lifeline: ${dropped} lines are missing here, because nobody read standard error\n`)
  dropped = 0
  stderr.write(`${text}\n`)
}

/** Writes one line, whatever it holds. */
export const line = (text: string): void => write(clean(text))

/** Writes each message as a line. */
export const logger = Logger.make(({ cause, logLevel, message }) => {
  const parts = (Array.isArray(message) ? message : [message]).map(String)
  const causes = Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)]
  line(`mcp-lifeline: ${logLevel.label.toLowerCase()}: ${[...parts, ...causes].join(" ")}`)
})
