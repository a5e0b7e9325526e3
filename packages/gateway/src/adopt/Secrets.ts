import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"
import * as Entries from "./Entries.js"

const tables = ["env", "environment", "envs", "headers", "http_headers", "requestOptions"]
const words = ["command", "cmd", "args", "url", "serverUrl", "httpUrl", "uri"]

/** A text that only refers to a variable is no secret. */
const isReference = (value: unknown): boolean => typeof value === "string" && /\$\{|\{env:/.test(value)

const mark = "***"

const scalarsIn = (node: Tree.Node | undefined): ReadonlyArray<Tree.Scalar> => {
  if (node === undefined) return []
  if (node.kind === "scalar") return [node]
  return (node.kind === "list" ? node.items : node.pairs.map(({ value }) => value)).flatMap(scalarsIn)
}

const textOf = ({ value }: Tree.Scalar): string => typeof value === "string" ? value : ""

/**
 * Without values of headers and variables, however short they are, and arguments that look like a secret; long ones are hidden wherever else
 * they are written, too. Keeps the number of lines, and the quotes.
 */
export const hide = (text: string, syntax: Syntax, sections: ReadonlyArray<Entries.Section>): string => {
  if (text.trim() === "") return text
  const tree = syntax.tree(text)
  const splice = (scalar: Tree.Scalar, replacement: string): Tree.Splice => {
    const [first = "", ...more] = text.slice(scalar.start, scalar.end).split("\n")
    const quote = /^["']/.exec(first)?.[0] ?? ""
    return { ...scalar, text: [`${quote}${replacement}${quote}`, ...more.map(() => mark)].join("\n") }
  }
  const found = Entries.read(syntax.value(text), sections).map(({ path, value }) => {
    const table = Tree.at(tree, [...path, ...(Value.isTable(value) ? Entries.reachOf(value).path : [])])
    const scalarsAt = (keys: ReadonlyArray<string>) =>
      keys.map((key) => scalarsIn(Tree.at(table, [key])).filter(({ value }) => !isReference(value)))
    const values = scalarsAt(tables).flat().filter(({ value }) => value !== null)
    const given = scalarsAt(words)
    const masked = given.flatMap((scalars) => {
      const texts = scalars.map(textOf)
      const shown = Secrets.args([], texts)
      return scalars.flatMap((one, index) => shown[index] === texts[index] ? [] : [splice(one, shown[index] ?? mark)])
    })
    return {
      splices: [...values.map((one) => splice(one, mark)), ...masked],
      secrets: Secrets.collect(Object.fromEntries(values.map(textOf).entries()), given.flat().map(textOf))
    }
  })
  const secrets = found.flatMap((one) => one.secrets).toSorted((a, b) => b.length - a.length)
  return Secrets.mask(secrets, Tree.spliced(text, found.flatMap(({ splices }) => splices)))
}
