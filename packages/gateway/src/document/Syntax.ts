/**
 * What the editor of texts knows of a format.
 */
import type { Node } from "./Tree.js"
import type { Data, Value } from "./Value.js"

export interface Syntax {
  /** The text as a tree. Throws an Unreadable. */
  readonly tree: (text: string) => Node
  /** What the text says, as an established parser of the format reads it. Throws an Unreadable. */
  readonly value: (text: string) => Value
  /** A value in one line. */
  readonly print: (data: Data) => string
  readonly printKey: (key: string) => string
  /** What stands between a key and its value. */
  readonly assign: string
  /** Whether a new line of a block begins as the line of its neighbour does, dotted keys included; otherwise with blanks for all of that. */
  readonly keepsPrefix: boolean
}

/** A text, a list, or a table between braces; `scalar` prints a text. */
export const printer = (scalar: (text: string) => string, key: (key: string) => string, assign: string) => {
  const print = (data: Data): string => {
    if (typeof data === "string") return scalar(data)
    if (typeof data === "boolean") return String(data)
    if (Array.isArray(data)) return `[${(data as ReadonlyArray<string>).map(scalar).join(", ")}]`
    const pairs = Object.entries(data).map(([name, value]) => `${key(name)}${assign}${print(value as Data)}`)
    return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`
  }
  return print
}
