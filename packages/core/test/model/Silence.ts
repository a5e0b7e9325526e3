import type { ScriptedConnector } from "@mcp-lifeline/testing"
import { Cause, Exit, Option } from "effect"
import { defaults } from "../../src/options/Policy.js"

interface Sent {
  readonly connection: number
  readonly session: number
  readonly at: number
}

const isTimeout = (exit: Exit.Exit<unknown, unknown> | null): boolean =>
  exit !== null && Exit.isFailure(exit) &&
  Option.exists(
    Cause.failureOption(exit.cause),
    (error) => (error as { readonly _tag?: unknown })._tag === "RequestTimeout"
  )

const isInterruption = (exit: Exit.Exit<unknown, unknown> | null): boolean => exit !== null && Exit.isInterrupted(exit)

/** How long a call must have waited in silence so that its caller's end of patience means something. */
const silence = 2000

/** Watches that no call is sent to such a server, whatever it may do (H4, C14), and that callers who give up are heard (H9). */
export class Silence {
  readonly #fault: (what: string) => void
  readonly #exitOf: (call: number) => Exit.Exit<unknown, unknown> | null
  readonly #sent = new Map<number, Sent>()
  readonly #answers = new Map<number, Array<number>>()
  readonly #impatient = new Set<number>()
  /** Requests that were given up after a long silence, and no probe has been seen yet. */
  #givenUp: ReadonlyArray<Sent> = []

  constructor(
    exitOf: (call: number) => Exit.Exit<unknown, unknown> | null,
    fault: (what: string) => void
  ) {
    this.#exitOf = exitOf
    this.#fault = fault
  }

  answers({ session }: ScriptedConnector.ScriptedConnection, answer: ScriptedConnector.Answer, now: number): void {
    if (answer.answer === "never" || answer.answer === "stuck") return
    const at = now + (answer.answer === "die" ? 0 : answer.after ?? 0)
    this.#answers.set(session.id, [...this.#answers.get(session.id) ?? [], at])
  }

  sends(call: number, { id, session }: ScriptedConnector.ScriptedConnection, now: number): void {
    const answers = this.#answers.get(session.id) ?? []
    for (const [other, sent] of this.#sent) {
      const exit = this.#exitOf(other)
      const isUnanswered = isTimeout(exit) || (isInterruption(exit) && this.#impatient.has(other))
      if (other === call || sent.connection !== id || !isUnanswered) continue
      if (answers.some((at) => at >= sent.at && at <= now)) continue
      this.#fault(
        `H4 C14: call ${call} is sent to a server that has answered nothing since it left call ${other} unanswered`
      )
    }
    this.#sent.set(call, { connection: id, session: session.id, at: now })
  }

  givesUp(call: number, now: number): void {
    const sent = this.#sent.get(call)
    if (sent === undefined || now - sent.at < silence || this.#hasAnswered(sent)) return
    this.#impatient.add(call)
    this.#givenUp = [...this.#givenUp, { ...sent, at: now }]
  }

  atRest(current: number | undefined, pingedAt: number, leaptAt: number, now: number): void {
    this.#givenUp = this.#givenUp.filter((sent) => {
      const { at, connection } = sent
      if (connection !== current || pingedAt >= at || this.#hasAnswered(sent)) return false
      // The next probe of a doubt that there was before is due by then.
      if (now - Math.max(at, leaptAt) <= defaults.keepalive.suspectInterval + silence) return true
      this.#fault(`H9: a call was given up at ${at}, and no probe was sent until ${now}`)
      return false
    })
  }

  #hasAnswered({ at, session }: Sent): boolean {
    return (this.#answers.get(session) ?? []).some((answered) => answered >= at)
  }
}
