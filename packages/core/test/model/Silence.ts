/**
 * Servers that leave a call without an answer: nobody knows whether they live until a probe, or another request, has been answered.
 */
import type { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Exit, Option } from "effect"

/** The last request of a call. */
interface Sent {
  readonly connection: number
  readonly at: number
}

const isTimeout = (exit: Exit.Exit<unknown, unknown> | null): boolean =>
  exit !== null && Exit.isFailure(exit) &&
  Option.exists(
    Cause.failureOption(exit.cause),
    (error) => (error as { readonly _tag?: unknown })._tag === "RequestTimeout"
  )

/** Watches that no call which may not be sent twice is sent to such a server. (H4) */
export class Silence {
  readonly #fault: (what: string) => void
  /** How a call has ended, by its number; null before. */
  readonly #exitOf: (call: number) => Exit.Exit<unknown, unknown> | null
  readonly #sent = new Map<number, Sent>()
  /** When the requests of each session, over its connections, were answered, or failed for another reason. */
  readonly #answers = new Map<number, Array<number>>()

  constructor(
    exitOf: (call: number) => Exit.Exit<unknown, unknown> | null,
    fault: (what: string) => void
  ) {
    this.#exitOf = exitOf
    this.#fault = fault
  }

  /** A request is answered in this way. */
  answers({ session }: ScriptedConnector.ScriptedConnection, answer: ScriptedConnector.Answer, now: number): void {
    if (answer.answer === "never" || answer.answer === "stuck") return
    const at = now + (answer.answer === "die" ? 0 : answer.after ?? 0)
    this.#answers.set(session.id, [...this.#answers.get(session.id) ?? [], at])
  }

  /** A call is sent, by its number. */
  sends(call: number, { id, session }: ScriptedConnector.ScriptedConnection, now: number): void {
    const answers = this.#answers.get(session.id) ?? []
    for (const [other, sent] of this.#sent) {
      if (other === call || sent.connection !== id || !isTimeout(this.#exitOf(other))) continue
      if (answers.some((at) => at >= sent.at && at <= now)) continue
      this.#fault(
        `H4: call ${call} is sent to a server that has answered nothing since it left call ${other} unanswered`
      )
    }
    this.#sent.set(call, { connection: id, at: now })
  }
}
