/** Text of others for people: nothing that controls a terminal or turns the direction of writing. Linear time. */

const bell = 0x07
const escape = 0x1b
/** String terminator. */
const terminator = 0x9c
const sequence = 0x9b
const strings: ReadonlySet<number> = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f])

const isControl = (unit: number): boolean => unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)

/** Begins at the parameters. An incomplete sequence ends where it breaks off. */
const endOfSequence = (text: string, start: number): number => {
  let at = start
  while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x3f) at++
  while (text.charCodeAt(at) >= 0x20 && text.charCodeAt(at) <= 0x2f) at++
  return text.charCodeAt(at) >= 0x40 && text.charCodeAt(at) <= 0x7e ? at + 1 : at
}

/** A string (a title, a link) without an end has no content. */
const endOfString = (text: string, start: number): number => {
  let at = start
  while (at < text.length && !isControl(text.charCodeAt(at))) at++
  const unit = text.charCodeAt(at)
  if (unit === bell || unit === terminator) return at + 1
  return unit === escape && text[at + 1] === "\\" ? at + 2 : start
}

/** `start` if no escape sequence begins there. */
const endOf = (text: string, start: number): number => {
  const first = text.charCodeAt(start)
  const isEscape = first === escape
  // An escape sequence can stand for a control character above 0x7f.
  const control = isEscape ? text.charCodeAt(start + 1) + 0x40 : first
  const content = start + (isEscape ? 2 : 1)
  if (control === sequence) return endOfSequence(text, content)
  if (strings.has(control)) return endOfString(text, content)
  if (!isEscape) return start
  let at = start + 1
  while (text.charCodeAt(at) >= 0x20 && text.charCodeAt(at) <= 0x2f) at++
  return text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x7e ? at + 1 : start + 1
}

// oxlint-disable-next-line no-control-regex
const introducer = /[\u001B\u0090\u0098\u009B\u009D-\u009F]/
// oxlint-disable-next-line no-control-regex
const colour = /^\u001B\[[0-9;]{0,40}m$/

const withoutSequences = (text: string, keeps: (sequence: string) => boolean): string => {
  if (!introducer.test(text)) return text
  const kept: Array<string> = []
  let from = 0
  for (let at = 0; at < text.length;) {
    const end = endOf(text, at)
    if (end === at) {
      at++
      continue
    }
    kept.push(text.slice(from, at))
    if (end - at < 50 && keeps(text.slice(at, end))) kept.push(text.slice(at, end))
    from = at = end
  }
  kept.push(text.slice(from))
  return kept.join("")
}

const none = (): boolean => false

/** Controls, format characters and white space become single spaces. */
export const line = (text: string): string => withoutSequences(text, none).replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim()

/** With lines and tabs. U+200C and U+200D stay: they join letters and emoji. */
export const lines = (text: string): string =>
  withoutSequences(text, none).replace(/[^\P{Cc}\n\t]|[^\P{Cf}\u200C\u200D]|[\u2028\u2029]/gu, "")

/** For our own text. */
export const coloured = (text: string): string =>
  withoutSequences(text, (sequence) => colour.test(sequence))
    // oxlint-disable-next-line no-control-regex
    .replace(/[^\P{Cc}\n\t\u001B]|[^\P{Cf}\u200C\u200D]|[\u2028\u2029]|\u001B(?!\[[0-9;]{0,40}m)/gu, "")

export const cut = (text: string, most: number): string => {
  if (text.length <= most) return text
  const kept = text.slice(0, most)
  const last = kept.charCodeAt(most - 1)
  // Half of a character says nothing.
  const whole = last >= 0xd800 && last <= 0xdbff ? kept.slice(0, -1) : kept
  return `${whole}… [cut: ${text.length} characters]`
}

/** Escapes what controls a terminal; the value is the same. */
export const json = (value: unknown, indent?: number): string =>
  (JSON.stringify(value, undefined, indent) ?? "null").replace(
    /[\u007F-\u009F\u2028\u2029]|\p{Cf}/gu,
    (one) =>
      Array.from({ length: one.length }, (_, index) => `\\u${one.charCodeAt(index).toString(16).padStart(4, "0")}`)
        .join("")
  )
