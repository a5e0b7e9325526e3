/**
 * The calls of a client without a session whose client has been sent questions of the server, until it repeats the call with the answers.
 */
import { Bytes } from "@mcp-lifeline/core/internal"
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { randomUUID } from "node:crypto"
import { isTooMuch } from "./parkedLimits.js"
import type { StatelessCall } from "./StatelessCall.js"

/** Tells the values of `requestState` that this process made from those of servers, which may have a Lifeline in front of them, too. */
const ownStatePrefix = `mcp-lifeline:${randomUUID()}:`

/** How long calls wait for input of the client, in milliseconds: a person may have to give it. */
const parkedTime = 10 * 60 * 1000

/** A call whose client has been sent questions of the server. */
export interface Parked {
  readonly call: StatelessCall
  /** The id of the request that the questions answered. */
  readonly askedBy: RequestId
  readonly questions: ReadonlySet<RequestId>
  /** When the call was parked, by `performance.now`. */
  readonly parkedAt: number
}

/** Whether a `requestState` was made by this process. */
export const isOwnState = (state: string | undefined): state is string => state?.startsWith(ownStatePrefix) === true

/** The parked calls of one client, by their `requestState`, in the order in which they were parked. */
export class ParkedCalls {
  readonly #all = new Map<string, Parked>()
  #bytes = 0

  get size(): number {
    return this.#all.size
  }

  /** The bytes of their bodies. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether there are more than there may be. */
  get isTooMuch(): boolean {
    return isTooMuch({ count: this.size, bytes: Bytes(this.#bytes) })
  }

  /** The one that was parked first. */
  get oldest(): Parked | undefined {
    return this.#all.values().next().value
  }

  /** The `requestState` of the one that was parked last. */
  get lastState(): string | undefined {
    return [...this.#all.keys()].at(-1)
  }

  get(state: string | undefined): Parked | undefined {
    return this.#all.get(state ?? "")
  }

  /** Parks a call, and returns its `requestState`. */
  park(call: StatelessCall, askedBy: RequestId, questions: ReadonlySet<RequestId>): string {
    const state = `${ownStatePrefix}${randomUUID()}`
    this.#all.set(state, { call, askedBy, questions, parkedAt: performance.now() })
    this.#bytes += call.bytes
    return state
  }

  /** Its client has come back. */
  take(state: string): void {
    const parked = this.#all.get(state)
    if (this.#all.delete(state)) this.#bytes -= parked?.call.bytes ?? 0
  }

  /** Forgets a call, and returns the questions that it was parked for. */
  forget(call: StatelessCall): ReadonlyArray<RequestId> {
    const open: Array<RequestId> = []
    for (const [state, parked] of this.#all) {
      if (parked.call !== call) continue
      this.take(state)
      open.push(...parked.questions)
    }
    return open
  }

  /** Those that wait because of this request. */
  askedBy(id: RequestId): ReadonlyArray<StatelessCall> {
    return [...this.#all.values()].flatMap(({ askedBy, call }) => askedBy === id ? [call] : [])
  }

  /** Those whose client has not come back in time. */
  overdue(): ReadonlyArray<StatelessCall> {
    const now = performance.now()
    return [...this.#all.values()].flatMap(({ call, parkedAt }) => now - parkedAt > parkedTime ? [call] : [])
  }
}
