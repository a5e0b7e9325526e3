/** When lists are read again: announced, expired, asked for, or after `refreshInterval`. How long they hold: `Freshness`. */
import { Cause, Effect, Fiber, Schedule, Struct } from "effect"
import type { Kind, Snapshot } from "../catalog/Catalog.js"
import { kinds as allKinds } from "../catalog/Kind.js"
import * as Order from "../catalog/Order.js"
import { ProtocolError, RequestError, requestErrorOf } from "../Errors.js"
import { isSignOfLife, type Liveness } from "../health/Liveness.js"
import { readingFailed, readingsRefused } from "../health/Probes.js"
import * as SessionCheck from "../health/SessionCheck.js"
import { backoff } from "../internal/backoff.js"
import { same } from "../internal/JsonValue.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Tools from "../options/Tools.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import * as Discovery from "./Discovery.js"
import * as Freshness from "./Freshness.js"

/** One reading at a time; however many are asked for meanwhile, one more follows. (P4) */
const readingOf = (runtime: Runtime, kinds: ReadonlyArray<Kind>) => ({
  runtime,
  lock: Effect.unsafeMakeSemaphore(1),
  wanted: new Set(kinds),
  refusals: new Map<Kind, ProtocolError>(),
  freshness: Freshness.none,
  polling: false,
  running: false,
  /** The session has given a list, on this or an earlier connection. */
  given: runtime.connection.resumed === true,
  pace: Freshness.unpaced,
  /** When the server announced what the next one reads. */
  announcedAt: undefined as number | undefined,
  /** When the last seek found nothing new. */
  soughtAt: Number.NEGATIVE_INFINITY,
  refused: 0
})

type Reading = ReturnType<typeof readingOf>

/** Milliseconds. `seekPause`: after a seek without news. `freshTimeout`: for old lists. */
const [seekPause, seekTimeout, freshTimeout] = [5000, 10_000, 2500]

export interface Refresh {
  readonly backend: BackendState
  readonly liveness: Liveness
  readonly warn: (unmatched: ReadonlyArray<Tools.Unmatched>) => Effect.Effect<void>
  reading: Reading | undefined
  isWanted: boolean
  hasWarned: boolean
}

export const make = (backend: BackendState, liveness: Liveness): Refresh => ({
  backend,
  liveness,
  warn: SafeLog.newWarnings(backend.id, ({ pattern }) => pattern, Tools.describeAll),
  reading: undefined,
  // The lists say what is hidden with something, and which patterns match nothing.
  isWanted: backend.policy.discovery.mode === "eager" || !backend.offered.isAll,
  hasWarned: false
})

export const attach = (self: Refresh, runtime: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend } = self
    if (!self.isWanted || backend.policy.discovery.mode === "learn") backend.tellFirstOutcome()
    return self.isWanted ? begin(self, runtime, allKinds) : Effect.void
  })

export const enable = (self: Refresh): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (self.isWanted) return Effect.void
    self.isWanted = true
    const { current } = self.backend.published.value
    return current === undefined ? Effect.void : begin(self, current, allKinds)
  })

const begin = (self: Refresh, runtime: Runtime, kinds: ReadonlyArray<Kind>): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (self.reading?.runtime === runtime) return Effect.void
    self.reading = readingOf(runtime, kinds)
    const { refreshInterval } = self.backend.policy.discovery
    const first = readChanged(self, runtime)
    if (refreshInterval === undefined) return first
    const again = Effect.schedule(readAgain(self, runtime, () => allKinds), Schedule.spaced(refreshInterval))
    return Effect.asVoid(Effect.zipRight(first, runtime.fork(again)))
  })

export const announced = (self: Refresh, runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean => {
  const { reading } = self
  if (reading?.runtime === runtime) reading.announcedAt ??= self.backend.now()
  return noteChanged(self, runtime, kinds)
}

/** Expired lists, and old ones whose changes no server announces, are read again in the background. */
export const touch = (self: Refresh): void => {
  const { backend, reading } = self
  if (reading === undefined) return
  const { freshness, runtime } = reading
  const old = areOld(self) ? runtime.known.unannounced : []
  const expired = Freshness.expired(freshness, backend.now())
  if (old.length + expired.length === 0 || !backend.isCurrent(runtime)) return
  if (expired.length > 0 && !backend.published.value.expired) {
    backend.update((slot) => ({ ...slot, expired: true })) // guard: expired-is-stale
  }
  // This reading may include them; if not, the next look asks for them.
  if (reading.running) return
  if (noteChanged(self, runtime, [...old, ...expired])) backend.send({ _tag: "ListsChanged", runtime })
}

const poll = (self: Refresh, reading: Reading): Effect.Effect<unknown> => {
  const { runtime } = reading
  if (reading.polling || runtime.known.unannounced.length === 0) return Effect.void
  reading.polling = true
  const { refreshInterval } = self.backend.policy.discovery
  const after = (draw: number): number =>
    Freshness.pollAfter(Freshness.timesToLive(reading.freshness, runtime.known.unannounced), refreshInterval, draw)
  const once = Effect.zipRight(Freshness.pollPause(after), readAgain(self, runtime, () => runtime.known.unannounced))
  const polling = Effect.repeat(once, { while: () => runtime.known.unannounced.length > 0 })
  return runtime.fork(Effect.ensuring(polling, Effect.sync(() => reading.polling = false)))
}

const noteChanged = ({ reading }: Refresh, runtime: Runtime, kinds: ReadonlyArray<Kind>): boolean => {
  if (reading?.runtime !== runtime || kinds.every((kind) => reading.wanted.has(kind))) return false
  for (const kind of kinds) reading.wanted.add(kind)
  return !reading.running
}

const readAgain = (self: Refresh, runtime: Runtime, kinds: () => ReadonlyArray<Kind>): Effect.Effect<void> =>
  Effect.suspend(() => noteChanged(self, runtime, kinds()) ? readChanged(self, runtime) : Effect.void)

export const readChanged = (self: Refresh, runtime: Runtime): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { reading } = self
    if (reading?.runtime !== runtime) return Effect.void
    const polled = poll(self, reading)
    if (reading.running || reading.wanted.size === 0) return Effect.asVoid(polled)
    reading.running = true
    return Effect.asVoid(Effect.zipRight(polled, runtime.fork(readUntilDone(self, reading))))
  })

export const now = (self: Refresh, runtime: Runtime): Effect.Effect<void, RequestError> =>
  Effect.gen(function*() {
    const isFirst = !self.isWanted
    self.isWanted = true
    if (isFirst) yield* begin(self, runtime, [])
    yield* readOnce(self, self.reading?.runtime === runtime ? self.reading : readingOf(runtime, []), allKinds)
  })

/** Reads lists that may be known better by now. Gives why one is refused. */
export const seek = (self: Refresh, kind: Kind): Effect.Effect<ProtocolError | undefined> => {
  const isDue = ({ refusals, runtime, soughtAt, wanted }: Reading): boolean => {
    if (self.backend.now() < soughtAt + seekPause) return false // guard: seeking-paced
    return wanted.has(kind) || refusals.has(kind) || runtime.known.unannounced.includes(kind)
  }
  return Effect.map(look(self, isDue, seekTimeout), () => self.reading?.refusals.get(kind))
}

export const fresh = (self: Refresh): Effect.Effect<void> => look(self, () => areOld(self), freshTimeout)

const look = (self: Refresh, isDue: (reading: Reading) => boolean, timeout: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend, reading } = self
    if (reading === undefined || !backend.isCurrent(reading.runtime) || !isDue(reading)) return Effect.void
    const { runtime } = reading
    const read = Effect.suspend(() => {
      if (!isDue(reading)) return Effect.void
      const { revision } = backend.published.value
      const kinds = new Set([...runtime.known.unannounced, ...reading.wanted, ...reading.refusals.keys()])
      const ended = Effect.sync(() => {
        if (backend.published.value.revision === revision) reading.soughtAt = backend.now()
      })
      return Effect.ensuring(Effect.ignore(readLists(self, reading, [...kinds])), ended)
    })
    const reader = runtime.fork(reading.lock.withPermits(1)(read))
    return Effect.asVoid(Effect.timeoutOption(Effect.flatMap(reader, Fiber.await), timeout))
  })

export const areOld = ({ backend, reading }: Refresh): boolean =>
  reading !== undefined && reading.runtime.known.unannounced.length > 0 &&
  backend.now() >= reading.pace.at + Freshness.shortest

/** For calls that wait for hints. Publishes nothing. (C15) */
export const tools = (
  self: Refresh,
  runtime: Runtime
): Effect.Effect<ReadonlyArray<unknown> | undefined, RequestError> =>
  Effect.map(ask(self, runtime, ["tools"]), ([list]) => list?.given === true ? list.entries : undefined)

/** What a connector of this process gives may throw when it is read. (L19) */
const ask = ({ backend }: Refresh, runtime: Runtime, kinds: ReadonlyArray<Kind>) =>
  Effect.catchAllDefect(
    Discovery.read(backend.id, runtime.connection, kinds, backend.policy, () => runtime.answered(backend.now())),
    (defect) => Effect.fail(requestErrorOf(Cause.die(defect)))
  )

/** Warns, once, of a server that keeps announcing changes. (P11) */
const awaitTurn = (self: Refresh, reading: Reading): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { backend } = self
    const { announcedAt, pace } = reading
    const { minRefreshInterval } = backend.policy.discovery
    const { at, pause } = announcedAt === undefined
      ? { at: pace.at + minRefreshInterval, pause: 0 }
      : Freshness.paced(pace, Math.max(announcedAt, pace.at), minRefreshInterval)
    reading.pace = { at: pace.at, pause }
    const wait = at - backend.now()
    const isRestless = announcedAt !== undefined && wait > 0 && pace.pause >= Freshness.longestPause
    const warned = isRestless && !self.hasWarned ? SafeLog.warning(`${backend.id}: ${Freshness.restless}`) : Effect.void
    self.hasWarned ||= isRestless
    return wait <= 0 ? warned : Effect.zipRight(warned, Effect.sleep(wait)) // guard: lists-paced
  })

const readUntilDone = (self: Refresh, reading: Reading): Effect.Effect<void> => {
  const { backend } = self
  return Effect.zipRight(awaitTurn(self, reading), readWanted(self, reading)).pipe(
    Effect.retry(backoff(backend.policy.reconnect)),
    Effect.repeat({ while: () => reading.running = backend.isCurrent(reading.runtime) && reading.wanted.size > 0 }),
    Effect.onError(() => Effect.sync(() => reading.running = false)),
    Effect.ignore
  )
}

const readWanted = (self: Refresh, reading: Reading): Effect.Effect<void, RequestError> =>
  Effect.suspend(() => {
    const { backend } = self
    const { runtime, wanted } = reading
    if (!backend.isCurrent(runtime)) return Effect.void
    const kinds = [...wanted]
    wanted.clear()
    reading.announcedAt = undefined
    return Effect.tapError(readOnce(self, reading, kinds), (error) =>
      Effect.sync(() => {
        for (const kind of kinds) wanted.add(kind)
        backend.tellFirstOutcome()
        if (error.fate === "answered") runtime.answeredWithError(backend.now())
      }))
  })

const readOnce = (self: Refresh, reading: Reading, kinds: ReadonlyArray<Kind>): Effect.Effect<void, RequestError> =>
  reading.lock.withPermits(1)(readLists(self, reading, kinds))

const readLists = Effect.fnUntraced(function*(self: Refresh, reading: Reading, kinds: ReadonlyArray<Kind>) {
  const { backend, liveness, warn } = self
  const { runtime } = reading
  const at = backend.now()
  const lists = yield* ask(self, runtime, kinds).pipe(
    Effect.ensuring(Effect.sync(() => reading.pace = { ...reading.pace, at: backend.now() })),
    Effect.tapError((error) => failed(self, reading, error, at))
  )
  reading.refused = 0
  const given = lists.flatMap(({ given, kind }) => given ? [Discovery.methods[kind]] : [])
  SessionCheck.given(liveness, runtime, given)
  reading.given ||= given.length > 0
  // A session that gives none of its lists any more may be forgotten.
  const doubtful = given.length === 0
    ? lists.find(({ refused }) => refused?.ifSessionLost !== undefined)?.refused
    : undefined
  yield* failIfLost(self, reading, doubtful)
  const snapshot = publish(self, reading, lists)
  if (snapshot !== undefined) yield* warn(unmatchedPatterns(backend, snapshot))
})

const failed = Effect.fnUntraced(function*(self: Refresh, reading: Reading, error: RequestError, at: number) {
  const { backend, liveness } = self
  const { runtime } = reading
  yield* failIfLost(self, reading, error)
  if (!backend.isCurrent(runtime)) return
  backend.emit({ _tag: "DiscoveryFailed", generation: runtime.generation, message: error.message })
  if (isSignOfLife(error)) return
  if (error.fate !== "rejected") return yield* readingFailed(liveness, { runtime, error, at })
  const count = ++reading.refused
  if (count >= backend.policy.keepalive.failureThreshold) readingsRefused(liveness, runtime, count, error)
})

/** Fails if the session is lost. (R12) */
const failIfLost = ({ liveness }: Refresh, { given, runtime }: Reading, error: RequestError | undefined) => {
  if (error?.ifSessionLost === undefined || !given) return Effect.void
  const lost = new RequestError({ fate: "rejected", reason: "session", message: error.message, cause: error })
  return Effect.flatMap(
    SessionCheck.settle(liveness, runtime, error),
    (outcome) => outcome === "lost" ? lost : Effect.void
  )
}

const publish = ({ backend }: Refresh, reading: Reading, given: ReadonlyArray<Discovery.ReadList>) => {
  const { refusals, runtime: { connection, generation } } = reading
  const slot = backend.published.value
  if (slot.current !== reading.runtime) return undefined // guard: late-lists
  const lists = given.map((list) => {
    if (list.refused !== undefined) return list
    const entries = Order.entries(list.kind, backend.lists[list.kind], list.entries)
    backend.lists = { ...backend.lists, [list.kind]: entries }
    return { ...list, entries }
  })
  reading.freshness = Freshness.read(reading.freshness, lists, backend.now())
  const expired = slot.expired && Freshness.expired(reading.freshness, backend.now()).length > 0
  for (const { kind, refused } of lists) {
    refusals.delete(kind)
    if (refused === undefined) continue
    const message = Discovery.whyRefused(backend.id, kind, refused)
    refusals.set(kind, new ProtocolError({ backend: backend.id, message }))
    backend.emit({ _tag: "DiscoveryFailed", generation, message })
  }
  const revision = slot.revision + 1
  // Refused lists stay as the server gave them, not as callers got them.
  const before = slot.snapshot && { ...slot.snapshot, ...backend.offered.listed }
  const read = Discovery.merge(before, lists, backend.id)
  const snapshot: Snapshot = {
    ...read,
    ...backend.offered.read(read, connection),
    generation,
    revision,
    stale: false,
    ...Struct.pick(connection, "serverInfo", "capabilities", "instructions", "protocolVersion")
  }
  const known = slot.snapshot && { ...slot.snapshot, revision, stale: slot.snapshot.stale && !slot.expired }
  const isNew = known === undefined || !same(known, snapshot)
  if (isNew) {
    backend.update((slot) => ({ ...slot, revision, snapshot, expired }))
    backend.keep(snapshot)
  } else if (slot.expired) backend.update((slot) => ({ ...slot, expired }))
  backend.tellFirstOutcome()
  return isNew ? snapshot : undefined
}

/** Empty if the tools were not read to their end, or are of another run. */
export const unmatchedPatterns = (
  { offered, policy, published }: BackendState,
  snapshot: Snapshot | undefined
): ReadonlyArray<Tools.Unmatched> => {
  if (snapshot === undefined || policy.tools.length === 0 || snapshot.truncated.includes("tools")) return []
  if (!offered.isAll && published.value.current?.connection.isFiltered === true) return []
  const lists = offered.isAll ? snapshot : offered.listed
  return lists === undefined ? [] : Tools.unmatched(policy.tools, lists.tools.map(({ name }) => name))
}
