/** Calls that wait for their turn, because the server gets only so many at the same time. (C13, C18) */
import { Effect, Option } from "effect"
import type { BackendUnavailable } from "../Errors.js"
import { said } from "../observe/Said.js"
import type { ToolRule } from "../options/Tools.js"
import type { Method } from "../port/Method.js"
import type { BackendState } from "../state/BackendState.js"
import { type Call, waitingFor } from "./Call.js"
import { tooManyWait, unavailable } from "./CallFailure.js"
import { Queue, type Ticket } from "./Queue.js"

/** Lists, pings and the like are not held up by a call that takes long. */
const limited: ReadonlySet<string> = new Set<Method>(["tools/call", "resources/read", "prompts/get"])

const isInFlight = (ticket: Ticket | undefined): boolean => ticket === undefined || ticket.state === "inFlight"

/** On all connections together. A call has a place, and where its kind is limited further a turn, while it is in flight. */
export class QueuedCalls {
  readonly #backend: BackendState
  readonly #others: () => number
  readonly #places: Queue<never>
  /** Nothing where no option limits some calls further. */
  readonly #turns: Queue<ToolRule> | undefined
  #count = 0

  constructor(backend: BackendState, others: () => number) {
    this.#backend = backend
    this.#others = others
    const { calls: { concurrency, maxInFlight }, tools } = backend.policy
    this.#places = new Queue(maxInFlight)
    const isUsed = concurrency !== undefined || tools.some((rule) => rule.concurrency !== undefined)
    this.#turns = isUsed ? new Queue(concurrency) : undefined
  }

  get count(): number {
    return this.#count
  }

  begin<M extends Method>(call: Call<M>): void {
    const lane = call.tool?.lane
    call.place = this.#places.ticket()
    call.turn = limited.has(call.method) ? this.#turns?.ticket(lane, lane?.concurrency) : undefined
  }

  /** After false it has its position, until `leave`. */
  take<M extends Method>({ place, turn }: Call<M>): boolean {
    return (isInFlight(turn) || this.#turns?.take(turn!) === true) && (place === undefined || this.#places.take(place))
  }

  /** The call waits for a connection, or the verdict on one, and keeps its position, until `leave`. */
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

  /** Whoever interrupts that calls `leave`. */
  wait<M extends Method>(call: Call<M>): Effect.Effect<void, BackendUnavailable> {
    return Effect.uninterruptibleMask((restore) => {
      const { place, turn } = call
      const full = tooManyWait(this.#backend, this.#count + this.#others())
      if (full !== undefined) return Effect.fail(full)
      // In the step that looks: others that come at the same time find it.
      this.#count++
      const come = Effect.async<void>((resume) => {
        const wake = () => resume(Effect.void)
        if (turn !== undefined && turn.state !== "inFlight") this.#turns?.wait(turn, wake)
        else if (place !== undefined) this.#places.wait(place, wake)
        else wake()
      })
      const late = Effect.suspend(() => {
        const limit = isInFlight(turn) ? said`calls.maxInFlight` : said`calls.concurrency`
        const why = said`the call was not sent, because its time was over before its turn came (timeout, ${limit})`
        return Effect.fail(unavailable(this.#backend, why))
      })
      return Effect.flatMap(
        Effect.ensuring(
          restore(waitingFor(call, "waits for its turn", this.#backend.before(call.deadline, come))),
          Effect.sync(() => this.#count--)
        ),
        (come) => Option.isSome(come) ? Effect.void : late
      )
    })
  }
}
