import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import * as Entries from "./Entries.js"

/** Their values may be secrets. */
const tables = ["env", "environment", "envs", "headers", "http_headers", "requestOptions"]
const words = ["command", "cmd", "args", "url", "serverUrl", "httpUrl", "uri"]

const textsIn = (value: Value.Value | undefined): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  return (Value.isTable(value) ? [...value.values()] : Value.isList(value) ? value : []).flatMap(textsIn)
}

/** Where an entry may keep secrets. */
const places: ReadonlyArray<ReadonlyArray<string>> = [[], ["transport"]]

/** A text that only refers to a variable is no secret. */
const isReference = (text: string): boolean => /\$\{|\{env:/.test(text)

/** Values of headers and variables, and arguments that look like a secret. */
export const find = (root: Value.Value, sections: ReadonlyArray<Entries.Section>): Secrets.Secrets =>
  Entries.read(root, sections).flatMap(({ value }) => {
    const textsOf = (keys: ReadonlyArray<string>) =>
      places.flatMap((place) => keys.flatMap((key) => textsIn(Value.at(value, [...place, key]))))
    const values = textsOf(tables)
    return Secrets.collect(
      Object.fromEntries(values.entries()),
      textsOf(words)
    )
  }).filter((text) => !isReference(text)).toSorted((a, b) => b.length - a.length)

export const mask = Secrets.mask

const mark = "***"

const scalarsIn = (node: Tree.Node): ReadonlyArray<Tree.Scalar> =>
  node.kind === "scalar"
    ? node.value === null || (typeof node.value === "string" && isReference(node.value)) ? [] : [node]
    : (node.kind === "list" ? node.items : node.pairs.map(({ value }) => value)).flatMap(scalarsIn)

/** Keeps the number of lines, and the quotes. */
const hiddenText = (text: string, replacement: string): string => {
  const [, quote = ""] = /^(["']).*\1$/s.exec(text) ?? []
  return text.split("\n").map((_, index) => index === 0 ? `${quote}${replacement}${quote}` : mark).join("\n")
}

/** Also arguments that follow an option that names a secret. */
const hiddenArgs = (text: string, node: Tree.Node | undefined): ReadonlyArray<Tree.Splice> => {
  if (node?.kind !== "list") return []
  const items = node.items.filter((item) => item.kind === "scalar")
  const texts = items.map(({ value }) => typeof value === "string" ? value : "")
  const masked = Secrets.args([], texts)
  return items.flatMap((item, index) =>
    masked[index] === texts[index] || isReference(texts[index] ?? "")
      ? []
      : [{ ...item, text: hiddenText(text.slice(item.start, item.end), masked[index] ?? mark) }]
  )
}

/** Values of headers and variables, however short they are, and arguments that look like a secret. Keeps the number of lines. */
export const hide = (text: string, syntax: Syntax, sections: ReadonlyArray<Entries.Section>): string => {
  if (text.trim() === "") return text
  const tree = syntax.tree(text)
  const hidden = Entries.read(syntax.value(text), sections).flatMap(({ path: entry }): ReadonlyArray<Tree.Splice> =>
    places.flatMap((place) => {
      const path = [...entry, ...place]
      const values = tables.flatMap((key) => {
        const node = Tree.at(tree, [...path, key])
        return node === undefined ? [] : scalarsIn(node)
      })
      return [
        ...values.map((one) => ({ ...one, text: hiddenText(text.slice(one.start, one.end), mark) })),
        ...["command", "args"].flatMap((key) => hiddenArgs(text, Tree.at(tree, [...path, key])))
      ]
    })
  )
  return Tree.spliced(text, hidden)
}
