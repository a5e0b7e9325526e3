/** What a session keeps for us is asked for again on each new one, before calls are let in (C7). */
import type { LoggingLevel } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { constVoid } from "effect/Function"
import type { RequestError } from "../Errors.js"
import * as SafeLog from "../internal/SafeLog.js"
import type { Connection } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import * as Sending from "../port/Sending.js"
import { withDeadline } from "../port/withDeadline.js"

export class SessionState {
  #level: LoggingLevel | undefined
  #uris: Set<string> | undefined

  /** Only after the server's answer. */
  note<M extends Method>(method: M, params: Params<M>): void {
    switch (method) {
      case "logging/setLevel":
        this.#level = (params as Params<"logging/setLevel">).level
        return
      case "resources/subscribe":
        this.#uris ??= new Set()
        this.#uris.add((params as Params<"resources/subscribe">).uri)
        return
      case "resources/unsubscribe":
        this.#uris?.delete((params as Params<"resources/unsubscribe">).uri)
        return
      default:
        return
    }
  }

  /**
   * A refusal (a resource that is gone) is logged at debug and no failure. `subscribed`: called with each resource subscribed to again,
   * which may have changed meanwhile.
   */
  readonly restore = (
    backend: string,
    connection: Connection,
    timeout: number,
    subscribed: (uri: string) => void = constVoid
  ): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { logging, resources } = connection.capabilities
      const ask = <M extends Method>(method: M, params: Params<M>): Effect.Effect<unknown, RequestError> =>
        withDeadline<unknown>(Sending.ask(connection, method, params, { timeout }), timeout)
      const requests = [
        ...(this.#level === undefined || logging === undefined
          ? []
          : [ask("logging/setLevel", { level: this.#level })]),
        ...(resources?.subscribe !== true
          ? []
          : [...this.#uris ?? []].map((uri) =>
            Effect.map(ask("resources/subscribe", { uri }), () => this.#uris?.has(uri) === true && subscribed(uri))
          ))
      ]
      return Effect.forEach(
        requests,
        (request) => Effect.catchAll(request, (error) => SafeLog.debug(`${backend}: not restored: ${error.message}`)),
        // A connection without a session keeps them itself, and asks for all together.
        { concurrency: connection.stateful ? 8 : "unbounded", discard: true }
      )
    })
}
