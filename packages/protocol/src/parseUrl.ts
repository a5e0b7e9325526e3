/** `undefined` if it is none. `URL.canParse` refuses letters such as "ü" once Node.js 20 or 22 has compiled its caller. */
export const parseUrl = (text: string, base?: string | URL): URL | undefined => {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}
