/**
 * The tree comes from `toml-eslint-parser`, which has positions; the value from `smol-toml`, which has none.
 */
import { parse, TomlError } from "smol-toml"
import type { AST } from "toml-eslint-parser"
import { ParseError, parseTOML } from "toml-eslint-parser"
import * as checkDepth from "./checkDepth.js"
import { printer, type Syntax } from "./Syntax.js"
import { type List, type Node, type Pair, parsed, type Span, unmarked, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

type Table = Span & {
  readonly kind: "table"
  readonly flow: boolean
  readonly pairs: Array<MutablePair>
  readonly parts?: Array<Span>
  readonly byKey: Map<string, MutablePair>
}
type MutablePair = Pair & { readonly keys: [Span, ...Array<Span>] }
type Key = Span & { readonly name: string }

const spanOf = ({ range: [start, end] }: { readonly range: AST.Range }): Span => ({ start, end })

const keysOf = ({ keys }: AST.TOMLKey): ReadonlyArray<Key> =>
  keys.map((key) => ({ name: key.type === "TOMLBare" ? key.name : key.value, ...spanOf(key) }))

const valueOf = (content: AST.TOMLContentNode, text: string): Node => {
  const span = spanOf(content)
  if (content.type === "TOMLArray") {
    return { kind: "list", flow: true, items: content.elements.map((item) => valueOf(item, text)), ...span }
  }
  if (content.type === "TOMLInlineTable") {
    const table: Table = { kind: "table", flow: true, pairs: [], byKey: new Map(), ...span }
    for (const pair of content.body) addPair(table, pair, text)
    return table
  }
  const { kind, value } = content
  const isPlain = kind === "string" || kind === "boolean"
  return { kind: "scalar", value: isPlain ? value : Symbol(text.slice(span.start, span.end)), ...span }
}

const addPair = (table: Table, pair: AST.TOMLKeyValue, text: string): void => {
  const keys = keysOf(pair.key)
  const last = keys.at(-1)
  if (last !== undefined) add(walk(table, keys.slice(0, -1), spanOf(pair)), last, valueOf(pair.value, text))
}

const documentOf = (text: string): Node => {
  const root = emptyTable(0)
  for (const part of parseTOML(text).body[0].body) {
    if (part.type === "TOMLKeyValue") {
      addPair(root, part, text)
      continue
    }
    const keys = keysOf(part.key)
    const table = part.kind === "array" ? appended(root, keys, spanOf(part)) : walk(root, keys, spanOf(part))
    for (const pair of part.body) addPair(table, pair, text)
  }
  return root
}

/** Turns errors of the parsers into Unreadable. */
const read = <A>(text: string, as: (text: string) => A): A => {
  try {
    return as(checkDepth.toml(unmarked(text)))
  } catch (error) {
    if (!(error instanceof ParseError || error instanceof TomlError)) throw error
    const message = error.message.split("\n", 1)[0]?.replace(/^Invalid TOML document: /, "")
    throw new Unreadable(`not valid TOML: ${message}`, error instanceof TomlError ? error.line : error.lineNumber)
  }
}

const emptyTable = (at: number, ...parts: Array<Span>): Table => ({
  kind: "table",
  flow: false,
  pairs: [],
  byKey: new Map(),
  parts,
  start: at,
  end: at
})

const add = (table: Table, { name, ...span }: Key, value: Node): void => {
  const pair: MutablePair = { key: name, keys: [span], value }
  table.pairs.push(pair)
  if (!table.byKey.has(name)) table.byKey.set(name, pair)
}

/** Makes the tables that are missing. In a list of tables, it is the last one. `part` is about each of them. */
const walk = (table: Table, keys: ReadonlyArray<Key>, part: Span): Table => {
  let here = table
  for (const key of keys) {
    const { name, ...span } = key
    const found = here.byKey.get(name)
    const last = found?.value.kind === "list" ? found.value.items.at(-1) : found?.value
    found?.keys.push(span)
    const next = last ?? emptyTable(span.end)
    if (next.kind !== "table") throw new Unreadable(`not valid TOML: ${name} is a table and a value`)
    if (found === undefined) add(here, key, next)
    here = next as Table
    here.parts?.push(part)
  }
  return here
}

const appended = (root: Table, keys: ReadonlyArray<Key>, part: Span): Table => {
  const last = keys.at(-1) as Key
  const parent = walk(root, keys.slice(0, -1), part)
  const item = emptyTable(last.end, part)
  const list = parent.byKey.get(last.name)?.value
  if (list?.kind === "list") (list as List & { items: Array<Node> }).items.push(item)
  else add(parent, last, { kind: "list", flow: false, items: [item], start: last.end, end: last.end })
  return item
}

const quote = (text: string): string => JSON.stringify(text).replaceAll("\u007F", "\\u007F")
const printKey = (key: string): string => /^[\w-]+$/.test(key) ? key : quote(key)

export const syntax: Syntax = {
  tree: (text) => parsed(() => read(text, documentOf)),
  value: (text) => read(text, (text) => Value.from(parse(text, { integersAsBigInt: true }))),
  print: printer(quote, printKey, " = "),
  printKey,
  assign: " = ",
  keepsPrefix: true
}
