import { ByteSize } from "@mcp-lifeline/core/options"
import { PlainText } from "@mcp-lifeline/core/text"

/** One line without control sequences. */
export const clean = PlainText.line

/** Removes control sequences, and nothing else. */
export const harmless = PlainText.lines

/** Without control sequences; it has the same value. */
export const json = PlainText.json

/** `12:03:04`, in the local time zone. */
export const time = (millis: number): string => {
  const date = new Date(millis)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")
}

/** `3 s`, `2 min 5 s`, `1 h 4 min`, `2 d 3 h`. */
export const span = (millis: number): string => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  const [d, h, min, s] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60
  ]
  if (d > 0) return `${d} d ${h} h`
  if (h > 0) return `${h} h ${min} min`
  return min > 0 ? `${min} min ${s} s` : `${s} s`
}

/** Rounded up to seconds. */
export const until = (millis: number): string => span(Math.ceil(millis / 1000) * 1000)

/** `152 MB`. */
export const bytes = ByteSize.show

/** `3%`, `0.4%`. */
export const percent = (value: number): string => `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)}%`
