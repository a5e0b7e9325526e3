/**
 * Many supervised clients, one catalogue.
 */
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

/** The status of each server by name. */
export type FleetStatus = Readonly<Record<string, Status>>

/** What `on` can listen to. */
export interface FleetEvents {
  /** The status of each server, after each change. */
  readonly status: FleetStatus
  /** Each event. */
  readonly event: Event
}

/** What `apply` has done, with the names of servers. */
export interface Applied {
  /** New names. */
  readonly started: ReadonlyArray<string>
  /** Names that no longer exist. */
  readonly stopped: ReadonlyArray<string>
  /** Servers that run with their new configuration. */
  readonly replaced: ReadonlyArray<string>
  /**
   * Servers that could not connect with their new configuration, so the connection with the old one stays. The next `apply` tries
   * again.
   */
  readonly kept: ReadonlyArray<string>
}

/**
 * Many servers, each supervised by itself: a slow or dead server delays no other.
 *
 * The catalogue has tools and prompts as `<server>__<name>`, or as the option `prefix` says, and keeps what a server offered while that server is down.
 */
export interface Fleet extends AsyncDisposable {
  /** The names of the servers, in order. */
  readonly names: ReadonlyArray<string>
  /** The client of one server; the same object each time. Throws BackendUnavailable if there is no such server. */
  client(name: string): Client
  /** The current status of each server. */
  readonly status: FleetStatus
  /** The current status, and the status after each change, until the fleet is closed. Leaving the loop releases all resources. */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<FleetStatus>
  /** Calls the listener, until you call the returned function or the fleet is closed. */
  on<E extends keyof FleetEvents>(event: E, listener: (value: FleetEvents[E]) => void): () => void

  /** All tools, under their full names. Asks no server. */
  listTools(): Promise<{ tools: Array<Tool> }>
  /** All prompts, under their full names. Asks no server. */
  listPrompts(): Promise<{ prompts: Array<Prompt> }>
  /** All resources. Asks no server. */
  listResources(): Promise<{ resources: Array<Resource> }>
  /** All resource templates. Asks no server. */
  listResourceTemplates(): Promise<{ resourceTemplates: Array<ResourceTemplate> }>
  /**
   * Calls a tool by its full name. If its server is not connected, the call connects it and waits for it, like any call, and fails with the
   * BackendUnavailable of that server. If there is no such server, it fails with BackendUnavailable (`Unknown`), and if the server does not
   * offer the tool, with RemoteError -32602.
   */
  callTool(
    params: { readonly name: string; readonly arguments?: Record<string, unknown> | undefined },
    resultSchema?: typeof CallToolResultSchema | typeof CompatibilityCallToolResultSchema,
    options?: CallOptions
  ): ReturnType<Client["callTool"]>
  /** Gets a prompt by its full name. Waits, and fails, as `callTool` does. */
  getPrompt(
    params: { readonly name: string; readonly arguments?: Record<string, string> | undefined },
    options?: CallOptions
  ): ReturnType<Client["getPrompt"]>
  /**
   * Reads a resource by its URI in the catalogue, or by `lifeline://<server>/<encoded URI>`. Contents that the server gives under the
   * resource's own URI get the URI that you asked for.
   */
  readResource(params: { readonly uri: string }, options?: CallOptions): ReturnType<Client["readResource"]>

  /**
   * Makes a new connection to one server, or joins an attempt in progress. Resolves when the attempt succeeds. Aborting stops only the
   * waiting.
   */
  reconnect(name: string, options?: SignalOptions): Promise<void>
  /** Connects a server that is Disabled or Disconnected. Resolves when the attempt succeeds. */
  enable(name: string, options?: SignalOptions): Promise<void>
  /** Disconnects one server, and refuses its calls until `enable`. Resolves when everything is closed. */
  disable(name: string, options?: SignalOptions): Promise<void>
  /** Closes the connection to one server, and stays disconnected until `reconnect` or `enable`. */
  disconnect(name: string, options?: SignalOptions): Promise<void>
  /** Reads the lists of one server again, or of all servers that are not down. */
  refresh(name?: string, options?: SignalOptions): Promise<void>
  /**
   * Starts, stops and replaces only the servers whose configuration differs. If the configuration of one is not accepted, nothing
   * changes. The connection to an HTTP server stays until there is one with the new configuration; a process exits before the new one
   * starts.
   */
  apply(config: FleetConfig | VsCodeConfig): Promise<Applied>
  /** Ends all processes, sessions and timers. Calling it again does nothing. */
  close(): Promise<void>
}
