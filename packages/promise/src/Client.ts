/**
 * A supervised client: an official Client, and what a supervised one can do besides.
 */
import type { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  CallToolRequest,
  CallToolResultSchema,
  ClientRequest,
  CompatibilityCallToolResultSchema,
  CompleteRequest,
  GetPromptRequest,
  ListPromptsRequest,
  ListResourcesRequest,
  ListResourceTemplatesRequest,
  ListToolsRequest,
  LoggingLevel,
  ReadResourceRequest,
  Request,
  SubscribeRequest,
  UnsubscribeRequest
} from "@modelcontextprotocol/sdk/types.js"
import type { LifelineError } from "./Errors.js"
import type { Event } from "./Event.js"
import type { CallOptions, SignalOptions } from "./Options.js"
import type { Status } from "./Status.js"

/** What `on` can listen to. */
export interface ClientEvents {
  /** The status after each change. */
  readonly status: Status
  /** Everything that happens. */
  readonly event: Event
}

/** What `healthCheck` found. */
export interface HealthCheck {
  readonly status: Status
  /** Milliseconds to the answer; `undefined` when there was none. */
  readonly latency: number | undefined
  readonly error: LifelineError | undefined
}

/** Heartbeats, by hand. */
export interface KeepaliveControl {
  /** Sends no heartbeats until `resume`. */
  pause(): Promise<void>
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
  /** Probes the server now. Never rejected because the server is ill. */
  healthCheck(options?: SignalOptions): Promise<HealthCheck>
  readonly keepalive: KeepaliveControl
  /** Ends everything; nothing is left alive. Idempotent. A client of a fleet is disabled by it. */
  close(): Promise<void>

  /** Called once, when `close` has ended. A lost connection does not call it: it comes back. */
  onclose?: () => void
  /** Called for what fails without a call to tell it: lost connections and failed attempts. */
  onerror?: (error: Error) => void

  /** Rejects: this client has its server. */
  connect(transport: Transport): Promise<void>

  callTool(
    params: CallToolRequest["params"],
    resultSchema?: typeof CallToolResultSchema | typeof CompatibilityCallToolResultSchema,
    options?: CallOptions
  ): ReturnType<SdkClient["callTool"]>
  /** One page of the tools, from the server. */
  listTools(params?: ListToolsRequest["params"], options?: CallOptions): ReturnType<SdkClient["listTools"]>
  listPrompts(params?: ListPromptsRequest["params"], options?: CallOptions): ReturnType<SdkClient["listPrompts"]>
  getPrompt(params: GetPromptRequest["params"], options?: CallOptions): ReturnType<SdkClient["getPrompt"]>
  listResources(
    params?: ListResourcesRequest["params"],
    options?: CallOptions
  ): ReturnType<SdkClient["listResources"]>
  listResourceTemplates(
    params?: ListResourceTemplatesRequest["params"],
    options?: CallOptions
  ): ReturnType<SdkClient["listResourceTemplates"]>
  readResource(params: ReadResourceRequest["params"], options?: CallOptions): ReturnType<SdkClient["readResource"]>
  /** Restored on every new connection. */
  subscribeResource(
    params: SubscribeRequest["params"],
    options?: CallOptions
  ): ReturnType<SdkClient["subscribeResource"]>
  unsubscribeResource(
    params: UnsubscribeRequest["params"],
    options?: CallOptions
  ): ReturnType<SdkClient["unsubscribeResource"]>
  complete(params: CompleteRequest["params"], options?: CallOptions): ReturnType<SdkClient["complete"]>
  /** Restored on every new connection. */
  setLoggingLevel(level: LoggingLevel, options?: CallOptions): ReturnType<SdkClient["setLoggingLevel"]>
  ping(options?: CallOptions): ReturnType<SdkClient["ping"]>
  /** Any request; the schema decodes its result. */
  request<T extends AnySchema>(
    request: ClientRequest | Request,
    resultSchema: T,
    options?: CallOptions
  ): Promise<SchemaOutput<T>>
}
