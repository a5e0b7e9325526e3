import type { Problem } from "@mcp-lifeline/core/options"
import { Either } from "effect"
import * as Json from "./Json.js"
import * as Toml from "./Toml.js"
import * as Tree from "./Tree.js"
import * as Value from "./Value.js"

type Path = Problem.Path

export interface Document {
  readonly value: unknown
  /** In the order of the text; not by way of an object, which would reorder names such as "1". */
  readonly names: (path: Path) => ReadonlyArray<string>
  /** Of a path, or of its longest prefix that exists, from 1. For a key, the line of the key, not of its value. */
  readonly line: (path: Path) => number
  /** Keys that occur twice in one table, with the line of the second one. */
  readonly repeated: ReadonlyArray<{ readonly path: Path; readonly line: number }>
}

export interface Broken {
  readonly line: number
  readonly message: string
}

const repeatedIn = (
  node: Tree.Node,
  path: Path = []
): ReadonlyArray<{ readonly path: Path; readonly start: number }> => {
  if (node.kind === "list") return node.items.flatMap((item, index) => repeatedIn(item, [...path, index]))
  if (node.kind === "scalar") return []
  const seen = new Set<string>()
  return node.pairs.flatMap(({ key, keys, value }) => {
    const below = [...path, key]
    const again = seen.has(key) ? [{ path: below, start: keys[0].start }] : []
    seen.add(key)
    return [...again, ...repeatedIn(value, below)]
  })
}

const startOf = (node: Tree.Node, [step, ...rest]: Path, start: number): number => {
  if (step === undefined) return start
  if (typeof step === "number") {
    const item = node.kind === "list" ? node.items[step] : undefined
    return item === undefined ? start : startOf(item, rest, item.start)
  }
  const pair = node.kind === "table" ? node.pairs.find(({ key }) => key === step) : undefined
  return pair === undefined ? start : startOf(pair.value, rest, pair.keys[0].start)
}

const namesAt = (node: Tree.Node, [step, ...rest]: Path): ReadonlyArray<string> => {
  if (node.kind !== "table") return []
  if (step === undefined) return node.pairs.map(({ key }) => key)
  const pair = node.pairs.find(({ key }) => key === step)
  return pair === undefined ? [] : namesAt(pair.value, rest)
}

const document = (text: string, root: Tree.Node, value: unknown): Document => ({
  value,
  names: (path) => namesAt(root, path),
  line: (path) => Tree.lineAt(text, startOf(root, path, root.start)),
  repeated: repeatedIn(root).map(({ path, start }) => ({ path, line: Tree.lineAt(text, start) }))
})

/** As TOML if the file name ends in `.toml`, otherwise as JSON with comments and trailing commas. */
export const parse = (file: string, text: string): Either.Either<Document, Broken> => {
  const syntax = /\.toml$/i.test(file) ? Toml.syntax : Json.syntax
  return Either.try({
    try: () => {
      const value = Value.plain(syntax.value(text))
      return document(text, syntax.tree(text), value)
    },
    catch: (error) => {
      if (!(error instanceof Tree.Unreadable)) throw error
      return { line: error.line ?? 1, message: error.message.replace(/^line \d+: /, "") }
    }
  })
}
