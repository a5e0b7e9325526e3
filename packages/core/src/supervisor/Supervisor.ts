/** One fiber takes messages, and does what `step` says. Attempts, timers and closes report by message. */
import { Cause, Deferred, Effect, Either, Exit, Fiber, FiberId, Layer, Random, Scope } from "effect"
import { unavailable } from "../calls/CallFailure.js"
import * as Calls from "../calls/Calls.js"
import * as ProgressBeats from "../calls/ProgressBeats.js"
import * as GivenLists from "../discovery/GivenLists.js"
import * as Refresh from "../discovery/Refresh.js"
import type { CommandError } from "../Errors.js"
import * as Probes from "../health/Probes.js"
import { awaitAtMost } from "../internal/races.js"
import * as SafeLog from "../internal/SafeLog.js"
import { open, said } from "../observe/Said.js"
import type { BackendOptions } from "../options/BackendOptions.js"
import type { RuntimeLayer } from "../options/CallOptions.js"
import type { Loss } from "../port/Connection.js"
import type { Offers } from "../port/Connector.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import {
  answers,
  type Attempt,
  type Command,
  type Message,
  type Move,
  onlyLooks,
  type PendingCommand,
  pendingCommand,
  type Work
} from "../state/Message.js"
import type { Slot } from "../state/Slot.js"
import * as Attempts from "./Attempt.js"
import type { ConnectPermits } from "./ConnectPermits.js"
import { RuntimeOwner } from "./RuntimeOwner.js"
import * as RuntimeTasks from "./RuntimeTasks.js"
import { Action, type At, type Step } from "./step/Action.js"
import { connect } from "./step/attempts.js"
import { step } from "./step/step.js"

export class Supervisor {
  readonly calls: Calls.Calls
  readonly tasks: RuntimeTasks.RuntimeTasks
  readonly #backend: BackendState
  readonly #owner: RuntimeOwner
  readonly #attempts: Attempts.Attempts
  readonly #overlap: boolean
  readonly #layers: ReadonlyArray<RuntimeLayer>
  #working: Fiber.RuntimeFiber<void> | undefined
  #scope: Scope.Scope | undefined
  #defects: Set<string> | undefined

  constructor(
    backend: BackendState,
    options: BackendOptions,
    offers: Offers | undefined,
    permits: ConnectPermits,
    layers: ReadonlyArray<RuntimeLayer> = []
  ) {
    this.#layers = layers
    const overlap = this.#overlap = backend.policy.reconnect.overlap ?? options.connector.overlap
    const owner = this.#owner = new RuntimeOwner(backend)
    const tasks = this.tasks = RuntimeTasks.make(backend, options.connector.usageLimit?.(), options.keepalive?.schedule)
    const readTools = (runtime: Runtime) => Refresh.tools(tasks.refresh, runtime)
    const isProcess = options.connector.transport === "stdio"
    const whole = GivenLists.make(backend, () => tasks.refresh.isWanted)
    const calls = this.calls = Calls.make({ backend, liveness: tasks.liveness, readTools, whole, isProcess })
    this.#attempts = Attempts.make({ backend, options, offers, owner, calls, tasks, permits, overlap })
    this.#backend = backend
  }

  /** The finalizer takes at most a few `timeouts.close`. */
  get start(): Effect.Effect<void, never, Scope.Scope> {
    const backend = this.#backend
    const next = Effect.suspend(() => {
      const message = backend.inbox.shift()
      return message === undefined ? Effect.void : Effect.catchAllCause(
        Effect.suspend(() => this.#handle(message)),
        (cause) => this.#survive(message, cause) // guard: supervisor-survives
      )
    })
    const loop = Effect.forever(Effect.zipRight(Effect.interruptible(backend.inbox.arrived), next))
    const first = Effect.suspend(() => {
      if (backend.published.value.state._tag === "Connecting") return this.#perform(connect)
      backend.tellFirstOutcome()
      return Effect.void
    })
    return Effect.uninterruptible(
      Effect.flatMap(Effect.scope, (scope) => {
        this.#scope = scope
        return Effect.flatMap(
          Effect.forkScoped(Effect.zipRight(first, loop)),
          (fiber) => Scope.addFinalizer(scope, Effect.suspend(() => this.#shutdown(fiber)))
        )
      })
    )
  }

  /** Interrupting the caller cancels nothing. (L11) */
  command(command: Command): Effect.Effect<void, CommandError> {
    return Effect.suspend(() => {
      const pending = pendingCommand(command)
      if (this.#backend.published.value.state._tag === "Closed") this.#refuse(pending)
      else this.#backend.send({ _tag: "Command", pending })
      return Deferred.await(pending.answer)
    })
  }

  #shutdown(fiber: Fiber.RuntimeFiber<unknown>): Effect.Effect<void> {
    const loss: Loss = { kind: "closed", message: "the backend was closed" }
    const wait = Effect.suspend(() => {
      this.#answerInbox()
      Attempts.interruptAll(this.#attempts)
      fiber.unsafeInterruptAsFork(FiberId.none)
      return awaitAtMost(fiber, this.#backend.policy.timeouts.close)
    })
    return Effect.all([
      this.#move({ _tag: "Close" }),
      wait,
      Effect.sync(() => this.#answerInbox()),
      this.#owner.retireAll(loss), // guard: shutdown-retires-all
      this.#owner.endSuspended, // guard: shutdown-ends-session
      this.#owner.closed,
      Effect.sync(() => this.#backend.tellFirstOutcome())
    ], { discard: true })
  }

  #answerInbox(): void {
    const { inbox } = this.#backend
    for (let message = inbox.shift(); message !== undefined; message = inbox.shift()) {
      if (message._tag === "Command" || message._tag === "Doubted") this.#refuse(message.pending) // guard: shutdown-answers
    }
  }

  /** Uninterruptible: it waits for nothing, and what it begins it has to end. */
  #handle(message: Message): Effect.Effect<void> {
    const backend = this.#backend
    switch (message._tag) {
      case "Demand":
        backend.takeDemand()
        return this.#move(message)
      case "StartOver":
        return this.#owner.keeps(message.runtime) ? this.#move(message) : Effect.void
      case "Established": {
        const { current, work } = backend.published.value
        const doubt = work?.id === message.work ? (work as Attempt).doubt : undefined
        const doubted = doubt?.runtime === current ? doubt?.loss() : undefined
        return this.#move({ ...message, doubted })
      }
      case "ListsChanged":
        return Refresh.readChanged(this.tasks.refresh, message.runtime)
      case "Suspected":
        return Probes.suspect(this.tasks.liveness, message.runtime)
      case "ProgressWanted":
        return this.#scope === undefined
          ? Effect.void
          : Effect.asVoid(Effect.forkIn(Effect.interruptible(ProgressBeats.run(this.calls)), this.#scope))
      case "Used":
        return RuntimeTasks.used(this.tasks, message.runtime)
      case "Measured": {
        const loss = RuntimeTasks.judged(this.tasks, message.runtime)
        return loss === undefined ? Effect.void : this.#move({ _tag: "Lost", runtime: message.runtime, loss })
      }
      case "Defect":
        return this.#logDefect(message.source, Cause.die(message.defect))
      default:
        return this.#move(message)
    }
  }

  #move(move: Move): Effect.Effect<void> {
    return this.#perform((slot, at) => step(slot, move, at))
  }

  /** The slot is written before anything else happens. */
  #perform(decide: (slot: Slot, at: At) => Step): Effect.Effect<void> {
    return Effect.flatMap(Random.next, (draw) => {
      const [slot, actions] = decide(this.#backend.published.value, this.#at(draw))
      this.#backend.update(() => slot) // guard: detach-before-close
      return Effect.forEach(actions, (action) => this.#act(action), { discard: true })
    })
  }

  #at(draw: number): At {
    const { id, policy } = this.#backend
    const { wait } = this.calls
    const waiting = wait.forConnections > 0
    return {
      id,
      now: this.#backend.now(),
      draw,
      policy,
      overlap: this.#overlap,
      // A call may also wait for the answer in a session that was suspended.
      wait: waiting ? wait.shortest : policy.timeouts.wait,
      isAwaited: waiting || this.#owner.isSuspendedAwaited
    }
  }

  #act(action: Action): Effect.Effect<void> {
    const backend = this.#backend
    const owner = this.#owner
    return Action.$match(action, {
      Tell: ({ event }) => Effect.sync(() => backend.emit(event)),
      Warn: ({ text }) => SafeLog.warning(text),
      Refused: ({ event: { _tag } }) =>
        SafeLog.debug(`${backend.id}: ${_tag} does not apply in ${backend.published.value.state._tag}`),
      Answer: ({ exit, pending }) => Effect.sync(() => Deferred.unsafeDone(pending.answer, exit)),
      Refuse: ({ pending }) => Effect.sync(() => this.#refuse(pending)),
      Begin: ({ work }) => this.#begin(work),
      Interrupt: () => Effect.sync(() => this.#working?.unsafeInterruptAsFork(FiberId.none)),
      Attach: ({ runtime }) => this.#attach(runtime),
      Resume: ({ runtime }) => Effect.sync(() => owner.resumed(runtime)),
      Suspend: ({ loss, runtime }) => owner.suspend(runtime, loss),
      EndSuspended: () => owner.endSuspended,
      Retire: ({ loss, runtime }) => owner.retire(runtime, loss), // guard: returns-at-once
      FailDraining: ({ loss }) => Effect.sync(() => owner.failDraining(loss)),
      EndStart: ({ loss }) => owner.endStart(loss),
      Probe: ({ runtime }) => Probes.afterClockJump(this.tasks.liveness, runtime),
      DoubtLater: ({ doubt, pending, wait }) => {
        const again = Effect.map(Effect.sleep(wait), () => backend.send({ _tag: "Doubted", doubt, pending }))
        return Effect.asVoid(doubt.runtime.fork(again))
      },
      FirstOutcome: () => Effect.sync(() => backend.tellFirstOutcome()),
      Decide: ({ move }) => this.#move(move)
    })
  }

  #attach(runtime: Runtime): Effect.Effect<void> {
    runtime.install()
    const own = runtime.build(RuntimeTasks.layer(this.tasks, runtime))
    if (this.#layers.length === 0) return own
    const session = Calls.session(this.calls, runtime)
    const given = this.#layers.map((layer) =>
      runtime.fork(Effect.catchAllCause(
        runtime.build(Layer.suspend(() => layer(session))),
        (cause) => Cause.isInterruptedOnly(cause) ? Effect.void : this.#logDefect("the layer for each runtime", cause)
      ))
    )
    return Effect.zipRight(own, Effect.all(given, { discard: true }))
  }

  #begin(work: Work): Effect.Effect<void> {
    return Effect.map(Effect.fork(Effect.interruptible(this.#run(work))), (fiber) => {
      if (this.#backend.published.value.work?.id !== work.id) return fiber.unsafeInterruptAsFork(FiberId.none)
      this.#working = fiber
      // A fiber that has ended weighs as much as a runtime.
      fiber.addObserver(() => {
        if (this.#working === fiber) this.#working = undefined
      })
    })
  }

  #run(work: Work): Effect.Effect<void> {
    const backend = this.#backend
    const { id } = work
    switch (work._tag) {
      case "Timer":
        return Effect.map(backend.sleepUntil(work.at), () => backend.send({ _tag: "Due", work: id }))
      case "Teardown": {
        const ended = Attempts.ended(this.#attempts, backend.policy.timeouts.close)
        return Effect.all([
          ended,
          this.#owner.retireAll({ kind: "closed", message: "disabled" }),
          this.#owner.closed, // guard: teardown-is-awaited
          Effect.sync(() => backend.send({ _tag: "TornDown", work: id }))
        ], { discard: true })
      }
      case "Attempt": {
        const askAgain = Effect.suspend(() => {
          const { work } = backend.published.value
          return work?.id === id && work._tag === "Attempt" && onlyLooks(work) && work.doubt?.askAgain || Effect.void
        })
        return Attempts.run(this.#attempts, work.generation, askAgain, (outcome) =>
          backend.send(
            Either.isRight(outcome)
              ? { _tag: "Established", work: id, runtime: outcome.right }
              : { _tag: "Failed", work: id, error: outcome.left }
          ))
      }
    }
  }

  #refuse(pending: PendingCommand): void {
    const { command } = pending
    const isClosed = this.#backend.published.value.state._tag === "Closed"
    const isDone = isClosed && (command === "Disable" || command === "Disconnect")
    const why = said`${open(command.toLowerCase())} was not carried out`
    Deferred.unsafeDone(pending.answer, isDone ? Exit.void : Exit.fail(unavailable(this.#backend, why)))
  }

  #survive(message: Message, cause: Cause.Cause<never>): Effect.Effect<void> {
    const { work } = this.#backend.published.value
    if ((message._tag === "Command" || message._tag === "Doubted") && !answers(work, message.pending)) {
      Deferred.unsafeDone(message.pending.answer, Exit.failCause(cause))
    }
    return this.#logDefect(`handling of ${message._tag}`, cause)
  }

  /** Once for each source: more would flood. (L19) */
  #logDefect(source: string, cause: Cause.Cause<never>): Effect.Effect<void> {
    const defects = this.#defects ??= new Set()
    if (defects.has(source)) return Effect.void
    defects.add(source)
    return SafeLog.error(`${this.#backend.id}: ${source} failed and was ignored; this is logged once`, cause)
  }
}
