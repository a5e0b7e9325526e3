/**
 * One fiber takes messages, asks `Lifecycle.transition`, publishes the slot, and acts. It waits for nothing: attempts, timers and closes are
 * fibers that report by message.
 */
import { Cause, Effect, Exit, type Fiber, FiberId, Scope } from "effect"
import * as Calls from "../calls/Calls.js"
import * as ProgressBeats from "../calls/progress/ProgressBeats.js"
import type { CommandError } from "../Errors.js"
import { awaitAtMost } from "../internal/deadline.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Lifecycle from "../lifecycle/Lifecycle.js"
import type { BackendOptions } from "../options/BackendOptions.js"
import type { Loss } from "../port/Connection.js"
import type { Offers } from "../port/Connector.js"
import type { BackendState } from "../state/BackendState.js"
import { type Command, type Message, PendingCommand } from "../state/Message.js"
import { Attempts } from "./Attempt.js"
import { Commands } from "./Commands.js"
import { ConnectionManager } from "./ConnectionManager.js"
import type { ConnectPermits } from "./ConnectPermits.js"
import { Phase } from "./Phase.js"
import { RuntimeOwner } from "./RuntimeOwner.js"
import { RuntimeTasks } from "./RuntimeTasks.js"

export class Supervisor {
  readonly calls: Calls.Calls
  readonly tasks: RuntimeTasks
  readonly connections: ConnectionManager
  readonly #backend: BackendState
  readonly #phase: Phase
  readonly #owner: RuntimeOwner
  readonly #attempts: Attempts
  readonly #commands: Commands
  #scope: Scope.Scope | undefined
  #fiber: Fiber.RuntimeFiber<void> | undefined
  #defects: Set<string> | undefined

  constructor(
    backend: BackendState,
    options: BackendOptions,
    offers: Offers | undefined,
    permits: ConnectPermits
  ) {
    const overlap = backend.policy.reconnect.overlap ?? options.connector.overlap
    const phase = this.#phase = new Phase(backend)
    const owner = this.#owner = new RuntimeOwner(backend)
    const tasks = this.tasks = new RuntimeTasks(backend, options.connector.usageLimit?.())
    const isProcess = options.connector.transport === "stdio"
    const { doubt, probe, refresh } = tasks
    const calls = this.calls = Calls.make({ backend, probe, doubt, readTools: refresh.tools, isProcess })
    const attempts = this.#attempts = new Attempts(
      { backend, options, offers, owner, calls, tasks },
      permits,
      overlap
    )
    const parts = { backend, phase, owner, attempts, calls, tasks, overlap }
    const connections = this.connections = new ConnectionManager(parts)
    this.#commands = new Commands({ ...parts, connections })
    this.#backend = backend
  }

  // --- life

  /** The finalizer takes at most a few `timeouts.close`. */
  get start(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.uninterruptible(
      Effect.gen(this, function*() {
        const next = Effect.suspend(() => {
          const message = this.#backend.inbox.shift()
          return message === undefined ? Effect.void : Effect.catchAllCause(
            Effect.zipRight(this.#handle(message), this.#phase.logRefused),
            (cause) => this.#survive(message, cause) // guard: supervisor-survives
          )
        })
        const loop = Effect.forever(Effect.zipRight(Effect.interruptible(this.#backend.inbox.arrived), next))
        const connecting = this.#phase.state._tag === "Connecting"
        if (!connecting) this.#backend.firstOutcome.complete()
        const work = Effect.suspend(() => connecting ? Effect.zipRight(this.connections.connect(false), loop) : loop)
        this.#fiber = yield* Effect.forkScoped(work)
        this.#scope = yield* Effect.scope
        yield* Scope.addFinalizer(this.#scope, this.#shutdown)
      })
    )
  }

  /** Interrupting the caller cancels nothing. (L11) */
  command(command: Command): Effect.Effect<void, CommandError> {
    return Effect.suspend(() => {
      if (this.#phase.state._tag === "Closed") return this.#commands.answerWhenClosed(command)
      const pending = new PendingCommand(command)
      this.#backend.send({ _tag: "Command", pending })
      return pending.answered
    })
  }

  get #shutdown(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { current } = this.#backend.published.value
      const loss: Loss = { kind: "closed", message: "the backend was closed" }
      if (current !== undefined) this.connections.recordUptime(current)
      this.#phase.move(Lifecycle.Event.Close())
      this.#commands.endWork()
      this.#answerInbox()
      this.#owner.failDraining(loss)
      if (current !== undefined) yield* this.#owner.retire(current, loss)
      this.#attempts.interruptAll()
      if (this.#fiber !== undefined) {
        this.#fiber.unsafeInterruptAsFork(FiberId.none)
        yield* awaitAtMost(this.#fiber, this.#backend.policy.timeouts.close)
      }
      // The message in hand may have begun something before the interruption.
      this.#commands.endWork()
      this.#answerInbox()
      yield* this.#owner.retireAll(loss) // guard: shutdown-retires-all
      yield* this.#owner.enter(this.#phase.state) // guard: shutdown-ends-session
      yield* this.#owner.closed
      this.#backend.firstOutcome.complete()
    })
  }

  #answerInbox(): void {
    const { inbox } = this.#backend
    for (let message = inbox.shift(); message !== undefined; message = inbox.shift()) {
      if (message._tag !== "Command" && message._tag !== "Doubted") continue
      message.pending.answer(this.#commands.answerWhenClosed(message.pending.command)) // guard: shutdown-answers
    }
  }

  // --- messages

  /** Uninterruptible: it waits for nothing, and what it begins it has to end. */
  #handle(message: Message): Effect.Effect<void> {
    return Effect.suspend(() => {
      switch (message._tag) {
        case "Command":
          return this.#commands.carryOut(message.pending)
        case "Demand":
          this.#backend.takeDemand()
          return this.connections.demanded()
        case "StartOver":
          return this.connections.startOver(message.runtime)
        case "Due":
          return this.connections.due(message.timer)
        case "Established":
          return this.connections.established(message.attempt, message.runtime)
        case "Failed":
          return this.connections.attemptFailed(message.attempt, message.error)
        case "TornDown":
          return this.#commands.tornDown(message.teardown)
        case "Lost":
          return this.connections.lose(message.runtime, message.loss)
        case "Doubted":
          return this.connections.doubt(message.doubt, message.pending)
        case "Unused":
          return this.connections.release(message.runtime)
        case "ListsChanged":
          return this.tasks.refresh.readChanged(message.runtime)
        case "Suspected":
          return this.tasks.probe.onSuspicion(message.runtime)
        case "ProgressWanted": {
          const beats = ProgressBeats.run(this.calls, () => this.connections.pace.failures + 1)
          return this.#scope === undefined
            ? Effect.void
            : Effect.asVoid(Effect.forkIn(Effect.interruptible(beats), this.#scope))
        }
        case "Used":
          return this.tasks.used(message.runtime)
        case "Measured": {
          const loss = this.tasks.judged(message.runtime)
          return loss === undefined ? Effect.void : this.connections.lose(message.runtime, loss)
        }
        case "ClockJumped":
          return this.connections.afterClockJump()
        case "Defect":
          return this.#logDefect(message.source, Cause.die(message.defect))
      }
    })
  }

  #survive(message: Message, cause: Cause.Cause<never>): Effect.Effect<void> {
    if ((message._tag === "Command" || message._tag === "Doubted") && !this.#phase.willAnswer(message.pending)) {
      message.pending.answer(Exit.failCause(cause))
    }
    return this.#logDefect(`handling of ${message._tag}`, cause)
  }

  /** Once for each source: failing at every event would flood. (L19) */
  #logDefect(source: string, cause: Cause.Cause<never>): Effect.Effect<void> {
    const defects = this.#defects ??= new Set()
    if (defects.has(source)) return Effect.void
    defects.add(source)
    return SafeLog.error(`${this.#backend.id}: ${source} failed and was ignored; this is logged once`, cause)
  }
}
