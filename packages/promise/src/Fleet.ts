import type {
  CallToolResultSchema,
  CompatibilityCallToolResultSchema,
  Prompt,
  Resource,
  ResourceTemplate,
  Tool
} from "@modelcontextprotocol/sdk/types.js"
import type { Client } from "./Client.js"
import type { Event } from "./Event.js"
import type { CallOptions, FleetConfig, SignalOptions, VsCodeConfig } from "./Options.js"
import type { Status } from "./Status.js"

/** By server name. */
export type FleetStatus = Readonly<Record<string, Status>>

export interface FleetEvents {
  /** Of each server, after each change. */
  readonly status: FleetStatus
  readonly event: Event
}

/** Names of servers. */
export interface Applied {
  /** New names. */
  readonly started: ReadonlyArray<string>
  /** Names that no longer exist. */
  readonly stopped: ReadonlyArray<string>
  /** Run with their new configuration. */
  readonly replaced: ReadonlyArray<string>
  /** Could not connect with their new configuration and keep their old connection. The next `apply` tries again. */
  readonly kept: ReadonlyArray<string>
}

/**
 * Many servers, each supervised by itself: a slow or dead server delays no other.
 *
 * The catalogue has tools and prompts as `<server>__<name>`, or as the option `prefix` says. It keeps what a server that is down offered.
 */
export interface Fleet extends AsyncDisposable {
  /** In order. */
  readonly names: ReadonlyArray<string>
  /** The same object each time. Throws BackendUnavailable if there is no such server. */
  client(name: string): Client
  readonly status: FleetStatus
  /** The current status, and the status after each change, until the fleet is closed. Leaving the loop releases all resources. */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<FleetStatus>
  /** Calls the listener, until you call the returned function or the fleet is closed. */
  on<E extends keyof FleetEvents>(event: E, listener: (value: FleetEvents[E]) => void): () => void

  /** Under their full names. Asks no server. */
  listTools(): Promise<{ tools: Array<Tool> }>
  /** Under their full names. Asks no server. */
  listPrompts(): Promise<{ prompts: Array<Prompt> }>
  /** Asks no server. */
  listResources(): Promise<{ resources: Array<Resource> }>
  /** Asks no server. */
  listResourceTemplates(): Promise<{ resourceTemplates: Array<ResourceTemplate> }>
  /**
   * Calls a tool by its full name. Connects its server if needed, and waits for it like any call, or fails with that server's
   * BackendUnavailable. Fails with BackendUnavailable (`Unknown`) if there is no such server, and with RemoteError -32602 if the server does
   * not offer the tool.
   */
  callTool(
    params: { readonly name: string; readonly arguments?: Record<string, unknown> | undefined },
    resultSchema?: typeof CallToolResultSchema | typeof CompatibilityCallToolResultSchema,
    options?: CallOptions
  ): ReturnType<Client["callTool"]>
  /** By its full name. Waits, and fails, as `callTool` does. */
  getPrompt(
    params: { readonly name: string; readonly arguments?: Record<string, string> | undefined },
    options?: CallOptions
  ): ReturnType<Client["getPrompt"]>
  /**
   * By its URI in the catalogue, or `lifeline://<server>/<encoded URI>`. Contents under the resource's own URI get the URI that you asked
   * for.
   */
  readResource(params: { readonly uri: string }, options?: CallOptions): ReturnType<Client["readResource"]>

  /** Makes a new connection, or joins an attempt in progress. Resolves when it succeeds. Aborting stops only the waiting. */
  reconnect(name: string, options?: SignalOptions): Promise<void>
  /** Connects a server that is Disabled or Disconnected. Resolves when that succeeds. */
  enable(name: string, options?: SignalOptions): Promise<void>
  /** Disconnects, and refuses calls until `enable`. Resolves when everything is closed. */
  disable(name: string, options?: SignalOptions): Promise<void>
  /** Disconnects until `reconnect` or `enable`. */
  disconnect(name: string, options?: SignalOptions): Promise<void>
  /** Reads the lists again, of one server or of all that are not down. */
  refresh(name?: string, options?: SignalOptions): Promise<void>
  /**
   * Starts, stops and replaces only servers whose configuration differs. If one is not accepted, nothing changes. The connection to an HTTP
   * server stays until there is one with the new configuration; a process exits before the new one starts.
   */
  apply(config: FleetConfig | VsCodeConfig): Promise<Applied>
  /** Ends all processes, sessions and timers. May be called again. */
  close(): Promise<void>
}
