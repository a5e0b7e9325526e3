/**
 * TOML. No editor of it keeps comments, so that this reader finds what stands where; what the text says is what `smol-toml` reads.
 */
import { parse, TomlError } from "smol-toml"
import * as shallow from "./shallow.js"
import { printer, type Syntax } from "./Syntax.js"
import { lineAt, type List, type Node, type Pair, parsed, type Span, Unreadable } from "./Tree.js"
import * as Value from "./Value.js"

type Table = Span & { readonly kind: "table"; readonly flow: boolean; readonly pairs: Array<MutablePair> }
type MutablePair = Pair & { readonly keys: Array<Span> }
type Key = Span & { readonly name: string }

const escapes: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  e: "\u001B",
  '"': '"',
  "\\": "\\"
}

const unescape = (text: string): string =>
  text.replaceAll(
    /\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|x([\da-fA-F]{2})|([btnfre"\\])|[ \t]*\r?\n\s*)/g,
    (_, short?: string, long?: string, hex?: string, one?: string) => {
      const code = short ?? long ?? hex
      return code === undefined ? escapes[one ?? ""] ?? "" : String.fromCodePoint(Number.parseInt(code, 16))
    }
  )

/** Reads from one place to the next. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Takes what matches here; the expression is sticky. */
  #take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#text)
    if (found === null) return undefined
    this.#at = expression.lastIndex
    return found
  }

  #expect(expression: RegExp, what: string): RegExpExecArray {
    const found = this.#take(expression)
    if (found === undefined) {
      throw new Unreadable(`not valid TOML: ${what} is missing`, lineAt(this.#text, this.#at))
    }
    return found
  }

  /** Blanks, line ends and comments. */
  #skip(): void {
    this.#take(/(?:[\s]|#[^\n]*)*/y)
  }

  #string(): string | undefined {
    const long = this.#take(/"""(?:\r?\n)?((?:\\[\s\S]|(?!""")[^\\])*"{0,2})"""/y)
    if (long !== undefined) return unescape(long[1] ?? "")
    const literal = this.#take(/'''(?:\r?\n)?((?:(?!''')[\s\S])*'{0,2})'''/y) ?? this.#take(/'([^'\n]*)'/y)
    if (literal !== undefined) return literal[1] ?? ""
    const basic = this.#take(/"((?:\\.|[^"\\\n])*)"/y)
    return basic && unescape(basic[1] ?? "")
  }

  #keys(): ReadonlyArray<Key> {
    const keys: Array<Key> = []
    do {
      this.#take(/[ \t]*/y)
      const start = this.#at
      const name = this.#string() ?? this.#expect(/[\w-]+/y, "a key")[0]
      keys.push({ name, start, end: this.#at })
    } while (this.#take(/[ \t]*\./y) !== undefined)
    this.#take(/[ \t]*/y)
    return keys
  }

  #value(): Node {
    const start = this.#at
    const text = this.#string()
    if (text !== undefined) return { kind: "scalar", value: text, start, end: this.#at }
    if (this.#take(/\[/y) !== undefined) {
      const items: Array<Node> = []
      for (this.#skip(); this.#take(/\]/y) === undefined; this.#skip()) {
        items.push(this.#value())
        this.#skip()
        if (this.#take(/,/y) === undefined) {
          this.#expect(/\]/y, "a comma or ]")
          break
        }
      }
      return { kind: "list", flow: true, items, start, end: this.#at }
    }
    if (this.#take(/\{/y) !== undefined) {
      const pairs: Table["pairs"] = []
      const inner: Table = { kind: "table", flow: true, pairs, start, end: start }
      for (this.#skip(); this.#take(/\}/y) === undefined; this.#skip()) {
        this.#pair(inner)
        this.#skip()
        if (this.#take(/,/y) === undefined) {
          this.#expect(/\}/y, "a comma or }")
          break
        }
      }
      return { ...inner, end: this.#at }
    }
    const value = this.#expect(/[^\s,\]}#][^,\]}#\r\n]*/y, "a value")[0].trimEnd()
    return {
      kind: "scalar",
      value: value === "true" ? true : value === "false" ? false : Symbol(value),
      start,
      end: start + value.length
    }
  }

  #pair(table: Table): void {
    const keys = this.#keys()
    this.#expect(/=[ \t]*/y, "=")
    const last = keys.at(-1)
    if (last !== undefined) add(walk(table, keys.slice(0, -1)), last, this.#value())
  }

  document(): Node {
    const root = emptyTable(0)
    let table = root
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      const isItem = this.#take(/\[\[/y) !== undefined
      if (isItem || this.#take(/\[/y) !== undefined) {
        const keys = this.#keys()
        this.#expect(isItem ? /\]\]/y : /\]/y, isItem ? "]]" : "]")
        table = isItem ? appended(root, keys, this.#at) : walk(root, keys)
      } else {
        this.#pair(table)
      }
    }
    return root
  }
}

const emptyTable = (at: number): Table => ({ kind: "table", flow: false, pairs: [], start: at, end: at })

const add = (table: Table, { name, ...span }: Key, value: Node): void =>
  void table.pairs.push({ key: name, keys: [span], value })

/** The table at keys, made where it is not there yet. In a list of tables it is the last one. */
const walk = (table: Table, keys: ReadonlyArray<Key>): Table => {
  let here = table
  for (const { name, ...span } of keys) {
    const found = here.pairs.find(({ key }) => key === name)
    const last = found?.value.kind === "list" ? found.value.items.at(-1) : found?.value
    found?.keys.push(span)
    const next = last ?? emptyTable(span.end)
    if (next.kind !== "table") throw new Unreadable(`not valid TOML: ${name} is a table and a value`)
    if (found === undefined) here.pairs.push({ key: name, keys: [span], value: next })
    here = next as Table
  }
  return here
}

/** Another table in the list of tables at keys. */
const appended = (root: Table, keys: ReadonlyArray<Key>, at: number): Table => {
  const last = keys.at(-1) as Key
  const parent = walk(root, keys.slice(0, -1))
  const item = emptyTable(at)
  const list = parent.pairs.find(({ key }) => key === last.name)?.value
  if (list?.kind === "list") (list as List & { items: Array<Node> }).items.push(item)
  else add(parent, last, { kind: "list", flow: false, items: [item], start: at, end: at })
  return item
}

const quote = (text: string): string => JSON.stringify(text).replaceAll("\u007F", "\\u007F")
const printKey = (key: string): string => /^[\w-]+$/.test(key) ? key : quote(key)

export const syntax: Syntax = {
  tree: (text) => parsed(() => new Reader(shallow.toml(text)).document()),
  value: (text) => {
    shallow.toml(text)
    try {
      return Value.from(parse(text, { integersAsBigInt: true }))
    } catch (error) {
      throw new Unreadable(
        `not valid TOML: ${String((error as Error).message).split("\n")[0]?.replace(/^Invalid TOML document: /, "")}`,
        error instanceof TomlError ? error.line : undefined
      )
    }
  },
  print: printer(quote, printKey, " = "),
  printKey,
  assign: " = ",
  keepsPrefix: true
}
