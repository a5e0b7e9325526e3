declare const isBytes: unique symbol

/** Keeps other counts out, without a type of Effect. */
export type Bytes = number & { readonly [isBytes]: true }
export const Bytes = (count: number): Bytes => count as Bytes

export const kibibytes = (count: number): Bytes => Bytes(count * 1024)
export const mebibytes = (count: number): Bytes => kibibytes(count * 1024)

export const units = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3
} as const

export type ByteUnit = keyof typeof units

/** As in `"512 MB"` or `"1.5GiB"`. */
export type ByteSizeText = `${number}${ByteUnit}` | `${number} ${ByteUnit}`

/** In bytes, or a text such as `"512 MB"` or `"1 GiB"`. KB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024. */
export type ByteSize = number | ByteSizeText

const longest = 40

const text = /^\s*(\d+(?:\.\d+)?)\s*([kmg]i?b|b)\s*$/i

export const pattern = "^\\s*\\d+(\\.\\d+)?\\s*([KkMmGg][Ii]?[Bb]|[Bb])\\s*$"

const lowerCase = new Map(Object.entries(units).map(([unit, bytes]) => [unit.toLowerCase(), bytes]))

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

const largest: ReadonlyArray<ByteUnit> = ["GB", "MB", "KB"]

/** At most three digits: `1.05 GB`, `512 MB`, `900 B`. */
export const show = (bytes: number): string => {
  // What would be rounded to 1000 is shown in the next unit.
  const unit = largest.find((unit) => bytes >= units[unit] * 0.9995) ?? "B"
  const amount = bytes / units[unit]
  return `${amount >= 999.5 ? Math.round(amount) : Number(amount.toPrecision(3))} ${unit}`
}
