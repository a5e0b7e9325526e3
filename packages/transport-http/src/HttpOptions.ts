import type { ConnectError } from "@mcp-lifeline/core"
import { ByteSize, Check, type Problem, type TimeSpan } from "@mcp-lifeline/core/options"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Duration, Effect, Predicate, type Redacted } from "effect"
import type { Dispatcher } from "undici"
import type { Authorization } from "./Authorization.js"
import * as Credentials from "./Credentials.js"
import * as Proxy from "./Proxy.js"
import type { Sign } from "./Send.js"

export interface Options {
  /** The address of the MCP endpoint. Userinfo is sent as basic authentication. */
  readonly url: string | URL
  /**
   * Headers for every request. An Effect, such as `SecretCommand.make`, is run before each connection, and once more if the server refuses
   * its value (401), but not twice within 30 s.
   */
  readonly headers?:
    | Readonly<Record<string, Credentials.Headers[string] | Effect.Effect<Redacted.Redacted, ConnectError>>>
    | undefined
  /** Headers for each request. Called once more if the server refuses them (401). */
  readonly headerProvider?: Credentials.HeaderProvider | undefined
  /** An OAuth provider of the official SDK. Its token overrides an `authorization` header. */
  readonly authProvider?: OAuthClientProvider | undefined
  /** Another source of tokens, instead of an `authProvider`. */
  readonly authorization?: Authorization | undefined
  /**
   * `streamable` is Streamable HTTP, `sse` the older HTTP+SSE. Default `auto`: Streamable HTTP, or HTTP+SSE if the server answers
   * `initialize` with 400, 404 or 405 and without JSON-RPC.
   */
  readonly transport?: "auto" | "streamable" | "sse" | undefined
  /**
   * The era of the protocol. `2025`: revisions with sessions, up to 2025-11-25. `2026`: the revision without sessions, 2026-07-28, only over
   * Streamable HTTP. Default `auto`: asks the server (`server/discover`) before the first connection, and remembers that it has sessions for
   * a day, or until it refuses a connection.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** For TCP and TLS. Default 10 s. */
  readonly connectTimeout?: TimeSpan.TimeSpan | undefined
  /**
   * How long a start may take, to the first answer: the attempt ends after `timeouts.connect`, and the next one waits for the same request.
   * Default 75 s.
   */
  readonly startLimit?: TimeSpan.TimeSpan | undefined
  /** For the DELETE that ends the session at close. Default 2 s. */
  readonly closeTimeout?: TimeSpan.TimeSpan | undefined
  /**
   * The longest message of the server, in bytes after decompression. A longer one is dropped while it arrives; only its own request fails. At
   * least 1024; default 64 MiB. Unfinished messages of all servers share 1 GiB, of which one server never has more than is left for others; a
   * message without room fails alone.
   */
  readonly maxMessageBytes?: number | undefined
  /**
   * Sockets that requests share; further requests wait. At least 1; default 64. Another 8 are for the server's stream and pings, 32 for
   * messages without an answer. Cannot be combined with a dispatcher or a fetch, which have their own limits.
   */
  readonly maxSockets?: number | undefined
  /**
   * Whether the server is a part of this program, in its own network: then no proxy of the environment is used, and there is no warning about
   * unencrypted credentials. Default false.
   */
  readonly ownNetwork?: boolean | undefined
  /** Signs each request just before it is sent. Default: none. */
  readonly sign?: Sign | undefined
  /**
   * An undici dispatcher for everything, which the connector does not close. Default: one for each connection, without idle limits, through
   * the proxies in HTTP_PROXY, HTTPS_PROXY and NO_PROXY, with or without a scheme, as read by `make`.
   */
  readonly dispatcher?: Dispatcher | undefined
  /**
   * Used for everything instead of undici, including OAuth. Must stream the response, respect the signal, and follow no redirect if
   * `redirect` is `manual`. Its own time limits apply. Cannot be combined with a dispatcher.
   */
  readonly fetch?: FetchLike | undefined
}

export const defaults = {
  transport: "auto",
  protocol: "auto",
  connectTimeout: Duration.seconds(10),
  startLimit: Duration.seconds(75),
  closeTimeout: Duration.seconds(2),
  maxMessageBytes: ByteSize.mebibytes(64),
  maxSockets: 64
} as const

const address: Check.Check = (value, path) => {
  const url = parseUrl(String(value))
  return url?.protocol === "http:" || url?.protocol === "https:" ? [] : [{
    path,
    message: "is not an address; accepted: an absolute one that begins with http:// or https://"
  }]
}

const headerCheck: Check.Check = (value, path) =>
  Credentials.isHeader(String(path.at(-1)), Effect.isEffect(value) ? "" : value) ? [] : [{
    path,
    message:
      "is not a valid HTTP header; accepted: a name without spaces, and a value in one line of Latin-1 characters"
  }]

/** All problems with options. `make` throws them as an `InvalidOptions`. */
export const problems = (options: Options): ReadonlyArray<Problem.Problem> => {
  const { dispatcher, fetch } = options
  const found = [...check({ ...options, url: options.url ?? "" }, [])]
  const own = fetch !== undefined ? "fetch" : dispatcher !== undefined ? "dispatcher" : undefined
  if (own !== undefined && options.maxSockets !== undefined) {
    found.push({
      path: ["maxSockets"],
      message: `cannot be combined with ${own}, which has a limit of its own; keep one of the two`
    })
  }
  if (options.authProvider !== undefined && options.authorization !== undefined) {
    found.push({ path: ["authorization"], message: "cannot be combined with authProvider; keep one of the two" })
  }
  if (options.transport === "sse" && options.protocol === "2026") {
    found.push({
      path: ["protocol"],
      message: "cannot be combined with transport sse, which exists only in the older revisions; keep one of the two"
    })
  }
  if (fetch !== undefined && dispatcher !== undefined) {
    return [...found, { path: ["fetch"], message: "cannot be combined with dispatcher; keep one of the two" }]
  }
  return found.length > 0 || fetch !== undefined || dispatcher !== undefined || options.ownNetwork === true
    ? found
    : Proxy.problems(new URL(String(options.url)), process.env)
}

const check = Check.options(
  {
    url: address,
    headers: Check.values(headerCheck, "an object of strings"),
    headerProvider: Check.is(
      (value) => Effect.isEffect(value) || Predicate.isFunction(value),
      "a function or an Effect"
    ),
    authProvider: Check.object,
    authorization: Check.is(
      (value) => Predicate.hasProperty(value, "tokens") && Predicate.hasProperty(value, "renew"),
      "an Authorization, which only code can give"
    ),
    transport: Check.oneOf("auto", "streamable", "sse"),
    protocol: Check.oneOf("auto", "2025", "2026"),
    connectTimeout: Check.span(1, 3_600_000),
    startLimit: Check.span(0, 86_400_000),
    closeTimeout: Check.span(0, 3_600_000),
    maxMessageBytes: Check.whole(1024, Infinity),
    maxSockets: Check.whole(1, 10_000),
    ownNetwork: Check.flag,
    sign: Check.func,
    dispatcher: Check.object,
    fetch: Check.func
  } satisfies Record<keyof Required<Options>, Check.Check>,
  "a server with a url"
)
