import type { ByteSize } from "@mcp-lifeline/core"
import { type Problem, SecretCommand } from "@mcp-lifeline/core/options"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Predicate, Redacted } from "effect"
import type { ClientText } from "./ClientText.js"
import type { Raw } from "./Expansion.js"

export type Secrets = Readonly<Record<string, Redacted.Redacted>>

/** A secret value, or the command that writes it. */
export type SecretValue = Redacted.Redacted | SecretCommand.SecretCommand

/** By variable or header. */
export type FromClient = Readonly<Record<string, ClientText>>

export interface StdioServer {
  readonly _tag: "Stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Null: the process must not inherit it. */
  readonly env: Readonly<Record<string, SecretValue | null>>
  /** Variables that refer to the client for which the server starts. None unless `Sources.clients`. */
  readonly fromClient: FromClient
  /** With further variables, which `env` overrides. Read by the code that starts the server. */
  readonly envFile: string | undefined
  readonly cwd: string | undefined
  readonly protocol: "auto" | "2025" | "2026" | undefined
  readonly maxMemory: ByteSize | undefined
  /** The connector checks these. */
  readonly stdio: Readonly<Record<string, unknown>>
}

/** Not Redacted yet (see `secretsOf`). */
export type HeaderProvider = () => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>

export interface HttpServer {
  readonly _tag: "Http"
  readonly url: string
  readonly headers: Readonly<Record<string, SecretValue>>
  /** Headers that refer to the client for which it is connected. None unless `Sources.clients`. */
  readonly fromClient: FromClient
  /** For each request; only code can give it. */
  readonly headerProvider: HeaderProvider | undefined
  /** Only code can give it. */
  readonly authProvider: OAuthClientProvider | undefined
  /** An undici dispatcher; only code can give it. */
  readonly dispatcher: object | undefined
  /** Sends the requests instead of undici; only code can give it. */
  readonly fetch: FetchLike | undefined
  readonly transport: "auto" | "streamable" | "sse"
  readonly protocol: "auto" | "2025" | "2026" | undefined
  /** The connector checks these. */
  readonly http: Readonly<Record<string, unknown>>
}

export interface Server {
  readonly reach: StdioServer | HttpServer
  readonly policy: ServerOptions.ServerOptions
  /** Whether each client of a gateway has its own. Default: all share one. */
  readonly sessions: "shared" | "per-client" | undefined
  /** Whether gateways of a cluster have one of it, or one each. Default: one with a command, otherwise one each. */
  readonly placement: "one" | "each" | undefined
  /** Before the names of its tools and prompts; `{server}` stands for its name. */
  readonly prefix: string | undefined
}

/** In files. */
export const transports = {
  auto: "auto",
  http: "streamable",
  "streamable-http": "streamable",
  streamableHttp: "streamable",
  streamable_http: "streamable",
  remote: "auto",
  sse: "sse"
} as const

/** Turns a `Headers`, or pairs, into an object. */
export const pairs = (value: unknown): unknown => {
  if (!Predicate.isIterable(value) || Predicate.isString(value)) return value
  const all = [...value]
  const arePairs = all.every((one) => Array.isArray(one) && one.length === 2 && Predicate.isString(one[0]))
  return arePairs && (all.length > 0 || !Array.isArray(value))
    ? Object.fromEntries(all as ReadonlyArray<readonly [string, unknown]>)
    : value
}

const mapped = <A>(values: unknown, f: (value: unknown) => A): Readonly<Record<string, A>> =>
  Object.fromEntries(
    Object.entries((pairs(values) ?? {}) as Raw).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, f(value)]]
    )
  )

/** Of an object, of pairs or of a `Headers`. */
export const secretsOf = (values: unknown): Secrets => mapped(values, (value) => Redacted.make(String(value)))

const secretValue = (value: unknown): SecretValue => SecretCommand.is(value) ? value : Redacted.make(String(value))

export const secretValuesOf = (values: unknown): HttpServer["headers"] => mapped(values, secretValue)

/** The keys were checked. A command may contain its first arguments. `env` overrides the variables in `inherited`. */
export const stdioOf = (raw: Raw, inherited: Raw = {}, fromClient: FromClient = {}): StdioServer => {
  const { args: further = [], cwd, envFile, maxMemory, protocol, stdio = {} } = raw as Partial<StdioServer>
  const [command = "", ...first] = [raw["command"]].flat() as ReadonlyArray<string>
  const args = [...first, ...further]
  const variables = { ...inherited, ...raw["env"] as Raw | undefined }
  const env = mapped(variables, (value) => value === null ? null : secretValue(value))
  return { _tag: "Stdio", command, args, env, fromClient, envFile, cwd, protocol, maxMemory, stdio }
}

/** With the path of the option in the entry. */
export const placed = ({ http }: HttpServer, problem: Problem.Problem): Problem.Problem =>
  Object.hasOwn(http, String(problem.path[0])) ? { ...problem, path: ["http", ...problem.path] } : problem

/** The keys were checked. The headers in `further` override its own. */
export const httpOf = (raw: Raw, further: Raw = {}, fromClient: FromClient = {}): HttpServer => {
  const { authProvider, dispatcher, fetch, headers, http, protocol, requestInit, type, url } = raw
  const provider = Predicate.isFunction(headers) ? headers as HeaderProvider : undefined
  const given = (requestInit as { readonly headers?: unknown } | undefined)?.headers
  return {
    _tag: "Http",
    url: String(url),
    headers: {
      ...secretValuesOf(given),
      ...(provider === undefined ? secretValuesOf(headers) : {}),
      ...secretValuesOf(further)
    },
    fromClient,
    headerProvider: provider,
    authProvider: authProvider as OAuthClientProvider | undefined,
    dispatcher: dispatcher as object | undefined,
    fetch: fetch as FetchLike | undefined,
    transport: transports[(type ?? "auto") as keyof typeof transports],
    protocol: protocol as HttpServer["protocol"],
    http: (http ?? {}) as Raw
  }
}
