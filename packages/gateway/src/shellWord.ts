/**
 * Words of command lines that people are told to run. Pure.
 */

/** A word as a shell of the platform takes it, whatever it has in it. */
export const shellWord = (text: string, platform: NodeJS.Platform = process.platform): string =>
  /^[\w@%+=:,./\\-]+$/.test(text) && (platform === "win32" || !text.includes("\\"))
    ? text
    : platform === "win32"
    ? `"${text}"`
    : `'${text.replaceAll("'", `'\\''`)}'`
