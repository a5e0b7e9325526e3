/** Retires each runtime exactly once (detached, drained, closed). */
import { Deferred, Effect, Exit, FiberId } from "effect"
import * as SafeLog from "../internal/SafeLog.js"
import { closeWithin } from "../internal/scopes.js"
import type { Loss } from "../port/Connection.js"
import { losses } from "../port/Loss.js"
import type { SuspendedSession } from "../port/SuspendedSession.js"
import { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import { counted } from "../state/Slot.js"
import type { Start } from "./Start.js"

export class RuntimeOwner {
  /** Removal claims the right to close. (L6) */
  readonly #owned = new Set<Runtime>()
  readonly #closing = new Set<Deferred.Deferred<void>>()
  readonly #draining = new Set<Runtime>()
  #suspended: { readonly session: SuspendedSession; readonly runtime: Runtime } | undefined
  /** No attempt waits for it, and the next one does. */
  #start: Start | undefined
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  make(generation: number): Effect.Effect<Runtime> {
    return Effect.tap(
      Runtime.make(generation, this.#backend.temperament),
      (runtime) => Effect.sync(() => this.#owned.add(runtime))
    )
  }

  /** Once; returns at once. A loss that leaves calls no time fails them in the same step. */
  retire(runtime: Runtime, loss?: Loss): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => {
      if (!this.#owned.delete(runtime)) return Effect.void // guard: close-once
      if (this.keeps(runtime)) {
        this.#start = undefined
        this.#backend.update((slot) => ({ ...slot, starting: undefined }))
      }
      runtime.detach()
      const drain = this.#drainOf(loss)
      if (drain > 0) this.#draining.add(runtime)
      else if (loss !== undefined) runtime.fail(loss)
      return this.#inBackground(this.#close(runtime, drain, loss))
    }))
  }

  /** Until the next attempt takes it, or it expires. (V5) */
  keepStart(start: Start): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { runtime } = start
      const backend = this.#backend
      this.#start = start
      backend.update((slot) => slot.starting ? { ...slot, starting: { ...slot.starting, outlives: true } } : slot)
      const expired: Loss = { kind: "closed", message: "the start took longer than startLimit" }
      const end = Effect.suspend(() => this.#start === start ? this.retire(runtime, expired) : Effect.void)
      const late = Effect.sleep(Math.max(start.left(backend.now()), 0))
      return Effect.asVoid(runtime.fork(Effect.zipRight(Effect.raceFirst(late, Effect.ignore(start.wedged)), end)))
    })
  }

  watchStart({ runtime }: Start): void {
    runtime.awaited?.addObserver(() => {
      if (this.keeps(runtime)) this.#backend.send({ _tag: "StartOver", runtime })
    })
  }

  keeps(runtime: Runtime): boolean {
    return this.#start?.runtime === runtime
  }

  takeStart(): Start | undefined {
    const start = this.#start
    this.#start = undefined
    return start
  }

  endStart(loss: Loss): Effect.Effect<void> {
    return Effect.suspend(() => this.#start === undefined ? Effect.void : this.retire(this.#start.runtime, loss))
  }

  /** For the next attempt. The runtime is retired right after. (T11) */
  suspend(runtime: Runtime, loss: Loss): Effect.Effect<void> {
    return Effect.zipRight(
      this.endSuspended,
      Effect.sync(() => {
        const session = this.#backend.safely("the connector's suspend", () => runtime.connection.suspend?.(loss))
        if (session !== undefined) this.#suspended = { session, runtime }
      })
    )
  }

  get suspended(): SuspendedSession | undefined {
    const session = this.#suspended?.session
    return session?.held === true ? session : undefined
  }

  /** A heartbeat or a reading of lists does not count. */
  get isSuspendedAwaited(): boolean {
    return this.suspended?.isAwaited === true && (this.#suspended?.runtime.traffic.inFlight ?? 0) > 0
  }

  resumed(runtime: Runtime): void {
    this.#suspended?.runtime.handOver(runtime)
    this.#suspended = undefined
  }

  /** Returns at once; `closed` waits for the end. */
  get endSuspended(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const session = this.suspended
      this.#suspended = undefined
      return session === undefined
        ? Effect.void
        : this.#inBackground(closeWithin(session.end, this.#backend.policy.timeouts.close))
    })
  }

  retireAll(loss: Loss, but?: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const others = [...this.#owned].filter((runtime) => runtime !== but)
      return Effect.forEach(others, (runtime) => this.retire(runtime, loss), { discard: true })
    })
  }

  /** All but the start that goes on are closed or abandoned. */
  get emptied(): Effect.Effect<void> {
    const loss: Loss = { kind: "closed", message: "the attempt was cancelled" }
    return Effect.zipRight(Effect.suspend(() => this.retireAll(loss, this.#start?.runtime)), this.closed)
  }

  failDraining(loss: Loss): void {
    for (const runtime of this.#draining) runtime.fail(loss)
  }

  get closed(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#closing], (closed) => Deferred.await(closed), { discard: true })
    )
  }

  #inBackground(end: Effect.Effect<unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const closed = Deferred.unsafeMake<void>(FiberId.none)
      this.#closing.add(closed)
      return Effect.map(
        Effect.forkDaemon(Effect.interruptible(end)),
        (fiber) =>
          fiber.addObserver(() => {
            this.#closing.delete(closed)
            Deferred.unsafeDone(closed, Exit.void)
          })
      )
    })
  }

  #drainOf(loss: Loss | undefined): number {
    const { drain } = this.#backend.policy.timeouts
    return loss === undefined ? drain : Math.min(drain, losses[loss.kind].drain)
  }

  #close(runtime: Runtime, drain: number, loss: Loss | undefined): Effect.Effect<void> {
    const backend = this.#backend
    const draining = this.#draining
    const { close } = backend.policy.timeouts
    return Effect.gen(function*() {
      const attached = yield* closeWithin(runtime.closeAttached, close) // guard: tasks-end-at-detach
      if (drain > 0) yield* Effect.timeoutOption(runtime.drained, drain)
      draining.delete(runtime)
      if (loss !== undefined) runtime.fail(loss)
      const connection = yield* closeWithin(runtime.closeConnection, close)
      const failed = [connection, attached].find(({ outcome }) => outcome !== "closed")
      const { message, outcome } = failed ?? connection
      if (failed !== undefined) {
        const abandoned = Number(outcome === "abandoned")
        backend.update((slot) =>
          counted(slot, { lastCloseError: message, abandonedCloses: slot.counts.abandonedCloses + abandoned })
        )
      }
      const { generation, installed } = runtime
      backend.emit({ _tag: "RuntimeClosed", generation, installed, outcome, message })
      if (failed === undefined) return
      yield* SafeLog.warning(`${backend.id}: closing generation ${generation} was ${outcome}: ${message}`)
    })
  }
}
