import { structuredPatch } from "diff"

const contextLines = 2

/** Beyond, looking for the shortest difference takes seconds and more. */
const maxChanges = 1000

/** As `diff -u` shows it, each group below a line `@@ -FROM +FROM @@`; one line if too many lines differ. */
export const lines = (before: string, after: string): ReadonlyArray<string> => {
  const options = { context: contextLines, maxEditLength: maxChanges, stripTrailingCr: true }
  const patch = structuredPatch("", "", `${before}\n`, `${after}\n`, "", "", options)
  if (patch === undefined) return [`@@ more than ${maxChanges} lines differ @@`]
  return patch.hunks.flatMap(({ lines, newStart, oldStart }) => [`@@ -${oldStart} +${newStart} @@`, ...lines])
}

const colours: Readonly<Record<string, string>> = { "-": "31", "+": "32", "@": "36" }

export const coloured = (line: string): string => {
  const colour = colours[line[0] ?? ""]
  return colour === undefined ? line : `\u001B[${colour}m${line}\u001B[39m`
}
