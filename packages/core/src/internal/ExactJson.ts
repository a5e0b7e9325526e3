/**
 * Numbers that JavaScript would write otherwise (9007199254740993, 1.0, 1e400) keep their source text: `parse` notes it at the object or
 * array, `stringify` writes it. A copy has no notes: `copied` hands them on.
 */
type Key = string | number
type Parent = Record<Key, unknown>

const notes = new WeakMap<object, Map<Key, string>>()

/** Of one text: a note takes more memory than the number. */
const maxNotes = 30_000

/** Also finds numbers in strings: most texts have none. `hint` is in each. */
const suspects = /[[:,\s](-0|-?(?:\d{16,}|\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)))(?=[\s,\]}])/g
const hint = /[[:,\s](?:-0|-?\d+[.eE][-+\d]|-?\d{16})/

const numerals = /-?\d[\d.eE+-]*/g
const isNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const { crypto } = globalThis as unknown as { readonly crypto: { readonly randomUUID: () => string } }

/** Begins strings that stand for numbers while a text is parsed or written. It leaves this process in no text. */
const mark = `\uE000${crypto.randomUUID()}:`
const marks = new RegExp(`"${mark}([-+.\\deE]+)"`, "g")

const isChanged = (source: string): boolean => String(Number(source)) !== source && isNumber.test(source)

const hasSuspect = (text: string): boolean => {
  for (const [, source] of hint.test(text) ? text.matchAll(suspects) : []) if (isChanged(source!)) return true
  return false
}

const endOfString = (text: string, start: number): number => {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let first = end
    while (text[first - 1] === "\\") first--
    if ((end - first) % 2 === 0) return end
  }
  return text.length
}

/** A number that would change becomes a string: the mark and its index in `sources`. */
const marked = (text: string, sources: Array<string>): string => {
  let changed = ""
  let copied = 0
  let outside = 0
  let quote = text.indexOf('"')
  numerals.lastIndex = 0
  for (let found = numerals.exec(text); found !== null && sources.length < maxNotes; found = numerals.exec(text)) {
    const { 0: source, index } = found
    while (quote !== -1 && quote < index) {
      outside = endOfString(text, quote) + 1
      quote = text.indexOf('"', outside)
    }
    if (index < outside) numerals.lastIndex = outside
    else if (isChanged(source)) {
      changed += `${text.slice(copied, index)}"${mark}${sources.push(source) - 1}"`
      copied = numerals.lastIndex
    }
  }
  return changed + text.slice(copied)
}

let isWriting = false
let hasMarks = false

function toJSON(this: Parent): unknown {
  const found = notes.get(this)
  if (!isWriting || found === undefined) return this
  const copy = (Array.isArray(this) ? [...this] : { ...this }) as Parent
  for (const [key, source] of found) {
    if (!Object.is(copy[key], Number(source))) continue
    copy[key] = `${mark}${source}`
    hasMarks = true
  }
  return copy
}

const note = (parent: Parent, key: Key, source: string): void => {
  const known = notes.get(parent)
  if (known !== undefined) known.set(key, source)
  if (known !== undefined || Object.hasOwn(parent, "toJSON")) return
  notes.set(parent, new Map([[key, source]]))
  Object.defineProperty(parent, "toJSON", { value: toJSON, configurable: true, writable: true })
}

/** Throws like `JSON.parse`. Time and memory in proportion to the text. */
export const parse = (text: string): unknown => {
  if (!hasSuspect(text)) return JSON.parse(text)
  const sources: Array<string> = []
  const changed = marked(text, sources)
  if (sources.length === 0) return JSON.parse(text)
  const root = { value: JSON.parse(changed) as unknown }
  const open: Array<Parent> = [root]
  for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
    for (const key of Array.isArray(parent) ? parent.keys() : Object.keys(parent)) {
      const value = parent[key]
      if (typeof value === "object" && value !== null) open.push(value as Parent)
      else if (typeof value === "string" && value.startsWith(mark)) {
        const source = sources[Number(value.slice(mark.length))]
        if (source === undefined) continue
        parent[key] = Number(source)
        if (parent !== root) note(parent, key, source)
      }
    }
  }
  return root.value
}

/** Writes a noted number as it came if the value is still the same. Throws like `JSON.stringify`. */
export const stringify = (value: unknown): string => {
  isWriting = true
  hasMarks = false
  try {
    const text = JSON.stringify(value)
    return hasMarks ? text.replace(marks, "$1") : text
  } finally {
    isWriting = false
  }
}

/** `undefined` if JavaScript writes the number as it came. */
export const sourceOf = (parent: object, key: Key): string | undefined => {
  const source = notes.get(parent)?.get(key)
  return source !== undefined && Object.is((parent as Parent)[key], Number(source)) ? source : undefined
}

/** Of members that are the same in the copy. */
export const copied = <A>(original: unknown, copy: A): A => {
  const found = notes.get(original as object)
  for (const [key, source] of found ?? []) {
    if (Object.is((copy as Parent)[key], Number(source))) note(copy as Parent, key, source)
  }
  return copy
}
