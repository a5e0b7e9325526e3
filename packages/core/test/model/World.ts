/** A backend in a simulated world, with what holds at every published slot, at every request that is sent, and at rest. */
import type { Backend, ConnectOptions, Loss, Policy } from "@mcp-lifeline/core"
import { Ledger, ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Cause, Deferred, Effect, Either, Exit, Fiber, FiberRef, HashSet, Layer, Logger, LogLevel, Scope } from "effect"
import { measure } from "../../src/backend/start.js"
import { request } from "../../src/calls/Calls.js"
import * as Refresh from "../../src/discovery/Refresh.js"
import * as Heartbeats from "../../src/health/Heartbeats.js"
import * as Probes from "../../src/health/Probes.js"
import * as Lifecycle from "../../src/lifecycle/Lifecycle.js"
import type { Observer } from "../../src/observe/Telemetry.js"
import { decode } from "../../src/options/Policy.js"
import { BackendState } from "../../src/state/BackendState.js"
import type { Command } from "../../src/state/Message.js"
import { nextDemanded } from "../../src/state/Pace.js"
import { unbounded } from "../../src/supervisor/ConnectPermits.js"
import { Supervisor } from "../../src/supervisor/Supervisor.js"
import { Closes, closeTimeout } from "./Closes.js"
import { Expiry } from "./Expiry.js"
import { Pace } from "./Pace.js"
import { type Fate, Refusals, type Refused } from "./Refusals.js"
import { type Mode, Server } from "./Server.js"
import { Silence } from "./Silence.js"
import { Slots } from "./Slots.js"
import { Verdicts } from "./Verdicts.js"

export interface Setting {
  readonly maxOps: number
  readonly seed: number
  readonly auto: boolean
  readonly overlap: boolean
  /** A start goes on when its attempt is over. */
  readonly patient?: boolean
  readonly lazy: boolean
  readonly idleRelease: boolean
  /** What `onConnected` does: a request, or a request and then every second time a failure. */
  readonly prepare: "nothing" | "asks" | "fails"
  /** Whether the logger and the telemetry throw, every second time. */
  readonly throwing: boolean
  readonly suspends: boolean
  readonly expires?: boolean
  readonly sights?: boolean
}

const everySecondTime = () => {
  let times = 0
  return () => {
    if (times++ % 2 === 0) throw new Error("broken on purpose")
  }
}

interface Running<A, E> {
  readonly command: Command | undefined
  readonly fiber: Fiber.RuntimeFiber<A, E>
  readonly budget: number
  /** When it has to have ended: known from the first rest on, since before that it may not have begun. */
  until: number | undefined
  interrupted: boolean
}

const takesTime: ScriptedConnector.Outcome = { after: 5 }

/** How long an unused connection is kept, in milliseconds, in worlds that release them. */
export const idleRelease = 45_000
const drainTimeout = 3000

const isDone = (fiber: Fiber.RuntimeFiber<unknown, unknown>): Exit.Exit<unknown, unknown> | null => fiber.unsafePoll()

export class World {
  readonly faults: Array<string> = []
  readonly log: Array<string> | undefined
  readonly sim: Simulation.Simulation
  readonly script: ScriptedConnector.ScriptedConnector
  readonly backend: BackendState
  readonly supervisor: Supervisor
  readonly calls: Array<Running<unknown, unknown>> = []
  readonly commands: Array<Running<void, unknown>> = []
  readonly #scope: Scope.CloseableScope
  readonly #pace = new Pace({
    fault: (what) => this.fault(what),
    isAuto: () => this.#setting.auto,
    isCommanded: () => this.#isCommanded(),
    isSilent: (connection) => this.#server.isSilent(connection)
  })
  readonly #refusals = new Refusals((what) => this.fault(what))
  readonly #silence = new Silence((call) => this.calls[call]?.fiber.unsafePoll() ?? null, (what) => this.fault(what))
  readonly #verdicts = new Verdicts({
    isSeen: () => this.#setting.sights === true,
    now: () => this.sim.now,
    leaptAt: () => this.#pace.leaptAt,
    fault: (what) => this.fault(what)
  })
  readonly #expiry: Expiry
  readonly #server: Server
  readonly #closes: Closes
  readonly #slots: Slots
  readonly #setting: Setting
  /** When the world was first at rest since a connection ceased to be the current one. */
  readonly #drainsSince = new Map<number, number>()
  #disconnects = 0
  #paused = false
  /** An attempt to replace a connection has failed: the refusals of the old one were believed. */
  #replacementFailed = false
  #attempts = 0
  /** New sessions beside silent ones, until it is settled which one stays. */
  #looks = 0
  /** The generations whose Layer is built. */
  readonly #built = new Set<number>()
  #prepared = 0
  #nextCall = 0
  #closing: Fiber.RuntimeFiber<void> | undefined

  constructor(setting: Setting, log?: Array<string>) {
    this.log = log
    this.#setting = setting
    this.#expiry = new Expiry({ isGranted: setting.expires === true, fault: (what) => this.fault(what) })
    this.#server = new Server({
      refusals: this.#refusals,
      silence: this.#silence,
      expiry: this.#expiry,
      verdicts: this.#verdicts,
      grants: setting.expires === true,
      now: () => this.sim.now,
      // Then nobody waits for what probes find.
      ignoresPings: () => this.backend.published.value.keepalive.breaker !== undefined,
      fault: (what) => this.fault(what)
    })
    this.sim = new Simulation.Simulation({ seed: setting.seed, maxOps: setting.maxOps })
    this.script = ScriptedConnector.make({
      overlap: setting.overlap,
      startLimit: setting.patient === true ? 70_000 : undefined
    })
    this.script.otherwise = { ...takesTime, suspends: setting.suspends }
    if (setting.sights === true) {
      this.script.sight = (connection) => connection && this.#verdicts.sight(connection.id)
    }
    this.script.respond = (method, params, connection) => this.#server.respond(method, params, connection)
    this.#closes = new Closes(this.script, () => this.sim.now, (what) => this.fault(what))
    this.#watchLedger()
    const policy: Policy.Policy = Either.getOrThrow(decode("model", {
      keepalive: { interval: "60 seconds", timeout: "2 seconds" },
      timeouts: { close: closeTimeout, drain: drainTimeout },
      reconnect: { auto: setting.auto },
      lifecycle: { lazy: setting.lazy, idleRelease: setting.idleRelease ? idleRelease : "never" }
    }))
    const connect = this.script.connect
    Object.assign(this.script, {
      connect: (options: Parameters<typeof connect>[0]) => {
        const attempt = connect(this.#refusals.isOffered(options.resume) ? this.#anew(options) : options)
        return this.#counted(attempt)
      }
    })
    this.backend = new BackendState("model", policy, this.sim.clock)
    this.#watchLooks()
    if (setting.throwing) {
      const broken = everySecondTime()
      const call: Observer["call"] = (_, params) => {
        broken()
        return { attempt: () => (broken(), { params, span: undefined, end: broken }), end: broken }
      }
      const observer = { hasSpans: false, event: broken, beat: broken, breakerOpened: broken, call }
      measure(this.backend, this.script, { observe: () => observer })
    }
    this.supervisor = new Supervisor(
      this.backend,
      {
        connector: this.script,
        onConnected: setting.prepare === "nothing" ? undefined : (session) => this.#counted(this.#prepare(session))
      },
      undefined,
      unbounded,
      [({ generation }) => {
        const built = Effect.sync(() => this.#built.add(generation))
        return Layer.scopedDiscard(
          Effect.acquireRelease(built, () => Effect.sync(() => this.#built.delete(generation)))
        )
      }]
    )
    this.backend.events.listen((event) => {
      if (event._tag === "RuntimeClosed" && event.installed) this.#slots.retired(event.generation)
      if (event._tag === "AttemptFailed" && this.backend.published.value.current !== undefined) {
        this.#replacementFailed = true
      }
      if (event._tag === "AttemptFailed") this.#pace.attemptFailed(event.error.retryAfter, event.at)
      if (event._tag === "RuntimeLost") {
        this.#pace.lost(event.loss, event.at)
        const connection = this.#slots.connectionOf(event.generation)!
        this.#refusals.lost(connection, event)
        this.#verdicts.lost(connection, event.loss)
      }
    })
    this.#slots = new Slots(this.backend.published.value, {
      script: this.script,
      server: this.#server,
      refusals: this.#refusals,
      now: () => this.sim.now,
      isAsked: () => this.#isAsked(),
      isDisconnected: () => this.#disconnects > 0,
      fault: (what) => this.fault(what)
    })
    this.backend.published.listen(() => this.#published())
    this.#scope = Effect.runSync(Scope.make())
    const start = Scope.extend(this.supervisor.start, this.#scope)
    this.sim.fork(setting.throwing ? this.#logged(start) : start)
    this.sim.runUntilIdle()
  }

  #logged<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const loggers = HashSet.make<[Logger.Logger<unknown, unknown>]>(Logger.make(everySecondTime()))
    return work.pipe(
      Effect.locally(FiberRef.currentLoggers, loggers),
      Logger.withMinimumLogLevel(LogLevel.Info)
    )
  }

  #counted<A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.acquireUseRelease(
      Effect.sync(() => this.#attempts++),
      () => work,
      () => Effect.sync(() => this.#attempts--)
    )
  }

  #anew({ resume, ...options }: ConnectOptions): ConnectOptions {
    const session = resume?.take() as ScriptedConnector.ScriptedConnection["session"] | undefined
    session?.over("forgotten", this.sim.now)
    return options
  }

  #watchLooks(): void {
    const { inbox } = this.backend
    const offer = inbox.offer
    inbox.offer = (message) => {
      if (message._tag === "Doubted" && !message.doubt.isRefusing) {
        this.#looks++
        this.sim.fork(
          Effect.ensuring(Effect.exit(Deferred.await(message.pending.answer)), Effect.sync(() => this.#looks--))
        )
      }
      offer.call(inbox, message)
    }
  }

  #prepare(session: Backend.Session): Effect.Effect<void, unknown> {
    const ask = session.request("completion/complete", {
      ref: { type: "ref/prompt", name: "p" },
      argument: { name: "a", value: "" }
    })
    return this.#setting.prepare === "fails" && this.#prepared++ % 2 === 1
      ? Effect.zipRight(ask, Effect.fail("not prepared"))
      : Effect.asVoid(ask)
  }

  fault(what: string): void {
    this.faults.push(`t=${this.sim.now} ${what}`)
  }

  note(what: () => string): void {
    this.log?.push(`t=${this.sim.now} ${what()}`)
  }

  next(outcome: ScriptedConnector.Outcome): void {
    if (outcome.error?.retryAfter !== undefined) this.#pace.delayed = true
    const { suspends } = this.#setting
    this.script.script({ ...outcome, suspends })
  }

  lose(kind: Loss["kind"], age: number): void {
    const live = this.script.connections.filter((connection) => connection.state === "open")
    live.at(-1 - age)?.lose(kind)
  }

  forget(at: number, times: number, words: "known" | Fate): void {
    this.#server.forget({ at, times, words })
    if (words !== "known") this.#readsForDoubts()
  }

  refuse(refused: Refused): void {
    this.#refusals.refuse(refused)
    this.#readsForDoubts()
  }

  #readsForDoubts(): void {
    this.#pace.refreshed = true
  }

  /** Fires the next timer, whatever is still to run before it: to what runs then, the process stood still until now. */
  fire(): void {
    this.sim.fire()
    this.#pace.leapt(this.sim.now)
    this.#expiry.leapt(this.sim.now)
  }

  run(tasks: number): void {
    for (let i = 0; i < tasks; i++) this.sim.step()
  }

  /** Runs until the supervisor is told that a connection is unused, and has not heard it; where that does not happen, all there is. */
  runUntilUnused(): void {
    const { inbox } = this.backend
    const offer = inbox.offer
    let isTold = false
    inbox.offer = (message) => {
      isTold ||= message._tag === "Unused"
      offer.call(inbox, message)
    }
    while (!isTold && this.sim.step()) {}
    inbox.offer = offer
  }

  mode(mode: Mode): void {
    for (const { id } of this.script.connections) this.#server.mode(id, mode)
  }

  notify(): void {
    for (const connection of this.script.connections) connection.notify("notifications/tools/list_changed")
  }

  command(command: Command, interrupt: boolean): void {
    const fiber = this.sim.fork(this.supervisor.command(command))
    this.commands.push({ command, fiber, budget: Number.POSITIVE_INFINITY, until: undefined, interrupted: interrupt })
    if (command === "Disconnect") this.#disconnects++
    this.#pace.commands++
    if (interrupt) this.sim.fork(Fiber.interrupt(fiber))
  }

  /** `reads`: it may be sent any number of times. */
  call(budget: number, reads = false): void {
    const id = this.#nextCall++
    const { calls } = this.supervisor
    const options = { timeout: budget, wait: budget }
    const fiber: Fiber.RuntimeFiber<unknown, unknown> = this.sim.fork<unknown, unknown>(
      reads
        ? request(calls, "prompts/get", { name: "read", arguments: { id: String(id) } }, options)
        : request(calls, "tools/call", { name: "echo", arguments: { id } }, options)
    )
    fiber.addObserver((exit) => this.#verdicts.ended(id, Exit.isSuccess(exit)))
    this.calls.push({ command: undefined, fiber, budget, until: undefined, interrupted: false })
  }

  interruptCall(index: number): void {
    const call = this.calls[index]
    if (call === undefined) return
    call.interrupted = true
    if (isDone(call.fiber) === null) this.#silence.givesUp(index, this.sim.now)
    this.sim.fork(Fiber.interrupt(call.fiber))
  }

  giveUp(): void {
    this.interruptCall(this.calls.length - 1)
  }

  /** Somebody reads the lists or asks after the health, in a fiber of his own that no detach interrupts. */
  ask(what: "refresh" | "probe"): void {
    const { liveness, refresh } = this.supervisor.tasks
    const { current } = this.backend.published.value
    if (what === "refresh") this.#pace.refreshed = true
    if (current === undefined) return
    if (what === "refresh") this.sim.fork(Refresh.now(refresh, current))
    // Of two who ask at once, one may count.
    else for (const _ of [1, 2]) this.sim.fork(Probes.now(liveness, current))
  }

  look(): void {
    Refresh.touch(this.supervisor.tasks.refresh)
    this.#expiry.looked(this.backend.published.value, this.sim.now)
  }

  pause(paused: boolean): void {
    this.#paused = paused
    this.sim.fork(
      paused ? Heartbeats.pause(this.supervisor.tasks.keepalive) : Heartbeats.resume(this.supervisor.tasks.keepalive)
    )
  }

  shutdown(): void {
    this.#closing ??= this.sim.fork(Scope.close(this.#scope, Exit.void))
  }

  #watchLedger(): void {
    const { ledger } = this.script
    const write = ledger.write.bind(ledger)
    ledger.write = (entry: Ledger.Entry) => {
      write(entry)
      this.note(() => JSON.stringify(entry))
      this.#pace.wrote(entry)
      if (entry._tag === "Sent" && !entry.refused) this.#sent(entry.connection, entry.method)
      this.#closes.wrote(entry, this.backend.published.value.current?.connection.peer.pid)
    }
  }

  #sent(id: number, method: string): void {
    const slot = this.backend.published.value
    const isCurrent = slot.current?.connection.peer.pid === id
    if (!isCurrent && method === "ping") {
      this.fault(`K9: ${method} sent on connection ${id}, which is not the current one`)
    }
    if (this.script.ledger.closing.includes(id)) this.fault(`L5: ${method} sent on connection ${id}, which is closing`)
  }

  #published(): void {
    const slot = this.backend.published.value
    this.note(() => `${slot.state._tag} generation=${slot.generation} current=${slot.current?.generation}`)
    const before = this.#slots.published(slot)
    this.#pace.published(before, slot, () => this.sim.now)
    if (slot.state._tag === "Disabled") this.#closes.disabled()
  }

  /** A command that is not answered or was abandoned, any call, or a start that has ended after its attempt. */
  #isAsked(): boolean {
    const { lastError } = this.backend.published.value
    const mayHaveStarted = this.#setting.patient === true && lastError?.reason === "timeout"
    return this.calls.length > 0 || this.#isCommanded() || mayHaveStarted
  }

  #isCommanded(): boolean {
    return this.commands.some(({ fiber, interrupted }) => interrupted || isDone(fiber) === null)
  }

  atRest(): void {
    this.#pace.atRest(this.backend.published.value, this.sim.now)
    const { current, lastError, nextAttemptAt, state } = this.backend.published.value
    const connection = current?.connection.peer.pid
    this.#silence.atRest(connection, this.#pace.pingedAt(connection ?? -1), this.#pace.leaptAt, this.sim.now)
    this.#verdicts.atRest(connection, this.backend.temperament.known.isConcurrent)
    const expected = current === undefined ? [] : [current.generation]
    if (this.#built.size !== expected.length || !expected.every((generation) => this.#built.has(generation))) {
      this.fault(`K22: the Layers of ${[...this.#built].join() || "none"} are built, with ${expected.join() || "none"}`)
    }
    const waiting = this.supervisor.calls.wait.forConnections
    if (waiting > 0 && state._tag === "Idle") this.fault("R8: a call waits and nothing wakes the idle backend")
    if (waiting > 0 && nextAttemptAt !== undefined) {
      const { pace } = this.backend.published.value
      const allowed = nextDemanded(
        pace,
        this.sim.now,
        this.supervisor.calls.wait.shortest,
        this.backend.policy.reconnect
      )
      if (nextAttemptAt > allowed) this.fault(`R8: a call waits for ${nextAttemptAt}, though ${allowed} is allowed`)
    }
    const undone = this.calls.filter(({ fiber }) => isDone(fiber) === null)
    if (waiting === undone.length && nextAttemptAt !== undefined) {
      this.#pace.awaited(undone.map(({ budget }) => budget), nextAttemptAt - this.sim.now, lastError?.reason)
    }
    if (waiting > 0 && Lifecycle.isPointless(state)) this.fault(`R8: a call waits in ${state._tag}`)
    for (const call of this.calls) {
      if (isDone(call.fiber) !== null) continue
      call.until ??= this.sim.now + call.budget
      if (this.sim.now > call.until) this.fault("C5: a call outlives its budget")
    }
    const underWay = state._tag === "Connecting" || (state._tag === "Connected" && state.replacing)
    if (this.#setting.overlap && underWay && this.#attempts + this.#looks === 0) {
      this.fault(`L5: ${state._tag}, and no attempt is under way`)
    }
    for (const { command, fiber } of this.commands) {
      const ends = command === "Disable" ? state._tag === "Disabling" : underWay || state._tag === "Disabling"
      if (isDone(fiber) === null && (command === "Disconnect" || !ends)) {
        this.fault(`L11: ${command} waits in ${state._tag}`)
      }
    }
    if (this.#attempts === 0 && (state._tag === "Connected" || Lifecycle.isPointless(state))) {
      for (const session of this.script.ledger.begun) {
        if (this.script.ledger.session(session).at(-1) === "suspended") {
          this.fault(`T11: session ${session} is suspended in ${state._tag}`)
        }
      }
    }
    const mine = this.backend.published.value.current?.connection.peer.pid
    for (const id of this.script.ledger.live) {
      if (id === mine || this.#attempts + this.#looks > 0) continue
      // Counted from the first rest on: until then the machine may have stood still, and the drain not have begun.
      const since = this.#drainsSince.get(id) ?? this.sim.now
      this.#drainsSince.set(id, since)
      if (!this.#slots.isDetached(id) || this.sim.now - since > drainTimeout) {
        this.fault(`L9: nobody owns connection ${id}`)
      }
    }
    const lost = this.backend.published.value.current
    if (lost !== undefined && this.script.connections[lost.connection.peer.pid!]?.loss !== undefined) {
      this.fault("S3: a lost connection is still installed at rest")
    }
    if ((state._tag === "Reconnecting" || state._tag === "Dormant") !== (nextAttemptAt !== undefined)) {
      this.fault(`nextAttemptAt is ${nextAttemptAt} in ${state._tag}`)
    }
    if (nextAttemptAt !== undefined && nextAttemptAt < this.sim.now) {
      this.fault(`R1: an attempt due at ${nextAttemptAt} is not made`)
    }
  }

  /** Lets everything go well from now on, then ends: whatever was begun has to have ended, and the books to balance. */
  end(): void {
    this.sim.advance(0)
    this.atRest()
    if (this.#closing === undefined) {
      this.mode("ok")
      this.forget(0, 0, "known")
      this.refuse({ what: "nothing", fate: "rejected" })
      this.script.clear()
      this.sim.advance(700_000)
      this.atRest()
      this.look()
      this.sim.advance(5000)
      this.#expiry.lookedAgain(this.backend.published.value)
      if (this.backend.published.value.state._tag === "PermanentlyFailed") {
        this.call(10)
        this.sim.advance(700_000)
      }
      const { state } = this.backend.published.value
      const rests = state._tag === "Disabled" || state._tag === "Idle" || state._tag === "Disconnected" ||
        (state._tag === "PermanentlyFailed" && !this.#setting.auto)
      if (state._tag !== "Connected" && !rests) this.fault(`R4: it stays ${state._tag} though all is well`)
      if (state._tag === "Disconnected" && this.#setting.auto && this.#disconnects === 0) {
        this.fault("R9: Disconnected though nobody asked for it")
      }
      const { current, snapshot } = this.backend.published.value
      if (current !== undefined && snapshot?.generation !== current.generation) {
        this.fault(`P8: connected as ${current.generation}, published ${snapshot?.generation}`)
      }
      // Without heartbeats nobody asks, and a backend that does not connect by itself does not do so for a doubt either.
      const beats = !this.#paused &&
        (this.backend.published.value.keepalive.breaker === undefined || !this.#replacementFailed)
      if (current !== undefined && this.#setting.auto && beats) {
        this.#refusals.settled(this.script.connections[current.connection.peer.pid!]!)
      }
      for (const { fiber } of this.commands) if (isDone(fiber) === null) this.fault("L11: a command is never answered")
      this.shutdown()
    }
    this.sim.advance(100_000)
    if (isDone(this.#closing!) === null) this.fault("L7: shutdown does not end")
    for (const { fiber } of this.commands) {
      if (isDone(fiber) === null) this.fault("L11: a command is not answered at shutdown")
    }
    for (const { fiber, interrupted } of [...this.calls, ...this.commands]) {
      const exit = isDone(fiber)
      if (exit === null) this.fault("L16: a call or command does not end")
      else if (Exit.isFailure(exit)) {
        if (Cause.isInterrupted(exit.cause) && !interrupted) {
          this.fault("L16: ended by an interruption that nobody asked for")
        }
        if (Cause.isDie(exit.cause)) this.fault(`died: ${Cause.pretty(exit.cause)}`)
      }
    }
    for (const fault of this.script.ledger.faults) this.fault(`L6: ${fault}`)
    for (const fault of this.script.ledger.sessionFaults) this.fault(`T11: ${fault}`)
    this.#slots.ended()
    if (this.#looks > 0) this.fault("L11: a look beside a silent session is never settled")
    if (this.#attempts > 0) this.fault(`L9: ${this.#attempts} attempts are still under way`)
    if (this.sim.timers > 0) this.fault(`${this.sim.timers} timers are left`)
  }
}
