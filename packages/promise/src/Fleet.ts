/**
 * Many supervised clients, one catalogue.
 */
import type { Status } from "@mcp-lifeline/core/types"
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

/** The status of each server by name. */
export type FleetStatus = Readonly<Record<string, Status>>

/** What `on` can listen to. */
export interface FleetEvents {
  /** The status of each server, after each change. */
  readonly status: FleetStatus
  /** Everything that happens. */
  readonly event: Event
}

/** What `apply` did, by name of server. */
export interface Applied {
  /** Names that were not there before. */
  readonly started: ReadonlyArray<string>
  /** Names that are not there any more. */
  readonly stopped: ReadonlyArray<string>
  /** Servers that run with their new configuration. */
  readonly replaced: ReadonlyArray<string>
  /**
   * Servers whose new configuration did not lead to a connection, so that the connection with the old one goes on. The next
   * `apply` tries again.
   */
  readonly kept: ReadonlyArray<string>
}

/**
 * Many servers, each supervised by itself: a slow or dead one delays no other.
 *
 * The catalogue holds tools and prompts as `<server>__<name>`, and keeps what a server offered while that server is down.
 */
export interface Fleet extends AsyncDisposable {
  /** The names of the servers, in order. */
  readonly names: ReadonlyArray<string>
  /** The client of one server; the same object each time. Throws BackendUnavailable when there is no such server. */
  client(name: string): Client
  /** The status of each server now. */
  readonly status: FleetStatus
  /** The status now, and again after each change, until the fleet is closed. Leaving the loop cleans up. */
  statusChanges(options?: SignalOptions): AsyncIterableIterator<FleetStatus>
  /** Calls a listener, until the function that is returned is called or the fleet is closed. */
  on<E extends keyof FleetEvents>(event: E, listener: (value: FleetEvents[E]) => void): () => void

  /** All tools, under their full names. Asks no server. */
  listTools(): Promise<{ tools: Array<Tool> }>
  /** All prompts, under their full names. Asks no server. */
  listPrompts(): Promise<{ prompts: Array<Prompt> }>
  /** All resources. Asks no server. */
  listResources(): Promise<{ resources: Array<Resource> }>
  /** All resource templates. Asks no server. */
  listResourceTemplates(): Promise<{ resourceTemplates: Array<ResourceTemplate> }>
  /** Calls a tool by its full name. */
  callTool(
    params: { readonly name: string; readonly arguments?: Record<string, unknown> | undefined },
    resultSchema?: typeof CallToolResultSchema | typeof CompatibilityCallToolResultSchema,
    options?: CallOptions
  ): ReturnType<Client["callTool"]>
  /** Gets a prompt by its full name. */
  getPrompt(
    params: { readonly name: string; readonly arguments?: Record<string, string> | undefined },
    options?: CallOptions
  ): ReturnType<Client["getPrompt"]>
  /**
   * Reads a resource by its URI in the catalogue, or by `lifeline://<server>/<encoded URI>`. Its contents have the URI that was
   * asked for, where the server gives them the URI that this stands for.
   */
  readResource(params: { readonly uri: string }, options?: CallOptions): ReturnType<Client["readResource"]>

  /** Connects one server anew; ends with the attempt that it starts or joins. Aborting cancels only the waiting. */
  reconnect(name: string, options?: SignalOptions): Promise<void>
  /** Leaves Disabled or Disconnected; ends with the attempt. */
  enable(name: string, options?: SignalOptions): Promise<void>
  /** Ends the connection to one server and what was starting, and stays off; ends when everything is torn down. */
  disable(name: string, options?: SignalOptions): Promise<void>
  /** Ends the connection to one server, and stays disconnected until `reconnect` or `enable`. */
  disconnect(name: string, options?: SignalOptions): Promise<void>
  /** Reads the lists of one server, or of all, again. With all, those that are down are left out. */
  refresh(name?: string, options?: SignalOptions): Promise<void>
  /**
   * Starts, stops and replaces only the servers whose configuration differs. Where one is refused, nothing changes. An HTTP
   * server's connection goes on until there is one with the new configuration; a process ends before the new one starts.
   */
  apply(config: FleetConfig | VsCodeConfig): Promise<Applied>
  /** Ends everything; nothing is left alive. Idempotent. */
  close(): Promise<void>
}
