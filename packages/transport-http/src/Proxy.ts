/** The proxies of the environment, read as curl does: the scheme is optional. */
import type { Problem } from "@mcp-lifeline/core/options"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"

export interface Proxy {
  readonly variable: string
  /** With credentials. */
  readonly url: string
  /** For people, without credentials. */
  readonly address: string
}

/** Empty: none. */
export interface Proxies {
  readonly http: string
  readonly https: string
  /** On the way to the server. */
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

/** An empty variable counts: it says that there is no proxy. */
const read = (env: Environment, names: ReadonlyArray<string>) => {
  const variable = names.find((name) => env[name] !== undefined)
  const value = variable === undefined ? "" : env[variable] ?? ""
  return variable === undefined || value === "" ? undefined : { variable, proxy: parse(variable, value) }
}

/** NO_PROXY: `*`, or hosts or parent domains, with or without a port. */
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

const look = (url: URL, env: Environment) => {
  const http = read(env, ["http_proxy", "HTTP_PROXY"])
  const https = read(env, ["https_proxy", "HTTPS_PROXY"])
  return { http, https, used: spares(env, url) ? undefined : url.protocol === "https:" ? https ?? http : http }
}

/** Of the proxy on the way to a server. */
export const problems = (url: URL, env: Environment): ReadonlyArray<Problem.Problem> => {
  const { used } = look(url, env)
  return used === undefined || used.proxy !== undefined ? [] : [{
    path: [used.variable],
    message:
      `of the environment is not the address of a proxy; accepted: one such as http://proxy.example:3128. Correct it, unset it, or name ${url.hostname} in NO_PROXY`
  }]
}

/** Call it only without `problems`. */
export const fromEnvironment = (url: URL, env: Environment): Proxies => {
  const { http, https, used } = look(url, env)
  return { http: http?.proxy?.url ?? "", https: https?.proxy?.url ?? "", used: used?.proxy }
}
