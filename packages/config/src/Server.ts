/**
 * One server of a configuration: how to reach it, and how to supervise it. Values of `env` and `headers` are Redacted.
 */
import type { ByteSize } from "@mcp-lifeline/core"
import { type Problem, SecretCommand } from "@mcp-lifeline/core/internal"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Predicate, Redacted } from "effect"
import type { ClientText } from "./ClientText.js"

/** Names and values of which the values are secret. */
export type Secrets = Readonly<Record<string, Redacted.Redacted>>

/** A secret value, or the command that writes it. */
export type SecretValue = Redacted.Redacted | SecretCommand.SecretCommand

/** Texts that refer to a client, by the names of variables or headers. */
export type FromClient = Readonly<Record<string, ClientText>>

/** A server that runs as a child process. */
export interface StdioServer {
  readonly _tag: "Stdio"
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Null for a variable that the process must not inherit. */
  readonly env: Readonly<Record<string, SecretValue | null>>
  /** Further variables, with what is known of the client for which it is started. None unless `Sources.clients`. */
  readonly fromClient: FromClient
  /** A file with further variables, which `env` overrides. The code that starts the server reads this file. */
  readonly envFile: string | undefined
  readonly cwd: string | undefined
  readonly protocol: "auto" | "2025" | "2026" | undefined
  readonly maxMemory: ByteSize | undefined
  /** The options under `stdio`, which the connector checks. */
  readonly stdio: Readonly<Record<string, unknown>>
}

/** Returns headers as code gives them, not Redacted yet (see `secretsOf`). */
export type HeaderProvider = () => Readonly<Record<string, string>> | PromiseLike<Readonly<Record<string, string>>>

/** A server over HTTP. */
export interface HttpServer {
  readonly _tag: "Http"
  readonly url: string
  readonly headers: Readonly<Record<string, SecretValue>>
  /** Further headers, with what is known of the client for which it is connected. None unless `Sources.clients`. */
  readonly fromClient: FromClient
  /** Returns the headers of each request; only code can give it. */
  readonly headerProvider: HeaderProvider | undefined
  /** Only code can give it. */
  readonly authProvider: OAuthClientProvider | undefined
  /** An undici dispatcher; only code can give it. */
  readonly dispatcher: object | undefined
  /** Sends the requests instead of undici; only code can give it. */
  readonly fetch: FetchLike | undefined
  readonly transport: "auto" | "streamable" | "sse"
  readonly protocol: "auto" | "2025" | "2026" | undefined
  /** Options of the connector, which it checks itself. */
  readonly http: Readonly<Record<string, unknown>>
}

/** One server: how to reach it, and how to supervise it. */
export interface Server {
  readonly reach: StdioServer | HttpServer
  readonly policy: ServerOptions.ServerOptions
  /** Whether each client of a gateway has a server of its own; by default all share one. */
  readonly sessions: "shared" | "per-client" | undefined
  /** Whether gateways of one cluster have one of it, or one each; by default one of a server with a command, and one each of others. */
  readonly placement: "one" | "each" | undefined
  /** What stands before the names of its tools and prompts among those of other servers, where `{server}` stands for its name. */
  readonly prefix: string | undefined
}

type Raw = Readonly<Record<string, unknown>>

/** The names of the HTTP transports in files, and what each means. */
export const transports = {
  auto: "auto",
  http: "streamable",
  "streamable-http": "streamable",
  streamableHttp: "streamable",
  streamable_http: "streamable",
  remote: "auto",
  sse: "sse"
} as const

/** Headers as a `Headers`, or as pairs, as an object of them. */
export const pairs = (value: unknown): unknown => {
  if (!Predicate.isIterable(value) || Predicate.isString(value)) return value
  const all = [...value]
  const arePairs = all.every((one) => Array.isArray(one) && one.length === 2 && Predicate.isString(one[0]))
  return arePairs && (all.length > 0 || !Array.isArray(value))
    ? Object.fromEntries(all as ReadonlyArray<readonly [string, unknown]>)
    : value
}

/** Values as secrets, of an object, of pairs or of a `Headers`. */
export const secretsOf = (values: unknown): Secrets =>
  Object.fromEntries(
    Object.entries((pairs(values) ?? {}) as Raw).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Redacted.make(String(value))]]
    )
  )

const secretValue = (value: unknown): SecretValue => SecretCommand.is(value) ? value : Redacted.make(String(value))

/** The same, where values may also come from commands. */
export const secretValuesOf = (values: unknown): HttpServer["headers"] =>
  Object.fromEntries(
    Object.entries((pairs(values) ?? {}) as Raw).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, secretValue(value)]]
    )
  )

const environmentOf = (values: Raw): StdioServer["env"] =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value === null ? null : secretValue(value)]]
    )
  )

/** A command may contain its first arguments; those of `args` follow. */
const commandLine = ({ args = [], command }: Raw): Pick<StdioServer, "command" | "args"> => {
  const [program, ...own] = (Array.isArray(command) ? command : [command]) as ReadonlyArray<string>
  return { command: program as string, args: [...own, ...args as ReadonlyArray<string>] }
}

/** A server with a command, whose keys have been checked. `env` overrides the variables in `inherited`. */
export const stdioOf = (raw: Raw, inherited: Raw = {}, fromClient: FromClient = {}): StdioServer => ({
  _tag: "Stdio",
  ...commandLine(raw),
  env: environmentOf({ ...inherited, ...raw["env"] as Raw | undefined }),
  fromClient,
  envFile: raw["envFile"] as string | undefined,
  cwd: raw["cwd"] as string | undefined,
  protocol: raw["protocol"] as StdioServer["protocol"],
  maxMemory: raw["maxMemory"] as StdioServer["maxMemory"],
  stdio: (raw["stdio"] ?? {}) as Raw
})

/** A problem that a connector has found with its options, with the path of the option in the entry. */
export const placed = ({ http }: HttpServer, problem: Problem.Problem): Problem.Problem =>
  Object.hasOwn(http, String(problem.path[0])) ? { ...problem, path: ["http", ...problem.path] } : problem

/** A server with a url, whose keys have been checked. The headers in `further` override its own. */
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
