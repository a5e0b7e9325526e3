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
