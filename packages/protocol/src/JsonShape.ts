/** Memory and time to parse a JSON text follow from its values, not from its length. */
import { Bytes, ExactJson } from "@mcp-lifeline/core/text"
import { JsonScanner } from "./JsonScanner.js"

/** Of the largest text that is parsed: some hundred milliseconds of work. */
export const mostValues = 300_000

/** Memory of a value beside its text, in bytes. */
const ofEach = 64

export const tooMany = `has more than ${mostValues} values`

export class TooManyValues extends Error {
  readonly found: JsonScanner

  constructor(found: JsonScanner) {
    super(tooMany)
    this.found = found
  }
}

/** About how much memory it takes as text and parsed. */
export const bytesOf = (length: number, values: number): Bytes => Bytes(length + ofEach * values)

/** As `ExactJson.parse`, but throws `TooManyValues`, too. */
export const parse = (text: string): unknown => {
  if (text.length > mostValues) {
    const found = new JsonScanner().push(text)
    if (found.values > mostValues) throw new TooManyValues(found)
  }
  return ExactJson.parse(text)
}
