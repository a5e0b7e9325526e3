/** Which URIs a template (RFC 6570) stands for. Linear: no regular expression is made of a server's text. */
import { longestUri } from "./Kind.js"

/** `slashes`: whether the expression between two literals can stand for a slash. */
interface Parts {
  readonly literals: ReadonlyArray<string>
  readonly slashes: ReadonlyArray<boolean>
}

/** A name alone stands for no reserved characters; an operator or a modifier can bring slashes. */
const plainName = /^[\w.,%]+$/

const partsOf = (template: string): Parts => {
  const literals: Array<string> = []
  const slashes: Array<boolean> = []
  let from = 0
  for (let open = template.indexOf("{"); open !== -1; open = template.indexOf("{", from)) {
    const close = template.indexOf("}", open)
    if (close === -1) break
    literals.push(template.slice(from, open))
    slashes.push(!plainName.test(template.slice(open + 1, close)))
    from = close + 1
  }
  literals.push(template.slice(from))
  return { literals, slashes }
}

export const isTemplate = (text: string): boolean => {
  const open = text.indexOf("{")
  return open !== -1 && text.includes("}", open)
}

export const prefixOf = (template: string): string => partsOf(template).literals[0] ?? ""

/** `exact`: a name alone stands for no slash; in doubt no match. */
export const matches = (template: string, uri: string, exact = false): boolean => {
  if (uri.length > longestUri) return false
  const { literals, slashes } = partsOf(template)
  const first = literals[0] ?? ""
  if (literals.length === 1) return uri === first
  const last = literals.at(-1) ?? ""
  if (!uri.startsWith(first) || !uri.endsWith(last) || uri.length < first.length + last.length) return false
  const end = uri.length - last.length
  const fits = (index: number, from: number, to: number): boolean =>
    !exact || slashes[index] === true || !uri.slice(from, to).includes("/")
  let at = first.length
  for (const [index, literal] of literals.slice(1, -1).entries()) {
    const found = uri.indexOf(literal, at)
    if (found < 0 || found + literal.length > end || !fits(index, at, found)) return false
    at = found + literal.length
  }
  return fits(slashes.length - 1, at, end)
}
