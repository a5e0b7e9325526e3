/**
 * Calls that wait for their turn, because the server gets only so many at the same time. (C18)
 */
import { Effect, Option } from "effect"
import type { CallError } from "../Errors.js"
import { said } from "../observe/Said.js"
import type { ToolRule } from "../options/Tools.js"
import type { Method, Result } from "../port/Method.js"
import type { BackendState } from "../state/BackendState.js"
import { type Attempt, type Call, waitingFor } from "./Call.js"
import { tooManyWait, unavailable } from "./CallFailure.js"
import { Queue } from "./Queue.js"

/** What has the server work. Lists, pings and the like are not held up by a call that takes long. */
const limited: ReadonlySet<string> = new Set<Method>(["tools/call", "resources/read", "prompts/get"])

/**
 * Limits how many calls of one backend are in flight, on all its connections together. A call has a place from the step that sends its request
 * until that was answered, has failed or was cancelled. While a call waits for a connection, it has only its position: nothing is in flight.
 */
export class QueuedCalls {
  readonly #backend: BackendState
  /** How many calls wait for something else. */
  readonly #others: () => number
  /** Nothing where no option limits a call. */
  readonly #queue: Queue<ToolRule> | undefined

  constructor(backend: BackendState, others: () => number) {
    this.#backend = backend
    this.#others = others
    const { calls: { concurrency }, tools } = backend.policy
    const isUsed = concurrency !== undefined || tools.some((rule) => rule.concurrency !== undefined)
    this.#queue = isUsed ? new Queue(concurrency) : undefined
  }

  /** How many wait now. */
  get count(): number {
    return this.#queue?.waiting ?? 0
  }

  /** A call begins: its position among the others is settled. */
  begin<M extends Method>(call: Call<M>): void {
    if (this.#queue === undefined || !limited.has(call.method)) return
    const lane = call.tool?.lane
    call.ticket = this.#queue.ticket(lane, lane?.concurrency)
  }

  /** Whether a call may be sent now; then it has a place, otherwise its position, until `leave`. */
  take<M extends Method>({ ticket }: Call<M>): boolean {
    return ticket === undefined || this.#queue === undefined || this.#queue.take(ticket)
  }

  /** There is no connection, or one in doubt: a call waits for that, and keeps its position, until `leave`. */
  away<M extends Method>({ ticket }: Call<M>): void {
    if (ticket !== undefined) this.#queue?.away(ticket)
  }

  /** A call has no request in flight any more, and does not wait for its turn. */
  leave<M extends Method>({ ticket }: Call<M>): void {
    if (ticket !== undefined) this.#queue?.leave(ticket)
  }

  /** The caller gives a call up. What remains of it may never begin, and would then not `leave`. */
  giveUp<M extends Method>({ ticket }: Call<M>): void {
    if (ticket?.state === "away") this.#queue?.leave(ticket)
  }

  /** What remains of a call that waits for something: when it ends, the call has neither place nor position. */
  during<M extends Method, A, E>(call: Call<M>, rest: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return call.ticket === undefined ? rest : Effect.ensuring(rest, Effect.sync(() => this.leave(call)))
  }

  /** Waits within the call's time until there is a place, and goes on with the call. Runs within `during`. */
  wait<M extends Method>(
    call: Call<M>,
    again: Attempt
  ): Effect.Effect<Result<M>, CallError> {
    return Effect.suspend(() => {
      const { ticket } = call
      const queue = this.#queue
      if (ticket === undefined || queue === undefined) return again(call)
      const full = tooManyWait(this.#backend, queue.waiting + this.#others())
      if (full !== undefined) return Effect.fail(full)
      const turn = Effect.async<void>((resume) => queue.wait(ticket, () => resume(Effect.void)))
      const late = Effect.suspend(() => {
        const why =
          said`the call was not sent, because its time was over before its turn came (timeout, calls.concurrency)`
        return Effect.fail(unavailable(this.#backend, why))
      })
      return Effect.flatMap(
        waitingFor(call, "waits for its turn", this.#backend.before(call.deadline, turn)),
        (come) => Option.isSome(come) ? again(call) : late
      )
    })
  }
}
