/** It belongs to the name of a server, and stays the same for all connections. */
import type { ConnectError, Connection, Connector, Hearing, ServerNotification } from "@mcp-lifeline/core"
import type { Result } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type * as Era from "../Era.js"
import * as JsonRpc from "../JsonRpc.js"
import type * as Session from "../Session.js"

export type Introduction = Pick<
  Connection,
  "capabilities" | "instructions" | "protocolVersion" | "serverInfo" | "sessionId"
>

/** Clients of the older era do not know it. */
const stateless: typeof Era.statelessVersion = "2026-07-28"

type Asked = Parameters<Session.Relay["request"]>[0]

/** None of its functions may throw. */
export interface Receiver {
  /** Called in the same step in which it arrives, and so before a later answer. */
  readonly notified: (notification: ServerNotification) => void
  readonly asked: (request: Asked, signal: AbortSignal) => Promise<Result>
  /** While the client does not read, a promise that is resolved when it does. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** Notifications of changed lists arrive, some of which may have been missed; or they do not. */
  readonly heard?: (hearing: Hearing) => void
  /** Returns why the connection is not to be used. */
  readonly introduced?: (introduction: Introduction) => ConnectError | undefined
}

export class Incoming {
  protocolVersion: string | undefined
  /** The client decodes results itself, and gets them unchanged. */
  isRaw = false
  /**
   * Each request of the client has its capabilities, and it gets questions in place of a result unchanged. May change while a connection is
   * open.
   */
  isStateless = false
  /** Without it, notifications are dropped. */
  receiver: Receiver | undefined
  unannounced: Hearing["unannounced"] = []
  #introduction: Introduction | undefined
  readonly #makeReceiver: () => Promise<unknown>
  /** One for all connections: told once while one takes the place of another. */
  readonly #announced = (notification: ServerNotification): void => this.receiver?.notified(notification)

  /** `makeReceiver`: called when the server sends a request and there is no receiver yet. */
  constructor(makeReceiver: () => Promise<unknown> = () => Promise.resolve()) {
    this.#makeReceiver = makeReceiver
  }

  get introduction(): Introduction | undefined {
    return this.#introduction
  }

  #heard(hearing: Hearing): void {
    this.unannounced = hearing.unannounced
    this.receiver?.heard?.(hearing)
  }

  #introduced(connection: Connection): ConnectError | undefined {
    const { capabilities, instructions, serverInfo, sessionId } = connection
    // The client goes on in the version that it asked for.
    const protocolVersion = connection.protocolVersion === stateless
      ? this.protocolVersion ?? stateless
      : connection.protocolVersion
    this.#introduction = { capabilities, instructions, protocolVersion, serverInfo, sessionId }
    return this.receiver?.introduced?.(this.#introduction)
  }

  /** Its connections give all messages of their servers to this. */
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
