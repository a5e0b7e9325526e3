/**
 * A text in quotes, for a message. Backslashes stay single, because on Windows they separate folders: except before a quote, so that a reader knows
 * which quote is the last.
 */
export const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /(?:\\\\)+((?:\\)?")?/g,
    (all, quote: string | undefined) => quote === undefined ? all.replaceAll("\\\\", "\\") : all
  )
