/**
 * Calls whose client was sent questions of the server, until it repeats the call with the answers.
 */
import { Bytes } from "@mcp-lifeline/core/text"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { randomUUID } from "node:crypto"
import { isTooMuch } from "./parkedLimits.js"
import type { StatelessCall } from "./StatelessCall.js"

/** Tells our `requestState` from those of servers, which may have a Lifeline in front of them, too. */
const ownStatePrefix = `mcp-lifeline:${randomUUID()}:`

/** How long calls wait for input, in milliseconds: a person may have to give it. */
const parkedTime = 10 * 60 * 1000

export interface Parked {
  readonly call: StatelessCall
  /** The id of the request that the questions answered. */
  readonly askedBy: RequestId
  readonly questions: ReadonlySet<RequestId>
  /** By `performance.now`. */
  readonly parkedAt: number
}

export const isOwnState = (state: string | undefined): state is string => state?.startsWith(ownStatePrefix) === true

/** By their `requestState`, in the order of parking. */
export class ParkedCalls {
  readonly #all = new Map<string, Parked>()
  #bytes = 0

  get size(): number {
    return this.#all.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get isTooMuch(): boolean {
    return isTooMuch({ count: this.size, bytes: Bytes(this.#bytes) })
  }

  get oldest(): Parked | undefined {
    return this.#all.values().next().value
  }

  get(state: string | undefined): Parked | undefined {
    return this.#all.get(state ?? "")
  }

  park(call: StatelessCall, askedBy: RequestId, questions: ReadonlySet<RequestId>): string {
    const state = `${ownStatePrefix}${randomUUID()}`
    this.#all.set(state, { call, askedBy, questions, parkedAt: performance.now() })
    this.#bytes += call.bytes
    return state
  }

  take(state: string): void {
    const parked = this.#all.get(state)
    if (this.#all.delete(state)) this.#bytes -= parked?.call.bytes ?? 0
  }

  /** Returns the questions that it was parked for. */
  forget(call: StatelessCall): ReadonlyArray<RequestId> {
    const open: Array<RequestId> = []
    for (const [state, parked] of this.#all) {
      if (parked.call !== call) continue
      this.take(state)
      open.push(...parked.questions)
    }
    return open
  }

  askedBy(id: RequestId): ReadonlyArray<StatelessCall> {
    return [...this.#all.values()].flatMap(({ askedBy, call }) => askedBy === id ? [call] : [])
  }

  overdue(): ReadonlyArray<StatelessCall> {
    const now = performance.now()
    return [...this.#all.values()].flatMap(({ call, parkedAt }) => now - parkedAt > parkedTime ? [call] : [])
  }
}
