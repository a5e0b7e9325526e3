/**
 * A change of a table, with a meaning on values and one on the text, where everything else stays as it is, byte for byte.
 */
import type { Syntax } from "../document/Syntax.js"
import * as Tree from "../document/Tree.js"
import * as Value from "../document/Value.js"

/** What a key of the table becomes: undefined if it is removed. All other keys stay. */
export type Patch = ReadonlyMap<string, Pair | undefined>

export interface Pair {
  /** New pairs in front of it. */
  readonly before?: ReadonlyArray<readonly [key: string, value: Value.Data]>
  readonly key: string
  readonly change?: Change | undefined
}

/** Another value, more items of a list, or changes in a table. */
export type Change =
  | { readonly to: Value.Data }
  | { readonly at: number; readonly items: ReadonlyArray<string> }
  | { readonly patch: Patch }

/** The patch cannot be applied to this text without losing something. */
export class Unsuited extends Error {}

const unsuited = (why: string): never => {
  throw new Unsuited(why)
}

const changed = (value: Value.Value, change: Change | undefined): Value.Value => {
  if (change === undefined) return value
  if ("to" in change) return Value.from(change.to)
  if ("patch" in change) return patched(value, change.patch)
  return Value.isList(value) ? value.toSpliced(change.at, 0, ...change.items) : value
}

export const patched = (value: Value.Value, patch: Patch): Value.Value =>
  !Value.isTable(value) ? value : new Map(
    [...value].flatMap(([name, one]): ReadonlyArray<readonly [string, Value.Value]> => {
      if (!patch.has(name)) return [[name, one]]
      const pair = patch.get(name)
      if (pair === undefined) return []
      const { before = [], change, key } = pair
      return [...before.map(([key, data]) => [key, Value.from(data)] as const), [key, changed(one, change)]]
    })
  )

/** That of the line, else that of the line before, as lines may end in different ways. */
const eolAt = (text: string, at: number): string => {
  const next = text.indexOf("\n", at)
  const end = next === -1 ? text.lastIndexOf("\n") : next
  return text[end - 1] === "\r" ? "\r\n" : "\n"
}

const prefixAt = (text: string, at: number): string => text.slice(Tree.lineStart(text, at), at).replace("\uFEFF", "")

const isBlank = (text: string): boolean => text.trim() === ""

const gapBefore = (text: string, at: number): string => {
  const prefix = prefixAt(text, at)
  return isBlank(prefix) ? `${eolAt(text, at)}${prefix}` : " "
}

const newLine = (text: string, at: number, keepsPrefix: boolean): string => {
  const prefix = prefixAt(text, at)
  return `${eolAt(text, at)}${keepsPrefix ? prefix : prefix.replaceAll(/\S/g, " ")}`
}

/** In a text of blanks, comments and commas; -1 if there is none. */
const commaIn = (text: string): number =>
  text.replaceAll(/\/\*(?:[\s\S]*?\*\/|[\s\S]*)|\/\/[^\n]*|#[^\n]*/g, (comment) => " ".repeat(comment.length)).indexOf(
    ","
  )

/** What is taken out of the text may have no comment. Values that look like one do not count. */
const without = (text: string, { key, value }: Tree.Pair, start: number): Tree.Span => {
  const end = Math.max(start, Tree.trimmed(text, value).end)
  const words = Tree.words(value).map((span) => ({ ...span, text: "" }))
  const rest = Tree.spliced(text.slice(0, end), words).slice(start)
  return /\/\/|\/\*|#/.test(rest) ? unsuited(`a comment in ${key} would be lost`) : { start, end }
}

const isOfItsOwn = ({ keys: [key], value }: Tree.Pair): boolean =>
  value.kind !== "scalar" && !value.flow && value.end <= key.end

const replacement = (text: string, pair: Tree.Pair, to: Value.Data, syntax: Syntax): Tree.Splice => {
  const { keys: [key], value } = pair
  if (isOfItsOwn(pair)) return unsuited("it is written as a table of its own")
  const isBlock = value.kind !== "scalar" && !value.flow
  const printed = `${isBlock ? syntax.assign : ""}${syntax.print(to)}`
  return { ...without(text, pair, isBlock ? key.end : value.start), text: printed }
}

const dashOf = (text: string, { start }: Tree.Span): number => {
  const dash = text.lastIndexOf("-", start - 1)
  return dash >= 0 && isBlank(text.slice(dash + 1, start)) ? dash : unsuited("its list is written in an unusual way")
}

const insertion = (
  text: string,
  list: Tree.Node,
  at: number,
  items: ReadonlyArray<string>,
  syntax: Syntax
): Tree.Splice => {
  if (list.kind !== "list") return unsuited("it is not written as a list")
  const next = list.items[at]
  const printed = items.map((item) => syntax.print(item))
  if (list.flow) {
    const start = next?.start ?? list.start + 1
    const added = next === undefined ? printed.join(", ") : printed.map((item) => `${item},${gapBefore(text, start)}`)
    return { start, end: start, text: [added].flat().join("") }
  }
  if (next === undefined) return unsuited("its list is empty and not written as []")
  const start = dashOf(text, next)
  return { start, end: start, text: printed.map((item) => `- ${item}${newLine(text, start, false)}`).join("") }
}

const removal = (text: string, fields: Tree.Fields, pair: Tree.Pair, syntax: Syntax): ReadonlyArray<Tree.Splice> => {
  const { key, keys: [{ start }] } = pair
  const isBehindDash = !fields.flow && !syntax.keepsPrefix && !isBlank(prefixAt(text, start))
  if (pair.keys.length > 1 || isOfItsOwn(pair) || isBehindDash) return unsuited(`${key} is written in an unusual way`)
  const { end } = without(text, pair, start)
  if (!fields.flow) {
    const behind = Tree.lineEnd(text, end)
    // A comment behind it keeps its line.
    const till = isBlank(text.slice(end, behind))
      ? Math.min(text.length, text.indexOf("\n", behind) + 1 || behind)
      : end
    return [{ start: Tree.lineStart(text, start), end: till, text: "" }]
  }
  const index = fields.pairs.indexOf(pair)
  const next = fields.pairs[index + 1]?.keys[0].start ?? fields.end - 1
  const previous = fields.pairs[index - 1]?.value.end ?? start
  const [after, before] = [commaIn(text.slice(end, next)), commaIn(text.slice(previous, start))]
  const comma = after === -1 ? before === -1 ? undefined : previous + before : end + after
  const gap = text.slice(0, start).trimEnd().length
  // What else is on the line may not move behind a comment on the line before.
  const isAlone = isBlank(text.slice(end, Tree.lineEnd(text, end)).replace(",", ""))
  return [
    { start: isAlone || !text.slice(gap, start).includes("\n") ? gap : start, end, text: "" },
    ...(comma === undefined ? [] : [{ start: comma, end: comma + 1, text: "" }])
  ]
}

const splices = (
  text: string,
  fields: Tree.Node | undefined,
  patch: Patch,
  syntax: Syntax
): ReadonlyArray<Tree.Splice> => {
  if (fields?.kind !== "table") return unsuited("it is not written as a table")
  return [...patch].flatMap(([name, becomes]) => {
    const pair = Tree.pairOf(fields, name) ?? unsuited(`it has ${name} more than once, or not written out`)
    if (becomes === undefined) return removal(text, fields, pair, syntax)
    const { before = [], change, key } = becomes
    const { start } = pair.keys[0]
    const gap = fields.flow ? `,${gapBefore(text, start)}` : newLine(text, start, syntax.keepsPrefix)
    const added = before.map(([key, value]) => `${syntax.printKey(key)}${syntax.assign}${syntax.print(value)}${gap}`)
    const renamed = (span: Tree.Span) => key === name ? text.slice(span.start, span.end) : syntax.printKey(key)
    return [
      ...pair.keys.map((span, index) => ({ ...span, text: `${index === 0 ? added.join("") : ""}${renamed(span)}` })),
      ...(change === undefined
        ? []
        : "to" in change
        ? [replacement(text, pair, change.to, syntax)]
        : "patch" in change
        ? splices(text, pair.value, change.patch, syntax)
        : [insertion(text, pair.value, change.at, change.items, syntax)])
    ]
  })
}

export const write = (text: string, table: Tree.Node | undefined, patch: Patch, syntax: Syntax): string =>
  Tree.spliced(text, splices(text, table, patch, syntax))
