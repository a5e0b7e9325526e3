/**
 * What servers and options look like to a user of the facade: plain values, with the names, units and defaults of the
 * core's options.
 */
import type * as Core from "@mcp-lifeline/core/types"
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

export type { CallsOptions, HealthOptions } from "@mcp-lifeline/core/types"

/** How a session is kept alive, and how a dead one is found. */
export type KeepaliveOptions = Core.KeepaliveOptions<Duration>
/** How a lost connection comes back. */
export type ReconnectOptions = Core.ReconnectOptions<Duration>
/** How long things may take. */
export type TimeoutOptions = Core.TimeoutOptions<Duration>
/** When a connection is made and let go. */
export type LifecycleOptions = Core.LifecycleOptions<Duration>
/** How the catalogue is read. */
export type DiscoveryOptions = Core.DiscoveryOptions<Duration>
/** How a server is supervised. */
export type PolicyOptions = Core.PolicyOptions<Duration>

/** What servers of both kinds have. */
export interface AnyServer extends PolicyOptions {
  /** The options of supervision in an object of their own, for an mcp.json that other programs read, too. */
  readonly lifeline?: PolicyOptions | undefined
  /** Start disabled. Default false. */
  readonly disabled?: boolean | undefined
}

type Stdio = "args" | "command" | "cwd" | "env" | "stdio"
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

/** A server that is started as a child process and spoken to over its standard input and output. */
export interface StdioServer extends AnyServer, Without<Http | Custom> {
  /** May be left out: `command` says it. */
  readonly type?: "stdio" | undefined
  /** The program. Started without a shell. */
  readonly command: string
  /** Its arguments. Default: none. What sounds like a secret among them is masked in messages; `env` is the better place for it. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Variables beyond the safe ones that are inherited. */
  readonly env?: Values | undefined
  /** Where it runs. Default: here. */
  readonly cwd?: string | undefined
  /**
   * The era of the protocol: `2025`, the revisions with sessions; `2026`, the one without, 2026-07-28; `auto`, which the server speaks:
   * it is asked that first, in the same process, and one that exits at it is started once more. Default `auto`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** What is particular to child processes. */
  readonly stdio?: StdioOptions | undefined
}

/** Values by name; numbers and booleans are sent as texts. */
export type Values = Readonly<Record<string, string | number | boolean>>

/** What is particular to child processes. */
export interface StdioOptions {
  /** Pass on all of our environment. Default false: only a safe list. */
  readonly inheritEnv?: boolean | undefined
  /** Longest message; a longer one is dropped and fails only its own call. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined
  /** How long the server may take to exit once its stdin has ended, before SIGTERM. Default 2 seconds. */
  readonly stdinGrace?: Duration | undefined
  /** How long its process group may take to end after SIGTERM, before SIGKILL. Default 2 seconds. */
  readonly termGrace?: Duration | undefined
  /** End the process group on SIGINT, SIGTERM and SIGHUP to this process, and then this process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** Is given each line that the server writes to stderr, secrets masked. Must not throw. */
  readonly stderr?: ((line: string) => void) | undefined
}

/** What is particular to servers over HTTP. */
export interface HttpOptions {
  /**
   * The longest message of the server that is taken, in bytes after decompression; a longer one is dropped as it streams and fails only
   * its own call. At least 1024; default 64 MiB.
   */
  readonly maxMessageBytes?: number | undefined
  /** How many sockets the calls under way share; further ones wait for one. Not with a dispatcher or a fetch. Default 64. */
  readonly maxSockets?: number | undefined
  /** Time for a TCP and TLS connection. Default 10 seconds. */
  readonly connectTimeout?: Duration | undefined
  /** Time for the request that ends the session at close. Default 2 seconds. */
  readonly closeTimeout?: Duration | undefined
}

/** undici's Dispatcher, as far as it is looked at here: so that nobody needs its types who has no use for it. */
export interface Dispatcher {
  dispatch(options: any, handler: any): boolean
}

/** What servers over HTTP have besides their address. */
export interface AnyHttpServer extends AnyServer, Without<Stdio | Custom> {
  /** `http` (or one of its other names), `sse`, or, by default, whichever the server speaks. */
  readonly type?: "auto" | "http" | "streamable-http" | "streamableHttp" | "streamable_http" | "sse" | undefined
  /**
   * The era of the protocol: `2025`, the revisions with sessions; `2026`, the one without, 2026-07-28; `auto`, which the server
   * speaks: it is asked that by one request before the first connection. Default `auto`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** Sent with every request; a function is asked for each request, so that tokens can rotate. */
  readonly headers?: Values | globalThis.Headers | (() => Headers | Promise<Headers>) | undefined
  /** As the SDK's transport has it. Its headers are sent, too; what `headers` says wins. */
  readonly requestInit?: { readonly headers?: RequestInit["headers"] } | undefined
  /**
   * OAuth, as the official SDK does it. Where a person has to log in, `connect` is rejected with UnauthorizedError, unless
   * `redirectToAuthorization` waits until the login is over, within `timeouts.connect`.
   */
  readonly authProvider?: OAuthClientProvider | undefined
  /**
   * A dispatcher of undici 7 to send everything through; it stays yours, and is not closed. Default: one for each connection,
   * through the proxies that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name.
   */
  readonly dispatcher?: Dispatcher | undefined
  /**
   * A fetch to send everything through, in place of undici, that of OAuth too, for middleware. Its own time limits apply:
   * Node's cuts streams that are idle for 300 s. Not together with a dispatcher.
   */
  readonly fetch?: FetchLike | undefined
  /** What is particular to HTTP. */
  readonly http?: HttpOptions | undefined
}

/** A server that is reached over Streamable HTTP, or over the older HTTP+SSE. */
export interface HttpServer extends AnyHttpServer, Without<"serverUrl" | "httpUrl"> {
  /** Its address, which begins with `http://` or `https://`. */
  readonly url: string | URL
}

/** The same under the other names that the files of some programs have for `url`. */
export type NamedHttpServer =
  | (AnyHttpServer & Without<"url" | "httpUrl"> & { readonly serverUrl: string })
  | (AnyHttpServer & Without<"url" | "serverUrl"> & { readonly httpUrl: string })

/** Names and values of HTTP headers. */
export type Headers = Readonly<Record<string, string>>

/** A server that is reached over a transport of the official SDK. */
export interface TransportServer extends AnyServer, Without<"type" | "protocol" | Stdio | Http | "connector"> {
  /**
   * Makes a transport that has not been started. Called for each connection: a transport cannot be used again. It is closed with
   * its connection. Where there is a choice, give a `url` or a `command`: more is known then of what became of a request.
   */
  readonly transport: () => Transport | Promise<Transport>
}

/** A server that is reached by a connector of `@mcp-lifeline/core`. */
export interface ConnectorServer extends AnyServer, Without<"type" | "protocol" | Stdio | Http | "transport"> {
  /** Makes its connections. It can be one that another copy of Effect 3 has made. */
  readonly connector: Connector
}

/** The core's Connector, as far as it is looked at here: so that nobody needs Effect's types who has no use for them. */
export interface Connector {
  readonly transport: string
  readonly overlap: boolean
  readonly target: string
  readonly connect: (options: any) => any
}

/** One MCP server: how it is reached, and, where it differs from the rest, how it is supervised. */
export type Server = StdioServer | HttpServer | TransportServer | ConnectorServer

/** What handlers of server requests get besides the parameters. */
export interface HandlerExtra {
  /** Aborted when the server cancels the request or the connection ends. */
  readonly signal: AbortSignal
}

/**
 * Answers to requests that servers make. What is given here is declared as a capability, and is there from the first
 * message on; `setRequestHandler` can only come later.
 */
export interface ServerRequestHandlers {
  /** Answers a request to ask the model. Declares `sampling`. */
  readonly sampling?:
    | ((
      params: CreateMessageRequest["params"],
      extra: HandlerExtra
    ) => Answer<CreateMessageResult | CreateMessageResultWithTools>)
    | undefined
  /** Answers a request to ask the user, by a form. Declares `elicitation`. */
  readonly elicitation?: ((params: ElicitRequest["params"], extra: HandlerExtra) => Answer<ElicitResult>) | undefined
  /** Says which folders the server may work in. Declares `roots`. */
  readonly roots?: ((extra: HandlerExtra) => Answer<ListRootsResult>) | undefined
}

/** A value, or a promise of it. */
export type Answer<A> = A | Promise<A>

/** One line of the log. */
export interface LogEntry {
  /** How grave it is. */
  readonly level: "debug" | "info" | "warn" | "error"
  /** What happened, in one line. */
  readonly message: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** What belongs to it, by name. */
  readonly annotations: Readonly<Record<string, unknown>>
}

/**
 * OpenTelemetry's providers, from whatever SDK; `@opentelemetry/api` must be installed. What is left out is not made.
 *
 * A call's span is a child of the span that is active where the call is made, and goes on to the server.
 */
export interface TelemetryOptions {
  /** Gets a span for each call, each request that is sent for it, and each attempt to connect. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Gets the metrics of calls, of the lifecycle and of keepalive. */
  readonly meterProvider?: MeterProvider | undefined
}

/** The API's TracerProvider, as far as it is looked at here: so that nobody needs its types who has no use for it. */
export interface TracerProvider {
  getTracer(name: string, version?: string): object
}

/** The API's MeterProvider, as far as it is looked at here. */
export interface MeterProvider {
  getMeter(name: string, version?: string): object
}

/** The options of the official Client's constructor but `capabilities`, which stands below; they mean what they mean there. */
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
  /** Name and version that servers are told. Default: lifeline and its version. */
  readonly clientInfo?: Implementation | undefined
  /**
   * Capabilities that servers are told of. A handler that `setRequestHandler` adds later needs its capability here; a
   * request for it that comes before the handler waits for it, at most a second.
   */
  readonly capabilities?: ClientCapabilities | undefined
  /** Answers to requests that servers make. Default: none. */
  readonly handlers?: ServerRequestHandlers | undefined
  /**
   * Runs on every new connection before calls are let in: to log in, to open a project, to rebuild what a session keeps. If
   * it fails, so does the attempt, and the next one comes after the backoff. `timeouts.connect` bounds both together. It does not
   * run where a connection goes on with the session of the one before it (`status.resumed`).
   */
  readonly onConnected?: ((session: Session) => Answer<void>) | undefined
  /** Ends the attempt to connect: everything is torn down and the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Gets the log: one line an event; what repeats is counted. Default: nothing is logged. */
  readonly logger?: ((entry: LogEntry) => void) | undefined
  /** Where spans and metrics go. Default: none are made, and calls cost nothing for it. */
  readonly telemetry?: TelemetryOptions | undefined
}

/** Options of `connect`. */
export interface ConnectOptions extends CommonOptions {
  /** The name in errors and status. Default: from what the command runs (its package, script or image) or the host. */
  readonly name?: string | undefined
}

/** Options of `supervisedTransport`. Who connects, and what it can do, the client says itself. */
export type TransportOptions = Omit<
  ConnectOptions,
  "capabilities" | "clientInfo" | "handlers" | "signal" | keyof OfficialOptions
>

/** Options of `connectAll`; those that concern one server are defaults below the server's own. */
export interface FleetOptions extends CommonOptions {
  /** Attempts to connect under way at once. Default 8. */
  readonly connectConcurrency?: number | undefined
  /** How long `connectAll` waits at most. Default 10 s. */
  readonly waitTimeout?: Duration | undefined
  /** `all` rejects unless every server that is neither lazy nor disabled is connected. Default `any`. */
  readonly require?: "any" | "all" | undefined
  /**
   * What `${NAME}` in the configuration is replaced by; what a variable holds is not replaced again. Default: `process.env`,
   * whose every variable whoever writes the configuration can then send to a server. `false` leaves texts as they are: give
   * it, or the variables that may be used, where the configuration is not yours.
   */
  readonly variables?: Readonly<Record<string, string | undefined>> | false | undefined
}

/** The servers of a fleet by name. */
export type Servers = Readonly<Record<string, Server | NamedHttpServer>>

/**
 * The servers of a fleet by name, as an mcp.json has them: read as the gateway reads the file. The options of supervision
 * that stand beside them are for all of them; they lie below each server's own, and above those of `FleetOptions`.
 *
 * In the texts of `command`, `args`, `env`, `cwd`, `url`, `headers` and `requestInit`, `${NAME}`, `${env:NAME}` and
 * `${NAME:-default}` are replaced (see `FleetOptions.variables`). Keys that are known to belong to other programs are ignored.
 */
export interface FleetConfig extends PolicyOptions {
  /** The servers by name. */
  readonly mcpServers: Servers
  readonly servers?: undefined
  /** The options of supervision in an object of their own. */
  readonly lifeline?: PolicyOptions | undefined
}

/** The same with the servers under the name that VS Code has for them. */
export interface VsCodeConfig extends Omit<FleetConfig, "mcpServers" | "servers"> {
  /** The servers by name. */
  readonly servers: Servers
  readonly mcpServers?: undefined
}

/**
 * Options of one call: those of the official Client, and what a supervised one can do besides. Those of one transport
 * (`relatedRequestId`, `resumptionToken`, `onresumptiontoken`) and `relatedTask` are taken and have no effect.
 */
export interface CallOptions extends Omit<RequestOptions, "timeout" | "maxTotalTimeout">, CallBounds {}

type CallBounds = { -readonly [K in keyof Core.CallBounds<Duration>]: Core.CallBounds<Duration>[K] }

/** Options of what waits or iterates. */
export interface SignalOptions {
  /** Ends the waiting or the loop, which then rejects with its reason. */
  readonly signal?: AbortSignal | undefined
}
