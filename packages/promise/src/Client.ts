/**
 * A supervised client: an official Client with additional members.
 */
import type { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { ClientRequest, Request } from "@modelcontextprotocol/sdk/types.js"
import type { LifelineError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { CallOptions, SignalOptions } from "./Options.js"
import type { Status } from "./Status.js"

/** A method of the official Client, with the options that a supervised call has. */
type Called<Name extends keyof SdkClient> = SdkClient[Name] extends (...args: infer Args) => infer Answer
  ? (...args: { [At in keyof Args]: Given<Args[At]> }) => Answer
  : never

type Given<Arg> = [RequestOptions | undefined, Arg] extends [Arg, RequestOptions | undefined] ? CallOptions | undefined
  : Arg

/** What `on` can listen to. */
export interface ClientEvents {
  /** The status after each change. */
  readonly status: Status
  /** Each event. */
  readonly event: Event
}

/** The result of `healthCheck`. */
export interface HealthCheck {
  /** The status after the probe. */
  readonly status: Status
  /** Milliseconds to the answer; `undefined` if there was none. */
  readonly latency: number | undefined
  /** Why there was no answer. */
  readonly error: LifelineError | undefined
}

/** Pauses and resumes the heartbeats, on this and all later connections. */
export interface KeepaliveControl {
  /** Sends no heartbeats until `resume`. */
  pause(): Promise<void>
  /** Sends heartbeats again, the first one after an interval. */
  resume(): Promise<void>
}

/**
 * An official Client of one supervised MCP server. You use the same object for all connections to the server.
 *
 * A call that you make while the server is down waits for it, up to `timeouts.wait`. If the connection is lost during a call, Lifeline
 * sends the call again if that can do no harm; otherwise it rejects the call with ResultUnknown. If you abort a call's signal, Lifeline
 * tells the server, and rejects the call at once with the signal's reason.
 */
export interface Client extends SdkClient, AsyncDisposable {
  /** The name in errors and status. */
  readonly name: string
  /** The current status. */
  readonly status: Status
  /**
   * The current status, and the status after each change, until the client is closed. A slow reader may miss values in between, but never
   * the last one. Leaving the loop releases all resources.
   */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status>
  /** Calls the listener, until you call the returned function or the client is closed. */
  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void
  /** Makes a new connection, or joins an attempt in progress. Resolves when the attempt succeeds. Aborting stops only the waiting. */
  reconnect(options?: SignalOptions): Promise<void>
  /** Connects a server that is Disabled or Disconnected. Resolves when the attempt succeeds. */
  enable(options?: SignalOptions): Promise<void>
  /** Disconnects, and refuses calls until `enable`. Resolves when everything is closed. */
  disable(options?: SignalOptions): Promise<void>
  /** Closes the connection, and stays disconnected until `reconnect` or `enable`. */
  disconnect(options?: SignalOptions): Promise<void>
  /** Reads tools, prompts and resources again. */
  refresh(options?: SignalOptions): Promise<void>
  /**
   * Approves the definitions of its tools as they are now (option `pin`). Resolves with the names of the tools whose definitions were not
   * the approved ones (`status.pins`).
   */
  approveTools(options?: SignalOptions): Promise<ReadonlyArray<string>>
  /** Whether `status.healthScore` reaches a threshold, 0.7 unless you give another. Sends nothing. */
  isHealthy(threshold?: number): boolean
  /**
   * Probes the server now. If this fails, further probes follow, until the server answers one or Lifeline gives up the connection. If the
   * server does not answer, the promise is not rejected: the result says so.
   */
  healthCheck(options?: SignalOptions): Promise<HealthCheck>
  /** Pauses and resumes the heartbeats. */
  readonly keepalive: KeepaliveControl
  /** Ends all processes, sessions and timers. Calling it again does nothing. A client of a fleet becomes disabled. */
  close(): Promise<void>

  /** Called once, when `close` has finished. Not called for a lost connection, because Lifeline reconnects. */
  onclose?: () => void
  /** Called for failures that do not belong to a call: lost connections and failed attempts. */
  onerror?: (error: Error) => void

  /** Rejects: this client already has its server. */
  connect(transport: Transport): Promise<void>

  /**
   * Calls a tool. If `listTools` has returned an output schema of the tool, validates the structured content. If the connection is lost
   * during the call, Lifeline sends the call again only if the tool's hints or `idempotent` allow it.
   */
  callTool: Called<"callTool">
  /** Asks the server for one page of tools. */
  listTools: Called<"listTools">
  /** Asks the server for one page of prompts. */
  listPrompts: Called<"listPrompts">
  /** Gets a prompt, with its arguments filled in. */
  getPrompt: Called<"getPrompt">
  /** Asks the server for one page of resources. */
  listResources: Called<"listResources">
  /** Asks the server for one page of resource templates. */
  listResourceTemplates: Called<"listResourceTemplates">
  /** Reads a resource by its URI. */
  readResource: Called<"readResource">
  /** Asks the server to announce changes of a resource, on this and every later session. */
  subscribeResource: Called<"subscribeResource">
  /** Ends a subscription. */
  unsubscribeResource: Called<"unsubscribeResource">
  /** Completions of an argument of a prompt or of a resource template. */
  complete: Called<"complete">
  /** Sets the lowest level of log messages that the server sends, on this and every later session. */
  setLoggingLevel: Called<"setLoggingLevel">
  /** Pings the server. */
  ping: Called<"ping">
  /** Sends any request. The schema decodes the result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: CallOptions
  ): Promise<SchemaOutput<T>>
}
