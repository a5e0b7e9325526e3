import type { ClientRequest, ClientRequests, Holding, Introduction } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import type { Caller } from "./Caller.js"

/** Answers one client. None of its functions may throw. */
export interface Conversation {
  /** The request is already in the client's `requests`. Answers it, unless the client cancels it. */
  readonly request: (request: ClientRequest) => void
  /** The transport handles `notifications/cancelled`: at most those about requests that are over arrive here. */
  readonly receive: (message: JSONRPCNotification | JSONRPCResponse) => void
  /**
   * What `server/discover` answers to a client whose `initialize` would have these params; a text if nothing is known of the server yet.
   * May start such a server.
   */
  readonly introduce: (params: unknown) => Promise<Introduction | string>
  /** Ends also what it has started. Answers open requests with the statement `why` and their fate. */
  readonly close: (why: string) => Promise<void>
}

/** What a client has set that outlives its requests. */
export interface ClientSettings {
  /** The lowest level of log messages (`logging/setLevel`). */
  readonly level?: string | undefined
  /** URIs. */
  readonly subscriptions: ReadonlyArray<string>
}

export type SettingChange = { readonly level: string } | { readonly subscribed: string } | {
  readonly unsubscribed: string
}

export interface Client {
  /** Who its messages come from; may change from request to request. Default: nothing is known. */
  readonly caller?: (() => Caller) | undefined
  /** Whether the client has no session (2026-07-28). No server starts for such a client alone, unless it is lasting. Default false. */
  readonly isStateless?: boolean | undefined
  /** Whether the conversation of a client without a session goes on between its requests. Default false. */
  readonly isLasting?: boolean | undefined
  /** Called before `count` servers start for this client alone; returns whether there is room. Default: there is. */
  readonly startsServers?: ((count: number) => boolean) | undefined
  readonly requests: ClientRequests
  /** Sends a message that belongs to no request. Never throws. */
  readonly write: (message: JSONRPCNotification | JSONRPCRequest) => void
  /** The settings outlive a restart. Resolves when the change is on disk, or cannot be written. */
  readonly saveSetting: (change: SettingChange) => Promise<void>
  /** Default: whoever carries the messages limits subscriptions. */
  readonly subscriptions?: Holding | undefined
}

/**
 * `initialize`: its params. The conversation gets no `initialize` and no `notifications/initialized`; the transport tells the client that
 * lists may have changed.
 */
export interface Resumed {
  readonly initialize: Readonly<Record<string, unknown>>
  readonly settings: ClientSettings
}

/** `resumed`: a conversation of an earlier process. */
export type Begin = (client: Client, resumed?: Resumed) => Conversation
