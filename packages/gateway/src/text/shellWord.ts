/** What no double quotes keep for both `cmd.exe` and PowerShell, to which typographic quotes are quotes, too. */
const unquotable = /["`$\p{Cc}\u201C-\u201E]|%(?=.*%)/gu

/** On Windows, `?` replaces what cannot be quoted: then the command finds nothing. */
export const shellWord = (text: string, platform: NodeJS.Platform = process.platform): string =>
  platform === "win32"
    ? /^[\w+:./\\-][\w@+:./\\-]*$/.test(text)
      ? text
      : `"${text.replace(unquotable, "?").replace(/(?<!\\)\\+$/, "$&$&")}"`
    : /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", `'\\''`)}'`
