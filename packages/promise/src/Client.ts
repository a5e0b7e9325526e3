import type { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { ClientRequest, Request } from "@modelcontextprotocol/sdk/types.js"
import type { LifelineError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { CallOptions, SignalOptions } from "./Options.js"
import type { Status } from "./Status.js"

/** With the options of a supervised call. */
type Called<Name extends keyof SdkClient> = SdkClient[Name] extends (...args: infer Args) => infer Answer
  ? (...args: { [At in keyof Args]: Given<Args[At]> }) => Answer
  : never

type Given<Arg> = [RequestOptions | undefined, Arg] extends [Arg, RequestOptions | undefined] ? CallOptions | undefined
  : Arg

export interface ClientEvents {
  /** After each change. */
  readonly status: Status
  readonly event: Event
}

export interface HealthCheck {
  /** After the probe. */
  readonly status: Status
  /** Milliseconds to the answer; `undefined` without one. */
  readonly latency: number | undefined
  /** Why there was no answer. */
  readonly error: LifelineError | undefined
}

/** Pauses and resumes the heartbeats, on this and all later connections. */
export interface KeepaliveControl {
  pause(): Promise<void>
  /** The first heartbeat comes after an interval. */
  resume(): Promise<void>
}

/**
 * An official Client of one supervised MCP server; the same object for all connections.
 *
 * A call waits for a server that is down, up to `timeouts.wait`. If the connection is lost during a call, Lifeline sends the call again
 * if that can do no harm; otherwise it rejects with ResultUnknown. If you abort a call's signal, Lifeline tells the server, and rejects
 * at once with the signal's reason.
 */
export interface Client extends SdkClient, AsyncDisposable {
  /** In errors and status. */
  readonly name: string
  readonly status: Status
  /**
   * The current status, and the status after each change, until the client is closed. A slow reader may miss values, but never the last
   * one. Leaving the loop releases all resources.
   */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status>
  /** Calls the listener, until you call the returned function or the client is closed. */
  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void
  /** Makes a new connection, or joins an attempt in progress. Resolves when it succeeds. Aborting stops only the waiting. */
  reconnect(options?: SignalOptions): Promise<void>
  /** Connects a server that is Disabled or Disconnected. Resolves when that succeeds. */
  enable(options?: SignalOptions): Promise<void>
  /** Disconnects, and refuses calls until `enable`. Resolves when everything is closed. */
  disable(options?: SignalOptions): Promise<void>
  /** Disconnects until `reconnect` or `enable`. */
  disconnect(options?: SignalOptions): Promise<void>
  /** Reads tools, prompts and resources again. */
  refresh(options?: SignalOptions): Promise<void>
  /**
   * Approves the current definitions of the tools (option `pin`). Resolves with the names of those that were not the approved ones
   * (`status.pins`).
   */
  approveTools(options?: SignalOptions): Promise<ReadonlyArray<string>>
  /** Whether `status.healthScore` reaches a threshold (default 0.7). Sends nothing. */
  isHealthy(threshold?: number): boolean
  /**
   * Probes the server now. If this fails, further probes follow, until the server answers or Lifeline gives up the connection. Does not
   * reject without an answer: the result says so.
   */
  healthCheck(options?: SignalOptions): Promise<HealthCheck>
  readonly keepalive: KeepaliveControl
  /** Ends all processes, sessions and timers. May be called again. A client of a fleet becomes disabled. */
  close(): Promise<void>

  /** Called once, when `close` has finished; not for a lost connection. */
  onclose?: () => void
  /** Called for failures outside of calls: lost connections and failed attempts. */
  onerror?: (error: Error) => void

  /** Rejects: this client has its server. */
  connect(transport: Transport): Promise<void>

  /**
   * Calls a tool. Validates the structured content if `listTools` has returned an output schema. After a lost connection, sends the call
   * again only if the tool's hints or `idempotent` allow it.
   */
  callTool: Called<"callTool">
  /** One page from the server. */
  listTools: Called<"listTools">
  /** One page from the server. */
  listPrompts: Called<"listPrompts">
  getPrompt: Called<"getPrompt">
  /** One page from the server. */
  listResources: Called<"listResources">
  /** One page from the server. */
  listResourceTemplates: Called<"listResourceTemplates">
  /** By its URI. */
  readResource: Called<"readResource">
  /** The server announces changes, on this and every later session. */
  subscribeResource: Called<"subscribeResource">
  unsubscribeResource: Called<"unsubscribeResource">
  /** Completions of an argument of a prompt or resource template. */
  complete: Called<"complete">
  /** Sets the lowest level of the server's log messages, on this and every later session. */
  setLoggingLevel: Called<"setLoggingLevel">
  ping: Called<"ping">
  /** Any request. The schema decodes the result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: CallOptions
  ): Promise<SchemaOutput<T>>
}
