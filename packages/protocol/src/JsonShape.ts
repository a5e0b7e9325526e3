/** Bounds what is parsed: memory and time to parse a JSON text follow from its values, not from its length. */
import { Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import { JsonScanner } from "./JsonScanner.js"

/** Of the largest text that is parsed: some hundred milliseconds of work. */
export const mostValues = 300_000

/** About what a value takes in memory beside its text, in bytes. */
const ofEach = 64

/** What is said of a text that holds more. */
export const tooMany = `has more than ${mostValues} values`

/** Says so, and what is known of the text. */
export class TooManyValues extends Error {
  readonly found: JsonScanner

  constructor(found: JsonScanner) {
    super(tooMany)
    this.found = found
  }
}

/** About how much memory it takes as text and parsed. */
export const bytesOf = (length: number, values: number): Bytes => Bytes(length + ofEach * values)

/** As `ExactJson.parse`, for a text of a peer: throws `TooManyValues`, too. */
export const parse = (text: string): unknown => {
  if (text.length > mostValues) {
    const found = new JsonScanner().push(text)
    if (found.values > mostValues) throw new TooManyValues(found)
  }
  return ExactJson.parse(text)
}
