/**
 * A supervised client: an official Client, and what a supervised one can do besides.
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

/** Heartbeats, by hand. Both have effect over all connections to come. */
export interface KeepaliveControl {
  /** Sends no heartbeats until `resume`. */
  pause(): Promise<void>
  /** Sends heartbeats again, from one interval on. */
  resume(): Promise<void>
}

/**
 * One MCP server, supervised: an official Client whose server may come and go. The handle outlives every connection, so keep it.
 *
 * A call made while the server is down waits for it, up to `timeouts.wait`. A call that is cut off is sent again where
 * that can do no harm, and otherwise rejected with ResultUnknown. Aborting a call's signal tells the server, and rejects
 * at once with the signal's reason.
 */
export interface Client extends SdkClient, AsyncDisposable {
  /** The name in errors and status. */
  readonly name: string
  /** The status now. */
  readonly status: Status
  /**
   * The status now, and again after each change, until the client is closed. A slow reader misses values in between, never
   * the last. Leaving the loop cleans up.
   */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status>
  /** Calls a listener, until the function that is returned is called or the client is closed. */
  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void
  /** Connects anew; ends with the attempt that it starts or joins. Aborting cancels only the waiting. */
  reconnect(options?: SignalOptions): Promise<void>
  /** Leaves Disabled or Disconnected; ends with the attempt. */
  enable(options?: SignalOptions): Promise<void>
  /** Ends the connection and what was starting, and stays off; ends when everything is torn down. */
  disable(options?: SignalOptions): Promise<void>
  /** Ends the connection and stays disconnected until `reconnect` or `enable`. */
  disconnect(options?: SignalOptions): Promise<void>
  /** Reads tools, prompts and resources again. */
  refresh(options?: SignalOptions): Promise<void>
  /**
   * Probes the server now. Where that fails, other probes follow by themselves, until one is answered or the connection is given up.
   * Never rejected because the server is ill.
   */
  healthCheck(options?: SignalOptions): Promise<HealthCheck>
  /** Stops heartbeats for a while. */
  readonly keepalive: KeepaliveControl
  /** Ends everything; nothing is left alive. Idempotent. A client of a fleet is disabled by it. */
  close(): Promise<void>

  /** Called once, when `close` has ended. A lost connection does not call it: it comes back. */
  onclose?: () => void
  /** Called for what fails without a call to tell it: lost connections and failed attempts. */
  onerror?: (error: Error) => void

  /** Rejects: this client has its server. */
  connect(transport: Transport): Promise<void>

  /**
   * Calls a tool. Where it has an output schema that `listTools` has told, the structured content is validated. A call that was cut
   * off is sent again only where the tool's hints, or `idempotent`, allow it.
   */
  callTool: Called<"callTool">
  /** One page of the tools, from the server. */
  listTools: Called<"listTools">
  /** One page of the prompts, from the server. */
  listPrompts: Called<"listPrompts">
  /** A prompt, with its arguments filled in. */
  getPrompt: Called<"getPrompt">
  /** One page of the resources, from the server. */
  listResources: Called<"listResources">
  /** One page of the resource templates, from the server. */
  listResourceTemplates: Called<"listResourceTemplates">
  /** Reads a resource by its URI. */
  readResource: Called<"readResource">
  /** Asks the server to announce changes of a resource; asked again on every new session. */
  subscribeResource: Called<"subscribeResource">
  /** Takes a subscription back. */
  unsubscribeResource: Called<"unsubscribeResource">
  /** Completions of an argument of a prompt or of a resource template. */
  complete: Called<"complete">
  /** The least level of the log messages that the server sends; set again on every new session. */
  setLoggingLevel: Called<"setLoggingLevel">
  /** Asks for a sign of life. */
  ping: Called<"ping">
  /** Any request; the schema decodes its result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: CallOptions
  ): Promise<SchemaOutput<T>>
}
