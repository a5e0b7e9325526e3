import { win32 } from "node:path"

/** They are installed, so `cmd.exe` does not find them in the folder of a server, where Lifeline does not look. */
const launchers =
  /^(npx|npm|pnpm|pnpx|yarn|bunx?|deno|node|uvx?|pipx|py|python[\d.]*|docker|podman|dotnet|java)(\.(cmd|exe|bat))?$/i

/**
 * How many words only make `cmd.exe` start the server, as `cmd /c` in `cmd /c npx server`. 0 if they do something else: without the shell,
 * Lifeline would not start the same.
 */
export const shellWords = (platform: NodeJS.Platform, words: ReadonlyArray<string>): number => {
  const [shell = "", ...rest] = words
  if (platform !== "win32" || !/^cmd(\.exe)?$/i.test(win32.basename(shell))) return 0
  const last = rest.findIndex((word) => !/^\/([adqsu]|[efv]:(on|off))$/i.test(word))
  const program = rest[last + 1] ?? ""
  const isSameWithoutShell = launchers.test(program) || (win32.isAbsolute(program) && !/\s/.test(program))
  return /^\/c$/i.test(rest[last] ?? "") && isSameWithoutShell ? last + 2 : 0
}

/** As `cmd.exe` replaces it. */
const variable = /%[\w()]+%/g

/** `undefined` if the shell would not change these words. `isInShell`: it starts them now, too, and replaces variables in them. */
export const unsafeForShell = (
  platform: NodeJS.Platform,
  words: ReadonlyArray<string>,
  isInShell = false
): string | undefined =>
  platform === "win32" && words.some((word) => /[&|<>^%!"]/.test(isInShell ? word.replaceAll(variable, "") : word))
    ? "its arguments hold characters that the shell of Windows, which starts Lifeline, takes for its own; wrap it by hand"
    : undefined
