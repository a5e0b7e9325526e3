/**
 * The URL under which clients reach the gateway, where a proxy is in front of it.
 */

/** A URL without a query, perhaps with a path. */
export interface PublicUrl {
  /** Without a slash at its end. */
  readonly href: string
  /** Scheme, host and port, as a browser sends it. */
  readonly origin: string
  readonly hostname: string
  /** Empty, or for example `/base`. */
  readonly path: string
}

/** Reads a URL; a text says what is wrong with it, as a clause. */
export const parse = (text: string): PublicUrl | string => {
  const form = "must be http://HOST or https://HOST, perhaps with a port and a path, such as https://mcp.example.com"
  if (!URL.canParse(text)) return form
  const { hash, hostname, origin, password, pathname, protocol, search, username } = new URL(text)
  if (!/^https?:$/.test(protocol)) return form
  if (username !== "" || password !== "" || search !== "" || hash !== "") return `${form}, without a user and a query`
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : pathname
  if (path.endsWith("/mcp")) return "must be without /mcp at its end: the gateway adds that"
  if (/[^\w./~-]|\/\/|\/$/.test(path)) return "must have a path of letters, digits and -._~ between its slashes"
  return { href: `${origin}${path}`, origin, hostname, path }
}

/** What a request asks for: without the path of the URL, which a proxy may take off or leave. */
export const withoutPath = ({ path }: PublicUrl, target: string): string =>
  path !== "" && target.startsWith(`${path}/`) ? target.slice(path.length) : target

/** Whether a request asks for the URL itself, but without the slash at its end, on which relative links need. */
export const lacksSlash = ({ path }: PublicUrl, target: string): boolean =>
  path !== "" && (target === path || target.startsWith(`${path}?`))
