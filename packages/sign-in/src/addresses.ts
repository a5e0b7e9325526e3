/**
 * Which addresses may be trusted with secrets: pure.
 */

/** Whether an address may be trusted with secrets: https, or this machine. */
export const isSecure = (url: URL): boolean =>
  url.protocol === "https:" ||
  (url.protocol === "http:" &&
    (/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname) || url.hostname.endsWith(".localhost")))

/** Whether a text is an address to which secrets can be sent. */
export const isAddress = (text: string): boolean => URL.canParse(text) && isSecure(new URL(text))

/** Whether a text may be the address of a client id metadata document: https, with a path. */
export const isDocument = (text: string): boolean =>
  URL.canParse(text) && new URL(text).protocol === "https:" && new URL(text).pathname !== "/"
