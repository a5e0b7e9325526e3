/**
 * Whether a command is Lifeline already. Pure.
 */

/** `mcp-lifeline`, also with a version, a folder or the extension of a script of Windows, or the file of the program. */
const isLifeline = (argument: string): boolean =>
  /(^|[/\\])mcp-lifeline(@[^/\\]+)?(\.(cmd|exe|ps1|js))?$/.test(argument) ||
  /[/\\](mcp-lifeline|gateway)[/\\](esm|dist)[/\\]bin\.js$/.test(argument)

/** What Lifeline is asked to do by a command with its arguments; `undefined` where it is another program. */
export const lifelineCommand = (words: ReadonlyArray<string>): string | undefined => {
  const direct = words.findIndex((word, index) => isLifeline(word) && /^[a-z]+$/.test(words[index + 1] ?? ""))
  // `sh -c "npx mcp-lifeline wrap -- server"` has all of it in one word.
  const within = words.map((word) => /(?:^|[\s/\\])mcp-lifeline(?:@\S+)?\s+([a-z]+)\b/.exec(word)?.[1])
  return direct === -1 ? within.find((found) => found !== undefined) : words[direct + 1]
}
