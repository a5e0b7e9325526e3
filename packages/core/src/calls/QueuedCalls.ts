/** Calls that wait because the server gets only so many at once. Order: `internal/Queue`. (C13, C18) */
import { Effect } from "effect"
import { Queue } from "../internal/Queue.js"
import type { Policy } from "../options/Policy.js"
import type { ToolRule } from "../options/Tools.js"
import type { Method } from "../port/Method.js"
import type { Call } from "./Call.js"

/** Not lists, pings and the like: a long call must not hold them up. */
const limited: ReadonlySet<string> = new Set<Method>(["tools/call", "resources/read", "prompts/get"])

/** On all connections together. A call in flight has a place, and a turn where its kind is limited further. */
export class QueuedCalls {
  readonly #places: Queue<never>
  readonly #turns: Queue<ToolRule> | undefined

  constructor({ calls: { concurrency, maxInFlight }, tools }: Policy) {
    this.#places = new Queue(maxInFlight)
    const isUsed = concurrency !== undefined || tools.some((rule) => rule.concurrency !== undefined)
    this.#turns = isUsed ? new Queue(concurrency) : undefined
  }

  begin<M extends Method>(call: Call<M>): void {
    const lane = call.tool?.lane
    call.place = this.#places.ticket()
    call.turn = limited.has(call.method) ? this.#turns?.ticket(lane, lane?.concurrency) : undefined
  }

  /** After false it has its position, until `leave`. */
  take<M extends Method>(call: Call<M>): boolean {
    const { place, turn } = call
    return (this.isItsTurn(call) || this.#turns?.take(turn!) === true) &&
      (place === undefined || this.#places.take(place))
  }

  /** It waits for a connection or a verdict, and keeps its position until `leave`. */
  away<M extends Method>({ place, turn }: Call<M>): void {
    // Those that wait for a place get it when what is in flight has ended.
    if (place !== undefined) this.#places.leave(place)
    if (turn !== undefined) this.#turns?.away(turn)
  }

  /** While its task runs, it is still its turn. */
  ended<M extends Method>(call: Call<M>): void {
    if (call.task === undefined || call.task.isOver) this.leave(call)
    else if (call.place !== undefined) this.#places.leave(call.place)
  }

  leave<M extends Method>({ place, turn }: Call<M>): void {
    if (place !== undefined) this.#places.leave(place)
    if (turn !== undefined) this.#turns?.leave(turn)
  }

  isItsTurn<M extends Method>({ turn }: Call<M>): boolean {
    return turn === undefined || turn.state === "inFlight"
  }

  /** Whoever interrupts that calls `leave`. */
  comes<M extends Method>(call: Call<M>): Effect.Effect<void> {
    return Effect.async((resume) => {
      const wake = () => resume(Effect.void)
      if (!this.isItsTurn(call)) this.#turns?.wait(call.turn!, wake)
      else if (call.place !== undefined) this.#places.wait(call.place, wake)
      else wake()
    })
  }
}
