import { Bytes } from "../internal/Bytes.js"
import { type ByteSizeText, type ByteUnit, units } from "./ByteSizeText.js"

/** In bytes, or a text such as `"512 MB"` or `"1 GiB"`. KB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024. */
export type ByteSize = number | ByteSizeText

const longest = 40

const text = /^\s*(\d+(?:\.\d+)?)\s*([kmg]i?b|b)\s*$/i

export const pattern = "^\\s*\\d+(\\.\\d+)?\\s*([KkMmGg][Ii]?[Bb]|[Bb])\\s*$"

const lowerCase: ReadonlyMap<string, number> = new Map(
  Object.entries(units).map(([unit, bytes]) => [unit.toLowerCase(), bytes])
)

/** Without a fraction; `undefined` if it is no number of bytes. Units in any case. */
export const toBytes = (input: unknown): Bytes | undefined => {
  if (typeof input === "number") return Number.isSafeInteger(input) && input >= 0 ? Bytes(input) : undefined
  if (typeof input !== "string" || input.length > longest) return undefined
  const [, amount = "", unit = ""] = text.exec(input) ?? []
  const size = lowerCase.get(unit.toLowerCase())
  if (size === undefined) return undefined
  const bytes = Math.round(Number(amount) * size)
  return Number.isSafeInteger(bytes) ? Bytes(bytes) : undefined
}

/** Throws a TypeError if it is none. */
export const bytes = (input: ByteSize): Bytes => {
  const found = toBytes(input)
  if (found === undefined) throw new TypeError(`${String(input)} is not a number of bytes; write 512000000 or "512 MB"`)
  return found
}

const largest: ReadonlyArray<ByteUnit> = ["GB", "MB", "KB"]

/** At most three digits: `1.05 GB`, `512 MB`, `900 B`. */
export const show = (bytes: number): string => {
  // What would be rounded to 1000 is shown in the next unit.
  const unit = largest.find((unit) => bytes >= units[unit] * 0.9995) ?? "B"
  const amount = bytes / units[unit]
  return `${amount >= 999.5 ? Math.round(amount) : Number(amount.toPrecision(3))} ${unit}`
}
