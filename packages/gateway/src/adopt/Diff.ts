/**
 * The difference of two texts, line by line, as `diff -u` shows it. Pure.
 */
import { structuredPatch } from "diff"

/** How many unchanged lines to show around a change. */
const contextLines = 2

/** The most lines that may differ: beyond, looking for the shortest difference takes seconds and more. */
const maxChanges = 1000

/** The changed lines with a few unchanged ones, each group below a line `@@ -FROM +FROM @@`; one line if more than 1000 lines differ. */
export const lines = (before: string, after: string): ReadonlyArray<string> => {
  const options = { context: contextLines, maxEditLength: maxChanges, stripTrailingCr: true }
  const patch = structuredPatch("", "", `${before}\n`, `${after}\n`, "", "", options)
  if (patch === undefined) return [`@@ more than ${maxChanges} lines differ @@`]
  return patch.hunks.flatMap(({ lines, newStart, oldStart }) => [`@@ -${oldStart} +${newStart} @@`, ...lines])
}

const colours: Readonly<Record<string, string>> = { "-": "31", "+": "32", "@": "36" }

/** Adds the colours of a terminal to a line of a difference. */
export const coloured = (line: string): string => {
  const colour = colours[line[0] ?? ""]
  return colour === undefined ? line : `\u001B[${colour}m${line}\u001B[39m`
}
