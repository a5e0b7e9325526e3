/**
 * Texts for people. Pure.
 */
import { PlainText } from "@mcp-lifeline/core/internal"

/** Text from outside in one line that controls no terminal. */
export const clean = PlainText.line

/** JSON that controls no terminal; its value is the same. */
export const json = PlainText.json

/** `12:03:04`, in the local time of the machine. */
export const time = (millis: number): string => {
  const date = new Date(millis)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")
}
