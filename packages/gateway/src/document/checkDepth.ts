/**
 * Refuses what is nested too deeply for a recursive parser: not every stack overflow in Node.js can be caught. Each function reads each
 * character once, and returns the text.
 */
import { Unreadable } from "./Tree.js"

export const maxDepth = 200

const tooDeep = (): Unreadable => new Unreadable(`nested more than ${maxDepth} levels deep`)

class Brackets {
  #depth = 0

  count(one: string): boolean {
    if (one === "[" || one === "{") {
      if (++this.#depth > maxDepth) throw tooDeep()
      return true
    }
    if (one !== "]" && one !== "}") return false
    this.#depth = Math.max(0, this.#depth - 1)
    return true
  }
}

/** The index of the last character of the string that begins at `start`. */
const endOfQuoted = (text: string, start: number, quote: string, hasEscapes: boolean): number => {
  let at = start + quote.length
  while (at < text.length && !text.startsWith(quote, at)) at += hasEscapes && text[at] === "\\" ? 2 : 1
  return at + quote.length - 1
}

const endOf = (text: string, end: string, start: number): number => {
  const found = text.indexOf(end, start)
  return found === -1 ? text.length : found + end.length - 1
}

export const json = (text: string): string => {
  const brackets = new Brackets()
  for (let at = 0; at < text.length; at++) {
    const one = text.charAt(at)
    if (brackets.count(one)) continue
    switch (one) {
      case '"':
        at = endOfQuoted(text, at, '"', true)
        break
      case "/":
        if (text[at + 1] === "/") at = endOf(text, "\n", at)
        else if (text[at + 1] === "*") at = endOf(text, "*/", at + 2)
    }
  }
  return text
}

/** The parts of dotted keys count as tables, too. */
export const toml = (text: string): string => {
  const brackets = new Brackets()
  let dots = 0
  for (let at = 0; at < text.length; at++) {
    const one = text.charAt(at)
    if (brackets.count(one)) {
      // After a closing bracket comes a comma or a new line.
      dots = 0
      continue
    }
    switch (one) {
      case '"':
      case "'": {
        const long = one.repeat(3)
        at = endOfQuoted(text, at, text.startsWith(long, at) ? long : one, one === '"')
        break
      }
      case "#":
        at = endOf(text, "\n", at) - 1
        break
      case ".":
        if (++dots > maxDepth) throw tooDeep()
        break
      case "=":
      case ",":
      case "\n":
        dots = 0
    }
  }
  return text
}

/** In characters: two for each level of a block. */
const maxIndent = 2 * maxDepth

/** Counts all brackets, and the indentation of each line. */
export const yaml = (text: string): string => {
  const brackets = new Brackets()
  let indent = 0
  for (const one of text) {
    brackets.count(one)
    if (one === "\n") indent = 0
    else if (indent >= 0) {
      if (one !== " " && one !== "-" && one !== "?" && one !== "\t" && one !== ":") indent = -1
      else if (++indent > maxIndent) throw tooDeep()
    }
  }
  return text
}
