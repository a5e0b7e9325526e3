import { Cause, Effect, Either, Exit, Fiber, FiberId, Option } from "effect"
import { constFalse } from "effect/Function"
import { type Calls, session } from "../calls/Calls.js"
import type { ConnectError } from "../Errors.js"
import { awaitAtMost, within } from "../internal/races.js"
import { messageOf, unlessThrown } from "../internal/thrown.js"
import type { BackendOptions } from "../options/BackendOptions.js"
import { connectError, connectErrorOf, lossOf, problemOf } from "../port/checkConnector.js"
import type { Connection } from "../port/Connection.js"
import type { ConnectOptions, Offers } from "../port/Connector.js"
import type { Loss } from "../port/Loss.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { ConnectPermits } from "./ConnectPermits.js"
import type { RuntimeOwner } from "./RuntimeOwner.js"
import * as RuntimeTasks from "./RuntimeTasks.js"
import { Start } from "./Start.js"

export interface Attempts {
  readonly backend: BackendState
  readonly options: BackendOptions
  readonly offers: Offers | undefined
  readonly owner: RuntimeOwner
  readonly calls: Calls
  readonly tasks: RuntimeTasks.RuntimeTasks
  readonly permits: ConnectPermits
  readonly overlap: boolean
  readonly running: Set<Fiber.RuntimeFiber<unknown, unknown>>
  /** One for all: a connector may keep it as long as the connection. */
  readonly beside: NonNullable<ConnectOptions["beside"]>
}

export const make = (parts: Omit<Attempts, "running" | "beside">): Attempts => {
  const { backend, calls, owner, permits } = parts
  return {
    ...parts,
    running: new Set(),
    beside: (work) =>
      Effect.suspend(() => {
        // The program waits for the first attempt.
        const isAwaited = calls.wait.isAwaited || owner.isSuspendedAwaited || !backend.firstOutcome.isComplete
        return isAwaited ? permits.beside(work) : Effect.succeedNone
      })
  }
}

/** After earlier ones and, where two connections would fight, after their closes. `askAgain`: run when the connection is ready. */
export const run = (
  self: Attempts,
  generation: number,
  askAgain: Effect.Effect<void>,
  report: (outcome: Either.Either<Runtime, ConnectError>) => void
): Effect.Effect<void> =>
  Effect.withFiberRuntime((fiber) => {
    const { calls, overlap, owner, permits, running } = self
    const before = [...running]
    running.add(fiber)
    fiber.addObserver(() => running.delete(fiber))
    return Effect.gen(function*() {
      yield* Fiber.awaitAll(before)
      if (!overlap) yield* owner.emptied // guard: no-overlap
      yield* permits.withPermit(establish(self, generation, askAgain, report), calls.wait)
    })
  })

export const interruptAll = ({ running }: Attempts): void => {
  for (const fiber of running) fiber.unsafeInterruptAsFork(FiberId.none)
}

export const ended = ({ running }: Attempts, millis: number): Effect.Effect<void> =>
  Effect.forEach([...running], (fiber) => awaitAtMost(fiber, millis), { discard: true })

/** Always reports an outcome; retires on failure what it acquired, unless a start may go on. (L9) */
const establish = (
  parts: Attempts,
  generation: number,
  askAgain: Effect.Effect<void>,
  report: (outcome: Either.Either<Runtime, ConnectError>) => void
): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { backend, owner } = parts
      const taken = owner.takeStart()
      const start = taken ?? (yield* begun(parts, generation))
      const { runtime } = start
      const { connect } = backend.policy.timeouts
      const millis = start.goesOn ? Math.min(connect, Math.max(start.left(backend.now()), 0)) : connect
      const attempt = Effect.tap(prepared(parts, start), () => askAgain)
      let isOver = false
      backend.isSigningIn = start.isSigningIn
      if (taken === undefined && start.goesOn) {
        const starting = { since: start.since, outlives: false, verdict: undefined }
        backend.update((slot) => ({ ...slot, starting }))
      }
      const timed = within(start.goesOn ? Effect.raceFirst(attempt, start.wedged) : attempt, millis)
      const exit = yield* Effect.exit(restore(Effect.flatMap(
        timed,
        Option.getOrElse(() => {
          isOver = true
          return Exit.fail(connectError(backend.id, "timeout", start.timedOut(backend.now(), millis)))
        })
      )))
      if (backend.isSigningIn === start.isSigningIn) backend.isSigningIn = constFalse
      const goesOn = isOver && runtime.awaited !== undefined && start.left(backend.now()) > 0
      if (Exit.isSuccess(exit) || !goesOn) {
        backend.update((slot) => slot.starting === undefined ? slot : { ...slot, starting: undefined })
      }
      if (Exit.isSuccess(exit)) return report(Either.right(exit.value))
      if (goesOn) yield* owner.keepStart(start)
      else yield* owner.retire(runtime, { kind: "closed", message: "the attempt failed" }) // guard: failed-attempt-is-retired
      report(Either.left(errorOf(backend.id, exit.cause)))
      if (goesOn) owner.watchStart(start)
    })
  )

/** `undefined` unless a start may outlast an attempt, and another follows by itself. */
const limitOf = ({ backend: { policy, temperament }, options: { connector } }: Attempts): number | undefined => {
  const { slowestStart } = temperament.known
  const limit = policy.reconnect.auto ? unlessThrown(() => connector.startLimit?.(slowestStart)) : undefined
  return limit !== undefined && limit > policy.timeouts.connect ? limit : undefined
}

const begun = (parts: Attempts, generation: number): Effect.Effect<Start> =>
  Effect.gen(function*() {
    const start = new Start(parts.backend, yield* parts.owner.make(generation), limitOf(parts))
    if (start.goesOn) yield* start.runtime.fork(start.watch)
    return start
  })

const opened = (parts: Attempts, { goesOn, reported, runtime }: Start): Effect.Effect<Connection, ConnectError> => {
  const { backend, beside, offers, options, owner, tasks } = parts
  const { capabilities, clientInfo, connector, handlers } = options
  const connect = Effect.suspend(() =>
    connector.connect({
      clientInfo,
      capabilities,
      handlers,
      report: (report) =>
        backend.safely("a report of the connector", () =>
          report._tag === "Attempt" ? reported(report) : RuntimeTasks.reported(tasks, runtime, report)),
      timeout: backend.policy.timeouts.connect,
      beside,
      offers,
      known: backend.temperament,
      resume: owner.suspended
    })
  )
  return runtime.acquire(connect, goesOn)
}

const onLost = (backend: BackendState, runtime: Runtime) => (given: Loss): void => {
  const loss = lossOf(given)
  runtime.ended(loss)
  backend.send({ _tag: "Lost", runtime, loss })
}

const prepared = (parts: Attempts, start: Start): Effect.Effect<Runtime, ConnectError> =>
  Effect.gen(function*() {
    const { backend, calls, options: { onConnected } } = parts
    const { runtime } = start
    const connection = yield* opened(parts, start)
    const problem = problemOf(connection)
    if (problem !== undefined) return yield* connectError(backend.id, "defect", problem)
    runtime.opened(connection, backend.now())
    start.opened()
    connection.onLost(onLost(backend, runtime))
    if (connection.resumed === true) return runtime
    yield* calls.sessionState.restore(
      backend.id,
      connection,
      backend.policy.timeouts.request,
      (uri) => backend.tell({ method: "notifications/resources/updated", params: { uri } })
    )
    if (onConnected !== undefined) {
      yield* Effect.catchAllCause(Effect.suspend(() => onConnected(session(calls, runtime))), (failure) => {
        if (Cause.isInterrupted(failure)) return Effect.interrupt
        const cause = Cause.squash(failure)
        return connectError(backend.id, "onConnected", `onConnected failed: ${messageOf(cause)}`, cause)
      })
    }
    return runtime
  })

const errorOf = (id: string, cause: Cause.Cause<ConnectError>): ConnectError =>
  connectErrorOf(id, Option.getOrElse(Cause.failureOption(cause), () => Cause.squash(cause)))
