/**
 * Owns the runtimes of one backend: each from before it has a connection until it is retired, exactly once; and the session of
 * the last one, while the network has failed it.
 */
import { Deferred, Effect, Exit, FiberId } from "effect"
import { closeWithin } from "../internal/scopes.js"
import { entries, type State } from "../lifecycle/Lifecycle.js"
import type { Loss } from "../port/Connection.js"
import type { SuspendedSession } from "../port/SuspendedSession.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Start } from "./Start.js"

/**
 * How long the calls in flight on a forgotten session may take to hear from the server, in milliseconds. It refuses each of them by itself,
 * and what it refused is sent again; a call that is cut off instead may have been carried out.
 */
const refusalGrace = 3000

/** Makes runtimes, retires each once, and knows which are still closing. */
export class RuntimeOwner {
  /** Removing a runtime from this set claims the right to close it. (L6) */
  readonly #owned = new Set<Runtime>()
  /** Closes under way, each from the step in which its runtime leaves `#owned`. */
  readonly #closing = new Set<Deferred.Deferred<void>>()
  /** Runtimes that were retired on purpose, or whose session is forgotten: they wait for the calls in flight before they close. */
  readonly #draining = new Set<Runtime>()
  #suspended: { readonly session: SuspendedSession; readonly runtime: Runtime } | undefined
  /** The start that no attempt waits for, and the next one does. */
  #start: Start | undefined
  readonly #backend: BackendState

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** A runtime that is owned but has no connection yet. */
  make(generation: number): Effect.Effect<Runtime> {
    return Effect.tap(
      Runtime.make(generation, this.#backend.temperament),
      (runtime) => Effect.sync(() => this.#owned.add(runtime))
    )
  }

  /**
   * Retires a runtime: once, however often it is called. A loss fails what is in flight in the same synchronous step, but a forgotten
   * session cuts nothing: its calls get 3 s, or `timeouts.drain` where that is shorter, to hear the server's refusal. Without a loss, calls
   * get `timeouts.drain` to finish. Returns at once; the close goes on in a fiber of its own.
   */
  retire(runtime: Runtime, loss?: Loss): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => {
      if (!this.#owned.delete(runtime)) return Effect.void // guard: close-once
      if (this.#start?.runtime === runtime) {
        this.#start = undefined
        this.#backend.startingSince = undefined
      }
      runtime.detach()
      const drain = this.#drainOf(loss)
      if (drain > 0) this.#draining.add(runtime)
      else if (loss !== undefined) runtime.fail(loss)
      return this.#inBackground(this.#close(runtime, drain, loss))
    }))
  }

  /** Keeps a start whose attempt has ended, until the next attempt takes it, or its time is over. (V5) */
  keepStart(start: Start): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { runtime } = start
      const backend = this.#backend
      this.#start = start
      backend.startingSince = start.since
      const expired: Loss = { kind: "closed", message: "the start took longer than startLimit" }
      const expire = Effect.zipRight(this.retire(runtime, expired), Effect.sync(() => backend.publish({})))
      const end = Effect.suspend(() => this.#start === start ? expire : Effect.void)
      return Effect.asVoid(runtime.fork(Effect.delay(end, Math.max(start.left(backend.now()), 0))))
    })
  }

  /** Asks for the next attempt once a start that is kept has ended, and at once if it has. Nobody takes that before the attempt is known to have failed. */
  hasten(start: Start): void {
    start.runtime.awaited?.addObserver(() => {
      if (this.#start === start) this.#backend.demand()
    })
  }

  /** The start that is under way, for an attempt. */
  takeStart(): Start | undefined {
    const start = this.#start
    this.#start = undefined
    return start
  }

  /** Ends the start that no attempt waits for. */
  endStart(loss: Loss): Effect.Effect<void> {
    return Effect.suspend(() => this.#start === undefined ? Effect.void : this.retire(this.#start.runtime, loss))
  }

  /** Keeps the session of a connection that was lost to the network, for the next attempt. To be retired right after. (T11) */
  suspend({ connection, runtime }: LiveConnection, loss: Loss): Effect.Effect<void> {
    return Effect.zipRight(
      this.#endSuspended,
      Effect.sync(() => {
        try {
          const session = connection.suspend?.(loss)
          if (session !== undefined) this.#suspended = { session, runtime }
        } catch (defect) {
          this.#backend.reportDefect("the connector's suspend", defect)
        }
      })
    )
  }

  /** The session that the next attempt may go on with. */
  get suspended(): SuspendedSession | undefined {
    const session = this.#suspended?.session
    return session?.held === true ? session : undefined
  }

  /** Whether a call waits for an answer of the suspended session; a heartbeat or a reading of lists that was under way does not count. */
  get isSuspendedAwaited(): boolean {
    return this.suspended?.isAwaited === true && (this.#suspended?.runtime.inFlight ?? 0) > 0
  }

  /** A runtime that is installed goes on with the suspended session: the calls that wait in it are its own from now on. */
  resumed(runtime: Runtime): void {
    this.#suspended?.runtime.handOver(runtime)
    this.#suspended = undefined
  }

  /** What becomes of the suspended session in a state. Returns at once; `closed` waits for its end. */
  enter({ _tag }: State): Effect.Effect<void> {
    return entries[_tag].session === "ended" ? this.#endSuspended : Effect.void
  }

  get #endSuspended(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const session = this.suspended
      this.#suspended = undefined
      return session === undefined
        ? Effect.void
        : this.#inBackground(closeWithin(session.end, this.#backend.policy.timeouts.close))
    })
  }

  /** Retires whatever is still owned: runtimes of attempts, and those that were never installed. */
  retireAll(loss: Loss): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#owned], (runtime) => this.retire(runtime, loss), { discard: true })
    )
  }

  /** Retires what earlier attempts have left, but the start that goes on, and ends when all of it has closed or was abandoned. */
  get emptied(): Effect.Effect<void> {
    const loss: Loss = { kind: "closed", message: "the attempt was cancelled" }
    const left = Effect.suspend(() =>
      Effect.forEach(
        [...this.#owned],
        (runtime) => runtime === this.#start?.runtime ? Effect.void : this.retire(runtime, loss),
        { discard: true }
      )
    )
    return Effect.zipRight(left, this.closed)
  }

  /** Fails the calls in flight on runtimes that drain, so that a disable or a shutdown does not wait for them. */
  failDraining(loss: Loss): void {
    for (const runtime of this.#draining) runtime.fail(loss)
  }

  /** Ends when everything that is closing now has closed or was abandoned. Bounded, since each close is. */
  get closed(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#closing], (closed) => Deferred.await(closed), { discard: true })
    )
  }

  /** Runs the end of something in a fiber of its own. Its own bound is what `closed` waits for. */
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

  /** How long calls in flight may go on, in milliseconds. */
  #drainOf(loss: Loss | undefined): number {
    const { drain } = this.#backend.policy.timeouts
    if (loss === undefined || loss.kind === "memory") return drain
    return loss.kind === "session" ? Math.min(drain, refusalGrace) : 0
  }

  #close(runtime: Runtime, drain: number, loss: Loss | undefined): Effect.Effect<void> {
    const { close } = this.#backend.policy.timeouts
    return Effect.gen(this, function*() {
      const attached = yield* closeWithin(runtime.closeAttached, close) // guard: tasks-end-at-detach
      if (drain > 0) yield* Effect.timeoutOption(runtime.drained, drain)
      this.#draining.delete(runtime)
      if (loss !== undefined) runtime.fail(loss)
      const connection = yield* closeWithin(runtime.closeConnection, close)
      const failed = [connection, attached].find(({ outcome }) => outcome !== "closed")
      yield* this.#backend.recordClose({ runtime, ...(failed ?? connection) })
    })
  }
}
