/**
 * Keeps secrets of a configuration out of what is shown of it. Pure.
 */
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import * as Entries from "./Entries.js"

/** Tables whose values may be secret. */
const tables = ["env", "environment", "envs", "headers", "http_headers", "requestOptions"]
const words = ["command", "cmd", "args", "url", "serverUrl", "httpUrl", "uri"]

const textsIn = (value: Value.Value | undefined): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  return (Value.isTable(value) ? [...value.values()] : Value.isList(value) ? value : []).flatMap(textsIn)
}

/** A text that only refers to a variable is no secret. */
const isReference = (text: string): boolean => /\$\{|\{env:/.test(text)

/** The texts of a configuration that are not to be shown: values of headers and variables, and arguments that sound like a secret. */
export const find = (root: Value.Value, sections: ReadonlyArray<Entries.Section>): Secrets.Secrets =>
  Entries.read(root, sections).flatMap(({ value }) => {
    const values = tables.flatMap((key) => textsIn(Value.at(value, [key])))
    return Secrets.collect(
      Object.fromEntries(values.entries()),
      words.flatMap((key) => textsIn(Value.at(value, [key])))
    )
  }).filter((text) => !isReference(text)).toSorted((a, b) => b.length - a.length)

/** A text without them. */
export const mask = Secrets.mask

interface Hidden extends Tree.Span {
  readonly text: string
}

const mark = "***"

/** All values in a node that say something themselves. */
const scalarsIn = (node: Tree.Node): ReadonlyArray<Tree.Scalar> =>
  node.kind === "scalar"
    ? node.value === null || (typeof node.value === "string" && isReference(node.value)) ? [] : [node]
    : (node.kind === "list" ? node.items : node.pairs.map(({ value }) => value)).flatMap(scalarsIn)

/** What is shown in the place of a piece of text: as many lines, and its quotes. */
const hiddenText = (text: string, shown: string): string => {
  const [, quote = ""] = /^(["']).*\1$/s.exec(text) ?? []
  return text.split("\n").map((_, index) => index === 0 ? `${quote}${shown}${quote}` : mark).join("\n")
}

/** Arguments that sound like a secret, or stand behind one that does. */
const hiddenArgs = (text: string, node: Tree.Node | undefined): ReadonlyArray<Hidden> => {
  if (node?.kind !== "list") return []
  const items = node.items.filter((item) => item.kind === "scalar")
  const given = items.map(({ value }) => typeof value === "string" ? value : "")
  const shown = Secrets.args([], given)
  return items.flatMap((item, index) =>
    shown[index] === given[index] || isReference(given[index] ?? "")
      ? []
      : [{ ...item, text: hiddenText(text.slice(item.start, item.end), shown[index] ?? mark) }]
  )
}

/**
 * A configuration for people: the values of headers and variables are hidden wherever they stand and however short they are, and so are
 * arguments that sound like a secret. It has as many lines as the text.
 */
export const hide = (text: string, syntax: Syntax, sections: ReadonlyArray<Entries.Section>): string => {
  if (text.trim() === "") return text
  const tree = syntax.tree(text)
  const hidden = Entries.read(syntax.value(text), sections).flatMap(({ path }): ReadonlyArray<Hidden> => {
    const values = tables.flatMap((key) => {
      const node = Tree.at(tree, [...path, key])
      return node === undefined ? [] : scalarsIn(node)
    })
    return [
      ...values.map((one) => ({ ...one, text: hiddenText(text.slice(one.start, one.end), mark) })),
      ...["command", "args"].flatMap((key) => hiddenArgs(text, Tree.at(tree, [...path, key])))
    ]
  })
  return hidden.toSorted((a, b) => b.start - a.start).reduce(
    (shown, one) => shown.slice(0, one.start) + one.text + shown.slice(one.end),
    text
  )
}
