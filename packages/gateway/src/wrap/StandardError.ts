/**
 * Lines on standard error, where hosts show what a server has to say to people.
 */
import { Cause, Logger } from "effect"
import { clean } from "../Text.js"

/** Writes one line, whatever it holds. */
export const line = (text: string): void => void process.stderr.write(`${clean(text)}\n`)

/** Writes each message as a line. */
export const logger = Logger.make(({ cause, logLevel, message }) => {
  const parts = (Array.isArray(message) ? message : [message]).map(String)
  const causes = Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)]
  line(`mcp-lifeline: ${logLevel.label.toLowerCase()}: ${[...parts, ...causes].join(" ")}`)
})
