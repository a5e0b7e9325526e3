/**
 * Everything but the edit stays as it is, byte for byte.
 */
import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import type { Data, Path } from "../document/Value.js"
import type { Edit } from "./Edit.js"

/** The edit cannot be applied to this text without losing something. */
export class Unsuited extends Error {}

interface Change extends Tree.Span {
  readonly text: string
}

const unsuited = (why: string): never => {
  throw new Unsuited(why)
}

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1

/** Before the line break. */
const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at)
  if (end === -1) return text.length
  return text[end - 1] === "\r" ? end - 1 : end
}

const nextLine = (text: string, at: number): number => {
  const end = text.indexOf("\n", at)
  return end === -1 ? text.length : end + 1
}

/** That of the line, else that of the line before, as lines may end in different ways. */
const eolAt = (text: string, at: number): string => {
  const next = text.indexOf("\n", at)
  const end = next === -1 ? text.lastIndexOf("\n") : next
  return text[end - 1] === "\r" ? "\r\n" : "\n"
}

/** Before the line break that begins it; 0 in the first line. */
const lineBreak = (text: string, at: number): number => {
  const before = lineStart(text, at) - 1
  return Math.max(0, text[before - 1] === "\r" ? before - 1 : before)
}

const prefixAt = (text: string, at: number): string => text.slice(lineStart(text, at), at)

const isBlank = (text: string): boolean => text.trim() === ""

/** A line break with indentation, or a blank. */
const gapBefore = (text: string, at: number): string => {
  const prefix = prefixAt(text, at)
  return isBlank(prefix) ? `${eolAt(text, at)}${prefix}` : " "
}

/** In a text of blanks, comments and commas; -1 if there is none. */
const commaIn = (text: string): number =>
  text.replaceAll(/\/\*(?:[\s\S]*?\*\/|[\s\S]*)|\/\/[^\n]*|#[^\n]*/g, (comment) => " ".repeat(comment.length)).indexOf(
    ","
  )

/** The last comment of a line continues on the next line. */
const hasOpenComment = (line: string): boolean => {
  for (let at = line.indexOf("/*"); at !== -1;) {
    const end = line.indexOf("*/", at + 2)
    if (end === -1) return true
    at = line.indexOf("/*", end + 2)
  }
  return false
}

/** Values that look like a comment do not count. */
const hasComment = (text: string, node: Tree.Node): boolean => {
  const spans: Array<Tree.Span> = []
  const collect = (one: Tree.Node): void => {
    if (one.kind === "scalar") spans.push(one)
    else if (one.kind === "list") one.items.forEach(collect)
    else {for (const { keys, value } of one.pairs) {
        spans.push(...keys)
        collect(value)
      }}
  }
  collect(node)
  let at = node.start
  let between = ""
  for (const { end, start } of spans.toSorted((a, b) => a.start - b.start)) {
    between += text.slice(at, start)
    at = end
  }
  return /\/\/|\/\*|#/.test(between + text.slice(at, Math.max(at, node.end)))
}

const table = (node: Tree.Node | undefined): Tree.Fields =>
  node?.kind === "table" ? node : unsuited("it is not written as a table")

const key = (pair: Tree.Pair): Tree.Span => pair.keys[0] ?? unsuited("it has a key that is not written out")

const pairIn = (fields: Tree.Fields, name: string): Tree.Pair =>
  Tree.pairOf(fields, name) ?? unsuited(`it has ${name} more than once, or not written out`)

const prepend = (
  text: string,
  list: Tree.List,
  at: number,
  items: ReadonlyArray<string>,
  syntax: Syntax
): Change => {
  const next = list.items[at]
  const printed = items.map((item) => syntax.print(item))
  if (next === undefined && list.items.length > 0) return unsuited("its list is shorter than that")
  if (list.flow) {
    if (next === undefined) return { start: list.start + 1, end: list.start + 1, text: printed.join(", ") }
    const gap = gapBefore(text, next.start)
    return { start: next.start, end: next.start, text: printed.map((item) => `${item},${gap}`).join("") }
  }
  if (next === undefined) return unsuited("its list is empty and not written as []")
  const dash = dashOf(text, next)
  const gap = `${eolAt(text, dash)}${prefixAt(text, dash).replaceAll(/\S/g, " ")}`
  return { start: dash, end: dash, text: printed.map((item) => `- ${item}${gap}`).join("") }
}

const dashOf = (text: string, { start }: Tree.Span): number => {
  const dash = text.lastIndexOf("-", start - 1)
  return dash >= 0 && isBlank(text.slice(dash + 1, start)) ? dash : unsuited("its list is written in an unusual way")
}

const unprepend = (text: string, list: Tree.List, at: number, count: number): Change => {
  const [first, last, next] = [list.items[at], list.items[at + count - 1], list.items[at + count]]
  if (first === undefined || last === undefined) return unsuited("its list is shorter than that")
  const start = list.flow ? first.start : dashOf(text, first)
  if (next === undefined) {
    return list.flow && at === 0 ? { start, end: last.end, text: "" } : unsuited("nothing else is in its list")
  }
  return { start, end: list.flow ? next.start : dashOf(text, next), text: "" }
}

const insert = (
  text: string,
  fields: Tree.Fields,
  after: string | undefined,
  name: string,
  value: Data,
  syntax: Syntax
): ReadonlyArray<Change> => {
  const printed = `${syntax.printKey(name)}${syntax.assign}${syntax.print(value)}`
  if (after === undefined) {
    if (!fields.flow || fields.pairs.length > 0) return unsuited("there is no place for another key")
    return [{ start: fields.start + 1, end: fields.start + 1, text: ` ${printed} ` }]
  }
  const neighbour = pairIn(fields, after)
  const { start } = key(neighbour)
  const { end } = neighbour.value
  const prefix = prefixAt(text, start)
  if (!fields.flow) {
    const at = lineEnd(text, end)
    const indent = syntax.keepsPrefix ? prefix : prefix.replaceAll(/\S/g, " ")
    return [{ start: at, end: at, text: `${eolAt(text, at)}${indent}${printed}` }]
  }
  const following = fields.pairs.find((pair) => key(pair).start > end)
  const comma = commaIn(text.slice(end, following === undefined ? fields.end - 1 : key(following).start))
  if (!isBlank(prefix)) return [{ start: end, end, text: `, ${printed}` }]
  const below = `${gapBefore(text, start)}${printed}`
  // A comment behind the neighbour stays on its line, unless it continues on the next one.
  const behind = lineEnd(text, end)
  const isAlone = behind < fields.end && (following === undefined || behind < key(following).start)
  const isOpen = hasOpenComment(text.slice(end, behind))
  if (!isAlone || isOpen || end + comma >= behind) return [{ start: end, end, text: `,${below}` }]
  if (comma !== -1) return [{ start: behind, end: behind, text: `${below},` }]
  if (behind === end) return [{ start: end, end, text: `,${below}` }]
  return [{ start: end, end, text: "," }, { start: behind, end: behind, text: below }]
}

const remove = (text: string, fields: Tree.Fields, name: string, syntax: Syntax): ReadonlyArray<Change> => {
  const pair = pairIn(fields, name)
  const { start } = key(pair)
  const { value } = pair
  if (hasComment(text, value)) return unsuited(`a comment in ${name} would be lost`)
  const prefix = prefixAt(text, start)
  const index = fields.pairs.indexOf(pair)
  const [previous, following] = [fields.pairs[index - 1], fields.pairs[index + 1]]
  if (!fields.flow) {
    const isOwnLine = isBlank(prefix) || (syntax.keepsPrefix && /^[\w\s."'-]*\.\s*$/.test(prefix))
    const end = text[value.end - 1] === "\n" ? value.end : nextLine(text, value.end)
    const isWhole = isBlank(text.slice(value.end, end).replace(/#.*/, ""))
    if (pair.keys.length !== 1 || !isOwnLine || value.end <= start || !isWhole) {
      return unsuited(`${name} is written in an unusual way`)
    }
    return [{ start: lineStart(text, start), end, text: "" }]
  }
  if (previous !== undefined && !/\/\/|\/\*|#/.test(text.slice(previous.value.end, start))) {
    return [{ start: previous.value.end, end: value.end, text: "" }]
  }
  const till = following === undefined ? fields.end - 1 : key(following).start
  const comma = commaIn(text.slice(value.end, till))
  const from = previous === undefined || !isBlank(prefix) ? start : lineBreak(text, start)
  if (comma !== -1) return [{ start: from, end: value.end + comma + 1, text: "" }]
  if (previous === undefined) return [{ start: fields.start + 1, end: fields.end - 1, text: "" }]
  const before = previous.value.end + commaIn(text.slice(previous.value.end, start))
  return [{ start: before, end: before + 1, text: "" }, { start: from, end: value.end, text: "" }]
}

const changes = (text: string, entry: Path, edit: Edit, syntax: Syntax): ReadonlyArray<Change> => {
  const node = Tree.at(syntax.tree(text), [...entry, ...edit.path]) ?? unsuited("it is not written out")
  switch (edit._tag) {
    case "Replace":
      if (node.kind === "table" && !node.flow) return unsuited("it is written as a table of its own")
      if (hasComment(text, node)) return unsuited("a comment in it would be lost")
      return [{ start: node.start, end: node.end, text: syntax.print(edit.to) }]
    case "Rename":
      return pairIn(table(node), edit.from).keys.map((span) => ({ ...span, text: syntax.printKey(edit.to) }))
    case "Prepend":
      return node.kind === "list"
        ? [prepend(text, node, edit.at ?? 0, edit.items, syntax)]
        : unsuited("it is not written as a list")
    case "Unprepend":
      return node.kind === "list"
        ? [unprepend(text, node, edit.at ?? 0, edit.items.length)]
        : unsuited("it is not written as a list")
    case "Insert":
      return insert(text, table(node), edit.after, edit.key, edit.value, syntax)
    case "Remove":
      return remove(text, table(node), edit.key, syntax)
  }
}

/** Throws an Unsuited if that is not possible. */
export const apply = (text: string, entry: Path, edit: Edit, syntax: Syntax): string =>
  changes(text, entry, edit, syntax).toSorted((a, b) => b.start - a.start).reduce(
    (result, { end, start, text }) => result.slice(0, start) + text + result.slice(end),
    text
  )
