import { Effect, Fiber, Schedule } from "effect"
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { kinds as allKinds } from "../catalog/Kind.js"
import { ProtocolError, RequestError } from "../Errors.js"
import type { Probe } from "../health/Probe.js"
import { isSignOfLife } from "../health/Question.js"
import type { SessionDoubt } from "../health/SessionDoubt.js"
import { backoff } from "../internal/backoff.js"
import * as SafeLog from "../internal/SafeLog.js"
import { unlessThrown } from "../internal/unlessThrown.js"
import type { Unmatched } from "../options/Tools.js"
import { withDeadline } from "../port/withDeadline.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Discovery from "./Discovery.js"
import { Freshness, longestPause, paced, pollPause, restless, shortest, unpaced } from "./Freshness.js"
import { describe, unmatchedPatterns } from "./unmatchedPatterns.js"

/** One reading at a time; what is asked for meanwhile is read after it, once. (P4) */
class Reading {
  readonly runtime: Runtime
  readonly wanted: Set<Kind>
  readonly refusals = new Map<Kind, ProtocolError>()
  readonly lock = Effect.unsafeMakeSemaphore(1)
  readonly freshness = new Freshness()
  polling = false
  running = false
  /** The session has given a list, on this or an earlier connection. */
  given = false
  /** The end of the last, and the pause after it. */
  pace = unpaced
  /** When the server announced what the next one reads. */
  announcedAt: number | undefined
  /** When the last seek found nothing new. */
  soughtAt = Number.NEGATIVE_INFINITY
  /** In a row. */
  refused = 0

  constructor(runtime: Runtime, kinds: ReadonlyArray<Kind>) {
    this.runtime = runtime
    this.wanted = new Set(kinds)
  }
}

/** After a seek without news, in milliseconds. */
const seekPause = 5000

/** Milliseconds. */
const seekTimeout = 10_000

/** For lists that are there and may be old. */
const freshTimeout = 2500

export class Refresh {
  readonly #backend: BackendState
  readonly #probe: Probe
  readonly #doubt: SessionDoubt
  readonly #unmatched: SafeLog.NewWarnings<Unmatched>
  #reading: Reading | undefined
  #isWanted: boolean
  #warned = false

  constructor(backend: BackendState, probe: Probe, doubt: SessionDoubt) {
    this.#backend = backend
    this.#probe = probe
    this.#doubt = doubt
    this.#unmatched = new SafeLog.NewWarnings(backend.id, ({ pattern }) => pattern, describe)
    // The lists say what is hidden with something, and which patterns match nothing.
    this.#isWanted = backend.policy.discovery.mode === "eager" || !backend.offered.isAll
  }

  attach(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.#isWanted || this.#backend.policy.discovery.mode === "learn") this.#backend.firstOutcome.complete()
      return this.#isWanted ? this.#begin(runtime, allKinds) : Effect.void
    })
  }

  get enable(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#isWanted) return Effect.void
      this.#isWanted = true
      const { current } = this.#backend.published.value
      return current === undefined ? Effect.void : this.#begin(current, allKinds)
    })
  }

  #begin(runtime: Runtime, kinds: ReadonlyArray<Kind>): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.#reading?.runtime === runtime) return Effect.void
      this.#reading = new Reading(runtime, kinds)
      const { refreshInterval } = this.#backend.policy.discovery
      if (refreshInterval === undefined) return this.readChanged(runtime)
      const all = Effect.suspend(() => this.#noteChanged(runtime, allKinds) ? this.readChanged(runtime) : Effect.void)
      const again = runtime.fork(Effect.schedule(all, Schedule.spaced(refreshInterval)))
      return Effect.asVoid(Effect.zipRight(this.readChanged(runtime), again))
    })
  }

  /** True if `readChanged` has to be called. */
  announced(runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean {
    const reading = this.#reading
    if (reading?.runtime === runtime) reading.announcedAt ??= this.#backend.now()
    return this.#noteChanged(runtime, kinds)
  }

  /** Expired lists, and old ones whose changes no server announces, are read again in the background. */
  touch(): void {
    const reading = this.#reading
    if (reading === undefined) return
    const { freshness, runtime } = reading
    const old = this.areOld ? runtime.unannounced : []
    const expired = freshness.hasExpired(this.#backend.now()) ? freshness.expired(this.#backend.now()) : []
    if (old.length + expired.length === 0 || !this.#backend.isCurrent(runtime)) return
    if (expired.length > 0 && !this.#backend.published.value.expired) {
      this.#backend.update((slot) => ({ ...slot, expired: true })) // guard: expired-is-stale
    }
    // This reading may include them; if not, the next look asks for them.
    if (reading.running) return
    const isNew = this.#noteChanged(runtime, [...old, ...expired])
    if (isNew) this.#backend.send({ _tag: "ListsChanged", runtime })
  }

  #poll(reading: Reading): Effect.Effect<void> {
    const { runtime } = reading
    if (reading.polling || runtime.unannounced.length === 0) return Effect.void
    reading.polling = true
    const { refreshInterval } = this.#backend.policy.discovery
    const once = Effect.zipRight(
      pollPause((draw) => reading.freshness.pollAfter(runtime.unannounced, refreshInterval, draw)),
      Effect.suspend(() => this.#noteChanged(runtime, runtime.unannounced) ? this.readChanged(runtime) : Effect.void)
    )
    return Effect.asVoid(runtime.fork(
      Effect.ensuring(
        Effect.repeat(once, { while: () => runtime.unannounced.length > 0 }),
        Effect.sync(() => {
          reading.polling = false
        })
      )
    ))
  }

  #noteChanged(runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean {
    const reading = this.#reading
    if (reading?.runtime !== runtime || kinds.every((kind) => reading.wanted.has(kind))) return false
    for (const kind of kinds) reading.wanted.add(kind)
    return !reading.running
  }

  readChanged(runtime: Runtime): Effect.Effect<void> {
    return Effect.suspend(() => {
      const reading = this.#reading
      if (reading?.runtime !== runtime) return Effect.void
      const poll = this.#poll(reading)
      if (reading.running || reading.wanted.size === 0) return poll
      reading.running = true
      return Effect.zipRight(poll, Effect.asVoid(runtime.fork(this.#readUntilDone(reading))))
    })
  }

  now(runtime: Runtime): Effect.Effect<void, RequestError> {
    return Effect.gen(this, function*() {
      const isFirst = !this.#isWanted
      this.#isWanted = true
      if (isFirst) yield* this.#begin(runtime, [])
      const reading = this.#reading?.runtime === runtime ? this.#reading : new Reading(runtime, [])
      yield* this.#readOnce(runtime, allKinds, reading)
    })
  }

  /** Reads lists that may be known better by now. Gives why one is refused. */
  seek(kind: Kind): Effect.Effect<ProtocolError | undefined> {
    const isDue = ({ refusals, runtime, soughtAt, wanted }: Reading): boolean =>
      (wanted.has(kind) || refusals.has(kind) || runtime.unannounced.includes(kind)) &&
      this.#backend.now() >= soughtAt + seekPause // guard: seeking-paced
    return Effect.map(this.#look(isDue, seekTimeout), () => this.#reading?.refusals.get(kind))
  }

  get fresh(): Effect.Effect<void> {
    return this.#look(() => this.areOld, freshTimeout)
  }

  /** Ends with the reading; after `timeout`, that goes on in the background. */
  #look(isDue: (reading: Reading) => boolean, timeout: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const backend = this.#backend
      const { current } = backend.published.value
      const reading = this.#reading
      if (current === undefined || reading?.runtime !== current || !isDue(reading)) return Effect.void
      const read = Effect.suspend(() => {
        if (!isDue(reading)) return Effect.void
        const { revision } = backend.published.value
        const kinds = new Set([...current.unannounced, ...reading.wanted, ...reading.refusals.keys()])
        return Effect.ensuring(
          Effect.ignore(this.#read(current, [...kinds], reading)),
          Effect.sync(() => {
            if (backend.published.value.revision === revision) reading.soughtAt = backend.now()
          })
        )
      })
      const reader = current.fork(reading.lock.withPermits(1)(read))
      return Effect.asVoid(Effect.timeoutOption(Effect.flatMap(reader, Fiber.await), timeout))
    })
  }

  /** Unannounced, and not read for a while. */
  get areOld(): boolean {
    const reading = this.#reading
    return reading !== undefined && reading.runtime.unannounced.length > 0 &&
      this.#backend.now() >= reading.pace.at + shortest
  }

  /** For calls that wait for hints. Publishes nothing. (C15) */
  readonly tools = (runtime: Runtime): Effect.Effect<ReadonlyArray<unknown> | undefined, RequestError> =>
    Effect.map(this.#ask(runtime, ["tools"]), ([list]) => list?.given === true ? list.entries : undefined)

  #ask(
    runtime: Runtime,
    kinds: ReadonlyArray<Kind>
  ): Effect.Effect<ReadonlyArray<Discovery.ReadList>, RequestError> {
    const { id, policy } = this.#backend
    const lists = Discovery.read(id, runtime.connection, kinds, policy, () => runtime.answered(this.#backend.now()))
    return withDeadline(lists, policy.timeouts.request * policy.discovery.maxPages)
  }

  /** Warns, once, of a server that keeps announcing changes. (P11) */
  #pace(reading: Reading): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { announcedAt, pace } = reading
      const { minRefreshInterval } = this.#backend.policy.discovery
      const { at, pause } = announcedAt === undefined
        ? { at: pace.at + minRefreshInterval, pause: 0 }
        : paced(pace, Math.max(announcedAt, pace.at), minRefreshInterval)
      reading.pace = { at: pace.at, pause }
      const wait = at - this.#backend.now()
      const isRestless = announcedAt !== undefined && wait > 0 && pace.pause >= longestPause
      const warned = isRestless && !this.#warned ? SafeLog.warning(`${this.#backend.id}: ${restless}`) : Effect.void
      this.#warned ||= isRestless
      return wait <= 0 ? warned : Effect.zipRight(warned, Effect.sleep(wait)) // guard: lists-paced
    })
  }

  #readUntilDone(reading: Reading): Effect.Effect<void> {
    const once: Effect.Effect<void, RequestError> = Effect.zipRight(this.#pace(reading), this.#readWanted(reading))
    return Effect.retry(once, backoff(this.#backend.policy.reconnect)).pipe(
      Effect.repeat({
        while: () => {
          reading.running = this.#backend.isCurrent(reading.runtime) && reading.wanted.size > 0
          return reading.running
        }
      }),
      Effect.onError(() =>
        Effect.sync(() => {
          reading.running = false
        })
      ),
      Effect.ignore
    )
  }

  #readWanted(reading: Reading): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      const { current } = this.#backend.published.value
      if (current !== reading.runtime) return Effect.void
      const kinds = [...reading.wanted]
      reading.wanted.clear()
      reading.announcedAt = undefined
      return Effect.tapError(this.#readOnce(current, kinds, reading), (error) =>
        Effect.sync(() => {
          for (const kind of kinds) reading.wanted.add(kind)
          this.#backend.firstOutcome.complete()
          if (error.fate === "answered") reading.runtime.answeredWithError(this.#backend.now())
        }))
    })
  }

  #readOnce(runtime: Runtime, kinds: ReadonlyArray<Kind>, reading: Reading): Effect.Effect<void, RequestError> {
    return reading.lock.withPermits(1)(this.#read(runtime, kinds, reading))
  }

  /** With the lock. */
  #read(runtime: Runtime, kinds: ReadonlyArray<Kind>, reading: Reading): Effect.Effect<void, RequestError> {
    const backend = this.#backend
    return Effect.gen(this, function*() {
      const at = backend.now()
      const end = Effect.sync(() => {
        reading.pace = { ...reading.pace, at: backend.now() }
      })
      const lists = yield* this.#ask(runtime, kinds).pipe(
        Effect.ensuring(end),
        Effect.tapError((error) => this.#failed(runtime, reading, error, at))
      )
      reading.refused = 0
      yield* this.#settle(runtime, reading, lists)
      const snapshot = this.#publish(runtime, lists, reading)
      if (snapshot !== undefined) yield* this.#unmatched.read(unmatchedPatterns(backend, snapshot))
    })
  }

  #failed(runtime: Runtime, reading: Reading, error: RequestError, at: number): Effect.Effect<void, RequestError> {
    const backend = this.#backend
    return Effect.gen(this, function*() {
      yield* this.#failIfLost(runtime, reading, error)
      if (!backend.isCurrent(runtime)) return
      backend.emit({ _tag: "DiscoveryFailed", generation: runtime.generation, message: error.message })
      if (isSignOfLife(error)) return
      if (error.fate === "rejected") this.#refused(runtime, reading, error)
      else yield* this.#probe.readingFailed(runtime, { error, at })
    })
  }

  /** It lives. A new connection finds out why, or is accepted. (H1) */
  #refused(runtime: Runtime, reading: Reading, { message }: RequestError): void {
    if (++reading.refused < this.#backend.policy.keepalive.failureThreshold) return
    const why = `${reading.refused} readings of the lists in a row were refused: ${message}`
    this.#backend.send({ _tag: "Lost", runtime, loss: { kind: "health", message: why } })
  }

  /** A session that gives none of its lists any more may be forgotten. */
  #settle(
    runtime: Runtime,
    reading: Reading,
    lists: ReadonlyArray<Discovery.ReadList>
  ): Effect.Effect<void, RequestError> {
    const given = lists.flatMap(({ given, kind }) => given ? [Discovery.methods[kind]] : [])
    this.#doubt.given(runtime, given)
    reading.given ||= given.length > 0
    return given.length > 0
      ? Effect.void
      : this.#failIfLost(runtime, reading, lists.find(({ doubtful }) => doubtful !== undefined)?.doubtful)
  }

  /** Fails if the session is lost. If it never gave a list, a refusal says nothing: many servers give none. (R12) */
  #failIfLost(
    runtime: Runtime,
    { given }: Reading,
    error: RequestError | undefined
  ): Effect.Effect<void, RequestError> {
    const gaveLists = given || runtime.connection.resumed === true
    if (error?.ifSessionLost === undefined || !gaveLists) return Effect.void
    const lost = new RequestError({ fate: "rejected", reason: "session", message: error.message, cause: error })
    return Effect.flatMap(
      this.#doubt.settle(runtime, error),
      (outcome) => outcome === "lost" ? Effect.fail(lost) : Effect.void
    )
  }

  #publish(
    runtime: Runtime,
    lists: ReadonlyArray<Discovery.ReadList>,
    { freshness, refusals }: Reading
  ): Snapshot | undefined {
    const backend = this.#backend
    const slot = backend.published.value
    if (slot.current !== runtime) return undefined // guard: late-lists
    freshness.read(lists, backend.now())
    const expired = slot.expired && freshness.hasExpired(backend.now())
    for (const { kind, refused } of lists) {
      refusals.delete(kind)
      if (refused !== undefined) {
        refusals.set(kind, new ProtocolError({ backend: backend.id, message: refused }))
        backend.emit({ _tag: "DiscoveryFailed", generation: runtime.generation, message: refused })
      }
    }
    const revision = slot.revision + 1
    // Refused lists stay as the server gave them, not as callers got them.
    const before = slot.snapshot && { ...slot.snapshot, ...backend.offered.listed }
    const read = Discovery.merge(before, lists, backend.id)
    const snapshot: Snapshot = {
      ...read,
      ...backend.offered.read(read, runtime.connection),
      generation: runtime.generation,
      revision,
      stale: false,
      serverInfo: runtime.connection.serverInfo,
      capabilities: runtime.connection.capabilities,
      instructions: runtime.connection.instructions,
      protocolVersion: runtime.connection.protocolVersion
    }
    const known = slot.snapshot && { ...slot.snapshot, revision, stale: slot.snapshot.stale && !slot.expired }
    const isNew = known === undefined || !isSame(known, snapshot)
    if (isNew) {
      backend.update((slot) => ({ ...slot, revision, snapshot, expired }))
      backend.keep(snapshot)
    } else if (slot.expired) backend.update((slot) => ({ ...slot, expired }))
    this.#backend.firstOutcome.complete()
    return isNew ? snapshot : undefined
  }
}

/** What is no JSON, which a connector in this process may give, counts as new. */
const isSame = (a: unknown, b: unknown): boolean => unlessThrown(() => JSON.stringify(a) === JSON.stringify(b)) === true
