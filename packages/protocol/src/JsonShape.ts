/** What a JSON text holds, without parsing it: memory and time to parse it follow from its values, not from its length. */
import { Bytes, ExactJson } from "@mcp-lifeline/core/internal"

/** Of the largest text that is parsed: some hundred milliseconds of work. */
export const mostValues = 300_000

/** About what a value takes in memory beside its text, in bytes. */
const ofEach = 64

export interface JsonShape {
  /** The most arrays and objects in one another. */
  readonly depth: number
  /** Arrays, objects and separators; names count twice. */
  readonly values: number
}

/** What is said of a text that holds more. */
export const tooMany = `has more than ${mostValues} values`

/** Says so. */
export class TooManyValues extends Error {}

/** Of any text. Takes a step for each character. */
export const of = (text: string): JsonShape => {
  let [depth, deepest, values] = [0, 0, 0]
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // "
        for (i++; i < text.length; i++) {
          const char = text.charCodeAt(i)
          if (char === 0x22) break
          if (char === 0x5C) i++
        }
        break
      case 0x7B: // {
      case 0x5B: // [
        values++
        deepest = Math.max(deepest, ++depth)
        break
      case 0x7D: // }
      case 0x5D: // ]
        depth--
        break
      case 0x2C: // ,
        values++
        break
      case 0x3A: // :
        values += 2
    }
  }
  return { depth: deepest, values }
}

/** About how much memory it takes as text and parsed. */
export const bytesOf = (length: number, { values }: JsonShape): Bytes => Bytes(length + ofEach * values)

/** As `ExactJson.parse`, for a text of a peer: throws `TooManyValues`, too. */
export const parse = (text: string): unknown => {
  if (text.length > mostValues && of(text).values > mostValues) throw new TooManyValues(tooMany)
  return ExactJson.parse(text)
}
