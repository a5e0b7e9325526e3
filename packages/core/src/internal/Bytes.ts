import { Brand } from "effect"

/** Keeps other counts out: characters, entries, milliseconds. */
export type Bytes = number & Brand.Brand<"Bytes">
export const Bytes = Brand.nominal<Bytes>()

export const kibibytes = (count: number): Bytes => Bytes(count * 1024)
export const mebibytes = (count: number): Bytes => kibibytes(count * 1024)
