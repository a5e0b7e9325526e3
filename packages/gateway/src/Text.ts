/**
 * Texts for users. Pure.
 */
import { PlainText } from "@mcp-lifeline/core/internal"

/** Makes an untrusted text safe to print: one line without control sequences. */
export const clean = PlainText.line

/** JSON without control sequences; it has the same value. */
export const json = PlainText.json

/** The time as `12:03:04`, in the local time zone. */
export const time = (millis: number): string => {
  const date = new Date(millis)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")
}
