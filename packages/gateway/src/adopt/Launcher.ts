/**
 * How Lifeline is started in front of a server. Pure.
 */

/** What starts Lifeline in front of a server. */
export const launcher = (platform: NodeJS.Platform): readonly [string, ...ReadonlyArray<string>] => {
  const npx = ["npx", "-y", "mcp-lifeline", "wrap"] as const
  // npx is a script there, which only the shell starts.
  return platform === "win32" ? ["cmd", "/c", ...npx] : npx
}

/** Why the shell of Windows, which starts npx, would not hand these words on as they are; `undefined` where it would. */
export const unsafeForShell = (platform: NodeJS.Platform, words: ReadonlyArray<string>): string | undefined =>
  platform === "win32" && words.some((word) => /[&|<>^%!"]/.test(word))
    ? "its arguments hold characters that the shell of Windows, which starts npx, takes for its own; wrap it by hand"
    : undefined
