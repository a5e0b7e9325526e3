import { Duration, Option } from "effect"
import type { DurationInput } from "effect/Duration"
import { day, hour, minute, second, type TimeText, type Unit, units } from "../internal/Time.js"

export { day } from "../internal/Time.js"

/** Milliseconds, a text such as `"5s"`, `"10 ms"` or `"5 minutes"`, or any other `DurationInput` of Effect. */
export type TimeSpan = DurationInput | TimeText

const text = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/

export const pattern = `^\\s*\\d+(\\.\\d+)?\\s*(${Object.keys(units).join("|")})\\s*$`

/** `undefined` if it is no length of time, or negative. */
export const toMillis = (input: unknown): number | undefined => {
  // On the way of every call.
  if (typeof input === "number") return input >= 0 ? input : undefined
  if (typeof input === "string") {
    const [, amount = "", unit = ""] = text.exec(input) ?? []
    if (Object.hasOwn(units, unit)) return Number(amount) * units[unit as Unit]
    if (input.trimStart().startsWith("-")) return undefined
  }
  return Option.getOrUndefined(Option.map(Duration.decodeUnknown(input), Duration.toMillis))
}

/** Negative ones count as 0, as in Effect. Throws a TypeError if it is none. */
export const millis = (input: TimeSpan): number => {
  const found = typeof input === "number" && input < 0 ? 0 : toMillis(input)
  if (found === undefined) {
    throw new TypeError(`${String(input)} is not a duration; write 5000, "5s" or "5 seconds"`)
  }
  return found
}

const shortest: ReadonlyArray<readonly [number, string]> = [[day, "d"], [hour, "h"], [minute, "min"], [second, "s"]]

/** In the largest unit that fits: `24 h`, `7 d`, `500 ms`. */
export const show = (millis: number): string => {
  if (millis === day) return "24 h"
  const [size, unit] = shortest.find(([size]) => millis >= size && millis % size === 0) ?? [1, "ms"]
  return `${millis / size} ${unit}`
}

export const range = (min: number, max: number): string => `${show(min)} to ${show(max)}`
