/**
 * The port that makes connections.
 */
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
import type { Effect, Scope } from "effect"
import type { Kind } from "../catalog/Kind.js"
import type { ConnectError } from "../Errors.js"
import type { Connection } from "./Connection.js"
import type { SuspendedSession } from "./SuspendedSession.js"

/** A notification from the server, as it came. Input from outside: nothing of its parameters is checked. */
export interface ServerNotification {
  readonly method: string
  readonly params?: { readonly [key: string]: unknown } | undefined
}

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

/** What the server learns about this client, and what the client does for it. */
export interface ClientOptions<R = never> {
  /** Name and version of this client, sent in `initialize`. Default: lifeline and its version. */
  readonly clientInfo?: Implementation | undefined
  /** Capabilities of this client, declared unchanged. Those that are missing here follow from the handlers. */
  readonly capabilities?: ClientCapabilities | undefined
  readonly handlers?: ServerRequestHandlers<R> | undefined
}

/** Of which kinds of list a connection hears that they have changed. */
export interface Hearing {
  /** It hears of these from now on, and may have missed changes: they are read once. */
  readonly announced: ReadonlyArray<Kind>
  /** It hears of these no more, or never did, although the server says that they change: they are polled. */
  readonly unannounced: ReadonlyArray<Kind>
}

/** What a connection reports and asks while it lives. */
export interface ConnectOptions extends ClientOptions {
  /** Called for each notification of the server but progress, in the order of arrival. Must not throw. */
  readonly onNotification: (notification: ServerNotification) => void
  /** How long the attempt may take, in milliseconds; then it is interrupted. Default: it is not known. */
  readonly timeout?: number | undefined
  /**
   * Called when it turns out that announcements of changed lists do not simply come, each time for all kinds that it concerns. A
   * connection that never calls it is taken to hear whatever the server announces. Must not throw.
   */
  readonly onHearing?: ((hearing: Hearing) => void) | undefined
  /**
   * Called when the server may be dead, though no request of the caller's says so: a stream of it has gone silent, or cannot be opened.
   * A probe decides. Must not throw.
   */
  readonly onDoubt?: (() => void) | undefined
  /**
   * Takes what the connector has to say of an attempt under way. It is asked when the attempt takes too long, so that the error
   * tells what the server has done meanwhile: one line, no secrets, or `undefined`. Must not throw.
   */
  readonly onAttempt?: ((describe: () => string | undefined) => void) | undefined
  /**
   * The session of the last connection, which the network has failed. A connector that can asks the server for it first, and takes it
   * in the step in which the server has answered: to go on with it, or because the server does not know it any more. What it
   * does not take stays suspended; once there is a new session, the core ends it.
   */
  readonly resume?: SuspendedSession | undefined
}

/** Makes connections to one server. It holds no connection itself, and may be used many times and concurrently. */
export interface Connector {
  /** The kind of transport: `stdio`, `http`, `memory` or another. */
  readonly transport: string
  /** Whether a second connection may be opened while the first one lives. False if two instances of the server would conflict. */
  readonly overlap: boolean
  /** Whether the transport has a heartbeat of its own (`keepalive.method: "options"`). */
  readonly heartbeat?: boolean | undefined
  /** What it connects to, for people: the command, or the address without credentials. */
  readonly target: string
  /**
   * Connects and initializes (`initialize`, `notifications/initialized`). The connection closes with the scope. An attempt that fails or is
   * interrupted leaves nothing behind.
   */
  readonly connect: (options: ConnectOptions) => Effect.Effect<Connection, ConnectError, Scope.Scope>
}
