/** The port that makes connections. */
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
import type { Effect, Option, Scope } from "effect"
import type { Kind } from "../catalog/Kind.js"
import type { ConnectError } from "../Errors.js"
import type { Connection } from "./Connection.js"
import type { ConnectorStatus } from "./ConnectorStatus.js"
import type { Report, ServerNotification } from "./Report.js"
import type { UsageLimit } from "./ResourceUsage.js"
import type { SuspendedSession } from "./SuspendedSession.js"

/**
 * Handlers for requests of the server. They decide which capabilities are declared. If a handler fails, the server gets a JSON-RPC
 * error; if the server cancels its request, the handler is interrupted.
 */
export interface ServerRequestHandlers<R = never> {
  readonly sampling?:
    | ((
      params: CreateMessageRequest["params"]
    ) => Effect.Effect<CreateMessageResult | CreateMessageResultWithTools, unknown, R>)
    | undefined
  readonly elicitation?: ((params: ElicitRequest["params"]) => Effect.Effect<ElicitResult, unknown, R>) | undefined
  readonly roots?: Effect.Effect<ListRootsResult, unknown, R> | undefined
}

/** The information about this client for the server, and the client's handlers. */
export interface ClientOptions<R = never> {
  /** Name and version of this client, sent in `initialize`. Default: lifeline and its version. */
  readonly clientInfo?: Implementation | undefined
  /** Capabilities of this client, declared unchanged. Those that are missing here are derived from the handlers. */
  readonly capabilities?: ClientCapabilities | undefined
  readonly handlers?: ServerRequestHandlers<R> | undefined
}

/** What a connector needs to know of what callers are offered, if it passes messages of the server on to them itself. */
export interface Offers {
  /** Whether callers are offered an entry, by its key. */
  readonly has: (kind: Kind, key: string) => boolean
  /** Whether callers get a notification of the server. */
  readonly passes: (notification: ServerNotification) => boolean
  /**
   * Calls a function with each notification that callers get although the server has not sent it, as when they are offered other tools
   * than before. It must not throw. Returns what ends that.
   */
  readonly onAnnounced: (listener: (notification: ServerNotification) => void) => () => void
  /** Gives such a notification to these functions. */
  readonly announce: (notification: ServerNotification) => void
}

/** The options of an attempt to connect. */
export interface ConnectOptions extends ClientOptions {
  /** Takes what happens to the attempt, and to its connection until that closes. Of its loss, `Connection.onLost` tells. Must not throw. */
  readonly report: (report: Report) => void
  /** How long the attempt may take, in milliseconds; after that, the core interrupts it. Default: not known. */
  readonly timeout?: number | undefined
  /**
   * Runs what the connector does a second time beside what has no answer yet, such as a request on another socket. `none`: nothing was
   * run, because nothing waits for the connection, or the fleet makes too many attempts now (`connectConcurrency`). Default: run nothing.
   */
  readonly beside?: (<A, E>(work: Effect.Effect<A, E>) => Effect.Effect<Option.Option<A>, E>) | undefined
  /** What the backend's callers are offered. Default: everything. */
  readonly offers?: Offers | undefined
  /**
   * What connectors to this server have found out, also in other runs of the program: they write it, too. `sessionsSince`: see
   * `Shown`. Default: not kept.
   */
  readonly known?: { sessionsSince?: number | undefined } | undefined
  /**
   * The session of the last connection, which a network failure has ended. A connector that can resume sessions first asks the server whether
   * it still knows this one, and takes it in the step of the answer: to resume it, or because it is forgotten. If it is not taken, it
   * stays suspended until there is a new session; then the core ends it.
   */
  readonly resume?: SuspendedSession | undefined
}

/** Makes connections to one server. It keeps no connection itself, and may be used many times and concurrently. */
export interface Connector {
  /** The kind of transport: `stdio`, `http`, `memory` or another. */
  readonly transport: string
  /** Whether a second connection may be opened while the first one is open. False if two processes of the server would conflict. */
  readonly overlap: boolean
  /** Whether the transport has a heartbeat of its own (`keepalive.method: "options"`). */
  readonly heartbeat?: boolean | undefined
  /** What it connects to, for people: the command, or the address without credentials. */
  readonly target: string
  /** What it answers for in the status of the backend. Must not throw. Default: nothing. */
  readonly status?: (() => ConnectorStatus) | undefined
  /**
   * Makes what judges the reported usage. A restart lets calls in flight finish within `timeouts.drain`. Must not throw.
   * Default: nothing is limited.
   */
  readonly usageLimit?: (() => UsageLimit) | undefined
  /**
   * How long one `connect` may take, in milliseconds: after `timeouts.connect` the attempt has failed, but its `connect` goes on, and the next
   * attempt waits for it instead of calling `connect` again. A command ends it, and with `reconnect.auto: false` its attempt. Must not throw.
   * Default: the attempt ends it. `slowest`: the slowest start that this server has shown, in milliseconds.
   */
  readonly startLimit?: ((slowest: number | undefined) => number) | undefined
  /**
   * Connects and initializes (`initialize`, `notifications/initialized`). The connection closes with the scope. An attempt that fails or is
   * interrupted leaves nothing behind.
   */
  readonly connect: (options: ConnectOptions) => Effect.Effect<Connection, ConnectError, Scope.Scope>
}
