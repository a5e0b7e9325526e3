/** `Pace` says when connections are made. */
import { Effect, Either, Exit, Random } from "effect"
import type { Calls } from "../calls/Calls.js"
import * as Gates from "../calls/Gates.js"
import type { ConnectError } from "../Errors.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Lifecycle from "../lifecycle/Lifecycle.js"
import type { Loss } from "../port/Connection.js"
import { losses } from "../port/Loss.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState, LastError, Slot } from "../state/BackendState.js"
import { type Attempt, type DoubtedSession, onlyLooks, type PendingCommand, type Timer } from "../state/Message.js"
import type { Attempts } from "./Attempt.js"
import { connectError } from "./connectError.js"
import * as LostSessions from "./LostSessions.js"
import * as Pace from "./Pace.js"
import type { Phase } from "./Phase.js"
import type { RuntimeOwner } from "./RuntimeOwner.js"
import type { RuntimeTasks } from "./RuntimeTasks.js"

export interface Parts {
  readonly backend: BackendState
  readonly phase: Phase
  readonly owner: RuntimeOwner
  readonly attempts: Attempts
  readonly calls: Calls
  readonly tasks: RuntimeTasks
  readonly overlap: boolean
}

const lost = ({ kind, message }: Loss, at: number): LastError => ({ message, reason: kind, at })

const endOfLook = Lifecycle.Event.AttemptFailed({ verdict: "retry", auto: true })

/** Runs in the supervisor's fiber, and waits for nothing. */
export class ConnectionManager {
  readonly #backend: BackendState
  readonly #phase: Phase
  readonly #owner: RuntimeOwner
  readonly #parts: Parts
  #pace = Pace.begin
  /** Lost without being asked to; until there is a new one. */
  #lost: { readonly generation: number; readonly at: number } | undefined

  constructor(parts: Parts) {
    const { backend, owner, phase } = this.#parts = parts
    this.#backend = backend
    this.#phase = phase
    this.#owner = owner
  }

  get pace(): Pace.Pace {
    return this.#pace
  }

  nextDemanded(now: number): number {
    // A call may also wait for the answer in a session that was suspended.
    const { reconnect, timeouts } = this.#backend.policy
    const wait = this.#parts.calls.wait.forConnections > 0 ? this.#parts.calls.wait.shortest : timeouts.wait
    return Pace.nextDemanded(this.#pace, now, wait, reconnect)
  }

  forgetOutage(): void {
    this.#pace = Pace.good(this.#pace)
  }

  forgetLoss(): void {
    this.#lost = undefined
    Gates.forgetSessionLoss(this.#parts.calls)
  }

  // --- attempts

  connect(demanded: boolean, joined: Array<PendingCommand> = [], doubt?: DoubtedSession): Effect.Effect<void> {
    const backend = this.#backend
    const now = backend.now()
    const generation = backend.published.value.generation + 1 // guard: generation-used-once
    const attempt: Attempt = { _tag: "Attempt", demanded, startedAt: now, joined, doubt }
    backend.counters.lastAttemptAt = now
    this.#pace = Pace.attempted(this.#pace, now, demanded)
    if (doubt?.isRefusing !== false) backend.emit({ _tag: "AttemptStarted", attempt: this.#pace.failures + 1 })
    const askAgain = Effect.suspend(() => onlyLooks(attempt) && attempt.doubt?.askAgain || Effect.void)
    return this.#phase.begin(
      attempt,
      this.#parts.attempts.run(generation, askAgain, (outcome) =>
        backend.send(
          Either.isRight(outcome)
            ? { _tag: "Established", attempt, runtime: outcome.right }
            : { _tag: "Failed", attempt, error: outcome.left }
        ))
    )
  }

  established(attempt: Attempt, runtime: Runtime): Effect.Effect<void> {
    const backend = this.#backend
    if (!this.#phase.finish(attempt)) {
      return this.#owner.retire(runtime, { kind: "closed", message: "the attempt was cancelled" })
    }
    if (runtime.loss !== undefined) {
      const reason = runtime.loss.kind === "session" ? "session" : "closed"
      const message = `the connection ended at once: ${runtime.loss.message}`
      const failed = this.#failed(attempt, connectError(backend.id, reason, message))
      return Effect.zipRight(this.#retireLost(runtime, runtime.loss), failed)
    }
    const before = backend.published.value.current
    const doubted = attempt.doubt?.runtime === before ? attempt.doubt?.loss() : undefined
    if (before !== undefined && doubted === undefined && onlyLooks(attempt)) {
      const message = "nothing proves that the silent session is lost"
      const failed = this.#failed(attempt, connectError(backend.id, "closed", message))
      return Effect.zipRight(this.#owner.retire(runtime, { kind: "closed", message }), failed)
    }
    return Effect.gen(this, function*() {
      const now = backend.now()
      const resumed = runtime.connection.resumed === true
      const downtime = this.#lost === undefined ? undefined : now - this.#lost.at
      if (this.#lost !== undefined && !resumed) Gates.sessionLost(this.#parts.calls, this.#lost.generation)
      this.#lost = undefined
      if (resumed) this.#owner.resumed(runtime)
      if (before !== undefined && doubted !== undefined) {
        const uptime = now - before.installedAt
        backend.counters.errors++
        Gates.sessionLost(this.#parts.calls, before.generation)
        backend.emit({ _tag: "RuntimeLost", generation: before.generation, loss: doubted, uptime })
        if (doubted.kind === "session") yield* this.#forgotten(now, uptime)
      }
      runtime.install(now)
      backend.recordConnection()
      this.#phase.move(Lifecycle.Event.Established(), {
        current: runtime,
        generation: runtime.generation,
        ...this.clearErrorIfStable(before),
        ...(doubted === undefined ? {} : { lastError: lost(doubted, now) })
      })
      if (before !== undefined) this.recordUptime(before)
      backend.emit({
        _tag: "Installed",
        generation: runtime.generation,
        duration: now - attempt.startedAt,
        downtime,
        resumed
      })
      for (const pending of attempt.joined) pending.answer(Exit.void) // guard: success-is-answered
      if (before !== undefined) yield* this.#owner.retire(before)
      yield* this.#owner.enter(this.#phase.state) // guard: replaced-session-is-ended
      yield* this.#parts.tasks.attach(runtime)
    })
  }

  attemptFailed(attempt: Attempt, error: ConnectError): Effect.Effect<void> {
    return this.#phase.finish(attempt) ? this.#failed(attempt, error) : Effect.void
  }

  #failed(attempt: Attempt, failure: ConnectError): Effect.Effect<void> {
    const { demanded, doubt, joined, startedAt } = attempt
    return Effect.gen(this, function*() {
      // A later connection says nothing of the doubted session.
      if (doubt !== undefined) yield* this.#owner.endStart({ kind: "closed", message: "the attempt failed" })
      const backend = this.#backend
      const { counters, policy } = backend
      const now = backend.now()
      const duration = now - startedAt
      const replacing = this.#phase.state._tag === "Connected"
      this.#pace = Pace.asked(this.#pace, now, failure.retryAfter, policy.reconnect)
      // The session that it looked beside serves on: nothing has failed for anyone.
      if (replacing && onlyLooks(attempt) && this.#phase.move(endOfLook)) {
        return joined.forEach((pending) => pending.answer(Exit.fail(failure)))
      }
      if (failure.reason === "session") yield* this.#forgotten(now, duration)
      const known = failure.reason === "session" ? LostSessions.describe(this.#pace.sessions, now) : undefined
      const error = known === undefined
        ? failure
        : connectError(backend.id, "session", `${failure.message}; ${known}`, failure.cause)
      // The server lives, and the next handshake may reach a replica that remembers.
      if (error.reason === "session" && !replacing && Pace.earliestSession(this.#pace, now) === now) {
        counters.errors++
        this.#pace = Pace.replacing(this.#pace)
        backend.emit({ _tag: "AttemptFailed", error, duration, nextAttemptAt: now })
        return yield* this.connect(demanded, joined)
      }
      backend.firstOutcome.complete()
      const failed = { error, demanded, everConnected: counters.connections > 0, now, draw: yield* Random.next }
      const after = replacing ? undefined : Pace.attemptFailed(this.#pace, failed, policy.reconnect)
      this.#pace = after?.pace ?? this.#pace
      const verdict = after?.verdict ?? "retry"
      counters.errors++
      yield* this.#follow(
        Lifecycle.Event.AttemptFailed({ verdict, auto: policy.reconnect.auto }),
        replacing ? {} : { lastError: { message: error.message, reason: error.reason, at: now } },
        (nextAttemptAt) => backend.emit({ _tag: "AttemptFailed", error, duration, nextAttemptAt })
      )
      for (const pending of joined) pending.answer(Exit.fail(error)) // guard: failure-is-answered
      if (this.#isAwaited) yield* this.bringForward()
    })
  }

  #forgotten(now: number, age: number): Effect.Effect<void> {
    const before = this.#pace
    const sessions = LostSessions.add(before.sessions, now, age)
    this.#pace = { ...before, sessions }
    return sessions.isWarned && !before.sessions.isWarned
      ? SafeLog.warning(`${this.#backend.id}: ${LostSessions.describe(sessions, now)}`)
      : Effect.void
  }

  /** Also sets the state's timer. `at`: in place of the backoff. */
  #follow(
    event: Lifecycle.Event,
    patch: Partial<Slot>,
    emit: (nextAttemptAt: number | undefined) => void,
    at?: number
  ): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const now = this.#backend.now()
      const { demand, timer } = Lifecycle.entries[Lifecycle.transition(this.#phase.state, event).state._tag]
      const nextAttemptAt = timer === "backoff" && at !== undefined
        ? at
        : timer && this.#next(now, timer, yield* Random.next)
      const { reconnect } = this.#backend.policy
      const demandableFrom = demand === "paced" && reconnect.auto
        ? Pace.nextAfterPermanent(this.#pace, now, reconnect)
        : undefined
      if (!this.#phase.move(event, { ...patch, nextAttemptAt, demandableFrom })) return
      emit(nextAttemptAt)
      yield* this.#owner.enter(this.#phase.state) // guard: hopeless-session-is-ended
      if (nextAttemptAt !== undefined) yield* this.#waitUntil(nextAttemptAt, false)
    })
  }

  #next(now: number, timer: "backoff" | "probe", draw: number): number {
    const { at, pace } = Pace.next(this.#pace, now, timer, draw, this.#backend.policy.reconnect)
    this.#pace = pace
    return at
  }

  #waitUntil(at: number, demanded: boolean): Effect.Effect<void> {
    const timer: Timer = { _tag: "Timer", demanded }
    const wait = this.#backend.sleepUntil(at)
    return this.#phase.begin(timer, Effect.map(wait, () => this.#backend.send({ _tag: "Due", timer })))
  }

  due(timer: Timer): Effect.Effect<void> {
    if (!this.#phase.finish(timer)) return Effect.void
    return this.#phase.move(Lifecycle.Event.Due()) ? this.connect(timer.demanded) : Effect.void
  }

  demanded(): Effect.Effect<void> {
    const { demandableFrom } = this.#backend.published.value
    if (demandableFrom === undefined) return this.bringForward()
    if (this.#backend.now() < demandableFrom) return Effect.void // guard: permanent-failure-keeps-pace
    return this.#connectForCall()
  }

  /** The next attempt takes it, also in place of the current connection. (V5) */
  startOver(runtime: Runtime): Effect.Effect<void> {
    if (!this.#owner.keeps(runtime)) return Effect.void
    if (this.#backend.published.value.current === undefined) return this.demanded()
    return this.#phase.move(Lifecycle.Event.Reconnect({ overlap: true })) ? this.connect(false) : Effect.void
  }

  #connectForCall(): Effect.Effect<void> {
    return this.#phase.move(Lifecycle.Event.Demanded()) ? this.connect(true) : Effect.void
  }

  bringForward(): Effect.Effect<void> {
    const { nextAttemptAt, state } = this.#backend.published.value
    const { demand } = Lifecycle.entries[state._tag]
    if (demand === "connects") return this.#connectForCall()
    if (demand !== "hastens" || nextAttemptAt === undefined) return Effect.void
    const now = this.#backend.now()
    const at = this.nextDemanded(now)
    if (at <= now) return this.#connectForCall()
    if (at >= nextAttemptAt) return Effect.void // guard: demand-only-hastens
    this.#backend.publish({ nextAttemptAt: at })
    return this.#waitUntil(at, true)
  }

  /** One probe decides about a connection; a waiting attempt is made now. (R11) */
  afterClockJump(): Effect.Effect<void> {
    const { current, nextAttemptAt } = this.#backend.published.value
    if (current !== undefined) return this.#parts.tasks.probe.afterClockJump(current)
    if (nextAttemptAt === undefined) return Effect.void
    const at = Pace.earliest(this.#pace, this.#backend.now())
    this.#backend.publish({ nextAttemptAt: at })
    return this.#waitUntil(at, false)
  }

  // --- the end of runtimes

  lose(runtime: Runtime, loss: Loss): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const backend = this.#backend
      if (!backend.isCurrent(runtime)) return // guard: late-loss
      const { work } = this.#phase
      if (work?._tag === "Attempt" && onlyLooks(work) && losses[loss.kind].keepsSession) {
        this.#phase.end()
        this.#phase.move(endOfLook)
        for (const pending of work.joined) pending.answer(Exit.void)
      }
      const now = backend.now()
      const uptime = now - runtime.installedAt
      const good = this.#isGood(runtime, loss)
      const replacing = this.#phase.work?._tag === "Attempt"
      this.recordUptime(runtime, loss)
      this.#pace = Pace.asked(this.#pace, now, loss.retryAfter, backend.policy.reconnect)
      const forgotten = loss.kind === "session"
      const { isAtOnce, isWanted } = losses[loss.kind]
      if (forgotten) yield* this.#forgotten(now, uptime)
      else if (!good && !isWanted) this.#pace = Pace.connectionFailed(this.#pace)
      backend.counters.errors++
      this.#lost = { generation: runtime.generation, at: now } // guard: detach-before-close
      const at = isAtOnce && !replacing ? Pace.earliestSession(this.#pace, now) : undefined // guard: lost-session-at-once
      if (at !== undefined && forgotten) this.#pace = Pace.replacing(this.#pace)
      yield* this.#follow(
        Lifecycle.Event.Lost({ atOnce: at === now, auto: isWanted || backend.policy.reconnect.auto }),
        { lastError: lost(loss, now) },
        () => backend.emit({ _tag: "RuntimeLost", generation: runtime.generation, loss, uptime }),
        at
      )
      yield* replacing ? this.#owner.retire(runtime, loss) : this.#retireLost(runtime, loss) // guard: lost-is-retired
      if (this.#phase.state._tag === "Connecting" && !replacing) yield* this.connect(false)
      else if (this.#isAwaited) yield* this.bringForward()
    })
  }

  get #isAwaited(): boolean {
    return this.#parts.calls.wait.forConnections > 0 || this.#owner.isSuspendedAwaited
  }

  /** The next attempt may go on with its session. (T11) */
  #retireLost(runtime: Runtime, loss: Loss): Effect.Effect<void> {
    const retire = this.#owner.retire(runtime, loss)
    const { state } = this.#phase
    // Heartbeats gave the resumed session up again, with no good one between. (T11, K13)
    const isStuck = loss.kind === "keepalive" && runtime.connection.resumed === true &&
      this.#parts.tasks.keepalive.state.lostInARow > 1
    const mayResume = losses[loss.kind].keepsSession && !isStuck && Lifecycle.entries[state._tag].session === "kept" // (L12)
    return mayResume ? Effect.zipRight(this.#owner.suspend(runtime, loss), retire) : retire
  }

  /** The old session stays until, and unless, there is a new one. (R12, V3) */
  doubt(doubt: DoubtedSession, pending: PendingCommand): Effect.Effect<void> {
    const backend = this.#backend
    const { runtime } = doubt
    const refuse = (why: string): void => pending.answer(Exit.fail(connectError(backend.id, "session", why)))
    return Effect.gen(this, function*() {
      const now = backend.now()
      if (!backend.isCurrent(runtime)) return pending.answer(Exit.void)
      if (!backend.policy.reconnect.auto) return refuse("it does not connect automatically (reconnect.auto)")
      const wait = Pace.earliestSession(this.#pace, now) - now
      if (wait > 0 && !doubt.isRefusing) return refuse("too many sessions were made")
      const again = Effect.map(Effect.sleep(wait), () => backend.send({ _tag: "Doubted", doubt, pending }))
      // Nobody waits for the answer once the runtime is detached.
      if (wait > 0) return void (yield* runtime.fork(again)) // guard: doubt-keeps-pace
      if (!this.#parts.overlap) {
        const loss = doubt.isRefusing ? doubt.loss() : undefined
        if (loss === undefined) return refuse("no other session can be made beside it")
        yield* this.lose(runtime, loss)
        return pending.answer(Exit.void)
      }
      const { work } = this.#phase
      if (work?._tag === "Attempt") {
        if (onlyLooks(work) && doubt.isRefusing) work.doubt = doubt
        return void work.joined.push(pending)
      }
      if (!this.#phase.move(Lifecycle.Event.Reconnect({ overlap: true }))) {
        return refuse("no other session can be made now")
      }
      this.#pace = Pace.replacing(this.#pace) // guard: doubt-takes-a-place
      yield* this.connect(false, [pending], doubt)
    })
  }

  release(runtime: Runtime): Effect.Effect<void> {
    if (!this.#backend.isCurrent(runtime)) return Effect.void
    // A call may have begun since the report.
    if (runtime.inFlight > 0) return Effect.void // guard: used-is-not-released
    if (!this.#phase.move(Lifecycle.Event.Released(), this.clearErrorIfStable(runtime))) return Effect.void
    this.recordUptime(runtime)
    const unused: Loss = { kind: "closed", message: "nobody uses the server" }
    return Effect.zipRight(this.#owner.endStart(unused), this.#owner.retire(runtime))
  }

  clearErrorIfStable(runtime: Runtime | undefined): Partial<Slot> {
    return runtime !== undefined && this.#backend.isStable(runtime) ? { lastError: undefined } : {}
  }

  /** A forgotten session has a pace of its own (R7). (R3, V6) */
  #isGood(runtime: Runtime, loss: Loss | undefined): boolean {
    return this.#backend.isStable(runtime) || (runtime.hasWorked && loss?.kind !== "session")
  }

  recordUptime(runtime: Runtime, loss?: Loss): void {
    this.#backend.counters.pastUptime += this.#backend.now() - runtime.installedAt
    if (this.#isGood(runtime, loss)) this.forgetOutage()
  }
}
