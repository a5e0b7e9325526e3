/**
 * A runtime: one connection with its scopes, its generation and what its requests tell of it. Nobody else writes to it.
 *
 * It has two scopes. `attached` (keepalive, refresh, idle timer) closes when the runtime is detached from the slot; the
 * connection's own closes after the drain.
 */
import { Effect, Exit, Fiber, FiberId, Scope } from "effect"
import type { Listed } from "../catalog/Hints.js"
import type { Kind } from "../catalog/Kind.js"
import type { ConnectError } from "../Errors.js"
import { Signal } from "../internal/Signal.js"
import type { Connection, Loss } from "../port/Connection.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import { Temperament } from "./Temperament.js"

/** What is counted in a row of failures: readings of the lists, or probes. (H1) */
export type FailureKind = "discovery" | "request"

/** A call whose request is in flight. */
export interface InFlight {
  /** When its request was sent, or the server told of progress, on the Clock's scale. */
  readonly heardAt: number
  /** Questions of the server that the user has not answered. */
  readonly questions: number
}

/** One connection, from before it is acquired until it is closed. A late report writes to a runtime that nobody reads. */
export class Runtime {
  readonly generation: number
  readonly #attached: Scope.CloseableScope
  readonly #own: Scope.CloseableScope
  #connection: Connection | undefined
  /** Called when a lease is taken while there is none. Must not throw. */
  onUsed: (() => void) | undefined
  #acquiring: Fiber.RuntimeFiber<Connection, ConnectError> | undefined
  /** The same where it outlives its attempt, until an attempt has its connection. */
  #awaited: Fiber.RuntimeFiber<Connection, ConnectError> | undefined
  #loss: Loss | undefined
  #detached = false
  #installedAt: number | undefined
  readonly #temperament: Temperament
  #inFlight = 0
  /** Those of them that are requests of callers, the oldest first. */
  readonly #calls = new Set<InFlight>()
  /** The call that a server which does one thing at a time works on. */
  #workedOn: InFlight | undefined
  /** When the caller of such a call gave it up, and nothing was answered since. */
  #abandonedAt: number | undefined
  #answeredAt = 0
  #answers = 0
  #hasWorked = false
  #usedAt = 0
  #discoveryFailures = 0
  #requestFailures = 0
  #drained: Signal | undefined
  /** Who waits for news of whether it lives, and looks at each. */
  #onNews: Set<() => void> | undefined
  /** The runtime that goes on with the session, and with the calls that wait in it. */
  #successor: Runtime | undefined
  #listed: Listed | undefined
  #usage: ResourceUsage | undefined
  #hasReadTools = false
  /** Tools that the server answers only with a task, by name. */
  #needTask: Set<string> | undefined
  #unannounced: ReadonlyArray<Kind> = []

  constructor(
    generation: number,
    attached: Scope.CloseableScope,
    own: Scope.CloseableScope,
    temperament: Temperament
  ) {
    this.generation = generation
    this.#temperament = temperament
    this.#attached = attached
    this.#own = own
  }

  /** A runtime that has no connection yet. */
  static make(generation: number, temperament = new Temperament()): Effect.Effect<Runtime> {
    return Effect.zipWith(
      Scope.make(),
      Scope.make(),
      (attached, own) => new Runtime(generation, attached, own, temperament)
    )
  }

  // --- its life

  /**
   * Makes the connection in a fiber of its own, so that interrupting the caller or its timeout returns at once however stubborn the
   * connector is. Whatever it acquires later goes into the runtime's scope, or is released at once where that has closed.
   *
   * `goesOn`: an interruption ends only the waiting. The next caller waits for the same connection, and the close of the runtime ends it.
   */
  acquire(
    connect: Effect.Effect<Connection, ConnectError, Scope.Scope>,
    goesOn: boolean
  ): Effect.Effect<Connection, ConnectError> {
    return Effect.flatMap(Effect.suspend(() => this.#begun(connect)), (fiber) => {
      const joined = Fiber.join(fiber)
      if (!goesOn) {
        return Effect.onInterrupt(joined, () => Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none)))
      }
      this.#awaited = fiber
      return joined
    })
  }

  #begun(
    connect: Effect.Effect<Connection, ConnectError, Scope.Scope>
  ): Effect.Effect<Fiber.RuntimeFiber<Connection, ConnectError>> {
    if (this.#awaited !== undefined) return Effect.succeed(this.#awaited)
    return Effect.tap(Effect.forkDaemon(Effect.interruptible(Scope.extend(connect, this.#own))), (fiber) => {
      this.#acquiring = fiber
      // Not kept once it has ended: a fiber weighs as much as all else that a runtime is.
      fiber.addObserver(() => {
        this.#acquiring = undefined
      })
    })
  }

  /** What is being acquired, and nobody has got yet. */
  get awaited(): Fiber.RuntimeFiber<Connection, ConnectError> | undefined {
    return this.#awaited
  }

  /** The connection is open. The handshake was an answer. */
  opened(connection: Connection, now: number): void {
    this.#connection = connection
    this.#awaited = undefined
    this.#answeredAt = now
    this.#usedAt = now
  }

  /** The transport has ended. The first report counts. */
  ended(loss: Loss): void {
    this.#loss ??= loss
  }

  /** Whether its connection consists of processes that it supervises itself (`Connection.spreads`). */
  get spreads(): boolean {
    return this.#connection?.spreads === true
  }

  /** How its transport ended, if it has. */
  get loss(): Loss | undefined {
    return this.#loss
  }

  /** It becomes the current one. */
  install(now: number): void {
    this.#installedAt = now
  }

  /** Whether it was the current one, once. */
  get installed(): boolean {
    return this.#installedAt !== undefined
  }

  /** When it was installed; 0 before. */
  get installedAt(): number {
    return this.#installedAt ?? 0
  }

  /** Runs something that works for the runtime: it is interrupted when the runtime is detached. */
  fork<A, E>(work: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>> {
    return Effect.forkIn(Effect.interruptible(work), this.#attached)
  }

  /** Nothing that it reports counts any more. */
  detach(): void {
    this.#detached = true
    this.#wake()
  }

  /** Whether it was taken out of the slot, or given up before it came there. */
  get detached(): boolean {
    return this.#detached
  }

  /** Fails what is in flight. A connector that throws here is asked again at the close, which reports it. */
  fail(loss: Loss): void {
    try {
      this.#connection?.fail(loss)
    } catch {}
  }

  /** Ends when no call is in flight. */
  get drained(): Effect.Effect<void> {
    return Effect.suspend(() => this.#inFlight === 0 ? Effect.void : (this.#drained ??= new Signal()).completed)
  }

  /** Closes what works for the runtime. */
  get closeAttached(): Effect.Effect<void> {
    return Scope.close(this.#attached, Exit.void)
  }

  /** Fails what is still in flight and closes the connection. */
  get closeConnection(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const acquiring = this.#acquiring
      return Effect.ensuring(
        Effect.sync(() => this.#connection?.fail({ kind: "closed", message: "connection closed" })),
        Effect.zipRight(
          acquiring === undefined ? Effect.void : Fiber.interrupt(acquiring),
          Scope.close(this.#own, Exit.void)
        )
      )
    })
  }

  // --- its requests

  /** A call takes its lease, in the same synchronous step in which it sends. `call`: for a request of a caller. */
  begin(call?: InFlight): void {
    if (++this.#inFlight === 1) this.onUsed?.()
    if (call === undefined) return
    this.#calls.add(call)
    if (this.#abandonedAt === undefined) this.#workedOn ??= call
  }

  /** A call gives its lease back; `answered` says that the server has answered it. */
  end(now: number, answered: boolean, call?: InFlight): void {
    if (this.#successor !== undefined) return this.#successor.end(now, answered, call)
    this.#inFlight--
    this.#usedAt = now
    if (call !== undefined) this.#ended(now, answered, call)
    if (answered) this.answered(now)
    if (this.#inFlight > 0) return
    this.#drained?.complete()
    this.#drained = undefined
  }

  #ended(now: number, answered: boolean, call: InFlight): void {
    if (answered && this.oldest !== call) this.#temperament.showedConcurrent()
    this.#calls.delete(call)
    if (this.#workedOn !== call) return
    this.#workedOn = undefined
    if (!answered) this.#abandonedAt = now
  }

  /** The caller of a call that goes on does not listen any more. */
  unheard(now: number, call: InFlight): void {
    if (this.#workedOn !== call) return
    this.#workedOn = undefined
    this.#abandonedAt = now
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** The requests of callers that are in flight, the oldest first. */
  get calls(): ReadonlySet<InFlight> {
    return this.#calls
  }

  /** The oldest of them. */
  get oldest(): InFlight | undefined {
    return this.#calls.size === 0 ? undefined : this.#calls.values().next().value
  }

  /** Whether a caller waits for the call that the server works on, if it does one thing at a time. */
  get isAwaited(): boolean {
    return this.#workedOn !== undefined
  }

  /** Since when no caller does, because the caller gave it up; `undefined` without such a call. */
  get abandonedAt(): number | undefined {
    return this.#abandonedAt
  }

  /** Another runtime goes on with its session: the calls that still wait are in flight there. */
  handOver(successor: Runtime): void {
    successor.#inFlight += this.#inFlight
    for (const call of this.#calls) successor.#calls.add(call)
    successor.#workedOn ??= this.#workedOn
    this.#inFlight = 0
    this.#calls.clear()
    this.#successor = successor
  }

  /** The runtime that goes on with its session; itself where none does. */
  get latest(): Runtime {
    return this.#successor?.latest ?? this
  }

  /**
   * The server has answered: it is alive, whatever failed before. `before`: the oldest call that was in flight when the question was sent.
   * (H2)
   */
  answered(now: number, before?: InFlight): void {
    if (before !== undefined && this.#calls.has(before)) this.#temperament.showedConcurrent()
    this.#workedOn = this.oldest
    this.#abandonedAt = undefined
    this.#answeredAt = now
    this.#answers++
    this.#requestFailures = 0
    this.#discoveryFailures = 0
    this.#wake()
  }

  /** The server has answered a call. */
  worked(): void {
    this.#hasWorked = true
    this.#successor?.worked()
  }

  /** Whether the server has answered a call on this connection. (V6) */
  get hasWorked(): boolean {
    return this.#hasWorked
  }

  /** A probe has ended, whatever it found. */
  probed(): void {
    this.#wake()
  }

  #wake(): void {
    if (this.#onNews === undefined) return
    for (const look of this.#onNews) look()
  }

  /** Ends when a condition holds, which is looked at now, after each answer and probe, and once it is detached. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (condition()) return resume(Effect.void)
      const waiting = this.#onNews ??= new Set()
      const look = () => {
        if (condition() && waiting.delete(look)) resume(Effect.void)
      }
      waiting.add(look)
      return Effect.sync(() => waiting.delete(look))
    })
  }

  /** The server has answered with an error that says nothing of the failures before it. */
  answeredWithError(now: number): void {
    this.#answeredAt = now
  }

  /** When a request was last answered, in milliseconds on the Clock's scale. */
  get answeredAt(): number {
    return this.#answeredAt
  }

  /** How often a request was answered: whoever remembers the number can tell whether one was since. */
  get answers(): number {
    return this.#answers
  }

  /** When a call last used the connection. */
  get usedAt(): number {
    return this.#usedAt
  }

  /** What the caller's own lists said of the tools of this connection. */
  get listed(): Listed | undefined {
    return this.#listed
  }

  /** The caller has listed tools. */
  learn(listed: Listed | undefined): void {
    this.#listed = listed
  }

  /** Whether the tools of this connection were read for a call, or could not be. */
  get hasReadTools(): boolean {
    return this.#hasReadTools
  }

  /** They were. */
  readTools(): void {
    this.#hasReadTools = true
  }

  /** Whether the server answers a tool only with a task. */
  needsTask(tool: string): boolean {
    return this.#needTask?.has(tool) === true
  }

  /** It does. */
  learnNeedsTask(tool: string): void {
    this.#needTask ??= new Set()
    this.#needTask.add(tool)
  }

  /** Of which lists nobody announces that they have changed, although they do. */
  get unannounced(): ReadonlyArray<Kind> {
    return this.#unannounced
  }

  /** The connection has found out of which it does not hear. */
  setUnannounced(unannounced: ReadonlyArray<Kind>): void {
    this.#unannounced = unannounced
  }

  /** What its processes use, as measured last. */
  get usage(): ResourceUsage | undefined {
    return this.#usage
  }

  /** Its processes were measured. */
  measured(usage: ResourceUsage): void {
    this.#usage = usage
  }

  /** Counts a failure; how many there were in a row. */
  failed(kind: FailureKind): number {
    return kind === "discovery" ? ++this.#discoveryFailures : ++this.#requestFailures
  }

  /** Failures in a row. */
  failures(kind: FailureKind): number {
    return kind === "discovery" ? this.#discoveryFailures : this.#requestFailures
  }
}
