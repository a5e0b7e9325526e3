/**
 * The proxies that the environment names, as curl reads them: an address may do without its scheme.
 */
import type { Problem } from "@mcp-lifeline/core/internal"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

export interface Proxy {
  /** The variable that names it. */
  readonly variable: string
  /** With credentials, if it has some. */
  readonly url: string
  /** For people, without credentials. */
  readonly address: string
}

/** Those of one environment. An empty text: none. */
export interface Proxies {
  readonly http: string
  readonly https: string
  /** The one on the way to the server. */
  readonly used: Proxy | undefined
}

export const none: Proxies = { http: "", https: "", used: undefined }

type Environment = Readonly<Record<string, string | undefined>>

const schemes = new Set(["http:", "https:", "socks5:", "socks:"])

const parse = (variable: string, value: string): Proxy | undefined => {
  const text = value.includes("://") ? value : `http://${value}`
  const url = parseUrl(text)
  return url !== undefined && schemes.has(url.protocol) && url.hostname !== ""
    ? { variable, url: url.href, address: `${url.protocol}//${url.host}` }
    : undefined
}

/** The first of these variables that is set: also an empty one, which says that there is none. */
const read = (env: Environment, names: ReadonlyArray<string>) => {
  const variable = names.find((name) => env[name] !== undefined)
  const value = variable === undefined ? "" : env[variable] ?? ""
  return variable === undefined || value === "" ? undefined : { variable, proxy: parse(variable, value) }
}

/** Whether NO_PROXY spares a server: `*`, or a host or its parent domain, with a port or without. */
const spares = (env: Environment, url: URL): boolean => {
  const list = env["no_proxy"] ?? env["NO_PROXY"] ?? ""
  if (list === "*") return true
  const host = url.host.replace(/:\d*$/, "").toLowerCase()
  const port = url.port || (url.protocol === "https:" ? "443" : "80")
  return list.split(/[,\s]/).filter((entry) => entry !== "").some((entry) => {
    const [, name = entry, only] = /^(.+):(\d+)$/.exec(entry) ?? []
    const domain = name.replace(/^\*?\./, "").toLowerCase()
    return (only === undefined || only === port) && (host === domain || host.endsWith(`.${domain}`))
  })
}

/** What one environment says: the proxies of both schemes, and which of them is on the way to a server. */
const look = (url: URL, env: Environment) => {
  const http = read(env, ["http_proxy", "HTTP_PROXY"])
  const https = read(env, ["https_proxy", "HTTPS_PROXY"])
  return { http, https, used: spares(env, url) ? undefined : url.protocol === "https:" ? https ?? http : http }
}

/** What is wrong with the proxy that a server is to be reached through. */
export const problems = (url: URL, env: Environment): ReadonlyArray<Problem.Problem> => {
  const { used } = look(url, env)
  return used === undefined || used.proxy !== undefined ? [] : [{
    path: [used.variable],
    message:
      `of the environment is not the address of a proxy; accepted: one such as http://proxy.example:3128. Correct it, unset it, or name ${url.hostname} in NO_PROXY`
  }]
}

/** The proxies for a server, of which there are no problems. */
export const fromEnvironment = (url: URL, env: Environment): Proxies => {
  const { http, https, used } = look(url, env)
  return { http: http?.proxy?.url ?? "", https: https?.proxy?.url ?? "", used: used?.proxy }
}
