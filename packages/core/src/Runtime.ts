/**
 * A runtime: one connection with its scopes, its generation and its vitals; and the owner that acquires runtimes and retires
 * each exactly once.
 *
 * Two scopes: `attached` (keepalive, refresh, idle timer) closes at the detach; the connection's own closes after the drain.
 * This is the only file that closes scopes or forks daemons.
 */
import { Cause, Deferred, Effect, Exit, Fiber, FiberId, Option, Scope } from "effect"
import type { Connection, Loss } from "./Connection.js"
import { type ConnectError, RequestError, requestErrorOf } from "./Errors.js"
import type { Listed } from "./Hints.js"
import type { Policy } from "./Policy.js"

/**
 * What a runtime's requests tell of it. Mutable and bound to the runtime, so that a late report writes to a dead object and
 * changes nothing (L4), and a call allocates no new slot value.
 */
export interface Vitals {
  inFlight: number
  /** When a request was last answered, on the Clock's scale. */
  answeredAt: number
  /** When a call last used the connection. */
  usedAt: number
  discoveryFailures: number
  requestFailures: number
  /** The suspicion probe under way; done when it has ended (H4). */
  probe: Deferred.Deferred<void> | undefined
  /** What the caller's own lists said of the tools of this connection. */
  listed: Listed | undefined
}

/** The server has answered: it is alive, whatever failed before (H2). Of a runtime that was replaced, nobody reads it. */
export const answered = (vitals: Vitals, now: number): void => {
  vitals.answeredAt = now
  vitals.requestFailures = 0
  vitals.discoveryFailures = 0
}

/** One connection, from before it is acquired until it is closed. */
export class Runtime {
  /** Set once, when it is acquired. */
  connection: Connection | undefined
  /** How its transport ended, if it has. */
  loss: Loss | undefined
  /** Detached from the slot or never installed: nothing that it reports counts any more. */
  detached = false
  /** It was the current one, once. */
  installed = false
  installedAt = 0
  acquiring: Fiber.RuntimeFiber<Connection, ConnectError> | undefined
  /** Ends a drain early: called when no call is in flight. */
  onDrained: (() => void) | undefined
  readonly generation: number
  readonly attached: Scope.CloseableScope
  readonly own: Scope.CloseableScope
  readonly vitals: Vitals = {
    inFlight: 0,
    answeredAt: 0,
    usedAt: 0,
    discoveryFailures: 0,
    requestFailures: 0,
    probe: undefined,
    listed: undefined
  }

  constructor(generation: number, attached: Scope.CloseableScope, own: Scope.CloseableScope) {
    this.generation = generation
    this.attached = attached
    this.own = own
  }
}

/** How a close ended. */
export interface Closed {
  readonly runtime: Runtime
  readonly outcome: "closed" | "failed" | "abandoned"
  readonly message: string | undefined
}

/** Acquires runtimes, owns each until it is retired, and knows what is still closing. */
export class Owner {
  /** In here from before its acquire until it is retired; being taken out is what retires. */
  readonly #owned = new Set<Runtime>()
  /** Closes under way, each from the step in which its runtime is taken out of the owned ones. */
  readonly #closing = new Set<Deferred.Deferred<void>>()
  /** Retired on purpose, and not closed before the calls in flight have ended. */
  readonly #draining = new Set<Runtime>()
  readonly #timeouts: Policy["timeouts"]
  readonly #report: (closed: Closed) => Effect.Effect<void>

  constructor(timeouts: Policy["timeouts"], report: (closed: Closed) => Effect.Effect<void>) {
    this.#timeouts = timeouts
    this.#report = report
  }

  /** A runtime that is owned but has no connection yet. */
  make(generation: number): Effect.Effect<Runtime> {
    return Effect.zipWith(Scope.make(), Scope.make(), (attached, own) => {
      const runtime = new Runtime(generation, attached, own)
      this.#owned.add(runtime)
      return runtime
    })
  }

  /**
   * Makes the connection of a runtime in a fiber of its own, so that interrupting the caller or its timeout returns at once
   * however stubborn the connector is; whatever it acquires later goes into the runtime's scope, or is released at once where
   * that has closed.
   */
  acquire(
    runtime: Runtime,
    connect: Effect.Effect<Connection, ConnectError, Scope.Scope>
  ): Effect.Effect<Connection, ConnectError> {
    return Effect.flatMap(
      Effect.forkDaemon(Effect.interruptible(Scope.extend(connect, runtime.own))),
      (fiber) => {
        runtime.acquiring = fiber
        // Not kept once it has ended: a fiber weighs as much as all else that a runtime is.
        fiber.addObserver(() => {
          runtime.acquiring = undefined
        })
        return Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none)))
      }
    )
  }

  /**
   * Retires a runtime: once, however often it is called. A loss fails what is in flight in the same synchronous step; without
   * one, calls get `timeouts.drain` to finish. Returns at once; the close goes on in a fiber of its own.
   */
  retire(runtime: Runtime, loss?: Loss): Effect.Effect<void> {
    return Effect.uninterruptible(Effect.suspend(() => {
      if (!this.#owned.delete(runtime)) return Effect.void
      runtime.detached = true
      if (loss === undefined) this.#draining.add(runtime)
      else fail(runtime, loss)
      const closed = Deferred.unsafeMake<void>(FiberId.none)
      this.#closing.add(closed)
      return Effect.map(
        Effect.forkDaemon(Effect.interruptible(this.#close(runtime, loss === undefined))),
        (fiber) =>
          fiber.addObserver(() => {
            this.#closing.delete(closed)
            Deferred.unsafeDone(closed, Exit.void)
          })
      )
    }))
  }

  /** Retires whatever is still owned: runtimes of attempts, and those established but never installed. */
  sweep(loss: Loss): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#owned], (runtime) => this.retire(runtime, loss), { discard: true })
    )
  }

  /** Fails the calls in flight on runtimes that drain, so that what ends the whole does not wait for them. */
  hurry(loss: Loss): void {
    for (const runtime of this.#draining) fail(runtime, loss)
  }

  /** Ends when everything that is closing now has closed or was abandoned. Bounded, since each close is. */
  get closed(): Effect.Effect<void> {
    return Effect.suspend(() =>
      Effect.forEach([...this.#closing], (closed) => Deferred.await(closed), { discard: true })
    )
  }

  #close(runtime: Runtime, drain: boolean): Effect.Effect<void> {
    const bound = this.#timeouts.close
    return Effect.gen(this, function*() {
      const attached = yield* closeScope(runtime.attached, bound)
      if (drain) yield* this.#drained(runtime)
      this.#draining.delete(runtime)
      const acquiring = runtime.acquiring
      const own = yield* bounded(
        Effect.ensuring(
          Effect.sync(() => runtime.connection?.fail({ kind: "closed", message: "connection closed" })),
          Effect.zipRight(
            acquiring === undefined ? Effect.void : Fiber.interrupt(acquiring),
            Scope.close(runtime.own, Exit.void)
          )
        ),
        bound
      )
      const failed = [own, attached].find((result) => result.outcome !== "closed")
      yield* this.#report({ runtime, ...(failed ?? own) })
    })
  }

  #drained(runtime: Runtime): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (runtime.vitals.inFlight === 0) return resume(Effect.void)
      runtime.onDrained = () => resume(Effect.void)
    }).pipe(Effect.timeoutOption(this.#timeouts.drain), Effect.asVoid)
  }
}

/** Ends what is in flight. A connector that throws here is asked again at the close, where it is reported. */
const fail = (runtime: Runtime, loss: Loss): void => {
  try {
    runtime.connection?.fail(loss)
  } catch {}
}

/**
 * Does it uninterruptibly in a fiber of its own and waits for it with a bound: what is abandoned goes on, and nobody waits.
 */
const bounded = (
  close: Effect.Effect<void>,
  millis: number
): Effect.Effect<{ readonly outcome: Closed["outcome"]; readonly message: string | undefined }> =>
  Effect.flatMap(Effect.forkDaemon(Effect.uninterruptible(close)), (fiber) =>
    Effect.map(
      awaitBounded(fiber, millis),
      Option.match({
        onNone: () => ({ outcome: "abandoned" as const, message: `close did not end within ${millis} ms` }),
        onSome: Exit.match({
          onFailure: (cause) => ({ outcome: "failed" as const, message: Cause.pretty(cause).split("\n", 1)[0] ?? "" }),
          onSuccess: () => ({ outcome: "closed" as const, message: undefined })
        })
      })
    ))

const closeScope = (scope: Scope.CloseableScope, millis: number) => bounded(Scope.close(scope, Exit.void), millis)

/** Closes the scope of a whole backend, whose finalizer is bounded itself. */
export const closeFully = (scope: Scope.CloseableScope): Effect.Effect<void> =>
  Effect.uninterruptible(Scope.close(scope, Exit.void))

/**
 * Closes the scopes of many backends, side by side. The next few begin when the ones before have closed, or soon after: a
 * backend that takes its time delays no other, and where none does, thousands do not lie about half closed.
 */
export const closeAll = (scopes: ReadonlyArray<Scope.CloseableScope>): Effect.Effect<void> =>
  Effect.uninterruptible(Effect.gen(function*() {
    const closing: Array<Fiber.RuntimeFiber<void>> = []
    for (const [i, scope] of scopes.entries()) {
      const fiber = yield* Effect.forkDaemon(closeFully(scope))
      closing.push(fiber)
      if (i % 32 === 31) yield* soon(fiber, 64)
    }
    const exits = yield* Fiber.awaitAll(closing)
    for (const exit of exits) if (Exit.isFailure(exit)) return yield* exit
  }))

/**
 * Waits for the end of a fiber, at most so long. Bounded also where it is run uninterruptibly, as finalizers are, in which
 * `Effect.timeout` is not.
 */
export const awaitBounded = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.flatMap(soon(fiber, 4), (exit) => exit === null ? awaitWithTimer(fiber, millis) : Effect.succeedSome(exit))

/**
 * A request in a fiber of its own, waited for at most so long: also for connectors that forget its timeout, die, interrupt
 * themselves, or cannot be interrupted.
 */
export const within = <A>(request: Effect.Effect<A, RequestError>, millis: number): Effect.Effect<A, RequestError> =>
  // No child of the fiber that waits, which would end only with the request.
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkDaemon(Effect.interruptible(request)), (fiber) => {
      const answer = Effect.flatMap(Effect.yieldNow(), () => {
        const exit = fiber.unsafePoll()
        return exit === null ? waitFor(fiber, millis) : answerOf(exit)
      })
      // Most requests end with their interruption, and the next one may rely on that (K8).
      return Effect.onInterrupt(restore(answer), () => Effect.zipRight(abandon(fiber), soon(fiber, 64)))
    })
  )

const waitFor = <A>(
  request: Fiber.RuntimeFiber<A, RequestError>,
  millis: number
): Effect.Effect<A, RequestError> => {
  const message = `no answer within ${millis} ms`
  return Effect.flatMap(awaitWithTimer(request, millis), (ended) =>
    Option.isSome(ended)
      ? answerOf(ended.value)
      : Effect.zipRight(
        abandon(request),
        Effect.fail(new RequestError({ fate: "unknown", reason: "timeout", message }))
      ))
}

/** Interrupts without waiting for the end. */
const abandon = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))

const answerOf = <A>(exit: Exit.Exit<A, RequestError>): Effect.Effect<A, RequestError> =>
  Exit.isSuccess(exit) ? exit : Effect.fail(requestErrorOf(exit.cause))

/** The end of a fiber that is about to end: most closes need no timer. */
const soon = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, turns: number): Effect.Effect<Exit.Exit<A, E> | null> =>
  Effect.suspend(() => {
    const exit = fiber.unsafePoll()
    return exit !== null || turns === 0
      ? Effect.succeed(exit)
      : Effect.zipRight(Effect.yieldNow(), soon(fiber, turns - 1))
  })

const awaitWithTimer = <A, E>(
  fiber: Fiber.RuntimeFiber<A, E>,
  millis: number
): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.suspend(() => {
    const done = Deferred.unsafeMake<Option.Option<Exit.Exit<A, E>>>(FiberId.none)
    const observer = (exit: Exit.Exit<A, E>) => Deferred.unsafeDone(done, Exit.succeed(Option.some(exit)))
    return Effect.flatMap(
      Effect.forkDaemon(Effect.interruptible(Effect.delay(Deferred.succeed(done, Option.none()), millis))),
      (timer) => {
        fiber.addObserver(observer)
        return Effect.ensuring(
          Deferred.await(done),
          Effect.sync(() => {
            fiber.removeObserver(observer)
            timer.unsafeInterruptAsFork(FiberId.none)
          })
        )
      }
    )
  })
