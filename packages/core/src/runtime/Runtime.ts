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

/** What is counted in a row of failures: readings of the lists, or probes. (H1) */
export type FailureKind = "discovery" | "request"

/** One connection, from before it is acquired until it is closed. A late report writes to a runtime that nobody reads. */
export class Runtime {
  readonly generation: number
  readonly #attached: Scope.CloseableScope
  readonly #own: Scope.CloseableScope
  #connection: Connection | undefined
  #acquiring: Fiber.RuntimeFiber<Connection, ConnectError> | undefined
  #loss: Loss | undefined
  #detached = false
  #installedAt: number | undefined
  #inFlight = 0
  #answeredAt = 0
  #answers = 0
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

  constructor(generation: number, attached: Scope.CloseableScope, own: Scope.CloseableScope) {
    this.generation = generation
    this.#attached = attached
    this.#own = own
  }

  /** A runtime that has no connection yet. */
  static make(generation: number): Effect.Effect<Runtime> {
    return Effect.zipWith(Scope.make(), Scope.make(), (attached, own) => new Runtime(generation, attached, own))
  }

  // --- its life

  /**
   * Makes the connection in a fiber of its own, so that interrupting the caller or its timeout returns at once however stubborn the
   * connector is. Whatever it acquires later goes into the runtime's scope, or is released at once where that has closed.
   */
  acquire(connect: Effect.Effect<Connection, ConnectError, Scope.Scope>): Effect.Effect<Connection, ConnectError> {
    return Effect.flatMap(
      Effect.forkDaemon(Effect.interruptible(Scope.extend(connect, this.#own))),
      (fiber) => {
        this.#acquiring = fiber
        // Not kept once it has ended: a fiber weighs as much as all else that a runtime is.
        fiber.addObserver(() => {
          this.#acquiring = undefined
        })
        return Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none)))
      }
    )
  }

  /** The connection is open. The handshake was an answer. */
  opened(connection: Connection, now: number): void {
    this.#connection = connection
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

  /** A call takes its lease, in the same synchronous step in which it sends. */
  begin(): void {
    this.#inFlight++
  }

  /** A call gives its lease back; `answered` says that the server has answered it. */
  end(now: number, answered: boolean): void {
    if (this.#successor !== undefined) return this.#successor.end(now, answered)
    this.#inFlight--
    this.#usedAt = now
    if (answered) this.answered(now)
    if (this.#inFlight > 0) return
    this.#drained?.complete()
    this.#drained = undefined
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Another runtime goes on with its session: the calls that still wait are in flight there. */
  handOver(successor: Runtime): void {
    successor.#inFlight += this.#inFlight
    this.#inFlight = 0
    this.#successor = successor
  }

  /** The runtime that goes on with its session; itself where none does. */
  get latest(): Runtime {
    return this.#successor?.latest ?? this
  }

  /** The server has answered: it is alive, whatever failed before. (H2) */
  answered(now: number): void {
    this.#answeredAt = now
    this.#answers++
    this.#requestFailures = 0
    this.#discoveryFailures = 0
    this.#wake()
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
