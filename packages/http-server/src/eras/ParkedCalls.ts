/** Calls whose client was sent questions of the server, until it repeats the call with the answers. */
import type { RequestId } from "@modelcontextprotocol/sdk/types.js"
import { constVoid } from "effect/Function"
import { randomUUID } from "node:crypto"
import type { Park } from "./parkedLimits.js"
import type { StatelessCall } from "./StatelessCall.js"

/** Tells our `requestState` from those of servers, which may have a Lifeline in front of them, too. */
const ownStatePrefix = `mcp-lifeline:${randomUUID()}:`

/** How long calls wait for input, in milliseconds: a person may have to give it. */
export const parkedTime = 10 * 60 * 1000

export interface Parked {
  readonly call: StatelessCall
  /** The id of the request that the questions answered. */
  readonly askedBy: RequestId
  readonly questions: ReadonlySet<RequestId>
  /** By `performance.now`. */
  readonly parkedAt: number
  readonly leave: () => void
}

export const isOwnState = (state: string | undefined): state is string => state?.startsWith(ownStatePrefix) === true

/** By their `requestState`, in the order of parking. */
export class ParkedCalls {
  readonly #all = new Map<string, Parked>()
  #park: Park
  readonly #abandon: (call: StatelessCall) => void

  constructor(park: Park, abandon: (call: StatelessCall) => void) {
    this.#park = park
    this.#abandon = abandon
  }

  get size(): number {
    return this.#all.size
  }

  get(state: string): Parked | undefined {
    return this.#all.get(state)
  }

  park(call: StatelessCall, askedBy: RequestId, questions: ReadonlySet<RequestId>): string {
    const state = `${ownStatePrefix}${randomUUID()}`
    let leave = constVoid
    this.#all.set(state, { call, askedBy, questions, parkedAt: performance.now(), leave: () => leave() })
    leave = this.#park(call.bytes, () => this.#abandon(call), state)
    // It may have made room itself.
    if (!this.#all.has(state)) leave()
    return state
  }

  take(state: string): void {
    this.#all.get(state)?.leave()
    this.#all.delete(state)
  }

  /** Gives all places back, for good. */
  leave(): void {
    this.#park = () => constVoid
    for (const { leave } of this.#all.values()) leave()
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

  where(matches: (parked: Parked) => boolean): ReadonlyArray<StatelessCall> {
    return [...this.#all.values()].flatMap((parked) => matches(parked) ? [parked.call] : [])
  }
}
