/**
 * The servers and options of the facade: plain values, with the names, units and defaults of the
 * core's options.
 */
import type * as Core from "@mcp-lifeline/core/types"
import type { ServerOptions } from "@mcp-lifeline/extensions/types"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { ClientOptions } from "@modelcontextprotocol/sdk/client/index.js"
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { FetchLike, Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  ClientCapabilities,
  CreateMessageRequest,
  CreateMessageResult,
  CreateMessageResultWithTools,
  ElicitRequest,
  ElicitResult,
  Implementation,
  ListRootsResult
} from "@modelcontextprotocol/sdk/types.js"
import type { Duration } from "./Duration.js"
import type { Session } from "./Session.js"
import type { SignInOptions } from "./SignInOptions.js"
import type { TelemetryOptions } from "./TelemetryOptions.js"

/** How a session is kept alive, and how a dead one is found. */
export type KeepaliveOptions = Core.KeepaliveOptions<Duration>
/** How Lifeline reconnects after it has lost a connection. */
export type ReconnectOptions = Core.ReconnectOptions<Duration>
/** How long things may take. */
export type TimeoutOptions = Core.TimeoutOptions<Duration>
/** When a connection counts as lost because of failures. */
export type HealthOptions = Core.HealthOptions<Duration>
/** How Lifeline handles calls. */
export type CallsOptions = Core.CallsOptions<Duration>
/** When a connection is opened, and when an unused one is closed. */
export type LifecycleOptions = Core.LifecycleOptions<Duration>
/** How the catalogue is read. */
export type DiscoveryOptions = Core.DiscoveryOptions<Duration>
/** How Lifeline handles calls of some tools. */
export type ToolOptions = Core.ToolOptions<Duration>
/** How a server is supervised. */
export interface PolicyOptions extends ServerOptions<Duration> {}

/** The options of supervision in an object of their own. */
export interface LifelineOptions extends PolicyOptions {
  /** As `FleetOptions.prefix`, of which it has precedence; a server's own over that of the configuration. It is for `connectAll`. */
  readonly prefix?: string | undefined
}

/** What servers of both kinds have. */
export interface AnyServer extends PolicyOptions {
  /** The options of supervision in an object of their own, for an mcp.json that other programs read as well. */
  readonly lifeline?: LifelineOptions | undefined
  /** Start disabled. Default false. */
  readonly disabled?: boolean | undefined
}

type Stdio = "args" | "command" | "cwd" | "env" | "maxMemory" | "stdio"
type Http =
  | "authProvider"
  | "dispatcher"
  | "fetch"
  | "headers"
  | "http"
  | "httpUrl"
  | "requestInit"
  | "serverUrl"
  | "url"
type Custom = "connector" | "transport"

/** Keys of servers of another kind. */
type Without<Key extends string> = { readonly [K in Key]?: undefined }

/** A server that runs as a child process, over standard input and output. */
export interface StdioServer extends AnyServer, Without<Http | Custom> {
  /** May be left out, because there is a `command`. */
  readonly type?: "stdio" | undefined
  /** The program. Started without a shell. */
  readonly command: string
  /** Its arguments. Default: none. What looks like a secret is masked in messages. Put secrets into `env`: everybody can see arguments. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Environment variables, in addition to the safe ones that are inherited. */
  readonly env?: Values | undefined
  /** The working directory. Default: that of this process. */
  readonly cwd?: string | undefined
  /**
   * The era of the protocol. `2025`: the revisions with sessions. `2026`: the one without, 2026-07-28. `auto`: the one that the server
   * speaks: Lifeline asks the server first, in the same process; if it then exits, Lifeline starts it once more. Default `auto`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /**
   * How much memory the server may use, with all processes of its group: bytes, or a text such as `"512 MB"` or `"1 GiB"`, at least 10 MB.
   * At 80% Lifeline warns (event `MemoryHigh`). Above the limit it lets calls in flight finish, within `timeouts.drain`, and starts a new
   * process; at most once a minute. On Windows this needs the optional dependency for Windows. Default: no limit.
   */
  readonly maxMemory?: number | Core.ByteSizeText | undefined
  /** Options of child processes. */
  readonly stdio?: StdioOptions | undefined
}

/** Values by name; numbers and booleans become strings. Secrets may come from commands. */
export type Values = Readonly<Record<string, string | number | boolean | SecretCommand>>

/**
 * A secret that a command writes to its standard output, such as the command of a password manager. Lifeline runs it without a shell before
 * each start of the server, or each connection, and never shows what it writes.
 */
export interface SecretCommand {
  /** The program and its arguments. */
  readonly command: ReadonlyArray<string>
  /** How long it may run. Default 10 s. */
  readonly timeout?: Duration | undefined
  /** A text before what the command writes, such as `Bearer ` in a header. Default: none. */
  readonly prefix?: string | undefined
}

/** Options of child processes. */
export interface StdioOptions {
  /** Whether the server inherits the whole environment of this process. Default false: only a list of safe variables. */
  readonly inheritEnv?: boolean | undefined
  /** The longest message, in bytes. Lifeline drops a longer one, and only its own call fails. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** How long the server may take to exit after its stdin has ended. Then it gets SIGTERM (on Windows, it is ended). Default 2 seconds. */
  readonly stdinGrace?: Duration | undefined
  /** How long its process group may take to exit after SIGTERM. Then it gets SIGKILL. Default 2 seconds. Not used on Windows. */
  readonly termGrace?: Duration | undefined
  /**
   * How long a start of the server may take, to its answer to the first request. An attempt ends after `timeouts.connect`, but its process goes
   * on, and the next attempt waits for the same one. Default 5 minutes, or three times the slowest start so far, if that is longer.
   */
  readonly startLimit?: Duration | undefined
  /** On SIGINT, SIGTERM and SIGHUP, terminate the server's process group and then this process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** Whether the process is recorded in the state folder, so that it is ended by the next program with Lifeline if this one is killed. Default true. */
  readonly record?: boolean | undefined
  /** Called with each line that the server writes to stderr, with secrets masked. Must not throw. */
  readonly stderr?: ((line: string) => void) | undefined
}

/** Options of servers over HTTP. */
export interface HttpOptions {
  /** The longest message, in bytes after decompression. Lifeline drops a longer one, and only its own call fails. At least 1024; default 64 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** How many sockets calls share. Further calls wait for a socket. Not together with a dispatcher or a fetch. Default 64. */
  readonly maxSockets?: number | undefined
  /** How long a TCP and TLS connection may take. Default 10 seconds. */
  readonly connectTimeout?: Duration | undefined
  /** As `startLimit` of `StdioOptions`, for the first request. Default 75 seconds. */
  readonly startLimit?: Duration | undefined
  /** How long the request that ends the session at close may take. Default 2 seconds. */
  readonly closeTimeout?: Duration | undefined
}

/** undici's Dispatcher, as far as the facade uses it, so that you need its types only if you use it. */
export interface Dispatcher {
  dispatch(options: any, handler: any): boolean
}

/** What servers over HTTP have besides their address. */
export interface AnyHttpServer extends AnyServer, Without<Stdio | Custom> {
  /** `http` (or one of its other names), `sse`, or `auto`: the one that the server speaks. Default `auto`. */
  readonly type?: "auto" | "http" | "streamable-http" | "streamableHttp" | "streamable_http" | "sse" | undefined
  /**
   * The era of the protocol. `2025`: the revisions with sessions. `2026`: the one without, 2026-07-28. `auto`: the one that the server
   * speaks, found out by one request before the first connection. Default `auto`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** Headers for every request; or a function that Lifeline calls for each request, so that tokens can change. */
  readonly headers?: Values | globalThis.Headers | (() => Headers | Promise<Headers>) | undefined
  /** As in the SDK's transport. Lifeline uses only its headers; `headers` overrides them. */
  readonly requestInit?: { readonly headers?: RequestInit["headers"] } | undefined
  /**
   * OAuth, by a provider of the official SDK. If a person has to log in, `connect` is rejected with UnauthorizedError, unless
   * `redirectToAuthorization` waits until the login is done, within `timeouts.connect`.
   */
  readonly authProvider?: OAuthClientProvider | undefined
  /**
   * A dispatcher of undici 7 through which Lifeline sends everything. Lifeline does not close it. Default: one for each connection,
   * through the proxies that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name.
   */
  readonly dispatcher?: Dispatcher | undefined
  /**
   * A fetch that Lifeline uses for all requests instead of undici, including OAuth; for middleware. Its own time limits apply: Node's fetch
   * cuts streams that are idle for 300 s. Cannot be combined with a dispatcher.
   */
  readonly fetch?: FetchLike | undefined
  /** Options of HTTP. */
  readonly http?: HttpOptions | undefined
}

/** A server over Streamable HTTP, or over the older HTTP+SSE. */
export interface HttpServer extends AnyHttpServer, Without<"serverUrl" | "httpUrl"> {
  /** Its address, which begins with `http://` or `https://`. */
  readonly url: string | URL
}

/** The same, under the other names that some programs use for `url`. */
export type NamedHttpServer =
  | (AnyHttpServer & Without<"url" | "httpUrl"> & { readonly serverUrl: string })
  | (AnyHttpServer & Without<"url" | "serverUrl"> & { readonly httpUrl: string })

/** Names and values of HTTP headers. */
export type Headers = Readonly<Record<string, string>>

/** A server over a transport of the official SDK. */
export interface TransportServer extends AnyServer, Without<"type" | "protocol" | Stdio | Http | "connector"> {
  /**
   * Makes a transport that has not been started. Called for each connection, because a transport cannot be used again; Lifeline closes it
   * with the connection. Prefer a `url` or a `command`: with these, Lifeline knows more about what became of a request.
   */
  readonly transport: () => Transport | Promise<Transport>
}

/** A server behind a connector of `@mcp-lifeline/core`. */
export interface ConnectorServer extends AnyServer, Without<"type" | "protocol" | Stdio | Http | "transport"> {
  /** Makes the connections. It may come from another copy of Effect 3. */
  readonly connector: Connector
}

/** The core's Connector, as far as the facade uses it, so that you need Effect's types only if you use it. */
export interface Connector {
  readonly transport: string
  readonly overlap: boolean
  readonly target: string
  readonly connect: (options: any) => any
}

/** One MCP server: how to reach it, and options of supervision of its own. */
export type Server = StdioServer | HttpServer | TransportServer | ConnectorServer

/** What handlers of server requests get in addition to the parameters. */
export interface HandlerExtra {
  /** Aborted when the server cancels the request or the connection ends. */
  readonly signal: AbortSignal
}

/**
 * Handlers for requests of servers. Each one declares its capability, and is in place before the first message. With `setRequestHandler`,
 * you can add handlers only later.
 */
export interface ServerRequestHandlers {
  /** Answers a request for a completion of the model. Declares `sampling`. */
  readonly sampling?:
    | ((
      params: CreateMessageRequest["params"],
      extra: HandlerExtra
    ) => Answer<CreateMessageResult | CreateMessageResultWithTools>)
    | undefined
  /** Answers a request to ask the user with a form. Declares `elicitation`. */
  readonly elicitation?: ((params: ElicitRequest["params"], extra: HandlerExtra) => Answer<ElicitResult>) | undefined
  /** Returns the folders in which the server may work. Declares `roots`. */
  readonly roots?: ((extra: HandlerExtra) => Answer<ListRootsResult>) | undefined
}

/** A value, or a promise of it. */
export type Answer<A> = A | Promise<A>

/** One line of the log. */
export interface LogEntry {
  /** How serious it is. */
  readonly level: "debug" | "info" | "warn" | "error"
  /** What happened, in one line. */
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Details, by name. */
  readonly annotations: Readonly<Record<string, unknown>>
}

/** The options of the official Client's constructor, with the same meaning; `capabilities` is in `CommonOptions`. */
export type OfficialOptions = {
  readonly [
    K in keyof Pick<
      ClientOptions,
      | "debouncedNotificationMethods"
      | "defaultTaskPollInterval"
      | "enforceStrictCapabilities"
      | "jsonSchemaValidator"
      | "listChanged"
      | "maxTaskQueueSize"
      | "taskMessageQueue"
      | "taskStore"
    >
  ]: ClientOptions[K] | undefined
}

/** What `connect` and `connectAll` have in common. */
export interface CommonOptions extends PolicyOptions, OfficialOptions {
  /** Name and version of this client, as servers see them. Default: lifeline and its version. */
  readonly clientInfo?: Implementation | undefined
  /**
   * Capabilities that are declared to servers. A handler that you add later with `setRequestHandler` needs its capability here. A request
   * that arrives before its handler waits for it, at most a second.
   */
  readonly capabilities?: ClientCapabilities | undefined
  /**
   * Signs in to servers over HTTP that ask for OAuth, with tokens that are stored and shared. `connectAll` does so for servers without an
   * `authProvider` and an `Authorization` header. Default: false.
   */
  readonly signIn?: boolean | SignInOptions | undefined
  /** Handlers for requests of servers. Default: none. */
  readonly handlers?: ServerRequestHandlers | undefined
  /**
   * Runs on every new session before Lifeline sends calls there: to log in, to open a project, to set up other state. If it fails, the
   * connection attempt fails, and the next one follows after the backoff. `timeouts.connect` limits connecting and this together. Does
   * not run if a connection resumes the session of the previous one (`status.resumed`).
   */
  readonly onConnected?: ((session: Session) => Answer<void>) | undefined
  /** Aborts connecting: Lifeline closes everything, and rejects the promise with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /**
   * Keeps what servers show of themselves (`status.learned`) for the next run of the program: in a folder at this path, or with `true` in that
   * of `mcp-lifeline`, which `MCP_LIFELINE_STATE` can name. For servers with a `command` or a `url`. Default: it is known as long as this client
   * lives.
   */
  readonly temperamentMemory?: boolean | string | undefined
  /** Called with each line of the log. Repeated lines are counted instead. Default: Lifeline logs nothing. */
  readonly logger?: ((entry: LogEntry) => void) | undefined
  /** Where Lifeline sends spans and metrics. Default: it records none, at no cost. */
  readonly telemetry?: TelemetryOptions | undefined
}

/** Options of `connect`. */
export interface ConnectOptions extends CommonOptions {
  /** The name in errors and status. Default: the package, script or image that the command runs, or the host name. */
  readonly name?: string | undefined
}

/** Options of `supervisedTransport`. The client itself sends its name and its capabilities. */
export type TransportOptions = Omit<
  ConnectOptions,
  "capabilities" | "clientInfo" | "handlers" | "signal" | keyof OfficialOptions
>

/** Options of `connectAll`. Those of servers are defaults, which a server's own options override. */
export interface FleetOptions extends CommonOptions {
  /**
   * What stands before the names of tools and prompts: letters, digits, `_` and `-`, where `{server}` stands for the name of the server; `""` for
   * none. Default `"{server}__"`. `lifeline.prefix` of the configuration has precedence. Names of more than 64 characters are shortened, always in
   * the same way, and a warning says so.
   */
  readonly prefix?: string | undefined
  /** How many connection attempts run at the same time. Default 8. */
  readonly connectConcurrency?: number | undefined
  /** How long `connectAll` waits at most. Default 10 s. */
  readonly waitTimeout?: Duration | undefined
  /**
   * `any` takes any number of connected servers, also none: Lifeline keeps trying. `all` rejects unless every server that is neither lazy
   * nor disabled is connected. Default `any`.
   */
  readonly require?: "any" | "all" | undefined
  /**
   * The values that replace `${NAME}` in the configuration. Lifeline does not expand them again. Default: `process.env`; then the author
   * of the configuration can send any of your variables to a server. If you did not write it, give `false`, which replaces nothing, or only the
   * variables that it may use.
   */
  readonly variables?: Readonly<Record<string, string | undefined>> | false | undefined
}

/** The servers of a fleet by name. */
export type Servers = Readonly<Record<string, Server | NamedHttpServer>>

/**
 * The servers of a fleet by name, as in an mcp.json, which `connectAll` reads as the gateway does. Options of supervision beside the
 * servers are for all of them: they override those of `FleetOptions`, and a server's own options override them.
 *
 * In the strings of `command`, `args`, `env`, `cwd`, `url`, `headers` and `requestInit`, Lifeline replaces `${NAME}`, `${env:NAME}` and
 * `${NAME:-default}` (see `FleetOptions.variables`). It ignores known keys of other programs.
 */
export interface FleetConfig extends PolicyOptions {
  /** The servers by name. */
  readonly mcpServers: Servers
  readonly servers?: undefined
  /** The options of supervision in an object of their own. */
  readonly lifeline?: LifelineOptions | undefined
}

/** The same, with the servers under the key that VS Code uses. */
export interface VsCodeConfig extends Omit<FleetConfig, "mcpServers" | "servers"> {
  /** The servers by name. */
  readonly servers: Servers
  readonly mcpServers?: undefined
}

/**
 * Options of one call: those of the official Client, and those of supervision. `relatedRequestId`, `resumptionToken`, `onresumptiontoken`
 * (options of a transport) and `relatedTask` are accepted and have no effect.
 */
export interface CallOptions extends Omit<RequestOptions, "timeout" | "maxTotalTimeout">, CallBounds {}

type CallBounds = { -readonly [K in keyof Core.CallBounds<Duration>]: Core.CallBounds<Duration>[K] }

/** Options of functions that wait or iterate. */
export interface SignalOptions {
  /** Aborts the waiting or the loop, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}
