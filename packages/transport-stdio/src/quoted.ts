/** Backslashes stay single, as between folders of Windows, except before a quote: a reader must know which quote is the last. */
export const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /(?:\\\\)+((?:\\)?")?/g,
    (all, quote: string | undefined) => quote === undefined ? all.replaceAll("\\\\", "\\") : all
  )
