/**
 * Words of command lines that people are told to run. Pure.
 */

/** What no double quotes keep for both `cmd.exe` and PowerShell, to which typographic quotes are quotes, too. */
const unquotable = /["`$\p{Cc}\u201C-\u201E]|%(?=.*%)/gu

/** A word as a shell of the platform takes it. On Windows, `?` is in place of what cannot be quoted: then the command finds nothing, and does nothing else. */
export const shellWord = (text: string, platform: NodeJS.Platform = process.platform): string =>
  platform === "win32"
    ? /^[\w+:./\\-][\w@+:./\\-]*$/.test(text)
      ? text
      : `"${text.replace(unquotable, "?").replace(/(?<!\\)\\+$/, "$&$&")}"`
    : /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", `'\\''`)}'`
