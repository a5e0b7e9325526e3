/**
 * A supervised client: an official Client, with what supervision adds.
 */
import type { Status } from "@mcp-lifeline/core/types"
import type { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { ClientRequest, Request } from "@modelcontextprotocol/sdk/types.js"
import type { LifelineError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { CallOptions, SignalOptions } from "./Options.js"

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
  /** Everything that happens. */
  readonly event: Event
}

/** What `healthCheck` found. */
export interface HealthCheck {
  /** The status after the probe. */
  readonly status: Status
  /** Milliseconds to the answer; `undefined` when there was none. */
  readonly latency: number | undefined
  /** Why there was none. */
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
 * One MCP server, supervised: an official Client whose server may come and go. The handle outlives every connection, so keep it.
 *
 * A call made while the server is down waits for it, up to `timeouts.wait`. A call that is cut off is sent again if that can do no harm;
 * otherwise it is rejected with ResultUnknown. Aborting a call's signal tells the server, and rejects at once with the signal's reason.
 */
export interface Client extends SdkClient, AsyncDisposable {
  /** The name in errors and status. */
  readonly name: string
  /** The status now. */
  readonly status: Status
  /**
   * The status now, and again after each change, until the client is closed. A slow reader may miss values in between, never the last
   * one. Leaving the loop cleans up.
   */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status>
  /** Calls the listener, until you call the returned function or the client is closed. */
  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void
  /** Makes a new connection, or joins an attempt in progress, and ends with that attempt. Aborting stops only the waiting. */
  reconnect(options?: SignalOptions): Promise<void>
  /** Connects a server that is Disabled or Disconnected; ends with the attempt. */
  enable(options?: SignalOptions): Promise<void>
  /** Disconnects and refuses calls until `enable`. Ends when everything is torn down. */
  disable(options?: SignalOptions): Promise<void>
  /** Ends the connection and stays disconnected until `reconnect` or `enable`. */
  disconnect(options?: SignalOptions): Promise<void>
  /** Reads tools, prompts and resources again. */
  refresh(options?: SignalOptions): Promise<void>
  /**
   * Probes the server now. If that fails, more probes follow, until one is answered or the connection is given up. A server that does not
   * answer is a result, not a rejection.
   */
  healthCheck(options?: SignalOptions): Promise<HealthCheck>
  /** Pauses and resumes the heartbeats. */
  readonly keepalive: KeepaliveControl
  /** Ends processes, sessions and timers; nothing stays alive. Calling it again does nothing. A client of a fleet becomes disabled. */
  close(): Promise<void>

  /** Called once, when `close` has ended. A lost connection does not call it: it comes back. */
  onclose?: () => void
  /** Called for failures that concern no call: lost connections and failed attempts. */
  onerror?: (error: Error) => void

  /** Rejects: this client already has its server. */
  connect(transport: Transport): Promise<void>

  /**
   * Calls a tool. If `listTools` has shown an output schema of the tool, the structured content is validated. A call that was cut off is
   * sent again only if the tool's hints or `idempotent` allow it.
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
