import { Deferred, Effect, FiberId } from "effect"
import * as Hints from "../catalog/Hints.js"
import type { RequestError } from "../Errors.js"
import { firstOf } from "../internal/firstOf.js"
import { isRead, type Method, type Params } from "../port/Method.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { type Call, waitingFor } from "./Call.js"

/** To their end, within bounds; `undefined` where the server does not list them. */
export type ReadTools = (runtime: Runtime) => Effect.Effect<ReadonlyArray<unknown> | undefined, RequestError>

interface Reading {
  readonly runtime: Runtime
  readonly ended: Deferred.Deferred<void>
}

/** Tools are read once on each connection for all calls; the runtime keeps what they say. */
export class ToolHints {
  readonly #backend: BackendState
  readonly #readTools: ReadTools
  #reading: Reading | undefined

  constructor(backend: BackendState, readTools: ReadTools) {
    this.#backend = backend
    this.#readTools = readTools
  }

  /** `undefined`: the hints decide, and were never read. `onlyReading`: only the hint that the tool just reads counts. */
  mayRepeat<M extends Method>(
    { method, options, params, tool }: Call<M>,
    { generation, listed }: Runtime,
    onlyReading = false
  ): boolean | undefined {
    const word = options?.idempotent ?? tool?.idempotent
    if (word !== undefined) return word
    if (isRead(method)) return true
    const { policy, published } = this.#backend
    if (method !== "tools/call" || !policy.calls.trustAnnotations) return false
    const { name } = params as Params<"tools/call">
    const said = Hints.of(name, generation, listed, published.value.snapshot)
    return said && (onlyReading ? said.readOnly : said.harmless)
  }

  /** Ends at the latest with the call's time; the reading goes on for others. After a failure the next call begins another. */
  read<M extends Method>(call: Call<M>, runtime: Runtime, isKnown: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (isKnown()) return Effect.void
      const begun = this.#reading?.runtime === runtime ? this.#reading : undefined
      const reading = begun ?? { runtime, ended: Deferred.unsafeMake<void>(FiberId.none) }
      this.#reading = reading
      // The catalogue may come first.
      const known = firstOf(Deferred.await(reading.ended), runtime.until(() => runtime.detached || isKnown()))
      return waitingFor(
        call,
        "waits until the server has listed its tools",
        Effect.zipRight(
          begun === undefined ? this.#begin(reading, runtime) : Effect.void,
          this.#backend.before(call.deadline, known)
        )
      )
    })
  }

  #begin(reading: Reading, runtime: Runtime): Effect.Effect<void> {
    // Each page has that time, too.
    const reads = withDeadline(this.#readTools(runtime), this.#backend.policy.timeouts.request)
    const learnt = Effect.match(reads, {
      onSuccess: (tools) => {
        const { policy: { discovery }, published: { value: { revision } } } = this.#backend
        if (tools === undefined) return this.#forget(reading)
        runtime.listed = Hints.learn(runtime.listed, { tools }, revision, discovery.maxEntries)
      },
      onFailure: () => this.#forget(reading)
    })
    const lease = Effect.acquireUseRelease(
      Effect.sync(() => runtime.begin()),
      () => learnt,
      () => Effect.sync(() => runtime.end(this.#backend.now(), false))
    )
    const ended = Effect.suspend(() => Deferred.succeed(reading.ended, undefined))
    return Effect.uninterruptible(Effect.asVoid(runtime.fork(Effect.ensuring(lease, ended))))
  }

  #forget(reading: Reading): void {
    if (this.#reading === reading) this.#reading = undefined
  }
}
