/**
 * Where the text of an entry stands.
 */
import type { Syntax } from "./Syntax.js"
import * as Tree from "./Tree.js"
import type { Path } from "./Value.js"

const isComment = (text: string): boolean => text.split("\n").every((line) => /^\s*(#|$)/.test(line))

/** All of a table's text: with its key, and with the comments in it. */
export const find = (text: string, root: Tree.Node, path: Path): ReadonlyArray<Tree.Span> => {
  const parent = Tree.at(root, path.slice(0, -1))
  const pair = Tree.pairOf(parent, String(path.at(-1)))
  const node = pair?.value ?? Tree.at(root, path)
  if (node === undefined || parent?.kind === "scalar") return []
  const whole = Tree.trimmed(text, { start: pair?.keys[0].start ?? node.start, end: node.end })
  if (parent?.flow === true) return [whole]
  const places: Array<Tree.Span> = []
  for (const { end, start } of node.kind === "table" && node.parts !== undefined ? node.parts : [whole]) {
    const last = places.at(-1)
    const isNext = last !== undefined && isComment(text.slice(last.end, start))
    places.splice(isNext ? -1 : places.length, 1, { start: isNext ? last.start : start, end: Tree.lineEnd(text, end) })
  }
  return places
}

const column = (text: string, { start }: Tree.Span): number => start - Tree.lineStart(text, start)

/** Below another column, as lines of YAML may need it. */
const moved = (text: string, by: number): string =>
  by === 0 ? text : text.replaceAll(/\n( *)(?=\S)/g, (_, { length }) => `\n${" ".repeat(Math.max(0, length + by))}`)

/** With the text of an entry in the copy in place of that of the entry now. */
export const restored = (text: string, path: Path, old: string, oldPath: Path, syntax: Syntax): string => {
  const places = find(text, syntax.tree(text), path)
  const texts = find(old, syntax.tree(old), oldPath).map((place, index) =>
    moved(old.slice(place.start, place.end), column(text, places[index] ?? place) - column(old, place))
  )
  const isLast = (index: number) => index === places.length - 1
  return Tree.spliced(
    text,
    places.map((place, index) => ({
      ...place,
      text: texts.slice(index, isLast(index) ? undefined : index + 1).join("\n")
    }))
  )
}
