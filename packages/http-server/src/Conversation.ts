/**
 * What answers one client, whatever carries its messages.
 */
import type { ClientRequest, ClientRequests, Introduction } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import type { Caller } from "./Caller.js"
import type { Holding } from "./Quota.js"

/** Handles the messages of one client. None of its functions may throw. */
export interface Conversation {
  /** Takes a request, which is already in the client's `requests`. Answers it, unless the client cancels it. */
  readonly request: (request: ClientRequest) => void
  /**
   * Takes any other message. The transport handles `notifications/cancelled` itself: at most those about requests that are over arrive
   * here.
   */
  readonly receive: (message: JSONRPCNotification | JSONRPCResponse) => void
  /**
   * Returns what `server/discover` answers a client whose `initialize` would have these params, or, as a text, why nothing is known of the
   * server yet. May start a server of which nothing is known.
   */
  readonly introduce: (params: unknown) => Promise<Introduction | string>
  /** Ends the conversation and what it has started. Answers open requests with the statement `why` and their fate. */
  readonly close: (why: string) => Promise<void>
}

/** What a client has set that outlives its requests. */
export interface ClientSettings {
  /** The lowest level of the log messages that it wants (`logging/setLevel`). */
  readonly level?: string | undefined
  /** The URIs that it has subscribed to. */
  readonly subscriptions: ReadonlyArray<string>
}

/** One change of these. */
export type SettingChange = { readonly level: string } | { readonly subscribed: string } | {
  readonly unsubscribed: string
}

/** The client of a conversation. */
export interface Client {
  /** Who its messages come from. What is known of one caller may change from request to request. Default: nothing is known of it. */
  readonly caller?: (() => Caller) | undefined
  /** Whether the client has no session (2026-07-28). No server starts for such a client alone, unless it is lasting. Default false. */
  readonly isStateless?: boolean | undefined
  /** Whether the conversation goes on between the requests of a client without a session, which is then known. Default false. */
  readonly isLasting?: boolean | undefined
  /** Called before `count` servers start for this client alone; returns whether there is room for them. Default: there is. */
  readonly startsServers?: ((count: number) => boolean) | undefined
  /** Its open requests. */
  readonly requests: ClientRequests
  /** Sends the client a message that belongs to none of its requests. Never throws. */
  readonly write: (message: JSONRPCNotification | JSONRPCRequest) => void
  /** Saves a change of the settings, which outlive a restart. Resolves when it is on disk, or cannot be written. */
  readonly saveSetting: (change: SettingChange) => Promise<void>
  /** Room for the subscriptions that the conversation has. Default: whoever carries the messages limits them. */
  readonly subscriptions?: Holding | undefined
}

/**
 * A conversation to resume: the params of the client's `initialize`, and its settings. The conversation gets no `initialize` and no
 * `notifications/initialized`. The transport tells the client that lists may have changed meanwhile.
 */
export interface Resumed {
  readonly initialize: Readonly<Record<string, unknown>>
  readonly settings: ClientSettings
}

/** Begins a conversation, or resumes one of an earlier process. */
export type Begin = (client: Client, resumed?: Resumed) => Conversation
