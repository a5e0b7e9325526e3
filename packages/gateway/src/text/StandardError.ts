import { Cause, Logger } from "effect"
import { clean } from "./Text.js"

/** Unread, in bytes; further lines are dropped. */
const maxUnread = 1024 * 1024

let dropped = 0

/** The first line after dropped ones reports how many are missing. */
export const write = (text: string): void => {
  const { stderr } = process
  if (stderr.writableLength > maxUnread) return void dropped++
  if (dropped > 0) stderr.write(`mcp-lifeline: ${dropped} lines are missing here, because nobody read standard error\n`)
  dropped = 0
  stderr.write(`${text}\n`)
}

export const line = (text: string): void => write(clean(text))

export const logger = Logger.make(({ cause, logLevel, message }) => {
  const parts = (Array.isArray(message) ? message : [message]).map(String)
  const causes = Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)]
  line(`mcp-lifeline: ${logLevel.label.toLowerCase()}: ${[...parts, ...causes].join(" ")}`)
})
