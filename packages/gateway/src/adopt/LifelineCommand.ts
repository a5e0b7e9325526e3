/**
 * The command line of Lifeline in configurations: makes that of `wrap`, and recognizes any. Pure.
 */

/** The words that start `mcp-lifeline wrap`. The command line of the server follows them. */
export const wrapCommand = (platform: NodeJS.Platform): readonly [string, ...ReadonlyArray<string>] => {
  const npx = ["npx", "-y", "mcp-lifeline", "wrap"] as const
  // On Windows, npx is a script, which only the shell can start.
  return platform === "win32" ? ["cmd", "/c", ...npx] : npx
}

/** Why the shell of Windows, which starts npx, would change these words; `undefined` if it would not. */
export const unsafeForShell = (platform: NodeJS.Platform, words: ReadonlyArray<string>): string | undefined =>
  platform === "win32" && words.some((word) => /[&|<>^%!"]/.test(word))
    ? "its arguments hold characters that the shell of Windows, which starts npx, takes for its own; wrap it by hand"
    : undefined

/** `mcp-lifeline`, also with a version, a folder or the extension of a script of Windows, or the file of the program. */
const isLifeline = (argument: string): boolean =>
  /(^|[/\\])mcp-lifeline(@[^/\\]+)?(\.(cmd|exe|ps1|js))?$/.test(argument) ||
  /[/\\](mcp-lifeline|gateway)[/\\](esm|dist)[/\\]bin\.js$/.test(argument)

/** Which command of Lifeline a command line runs, for example `wrap`; `undefined` if it runs another program. */
export const lifelineCommand = (words: ReadonlyArray<string>): string | undefined => {
  const direct = words.findIndex((word, index) => isLifeline(word) && /^[a-z]+$/.test(words[index + 1] ?? ""))
  // `sh -c "npx mcp-lifeline wrap -- server"` has all of it in one word.
  const within = words.map((word) => /(?:^|[\s/\\])mcp-lifeline(?:@\S+)?\s+([a-z]+)\b/.exec(word)?.[1])
  return direct === -1 ? within.find((found) => found !== undefined) : words[direct + 1]
}
