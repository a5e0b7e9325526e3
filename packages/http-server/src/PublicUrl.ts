import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

/** Where clients reach a gateway behind a proxy. */
export interface PublicUrl {
  /** Without a slash at its end. */
  readonly href: string
  /** As a browser sends it. */
  readonly origin: string
  readonly hostname: string
  /** Empty, or for example `/base`. */
  readonly path: string
}

/** URLs may have names that no client can ask for, such as patterns and names of variables. */
const hostProblem = (hostname: string): string | undefined =>
  /^(0\.0\.0\.0|\[::\])$/.test(hostname)
    ? "has the address of every network, under which nobody reaches the gateway"
    : hostname.startsWith("[") || hostname.split(".").every((label) => /^\w([\w-]*\w)?$/.test(label))
    ? undefined
    : "has a host that is no name and no address"

/** A text says what is wrong, as a clause. */
export const parse = (text: string): PublicUrl | string => {
  const form = "must be http://HOST or https://HOST, perhaps with a port and a path, such as https://mcp.example.com"
  if (/\s/.test(text)) return `${form}, without blanks`
  // What browsers repair is not what proxies and clients are given.
  const url = /^https?:\/\/[^/\\]/i.test(text) ? parseUrl(text) : undefined
  if (url === undefined) return form
  const { hostname, origin, pathname, port } = url
  if (/[@?#]/.test(text)) return `${form}, without a user and a query`
  if (port === "0") return "must have a port that is not 0"
  const problem = hostProblem(hostname)
  if (problem !== undefined) return `${problem}: ${form}`
  const path = pathname.endsWith("/") ? pathname.slice(0, -1) : pathname
  if (path.endsWith("/mcp")) return "must be without /mcp at its end: the gateway adds that"
  if (/[^\w./~-]|\/\/|\/$/.test(path)) return "must have a path of letters, digits and -._~ between its slashes"
  return { href: `${origin}${path}`, origin, hostname, path }
}

/** A proxy may take the path of the URL off or leave it. */
export const withoutPath = ({ path }: PublicUrl, target: string): string =>
  path !== "" && target.startsWith(`${path}/`) ? target.slice(path.length) : target

/** Relative links need the slash at the end. */
export const lacksSlash = ({ path }: PublicUrl, target: string): boolean =>
  path !== "" && (target === path || target.startsWith(`${path}?`))
