import type { Node } from "./Tree.js"
import type { Data, Value } from "./Value.js"

export interface Syntax {
  /** With positions. Throws an Unreadable. */
  readonly tree: (text: string) => Node
  /** As an established parser of the format reads it. Throws an Unreadable. */
  readonly value: (text: string) => Value
  readonly print: (data: Data) => string
  readonly printKey: (key: string) => string
  readonly assign: string
  /** Whether a new line of a block repeats the beginning of the line before, with its dotted keys. Otherwise it gets as many blanks. */
  readonly keepsPrefix: boolean
}

/** `scalar` prints a text, `key` the key of a table. */
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
