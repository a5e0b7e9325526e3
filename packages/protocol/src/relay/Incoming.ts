/**
 * Receives the messages that a server sends by itself, and passes them on to the receiver of the client. It belongs to the name of a
 * server, and stays the same for all connections.
 */
import type { ConnectError, Connection, Connector, Hearing, ServerNotification } from "@mcp-lifeline/core"
import type { Result } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type * as Era from "../Era.js"
import * as JsonRpc from "../JsonRpc.js"
import type * as Session from "../Session.js"

/** A server's answer in the handshake. */
export type Introduction = Pick<
  Connection,
  "capabilities" | "instructions" | "protocolVersion" | "serverInfo" | "sessionId"
>

/** The version of servers without sessions, which clients of the older era do not know. */
const stateless: typeof Era.statelessVersion = "2026-07-28"

type Asked = Parameters<Session.Relay["request"]>[0]

/** Receives messages for the client. None of its functions may throw. */
export interface Receiver {
  /** Called in the same step in which the notification arrives, and so before the answer to a request that arrives after it. */
  readonly notified: (notification: ServerNotification) => void
  readonly asked: (request: Asked, signal: AbortSignal) => Promise<Result>
  /** If the client does not read at the moment, a promise that is resolved when it reads again. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** Notifications of changed lists arrive from now on, some of which may have been missed; or they do not. */
  readonly heard?: (hearing: Hearing) => void
  /** A connection is made. What is given back is why it is not to be used. */
  readonly introduced?: (introduction: Introduction) => ConnectError | undefined
}

/** Receives the messages of the server with one name. */
export class Incoming {
  /** The protocol version to request instead of the SDK's own. */
  protocolVersion: string | undefined
  /** Whether the client decodes results itself. Then it gets them unchanged. */
  isRaw = false
  /**
   * Whether each request of the client has its capabilities. Then the client gets questions in place of a result unchanged. It may change
   * while a connection is open.
   */
  isStateless = false
  /** Notifications that arrive without a receiver are dropped. */
  receiver: Receiver | undefined
  /** Of which lists no notifications arrive. */
  unannounced: Hearing["unannounced"] = []
  #introduction: Introduction | undefined
  readonly #makeReceiver: () => Promise<unknown>
  /** One for all connections, so that it is told once while one takes the place of another. */
  readonly #announced = (notification: ServerNotification): void => this.receiver?.notified(notification)

  /** `makeReceiver`: called when the server sends a request and there is no receiver yet. */
  constructor(makeReceiver: () => Promise<unknown> = () => Promise.resolve()) {
    this.#makeReceiver = makeReceiver
  }

  /** The server's answer in the last handshake. */
  get introduction(): Introduction | undefined {
    return this.#introduction
  }

  #heard(hearing: Hearing): void {
    this.unannounced = hearing.unannounced
    this.receiver?.heard?.(hearing)
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

  /** A connector whose connections give all messages of their servers to this. */
  around(connector: Connector): Connector {
    return {
      ...connector,
      connect: (options) => {
        const { offers } = options
        let last: Hearing = { announced: [], unannounced: [] }
        const relayed: Session.Options = {
          ...options,
          report: (report) => {
            options.report(report)
            if (report._tag === "Hearing") this.#heard(last = report.hearing)
            else if (report._tag === "Notification" && offers?.passes(report.notification) !== false) {
              this.receiver?.notified(report.notification)
            }
          },
          relay: this.#relay
        }
        return Effect.tap(connector.connect(relayed), (connection) => {
          this.#heard({ announced: [], unannounced: last.unannounced })
          const refusal = this.#introduced(connection)
          if (refusal !== undefined) return Effect.fail(refusal)
          offers?.onAnnounced(this.#announced)
          return Effect.void
        })
      }
    }
  }

  /** The options of a connection, with which requests of its server arrive here. */
  get #relay(): Session.Relay {
    const isStateless = (): boolean => this.isStateless
    return {
      protocolVersion: this.protocolVersion,
      isRaw: this.isRaw,
      get isStateless() {
        return isStateless()
      },
      drained: () => this.receiver?.drained?.(),
      request: async (request, signal) => {
        if (this.receiver === undefined) await this.#makeReceiver()
        if (this.receiver === undefined) throw JsonRpc.noSuchMethod
        return this.receiver.asked(request, signal)
      }
    }
  }
}
