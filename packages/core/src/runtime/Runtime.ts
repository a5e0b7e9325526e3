/** One connection. Its scope `attached` (of `RuntimeTasks.layer`) closes when it is detached from the slot; its own after the drain. */
import { Effect, Exit, Fiber, FiberId, Layer, Scope } from "effect"
import type { Listed } from "../catalog/Hints.js"
import type { Kind } from "../catalog/Kind.js"
import type { ConnectError } from "../Errors.js"
import { Signal } from "../internal/Signal.js"
import { unlessThrown } from "../internal/thrown.js"
import type { Connection, Loss } from "../port/Connection.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import { Temperament } from "./Temperament.js"
import * as Traffic from "./Traffic.js"

/** More than to list what it offers, or to show that it lives. */
const work: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read", "completion/complete"])

export interface Known {
  readonly listed: Listed | undefined
  readonly hasReadTools: boolean
  /** Lists whose announced changes do not reach us. */
  readonly unannounced: ReadonlyArray<Kind>
  readonly usage: ResourceUsage | undefined
  /** Milliseconds, of a start that may outlast its attempt. */
  readonly startTook: number | undefined
  /** Tools that refuse a call without a task. */
  readonly needTask: ReadonlySet<string> | undefined
}

const nothing: Known = {
  listed: undefined,
  hasReadTools: false,
  unannounced: [],
  usage: undefined,
  startTook: undefined,
  needTask: undefined
}

interface Acquiring {
  readonly fiber: Fiber.RuntimeFiber<Connection, ConnectError>
  readonly goesOn: boolean
}

export class Runtime {
  readonly generation: number
  readonly #attached: Scope.CloseableScope
  readonly #own: Scope.CloseableScope
  #connection: Connection | undefined
  /** Called at the first lease, and at the first hold. Must not throw. */
  onUsed: ((runtime: Runtime) => void) | undefined
  #known: Known = nothing
  #acquiring: Acquiring | undefined
  #loss: Loss | undefined
  #detached = false
  #installed = false
  readonly #temperament: Temperament
  #traffic = Traffic.begin
  #hasWorked = false
  #held = 0
  /** Of callers, the oldest first. */
  readonly #calls = new Set<Traffic.InFlight>()
  #drained: Signal | undefined
  #onNews: Set<() => void> | undefined
  #successor: Runtime | undefined

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

  static make(generation: number, temperament = new Temperament()): Effect.Effect<Runtime> {
    return Effect.zipWith(
      Scope.make(),
      Scope.make(),
      (attached, own) => new Runtime(generation, attached, own, temperament)
    )
  }

  /**
   * In its own fiber: interrupting the caller returns at once, and what is acquired later is released.
   * `goesOn`: an interruption ends only the waiting; the next caller waits for the same connection.
   */
  acquire(
    connect: Effect.Effect<Connection, ConnectError, Scope.Scope>,
    goesOn: boolean
  ): Effect.Effect<Connection, ConnectError> {
    return Effect.flatMap(Effect.suspend(() => this.#begun(connect, goesOn)), (fiber) => {
      const joined = Fiber.join(fiber)
      return goesOn
        ? joined
        : Effect.onInterrupt(joined, () => Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none)))
    })
  }

  #begun(
    connect: Effect.Effect<Connection, ConnectError, Scope.Scope>,
    goesOn: boolean
  ): Effect.Effect<Fiber.RuntimeFiber<Connection, ConnectError>> {
    if (this.awaited !== undefined) return Effect.succeed(this.awaited)
    return Effect.tap(Effect.forkDaemon(Effect.interruptible(Scope.extend(connect, this.#own))), (fiber) => {
      this.#acquiring = { fiber, goesOn }
    })
  }

  /** Of a start that goes on, also once it has ended, until it is `opened`. */
  get awaited(): Fiber.RuntimeFiber<Connection, ConnectError> | undefined {
    return this.#acquiring?.goesOn === true ? this.#acquiring.fiber : undefined
  }

  opened(connection: Connection, now: number): void {
    this.#connection = connection
    // A fiber weighs as much as all else that a runtime is.
    this.#acquiring = undefined
    this.#traffic = { ...this.#traffic, answeredAt: now, usedAt: now }
  }

  get isOpen(): boolean {
    return this.#connection !== undefined
  }

  get connection(): Connection {
    return this.#connection as Connection
  }

  ended(loss: Loss): void {
    this.#loss ??= loss
  }

  get loss(): Loss | undefined {
    return this.#loss
  }

  install(): void {
    this.#installed = true
  }

  get installed(): boolean {
    return this.#installed
  }

  fork<A, E>(work: Effect.Effect<A, E>): Effect.Effect<Fiber.RuntimeFiber<A, E>> {
    return Effect.forkIn(Effect.interruptible(work), this.#attached)
  }

  build(layer: Layer.Layer<never>): Effect.Effect<void> {
    return Effect.asVoid(Layer.buildWithScope(layer, this.#attached))
  }

  detach(): void {
    this.#detached = true
    this.wake()
  }

  /** Or given up before it was in the slot. */
  get detached(): boolean {
    return this.#detached
  }

  /** A connector that throws is asked again at the close, which reports it. */
  fail(loss: Loss): void {
    unlessThrown(() => this.#connection?.fail(loss))
  }

  get drained(): Effect.Effect<void> {
    return Effect.suspend(() => this.#traffic.inFlight === 0 ? Effect.void : (this.#drained ??= new Signal()).completed)
  }

  get closeAttached(): Effect.Effect<void> {
    return Scope.close(this.#attached, Exit.void)
  }

  get closeConnection(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const acquiring = this.#acquiring
      return Effect.ensuring(
        Effect.sync(() => this.#connection?.fail({ kind: "closed", message: "connection closed" })),
        Effect.zipRight(
          acquiring === undefined ? Effect.void : Fiber.interrupt(acquiring.fiber),
          Scope.close(this.#own, Exit.void)
        )
      )
    })
  }

  begin(call?: Traffic.InFlight): void {
    this.#traffic = Traffic.begun(this.#traffic, call)
    if (this.#traffic.inFlight === 1) this.onUsed?.(this)
    if (call !== undefined) this.#calls.add(call)
  }

  end(now: number, isAnswered: boolean, call?: Traffic.InFlight): void {
    if (this.#successor !== undefined) return this.#successor.end(now, isAnswered, call)
    if (call !== undefined) {
      if (isAnswered && this.oldest !== call) this.#temperament.showedConcurrent()
      this.#calls.delete(call)
    }
    if (isAnswered) this.#answered(now, this.#traffic.inFlight - 1, now)
    else this.#traffic = Traffic.ended(this.#traffic, now, call)
    if (this.#traffic.inFlight > 0) return
    this.#drained?.complete()
    this.#drained = undefined
  }

  unheard(now: number, call: Traffic.InFlight): void {
    this.#traffic = Traffic.unheard(this.#traffic, now, call)
  }

  /** `before`: the oldest call in flight when the question was sent. (H2) */
  answered(now: number, before?: Traffic.InFlight): void {
    if (before !== undefined && this.#calls.has(before)) this.#temperament.showedConcurrent()
    this.#answered(now, this.#traffic.inFlight, this.#traffic.usedAt)
  }

  #answered(now: number, inFlight: number, usedAt: number): void {
    this.#traffic = Traffic.answered(this.#traffic, now, this.oldest, inFlight, usedAt)
    this.wake()
  }

  /** Says nothing of the failures before it. */
  answeredWithError(now: number): void {
    this.#traffic = { ...this.#traffic, answeredAt: now }
  }

  worked(method: string): void {
    this.#hasWorked ||= work.has(method)
    this.#successor?.worked(method)
  }

  failed(at: number, now: number, pause: number): number {
    this.#traffic = Traffic.failed(this.#traffic, at, now, pause)
    return this.#traffic.failures.count
  }

  handOver(successor: Runtime): void {
    successor.#traffic = Traffic.joined(successor.#traffic, this.#traffic)
    for (const call of this.#calls) successor.#calls.add(call)
    this.#traffic = { ...this.#traffic, inFlight: 0 }
    this.#calls.clear()
    this.#successor = successor
  }

  get latest(): Runtime {
    return this.#successor?.latest ?? this
  }

  get traffic(): Traffic.Traffic {
    return this.#traffic
  }

  get calls(): ReadonlySet<Traffic.InFlight> {
    return this.#calls
  }

  get oldest(): Traffic.InFlight | undefined {
    return this.#calls.size === 0 ? undefined : this.#calls.values().next().value
  }

  get hasWorked(): boolean {
    return this.#hasWorked
  }

  get isHeld(): boolean {
    return this.#held > 0
  }

  /** The server is asked once a second meanwhile. (C14) */
  hold(isSettled: () => boolean): Effect.Effect<void> {
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        if (++this.#held === 1) this.onUsed?.(this)
      }),
      () => this.until(isSettled),
      () => Effect.sync(() => this.#held--)
    )
  }

  wake(): void {
    if (this.#onNews === undefined) return
    for (const look of this.#onNews) look()
  }

  when(condition: () => boolean, run: () => void): () => void {
    const waiting = this.#onNews ??= new Set()
    const look = () => {
      if (condition() && waiting.delete(look)) run()
    }
    waiting.add(look)
    return () => waiting.delete(look)
  }

  /** Looked at now, after each answer and probe, and at the detach. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (condition()) return resume(Effect.void)
      return Effect.sync(this.when(condition, () => resume(Effect.void)))
    })
  }

  get known(): Known {
    return this.#known
  }

  learn(known: Partial<Known>): void {
    this.#known = { ...this.#known, ...known }
  }
}
