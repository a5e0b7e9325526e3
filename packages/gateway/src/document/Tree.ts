/**
 * A configuration as it is written: what stands where in the text.
 */
import type { Path } from "./Value.js"

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Scalar extends Span {
  readonly kind: "scalar"
  readonly value: unknown
}

/** `flow`: written between brackets, with commas; otherwise a line for each item. */
export interface List extends Span {
  readonly kind: "list"
  readonly flow: boolean
  readonly items: ReadonlyArray<Node>
}

export interface Fields extends Span {
  readonly kind: "table"
  readonly flow: boolean
  readonly pairs: ReadonlyArray<Pair>
}

export type Node = Scalar | List | Fields

export interface Pair {
  readonly key: string
  /** Where the key is written: more than once in TOML, whose tables may be spread over headers and dotted keys. */
  readonly keys: ReadonlyArray<Span>
  readonly value: Node
}

/** The text is not what its format asks for. `message` says what is wrong, with the line where it is known. */
export class Unreadable extends Error {
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`)
    this.line = line
  }
}

/** The line of an offset, from 1. */
export const lineAt = (text: string, offset: number): number => {
  let line = 1
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++
  return line
}

/** What a parser makes of a text. Parsers are recursive: a text that is nested too deeply for them is unreadable, and no defect. */
export const parsed = <A>(parse: () => A): A => {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RangeError) throw new Unreadable("nested too deeply")
    throw error
  }
}

/** The pair of a key, if the node is a table that has it once. */
export const pairOf = (node: Node | undefined, key: string): Pair | undefined => {
  const found = node?.kind === "table" ? node.pairs.filter((pair) => pair.key === key) : []
  return found.length === 1 ? found[0] : undefined
}

/** What stands at a path. */
export const at = (node: Node | undefined, [step, ...rest]: Path): Node | undefined => {
  if (step === undefined) return node
  if (typeof step === "number") return node?.kind === "list" ? at(node.items[step], rest) : undefined
  return at(pairOf(node, step)?.value, rest)
}
