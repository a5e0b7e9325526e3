/**
 * The supervisor of one backend: one fiber that takes messages, asks `Lifecycle.transition`, publishes one new value of the
 * slot, and then acts. It never waits for an attempt, a timer or a close: each is a fiber that reports by message.
 *
 * Two fences keep what is late from counting: the runtime itself (for losses and refreshes) and an epoch, bumped at each
 * start or cancel of an attempt, a timer or a teardown (for those, which have no generation).
 */
import { Cause, Deferred, Effect, Either, Exit, Fiber, FiberId, Scope } from "effect"
import * as Attempt from "./Attempt.js"
import { Attendant } from "./Attendant.js"
import { Calls } from "./Call.js"
import type { Loss } from "./Connection.js"
import type { ServerNotification } from "./Connector.js"
import * as Discovery from "./Discovery.js"
import type { CommandError, ConnectError } from "./Errors.js"
import { Inbox } from "./internal/Inbox.js"
import { aMoment } from "./internal/moment.js"
import * as SafeLog from "./internal/SafeLog.js"
import * as Lifecycle from "./Lifecycle.js"
import type { BackendOptions } from "./Options.js"
import type { Permits } from "./Permits.js"
import { Budget } from "./Reconnect.js"
import { awaitBounded, type Closed, Owner, type Runtime } from "./Runtime.js"
import type { Installed, Journal, Slot } from "./Slot.js"

/** A command, and the answer that its caller waits for. */
interface PendingCommand {
  readonly command: Command
  readonly answer: Deferred.Deferred<void, CommandError>
}

type Message =
  | { readonly _tag: "Command"; readonly pending: PendingCommand }
  | { readonly _tag: "Demand" }
  | { readonly _tag: "Due"; readonly epoch: number; readonly demanded: boolean }
  | { readonly _tag: "Established"; readonly epoch: number; readonly installed: Installed }
  | { readonly _tag: "Failed"; readonly epoch: number; readonly error: ConnectError }
  | { readonly _tag: "TornDown"; readonly epoch: number }
  | { readonly _tag: "Lost"; readonly runtime: Runtime; readonly loss: Loss }
  | { readonly _tag: "Released"; readonly runtime: Runtime }
  | { readonly _tag: "ListsChanged"; readonly runtime: Runtime }
  | { readonly _tag: "Resumed" }
  | { readonly _tag: "Defect"; readonly source: string; readonly cause: Cause.Cause<never> }

/** What a user can ask of a backend. */
export type Command = "Reconnect" | "Enable" | "Disable" | "Disconnect"

/** The attempt under way. */
interface UnderWay {
  readonly fiber: Fiber.RuntimeFiber<void>
  readonly demanded: boolean
  readonly startedAt: number
}

/** Supervises one backend from `start` until the scope closes. */
export class Supervisor {
  readonly attendant: Attendant
  readonly calls: Calls
  readonly budget: Budget
  /** Completed once: there is a first catalogue, or it is known that there is none yet. */
  readonly settled = Deferred.unsafeMake<void>(FiberId.none)
  readonly #journal: Journal
  readonly #options: BackendOptions
  readonly #permits: Permits
  readonly #inbox = new Inbox<Message>()
  readonly #owner: Owner
  readonly #overlap: boolean
  #fiber: Fiber.RuntimeFiber<void> | undefined
  #epoch = 0
  /** What the table refused last, until it is logged. */
  #refusedEvent: Lifecycle.Event | undefined
  #attempt: UnderWay | undefined
  /** The fibers of attempts that have not ended, cancelled ones too: the next attempt and the teardown wait for them. */
  readonly #attempts = new Set<Fiber.RuntimeFiber<void>>()
  #timer: Fiber.RuntimeFiber<void> | undefined
  #demandQueued = false
  /** What has failed unexpectedly, by source. */
  readonly #defects = new Set<string>()
  /** Commands that end with the attempt under way. */
  #joined: Array<PendingCommand> = []
  /** Commands that end with the teardown under way. */
  #disables: Array<PendingCommand> = []
  /** When the last generation was lost without being asked to, until there is a new one. */
  #lostAt: number | undefined

  constructor(journal: Journal, options: BackendOptions, permits: Permits) {
    const { policy } = journal
    this.#journal = journal
    this.#options = options
    this.#permits = permits
    this.#overlap = policy.reconnect.overlap ?? options.connector.overlap
    journal.onDefect = (source, defect) => this.#tell({ _tag: "Defect", source, cause: Cause.die(defect) })
    this.budget = new Budget(policy.reconnect)
    this.#owner = new Owner(policy.timeouts, (closed) => this.#closed(closed))
    this.attendant = new Attendant(journal, {
      lost: (runtime, loss) => this.#tell({ _tag: "Lost", runtime, loss }),
      released: (runtime) => this.#tell({ _tag: "Released", runtime }),
      settled: () => this.#settle()
    })
    this.calls = new Calls({
      id: journal.id,
      policy,
      cell: journal.cell,
      clock: journal.clock,
      telemetry: journal.telemetry,
      demand: () => {
        if (this.#demandQueued) return
        this.#demandQueued = true
        this.#tell({ _tag: "Demand" })
      },
      suspect: this.attendant.suspect
    })
  }

  // --- life

  /** Starts to work; the scope's finalizer tears everything down, within the bound of a few `timeouts.close`. */
  get start(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.uninterruptible(
      Effect.suspend(() => {
        const next = Effect.suspend(() => {
          const message = this.#inbox.shift()
          return message === undefined
            ? Effect.void
            : Effect.catchAllCause(
              Effect.zipRight(this.#handle(message), this.#logRefused),
              (cause) => this.#survive(message, cause)
            )
        })
        const loop = Effect.forever(Effect.zipRight(Effect.interruptible(this.#inbox.arrived), next))
        const connecting = this.#state._tag === "Connecting"
        if (!connecting) this.#settle()
        // Who was given the backend can begin to listen before the first attempt begins.
        const connect = Effect.flatMap(Effect.interruptible(aMoment), () => this.#connect(false))
        return Effect.forkScoped(connecting ? Effect.zipRight(connect, loop) : loop).pipe(
          Effect.tap((fiber) => {
            this.#fiber = fiber
          }),
          Effect.zipRight(Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, this.#shutdown)))
        )
      })
    )
  }

  /** Asks for something and waits until what it began has ended. Interrupting the caller cancels nothing (L11). */
  command(command: Command): Effect.Effect<void, CommandError> {
    return Effect.suspend(() => {
      if (this.#state._tag === "Closed") return this.#refusal(command)
      const answer = Deferred.unsafeMake<void, CommandError>(FiberId.none)
      this.#tell({ _tag: "Command", pending: { command, answer } })
      return Deferred.await(answer)
    })
  }

  /** The machine was suspended: whatever waits is late, and whatever is connected is in doubt (R11). */
  resumed(): void {
    this.#tell({ _tag: "Resumed" })
  }

  get #shutdown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { current } = this.#journal.cell.get()
      const loss: Loss = { kind: "closed", message: "the backend was closed" }
      if (current !== undefined) this.#journal.tally.pastUptime += this.#journal.now() - current.runtime.installedAt
      this.#epoch++
      this.#move(Lifecycle.Event.Close())
      this.#refuseAll()
      this.#owner.hurry(loss)
      return Effect.gen(this, function*() {
        if (current !== undefined) yield* this.#retire(current.runtime, loss)
        for (const attempt of this.#attempts) attempt.unsafeInterruptAsFork(FiberId.none)
        if (this.#fiber !== undefined) {
          this.#fiber.unsafeInterruptAsFork(FiberId.none)
          yield* awaitBounded(this.#fiber, this.#journal.policy.timeouts.close)
        }
        this.#refuseAll()
        for (let message = this.#inbox.shift(); message !== undefined; message = this.#inbox.shift()) {
          if (message._tag === "Command") this.#answer([message.pending], (command) => this.#refusal(command))
        }
        yield* this.#owner.sweep(loss)
        yield* this.#owner.closed
        this.#settle()
      })
    })
  }

  // --- messages

  #tell(message: Message): void {
    this.#inbox.offer(message)
  }

  /** Run uninterruptibly: it waits for nothing, and what it begins it has to end. */
  #handle(message: Message): Effect.Effect<void> {
    return Effect.suspend(() => {
      switch (message._tag) {
        case "Command":
          return this.#commanded(message.pending)
        case "Demand":
          this.#demandQueued = false
          return this.#hasten()
        case "Due":
          if (message.epoch !== this.#epoch || !this.#move(Lifecycle.Event.Due())) return Effect.void
          return this.#connect(message.demanded)
        case "Established":
          return this.#established(message.epoch, message.installed)
        case "Failed":
          return message.epoch === this.#epoch ? this.#failed(message.error) : Effect.void
        case "TornDown":
          return message.epoch === this.#epoch ? this.#tornDown() : Effect.void
        case "Lost":
          return this.#journal.isCurrent(message.runtime) ? this.#lose(message.runtime, message.loss) : Effect.void
        case "Released":
          return this.#journal.isCurrent(message.runtime) ? this.#released(message.runtime) : Effect.void
        case "ListsChanged":
          return this.attendant.readLists(message.runtime)
        case "Resumed":
          return this.#resume()
        case "Defect":
          return this.#logDefect(message.source, message.cause)
      }
    })
  }

  /**
   * What a message ends with that could not be handled to its end: the supervisor goes on, and the command in hand is
   * answered unless an attempt or a teardown will answer it. (L19)
   */
  #survive(message: Message, cause: Cause.Cause<never>): Effect.Effect<void> {
    if (message._tag === "Command") {
      const { pending } = message
      const joins = this.#joined.includes(pending) || this.#disables.includes(pending)
      if (!joins) this.#answer([pending], () => Exit.failCause(cause))
    }
    return this.#logDefect(`handling of ${message._tag}`, cause)
  }

  /** Logs the first defect of each source: one that fails at every event would flood. */
  #logDefect(source: string, cause: Cause.Cause<never>): Effect.Effect<void> {
    if (this.#defects.has(source)) return Effect.void
    this.#defects.add(source)
    return SafeLog.error(`${this.#journal.id}: ${source} failed and was ignored; this is logged once`, cause)
  }

  get #logRefused(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const event = this.#refusedEvent
      if (event === undefined) return Effect.void
      this.#refusedEvent = undefined
      return SafeLog.debug(`${this.#journal.id}: ${event._tag} does not apply in ${this.#state._tag}`)
    })
  }

  get #state(): Lifecycle.State {
    return this.#journal.cell.get().state
  }

  /** Asks the table, and publishes what it says together with a patch of the slot. False where the event is refused (L2). */
  #move(event: Lifecycle.Event, patch: Partial<Slot> = {}): boolean {
    const { cell } = this.#journal
    const slot = cell.get()
    const transition = Lifecycle.transition(slot.state, event)
    if (transition._tag === "Refused") {
      this.#refusedEvent = event
      return false
    }
    const { state } = transition
    this.#journal.publish({
      state,
      current: state._tag === "Connected" ? slot.current : undefined,
      nextAttemptAt: undefined,
      ...patch
    })
    return true
  }

  // --- attempts

  /** Starts an attempt. `demanded`: a call waits for it, so it does not count as a quick one (R8). */
  #connect(demanded: boolean): Effect.Effect<void> {
    const journal = this.#journal
    const now = journal.now()
    const epoch = this.#cancelTimer()
    const previous = [...this.#attempts]
    const generation = journal.cell.get().generation + 1
    journal.tally.lastAttemptAt = now
    if (demanded) this.budget.demanded(now)
    journal.tell({ _tag: "AttemptStarted", attempt: this.budget.failures + 1 })
    const host: Attempt.Host = {
      journal,
      options: this.#options,
      owner: this.#owner,
      calls: this.calls,
      notified: (runtime, notification) => this.#notified(runtime, notification),
      lost: (runtime, loss) => this.#tell({ _tag: "Lost", runtime, loss })
    }
    const attempt = Effect.gen(this, function*() {
      yield* Fiber.awaitAll(previous)
      if (!this.#overlap) yield* this.#owner.closed
      yield* this.#permits.withPermit(Attempt.establish(host, generation, (outcome) =>
        this.#tell(
          Either.isRight(outcome)
            ? { _tag: "Established", epoch, installed: outcome.right }
            : { _tag: "Failed", epoch, error: outcome.left }
        )))
    })
    return Effect.map(Effect.fork(Effect.interruptible(attempt)), (fiber) => {
      this.#attempt = { fiber, demanded, startedAt: now }
      this.#attempts.add(fiber)
      fiber.addObserver(() => this.#attempts.delete(fiber))
    })
  }

  #established(epoch: number, installed: Installed): Effect.Effect<void> {
    const { connection, runtime } = installed
    const journal = this.#journal
    const before = journal.cell.get().current
    if (epoch !== this.#epoch) {
      return this.#retire(runtime, { kind: "closed", message: "the attempt was cancelled" })
    }
    if (runtime.loss !== undefined) {
      return Effect.zipRight(
        this.#retire(runtime, runtime.loss),
        this.#failed(
          Attempt.connectError(journal.id, "closed", `the connection ended at once: ${runtime.loss.message}`)
        )
      )
    }
    const now = journal.now()
    const startedAt = this.#attempt?.startedAt ?? now
    const lostAt = this.#lostAt
    runtime.installed = true
    runtime.installedAt = now
    this.#attempt = undefined
    this.#lostAt = undefined
    const { tally } = journal
    tally.connections++
    if (tally.connections > 1) tally.reconnects++
    tally.lastSuccessAt = now
    this.#epoch++
    this.#move(Lifecycle.Event.Established(), {
      current: { connection, runtime },
      generation: runtime.generation,
      ...this.#forgiven(before?.runtime)
    })
    this.#left(before?.runtime)
    journal.tell({
      _tag: "Installed",
      generation: runtime.generation,
      duration: now - startedAt,
      downtime: lostAt === undefined ? undefined : now - lostAt
    })
    this.#answerJoined(() => Exit.void)
    return Effect.zipRight(
      before === undefined ? Effect.void : this.#retire(before.runtime),
      this.attendant.attach(installed)
    )
  }

  #failed(error: ConnectError): Effect.Effect<void> {
    const journal = this.#journal
    const attempt = this.#attempt
    const now = journal.now()
    this.#attempt = undefined
    this.#epoch++
    this.#settle()
    const replacing = this.#state._tag === "Connected"
    this.budget.hold(now, error.retryAfter)
    const verdict = replacing
      ? "retry"
      : this.budget.failed(error, attempt?.demanded ?? false, journal.tally.connections > 0)
    journal.tally.errors++
    const event = Lifecycle.Event.AttemptFailed({ verdict, auto: journal.policy.reconnect.auto })
    const told = (nextAttemptAt: number | undefined) =>
      journal.tell({ _tag: "AttemptFailed", error, duration: now - (attempt?.startedAt ?? now), nextAttemptAt })
    return this.#follow(event, replacing ? {} : { lastError: { message: error.message, at: now } }, told).pipe(
      Effect.zipRight(Effect.sync(() => this.#answerJoined(() => Exit.fail(error)))),
      Effect.zipRight(this.calls.waiting > 0 ? this.#hasten() : Effect.void)
    )
  }

  /** Moves to where a failure or a loss leads, and sets the timer that belongs to the state. */
  #follow(
    event: Lifecycle.Event,
    patch: Partial<Slot>,
    told: (nextAttemptAt: number | undefined) => void
  ): Effect.Effect<void> {
    const now = this.#journal.now()
    const next = Lifecycle.transition(this.#state, event)
    if (next._tag === "Refused") return Effect.void
    const due = next.state._tag === "Reconnecting"
      ? this.budget.due(now)
      : next.state._tag === "Dormant"
      ? this.budget.dormant(now)
      : Effect.succeed(undefined)
    return Effect.flatMap(due, (nextAttemptAt) => {
      if (!this.#move(event, { ...patch, nextAttemptAt })) return Effect.void
      told(nextAttemptAt)
      return nextAttemptAt === undefined ? Effect.void : this.#setTimer(nextAttemptAt, false)
    })
  }

  #setTimer(at: number, demanded: boolean): Effect.Effect<void> {
    const epoch = this.#cancelTimer()
    const timer = Effect.suspend(() =>
      Effect.delay(
        Effect.sync(() => this.#tell({ _tag: "Due", epoch, demanded })),
        Math.max(0, at - this.#journal.now())
      )
    )
    return Effect.map(Effect.fork(Effect.interruptible(timer)), (fiber) => {
      this.#timer = fiber
    })
  }

  /** Ends a timer; gives the new epoch. */
  #cancelTimer(): number {
    this.#timer?.unsafeInterruptAsFork(FiberId.none)
    this.#timer = undefined
    return ++this.#epoch
  }

  /** Ends the attempt under way, if any, and everything that waits for it. */
  #cancelAttempt(): void {
    this.#cancelTimer()
    this.#attempt?.fiber.unsafeInterruptAsFork(FiberId.none)
    this.#attempt = undefined
    this.#answerJoined((command) => this.#refused(command))
  }

  /** A call waits: brings the next attempt forward, within bounds (R8). */
  #hasten(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { nextAttemptAt, state } = this.#journal.cell.get()
      if (state._tag === "Idle") {
        this.#move(Lifecycle.Event.Demanded())
        return this.#connect(true)
      }
      if (nextAttemptAt === undefined) return Effect.void
      const now = this.#journal.now()
      const at = this.budget.demandAt(now)
      if (at <= now) return this.#move(Lifecycle.Event.Demanded()) ? this.#connect(true) : Effect.void
      if (at >= nextAttemptAt) return Effect.void
      this.#journal.publish({ nextAttemptAt: at })
      return this.#setTimer(at, true)
    })
  }

  /** After a suspend: one probe decides about a connection; an attempt that waits for its time is made now (R11). */
  #resume(): Effect.Effect<void> {
    const { current, nextAttemptAt } = this.#journal.cell.get()
    if (current !== undefined) return this.attendant.decide(current)
    if (nextAttemptAt === undefined) return Effect.void
    const at = this.budget.earliest(this.#journal.now())
    this.#journal.publish({ nextAttemptAt: at })
    return this.#setTimer(at, false)
  }

  // --- the end of runtimes

  #lose(runtime: Runtime, loss: Loss): Effect.Effect<void> {
    const journal = this.#journal
    const { policy, tally } = journal
    const now = journal.now()
    const uptime = this.#uptime(runtime)
    const proved = this.#proved(runtime)
    const replacing = this.#state._tag === "Connected" && this.#state.replacing
    if (proved) this.budget.reset()
    else this.budget.failures++
    this.budget.hold(now, loss.retryAfter)
    tally.errors++
    tally.pastUptime += uptime
    this.#lostAt = now
    this.calls.sessionLost(runtime.generation)
    // At once only where the server has not asked to wait (R6).
    const resume = loss.kind === "session" && proved && this.budget.earliest(now) === now
    const event = Lifecycle.Event.Lost({ resume, auto: policy.reconnect.auto })
    const told = () => journal.tell({ _tag: "RuntimeLost", generation: runtime.generation, loss, uptime })
    return this.#follow(event, { lastError: { message: loss.message, at: now } }, told).pipe(
      Effect.zipRight(this.#retire(runtime, loss)),
      Effect.zipRight(Effect.suspend(() => {
        if (this.#state._tag === "Connecting" && !replacing) return this.#connect(false)
        return this.calls.waiting > 0 ? this.#hasten() : Effect.void
      }))
    )
  }

  #uptime(runtime: Runtime): number {
    return this.#journal.now() - runtime.installedAt
  }

  /** Whether it has been up for long enough that what failed before it no longer counts. */
  #proved(runtime: Runtime): boolean {
    return this.#uptime(runtime) >= this.#journal.policy.reconnect.stableAfter
  }

  /** What a runtime that has proved itself leaves behind of the failures before it: nothing (R3). */
  #forgiven(runtime: Runtime | undefined): Partial<Slot> {
    return runtime !== undefined && this.#proved(runtime) ? { lastError: undefined } : {}
  }

  /** Counts the time of a runtime that is taken out of the slot, other than by a loss. */
  #left(runtime: Runtime | undefined): void {
    if (runtime === undefined) return
    this.#journal.tally.pastUptime += this.#uptime(runtime)
    if (this.#proved(runtime)) this.budget.reset()
  }

  #released(runtime: Runtime): Effect.Effect<void> {
    if (runtime.vitals.inFlight > 0 || !this.#move(Lifecycle.Event.Released(), this.#forgiven(runtime))) {
      return Effect.void
    }
    this.#left(runtime)
    return this.#retire(runtime)
  }

  /** Retires a runtime; returns at once. */
  #retire(runtime: Runtime, loss?: Loss): Effect.Effect<void> {
    return this.#owner.retire(runtime, loss)
  }

  #closed({ message, outcome, runtime }: Closed): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { generation, installed } = runtime
      const { id, tally } = this.#journal
      if (outcome !== "closed") tally.lastCloseError = message
      if (outcome === "abandoned") tally.abandonedCloses++
      this.#journal.tell({ _tag: "RuntimeClosed", generation, installed, outcome, message })
      return outcome === "closed"
        ? Effect.void
        : SafeLog.warning(`${id}: closing generation ${generation} was ${outcome}: ${message}`)
    })
  }

  // --- commands

  #commanded(pending: PendingCommand): Effect.Effect<void> {
    const { state } = this.#journal.cell.get()
    switch (pending.command) {
      case "Disable":
        return this.#disable(pending)
      case "Disconnect":
        return this.#disconnect(pending)
      case "Reconnect":
        if (state._tag === "Disabled" || state._tag === "Disabling") {
          return Effect.sync(() => this.#answer([pending], (command) => this.#refused(command)))
        }
        return this.#reconnect(pending, Lifecycle.Event.Reconnect({ overlap: this.#overlap }))
      case "Enable":
        if (state._tag === "Connected") return Effect.sync(() => this.#answer([pending], () => Exit.void))
        return this.#reconnect(pending, Lifecycle.Event.Enable())
    }
  }

  /** Starts an attempt, or joins the one under way. */
  #reconnect(pending: PendingCommand, event: Lifecycle.Event): Effect.Effect<void> {
    const { current } = this.#journal.cell.get()
    this.#joined.push(pending)
    const before = this.#state
    const patch = this.#overlap ? { current } : { current: undefined, ...this.#forgiven(current?.runtime) }
    if (!this.#move(event, patch)) return Effect.void
    if (this.#state._tag === "Disabling") return Effect.void
    if (before._tag !== "Connected") this.budget.reset()
    if (current === undefined || this.#overlap) return this.#connect(false)
    this.#left(current.runtime)
    return Effect.zipRight(this.#retire(current.runtime), this.#connect(false))
  }

  #disconnect(pending: PendingCommand): Effect.Effect<void> {
    return this.#end(Lifecycle.Event.Disconnect(), "disconnected").pipe(
      Effect.zipRight(Effect.sync(() => {
        this.#settle()
        this.#answer([pending], () => Exit.void)
      }))
    )
  }

  /** Tears everything down: Disabling until that has ended, then Disabled, nothing ever rolled back (L10). */
  #disable(pending: PendingCommand): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#state._tag === "Disabled") return Effect.sync(() => this.#answer([pending], () => Exit.void))
      this.#disables.push(pending)
      if (this.#state._tag === "Disabling") {
        this.#move(Lifecycle.Event.Disable())
        return Effect.sync(() => this.#answerJoined((command) => this.#refused(command)))
      }
      const attempts = [...this.#attempts]
      const loss: Loss = { kind: "closed", message: "disabled" }
      return Effect.flatMap(this.#end(Lifecycle.Event.Disable(), "disabled"), () => {
        this.#settle()
        const epoch = ++this.#epoch
        const teardown = Effect.gen(this, function*() {
          for (const attempt of attempts) yield* awaitBounded(attempt, this.#journal.policy.timeouts.close)
          yield* this.#owner.sweep(loss)
          yield* this.#owner.closed
          this.#tell({ _tag: "TornDown", epoch })
        })
        return Effect.asVoid(Effect.fork(Effect.interruptible(teardown)))
      })
    })
  }

  #tornDown(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#move(Lifecycle.Event.TornDown())) return Effect.void
      this.#answer(this.#disables.splice(0), () => Exit.void)
      if (this.#state._tag !== "Connecting") return Effect.void
      this.budget.reset()
      return this.#connect(false)
    })
  }

  /** Ends what there is, attempt and runtime, because a command says so. */
  #end(event: Lifecycle.Event, why: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { current } = this.#journal.cell.get()
      if (!this.#move(event, this.#forgiven(current?.runtime))) return Effect.void
      this.#cancelAttempt()
      this.#lostAt = undefined
      this.calls.forgetSessionLoss()
      this.#owner.hurry({ kind: "closed", message: why })
      if (current === undefined) return Effect.void
      this.#left(current.runtime)
      return this.#retire(current.runtime, { kind: "closed", message: why })
    })
  }

  // --- answers

  #answer(pending: ReadonlyArray<PendingCommand>, exit: (command: Command) => Exit.Exit<void, CommandError>): void {
    for (const { answer, command } of pending) Deferred.unsafeDone(answer, exit(command))
  }

  #answerJoined(exit: (command: Command) => Exit.Exit<void, CommandError>): void {
    this.#answer(this.#joined.splice(0), exit)
  }

  /** The error of a command that is not carried out: it names that command, not the one that stands in its way. */
  #refused(command: Command): Exit.Exit<void, CommandError> {
    return Exit.fail(this.calls.unavailable(this.#state, `${command.toLowerCase()} was not carried out`))
  }

  /** The answer to a command once the backend has closed: there is nothing left to disable or to disconnect. */
  #refusal(command: Command): Exit.Exit<void, CommandError> {
    return command === "Disable" || command === "Disconnect" ? Exit.void : this.#refused(command)
  }

  #refuseAll(): void {
    this.#answerJoined((command) => this.#refused(command))
    this.#answer(this.#disables.splice(0), () => Exit.void)
  }

  #settle(): void {
    Deferred.unsafeDone(this.settled, Exit.void)
  }

  // --- notifications

  #notified(runtime: Runtime, notification: ServerNotification): void {
    if (runtime.detached) return
    this.#journal.notifications.emit(notification)
    const kinds = Discovery.changedBy(notification.method)
    if (kinds.length > 0 && this.attendant.listsChanged(runtime, kinds)) this.#tell({ _tag: "ListsChanged", runtime })
  }
}
