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
  /** In TOML, the lines that are about it, where it is not written behind its key. */
  readonly parts?: ReadonlyArray<Span>
}

export type Node = Scalar | List | Fields

export interface Pair {
  readonly key: string
  /** In TOML there may be several, because headers and dotted keys can repeat a key. */
  readonly keys: readonly [Span, ...ReadonlyArray<Span>]
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

/** A blank in place of the byte order mark, so that positions stay the same. */
export const unmarked = (text: string): string => text.replace(/^\uFEFF/, " ")

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

/** Of keys and values. */
export const words = (node: Node): ReadonlyArray<Span> => {
  if (node.kind === "scalar") return [node]
  return node.kind === "list"
    ? node.items.flatMap(words)
    : node.pairs.flatMap(({ keys, value }) => [...keys, ...words(value)])
}

export interface Splice extends Span {
  readonly text: string
}

export const spliced = (text: string, splices: ReadonlyArray<Splice>): string =>
  splices.toSorted((a, b) => b.start - a.start).reduce(
    (result, { end, start, text }) => result.slice(0, start) + text + result.slice(end),
    text
  )

export const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1

/** Before the line break. */
export const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at)
  if (end === -1) return text.length
  return text[end - 1] === "\r" ? end - 1 : end
}

/** Blocks of YAML end with a line break. */
export const trimmed = (text: string, { end, start }: Span): Span => ({
  start,
  end: start + text.slice(start, end).trimEnd().length
})
