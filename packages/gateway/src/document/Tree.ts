import type { Path } from "./Value.js"

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Scalar extends Span {
  readonly kind: "scalar"
  readonly value: unknown
}

/** `flow`: the items stand between brackets, separated by commas; otherwise each on its own line. */
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
  /** In TOML there may be several, because headers and dotted keys can repeat a key. */
  readonly keys: ReadonlyArray<Span>
  readonly value: Node
}

/** `message` says why, with the line if it is known. */
export class Unreadable extends Error {
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`)
    this.line = line
  }
}

/** From 1. */
export const lineAt = (text: string, offset: number): number => {
  let line = 1
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++
  return line
}

/** Throws an Unreadable if the text is nested too deeply for the parser's recursion. */
export const parsed = <A>(parse: () => A): A => {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RangeError) throw new Unreadable("nested too deeply")
    throw error
  }
}

/** Only if the table has this key exactly once. */
export const pairOf = (node: Node | undefined, key: string): Pair | undefined => {
  const found = node?.kind === "table" ? node.pairs.filter((pair) => pair.key === key) : []
  return found.length === 1 ? found[0] : undefined
}

export const at = (node: Node | undefined, [step, ...rest]: Path): Node | undefined => {
  if (step === undefined) return node
  if (typeof step === "number") return node?.kind === "list" ? at(node.items[step], rest) : undefined
  return at(pairOf(node, step)?.value, rest)
}
