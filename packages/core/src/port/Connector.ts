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
 * They decide which capabilities are declared. A handler that fails gives the server a JSON-RPC error; one whose request the server cancels is
 * interrupted.
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

/** This client, for the server. */
export interface ClientOptions<R = never> {
  /** Sent in `initialize`. Default: lifeline and its version. */
  readonly clientInfo?: Implementation | undefined
  /** Declared unchanged. Missing ones are derived from the handlers. */
  readonly capabilities?: ClientCapabilities | undefined
  readonly handlers?: ServerRequestHandlers<R> | undefined
}

/** What callers are offered, for a connector that passes the server's messages on to them itself. */
export interface Offers {
  /** By its key. */
  readonly has: (kind: Kind, key: string) => boolean
  /** Callers get this notification. */
  readonly passes: (notification: ServerNotification) => boolean
  /**
   * For notifications that callers get although the server has not sent them, as when they are offered other tools. The listener must not
   * throw. Returns what ends that.
   */
  readonly onAnnounced: (listener: (notification: ServerNotification) => void) => () => void
  /** Gives one to these functions. */
  readonly announce: (notification: ServerNotification) => void
}

export interface ConnectOptions extends ClientOptions {
  /** Takes what happens to the attempt, and to its connection until that closes. Of its loss, `Connection.onLost` tells. Must not throw. */
  readonly report: (report: Report) => void
  /** Milliseconds until the core interrupts the attempt. Default: not known. */
  readonly timeout?: number | undefined
  /**
   * Runs what the connector does a second time beside what has no answer yet, such as a request on another socket. `none`: not run, because
   * nothing waits for the connection, or too many attempts run (`connectConcurrency`). Default: run nothing.
   */
  readonly beside?: (<A, E>(work: Effect.Effect<A, E>) => Effect.Effect<Option.Option<A>, E>) | undefined
  /** Default: everything. */
  readonly offers?: Offers | undefined
  /** What connectors to this server have found out and written, also in other runs. `sessionsSince`: see `Shown`. Default: not kept. */
  readonly known?: { sessionsSince?: number | undefined } | undefined
  /**
   * The last connection's session, after a network failure. A connector that can resume first asks the server whether it still knows it, and
   * takes it in the step of the answer, known or forgotten. If not taken, it stays suspended until there is a new session; then the core ends
   * it.
   */
  readonly resume?: SuspendedSession | undefined
}

/** Makes connections to one server. Keeps none itself, and may be used many times and concurrently. */
export interface Connector {
  /** `stdio`, `http`, `memory` or another. */
  readonly transport: string
  /** A second connection may be opened while the first is open. False if two processes of the server would conflict. */
  readonly overlap: boolean
  /** The transport has its own (`keepalive.method: "options"`). */
  readonly heartbeat?: boolean | undefined
  /** For people: the command, or the address without credentials. */
  readonly target: string
  /** Of this machine, as a text: another one means that its network has changed, which may be why servers are silent. Default: not known. */
  readonly addresses?: (() => string) | undefined
  /** Its part of the backend's status. Must not throw. Default: nothing. */
  readonly status?: (() => ConnectorStatus) | undefined
  /** Judges the reported usage. A restart lets calls in flight finish within `timeouts.drain`. Must not throw. Default: no limit. */
  readonly usageLimit?: (() => UsageLimit) | undefined
  /**
   * Of one `connect`, in milliseconds: after `timeouts.connect` the attempt has failed, but its `connect` goes on, and the next attempt waits
   * for it. A command ends it, and with `reconnect.auto: false` its attempt. Must not throw. Default: the attempt ends it. `slowest`: the
   * slowest start that this server has shown, in milliseconds.
   */
  readonly startLimit?: ((slowest: number | undefined) => number) | undefined
  /** Connects and initializes. The connection closes with the scope. An attempt that fails or is interrupted leaves nothing behind. */
  readonly connect: (options: ConnectOptions) => Effect.Effect<Connection, ConnectError, Scope.Scope>
}
