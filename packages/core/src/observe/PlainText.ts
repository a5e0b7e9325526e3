/** Text of others for people: nothing that controls a terminal or turns the direction of writing. Linear time. */

/** With parameters (`ESC [`); strings such as titles, whose content counts only with an end; others. */
const sequences =
  // oxlint-disable-next-line no-control-regex
  /(?:\u001B\[|\u009B)[0-?]*[ -/]*[@-~]?|(?:\u001B[PX\]^_]|[\u0090\u0098\u009D-\u009F])(?:[^\0-\u001F\u007F-\u009F]*(?:[\u0007\u009C]|\u001B\\))?|\u001B(?:[ -/]*[0-~])?/g
// oxlint-disable-next-line no-control-regex
const colour = /^\u001B\[[0-9;]{0,40}m$/

/** Controls, format characters and white space become single spaces. */
export const line = (text: string): string => text.replace(sequences, "").replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim()

/** With lines and tabs. U+200C and U+200D stay: they join letters and emoji. */
export const lines = (text: string): string =>
  text.replace(sequences, "").replace(/[^\P{Cc}\n\t]|[^\P{Cf}\u200C\u200D]|[\u2028\u2029]/gu, "")

export const coloured = (text: string): string =>
  text.replace(sequences, (sequence) => colour.test(sequence) ? sequence : "")
    // oxlint-disable-next-line no-control-regex
    .replace(/[^\P{Cc}\n\t\u001B]|[^\P{Cf}\u200C\u200D]|[\u2028\u2029]|\u001B(?!\[[0-9;]{0,40}m)/gu, "")

export const cut = (text: string, most: number): string => {
  if (text.length <= most) return text
  // Half of a character says nothing.
  const kept = text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "")
  return `${kept}… [cut: ${text.length} characters]`
}

/** Escapes what controls a terminal; the value is the same. */
export const json = (value: unknown, indent?: number): string =>
  (JSON.stringify(value, undefined, indent) ?? "null").replace(
    /[\u007F-\u009F\u2028\u2029]|\p{Cf}/gu,
    (one) => one.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
  )
