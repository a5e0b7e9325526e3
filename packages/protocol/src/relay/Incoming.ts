/**
 * Where everything that a server says by itself arrives: it belongs to a name and not to a connection, and hands on to
 * whoever stands for the client.
 */
import type { ConnectError, Connection, Connector, ServerNotification } from "@mcp-lifeline/core"
import type { Result } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type * as Era from "../Era.js"
import * as JsonRpc from "../JsonRpc.js"
import type * as Session from "../Session.js"

/** What a server says of itself in the handshake. */
export type Introduction = Pick<
  Connection,
  "capabilities" | "instructions" | "protocolVersion" | "serverInfo" | "sessionId"
>

/** The version of servers without sessions, which no client of an SDK of the era before knows. */
const stateless: typeof Era.statelessVersion = "2026-07-28"

type Asked = Parameters<Session.Relay["request"]>[0]

/** Stands for the client. None of it may throw. */
export interface Receiver {
  /** Called in the step in which the notification comes: before the answer to a request that comes after it. */
  readonly notified: (notification: ServerNotification) => void
  readonly asked: (request: Asked, signal: AbortSignal) => Promise<Result>
  /** Resolved when the client takes more, where it does not take now what it is given. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** A connection is made. What is given back is why it is not to be used. */
  readonly introduced?: (introduction: Introduction) => ConnectError | undefined
}

/** What the server of one name says. */
export class Incoming {
  /** The version of the protocol to ask for in place of the SDK's own. */
  protocolVersion: string | undefined
  /** Whether the client decodes results itself: they are handed on as they come. */
  isRaw = false
  /** Whether each request of the client says what it can do, and what a server asks in place of a result is handed on as it comes. */
  isStateless = false
  /** Nothing of what is notified is kept while there is none. */
  receiver: Receiver | undefined
  #introduction: Introduction | undefined
  readonly #makeReceiver: () => Promise<unknown>

  /** `makeReceiver`: called when the server asks for something and there is no receiver yet. */
  constructor(makeReceiver: () => Promise<unknown> = () => Promise.resolve()) {
    this.#makeReceiver = makeReceiver
  }

  /** What the server said in its last handshake. */
  get introduction(): Introduction | undefined {
    return this.#introduction
  }

  /** A connection is made. What is given back is why it is not to be used. */
  #introduced(connection: Connection): ConnectError | undefined {
    const { capabilities, instructions, serverInfo, sessionId } = connection
    // We speak with such a server; the client goes on in the version that it asked for.
    const protocolVersion = connection.protocolVersion === stateless
      ? this.protocolVersion ?? stateless
      : connection.protocolVersion
    this.#introduction = { capabilities, instructions, protocolVersion, serverInfo, sessionId }
    return this.receiver?.introduced?.(this.#introduction)
  }

  /** A connector whose connections tell this of all that their servers say. */
  around(connector: Connector): Connector {
    return {
      ...connector,
      connect: (options) => {
        const relayed: Session.Options = {
          ...options,
          onNotification: (notification) => {
            options.onNotification(notification)
            this.receiver?.notified(notification)
          },
          relay: this.#relay
        }
        return Effect.tap(connector.connect(relayed), (connection) => {
          const refusal = this.#introduced(connection)
          return refusal === undefined ? Effect.void : Effect.fail(refusal)
        })
      }
    }
  }

  /** What a connection is made with, so that what its server asks comes here. */
  get #relay(): Session.Relay {
    return {
      protocolVersion: this.protocolVersion,
      isRaw: this.isRaw,
      isStateless: this.isStateless,
      drained: () => this.receiver?.drained?.(),
      request: async (request, signal) => {
        if (this.receiver === undefined) await this.#makeReceiver()
        if (this.receiver === undefined) throw JsonRpc.noSuchMethod
        return this.receiver.asked(request, signal)
      }
    }
  }
}
