/**
 * What stands between one client of ours and the servers behind us, whatever carries its messages.
 */
import type { ClientRequest, ClientRequests, Introduction } from "@mcp-lifeline/protocol"
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"

/** Takes the messages of one client. None of its functions may throw. */
export interface Conversation {
  /** Takes a request, which is entered in the client's requests. Answers it, unless the client cancels it. */
  readonly request: (request: ClientRequest) => void
  /**
   * Takes any other message. Whoever carries the messages cancels requests: of `notifications/cancelled` comes at most what is about a request
   * that is over.
   */
  readonly receive: (message: JSONRPCNotification | JSONRPCResponse) => void
  /** What a client is told of us: by `initialize` here, by `server/discover` where there are no sessions. Starts nothing. */
  readonly introduce: () => Promise<Introduction>
  /** Ends it, and what it has started. What is not answered yet is answered with `why`, a statement, and with what is known of it. */
  readonly close: (why: string) => Promise<void>
}

/** What a client has asked for that outlives its requests. */
export interface ClientSettings {
  /** The least level of the log messages that it wants (`logging/setLevel`). */
  readonly level?: string | undefined
  /** The URIs that it has subscribed to. */
  readonly subscriptions: ReadonlyArray<string>
}

/** Who is talked to. */
export interface Client {
  /**
   * Whether each of its requests stands for itself (2026-07-28), so that there is no session which something could belong to: no
   * server is started for it alone.
   */
  readonly isStateless?: boolean | undefined
  /** Called before so many servers are started for it alone; says whether there is room for them. Default: there is. */
  readonly startsServers?: ((count: number) => boolean) | undefined
  /** Its requests that are not over. */
  readonly requests: ClientRequests
  /** Gives the client a message that is about no request of its own. Never throws. */
  readonly write: (message: JSONRPCNotification | JSONRPCRequest) => void
  /** Keeps what the client has asked for, for after a restart of ours. The promise resolves when that is on disk, or cannot be written. */
  readonly saveSettings: (settings: ClientSettings) => Promise<void>
}

/**
 * A conversation that goes on: what the client said in `initialize` before, and what it has asked for since. The conversation answers
 * no `initialize` and waits for no `notifications/initialized`. That lists may have changed meanwhile, whoever carries its messages tells
 * the client.
 */
export interface Resumed {
  readonly initialize: Readonly<Record<string, unknown>>
  readonly settings: ClientSettings
}

/** Begins a conversation, or goes on with one that a process before us has begun. */
export type Begin = (client: Client, resumed?: Resumed) => Conversation
