/**
 * The command line of Lifeline in configurations: recognizes it in any form, and what the shell of Windows would make of it. Pure.
 */
import { win32 } from "node:path"

/** Programs that start servers. They are installed, so `cmd.exe` does not find them in the folder of a server, where Lifeline does not look. */
const launchers =
  /^(npx|npm|pnpm|pnpx|yarn|bunx?|deno|node|uvx?|pipx|py|python[\d.]*|docker|podman|dotnet|java)(\.(cmd|exe|bat))?$/i

/**
 * How many of these words only make `cmd.exe` start the server, as `cmd /c` in `cmd /c npx server`. 0 if they do something else: without
 * the shell, Lifeline would not start the same then.
 */
export const shellWords = (platform: NodeJS.Platform, words: ReadonlyArray<string>): number => {
  const [shell = "", ...rest] = words
  if (platform !== "win32" || !/^cmd(\.exe)?$/i.test(win32.basename(shell))) return 0
  const last = rest.findIndex((word) => !/^\/([adqsu]|[efv]:(on|off))$/i.test(word))
  const program = rest[last + 1] ?? ""
  const isSameWithoutShell = launchers.test(program) || (win32.isAbsolute(program) && !/\s/.test(program))
  return /^\/c$/i.test(rest[last] ?? "") && isSameWithoutShell ? last + 2 : 0
}

/** A variable, as `cmd.exe` replaces it. */
const variable = /%[\w()]+%/g

/**
 * Why the shell of Windows, which starts Lifeline, would change these words; `undefined` if it would not. `isInShell`: it starts them now, too, so
 * that it replaces variables in them as before.
 */
export const unsafeForShell = (
  platform: NodeJS.Platform,
  words: ReadonlyArray<string>,
  isInShell = false
): string | undefined =>
  platform === "win32" && words.some((word) => /[&|<>^%!"]/.test(isInShell ? word.replaceAll(variable, "") : word))
    ? "its arguments hold characters that the shell of Windows, which starts Lifeline, takes for its own; wrap it by hand"
    : undefined

/** `mcp-lifeline`, also with a version, a folder or the extension of a script of Windows, or the file of the program. */
export const isLifeline = (argument: string): boolean =>
  /(^|[/\\])mcp-lifeline(@[^/\\]+)?(\.(cmd|exe|ps1|js))?$/i.test(argument) ||
  /[/\\](mcp-lifeline|gateway)[/\\](esm|dist)[/\\]bin\.js$/.test(argument)

/** Which command of Lifeline a command line runs, for example `wrap`; `undefined` if it runs another program. */
export const lifelineCommand = (words: ReadonlyArray<string>): string | undefined => {
  const direct = words.findIndex((word, index) => isLifeline(word) && /^[a-z]+$/.test(words[index + 1] ?? ""))
  // `sh -c "npx mcp-lifeline wrap -- server"` has all of it in one word.
  const within = words.map((word) => /(?:^|[\s/\\])mcp-lifeline(?:@\S+)?\s+([a-z]+)\b/.exec(word)?.[1])
  return direct === -1 ? within.find((found) => found !== undefined) : words[direct + 1]
}
