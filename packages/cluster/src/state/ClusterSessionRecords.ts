/**
 * What does not fit into the ids of sessions: sealed, and bounded in number, size and age.
 *
 * No record replaces that of a session's end, whichever replica writes it, and whenever.
 */
import {
  lifetime,
  type Record,
  Record as RecordSchema,
  type SessionRecords
} from "@mcp-lifeline/http-server/SessionRecords"
import { key } from "@mcp-lifeline/state/StateFolder"
import { Effect, Either, Option, Runtime, Schedule, Schema, type Scope } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore, StoreError } from "../ClusterStore.js"
import * as Seal from "../Seal.js"
import { RecentRows } from "./RecentRows.js"

const [sessions, floors, floor] = ["sessions", "sessions-ended", "floor"]

export interface Limits {
  /** Default 500,000. */
  readonly maxSessions: number
  /** In all records. Default 1 Gi. */
  readonly maxChars: number
  /** Writes between two looks for excess. Default 1,000. */
  readonly lookEvery?: number | undefined
}

const defaultLimits: Limits = { maxSessions: 500_000, maxChars: 1024 * 1024 * 1024 }

/** Of more, the oldest are not kept. */
const maxUnwritten = 5000

/** Before writing again, and before asking the store again, in milliseconds. */
const [again, soon] = [1000, 500]

/** Between the clocks of replicas and the store, in milliseconds. */
const spare = 24 * 60 * 60 * 1000

/** Concurrent writes: leases need connections, too. */
const atOnce = 2

/** For a session that may have ended: its own record was removed. */
const presumedEnded: Record = { usedAt: 0, hasEnded: true }

const Floor = Schema.Struct({ endedBefore: Schema.Number })

interface Waiting {
  record: Record
  readonly written: Promise<void>
  readonly done: () => void
}

const firstOf = <A>(
  waiting: ReadonlyMap<string, A>,
  writing: ReadonlyMap<string, unknown>
): readonly [name: string, next: A] | undefined => {
  for (const one of waiting) if (!writing.has(one[0])) return one
  return undefined
}

export interface Options {
  readonly store: Pick<ClusterStore, "rows">
  readonly key: ClusterKeys
  readonly limits?: Limits | undefined
}

/** Throws a RangeError if the key is too short. */
export const make = (
  { key: clusterKey, limits = defaultLimits, store: { rows } }: Options
): Effect.Effect<SessionRecords, never, Scope.Scope> =>
  Effect.gen(function*() {
    const seal = Seal.make(clusterKey)
    const runtime = yield* Effect.runtime<never>()
    const recent = new RecentRows()
    const [record, endedBefore] = [Schema.parseJson(RecordSchema), Schema.parseJson(Floor)]
    const opened = <A>(
      schema: Schema.Schema<A, string>,
      collection: string,
      name: string,
      sealed: string | undefined
    ) => {
      const text = sealed === undefined ? undefined : seal.open(collection, name, sealed)
      return text === undefined ? undefined : Option.getOrUndefined(Schema.decodeOption(schema)(text))
    }
    const { lookEvery = 1000, maxChars, maxSessions } = limits
    let lookIn = lookEvery

    /** By name: to write next, being written, and not taken by the store. */
    const waiting = new Map<string, Waiting>()
    const writing = new Map<string, Record>()
    const unwritten = new Map<string, Record>()
    const wanted = (name: string): Record | undefined =>
      waiting.get(name)?.record ?? writing.get(name) ?? unwritten.get(name)

    const save = (name: string, next: Record): Effect.Effect<void, StoreError> =>
      Effect.gen(function*() {
        const text = seal.seal(sessions, name, Schema.encodeSync(record)(next))
        let before = recent.get(sessions, name)?.text
        while (next.hasEnded === true || opened(record, sessions, name, before)?.hasEnded !== true) {
          const found = yield* rows.change({ collection: sessions, key: name, before, text })
          recent.set(sessions, name, found)
          if (found === text) return
          before = found
        }
      })
    const somethingWaits = yield* Effect.makeLatch(false)
    const keep = (name: string, next: Record): void => {
      unwritten.delete(name)
      unwritten.set(name, next)
      const [oldest] = unwritten.keys()
      if (unwritten.size > maxUnwritten && oldest !== undefined) unwritten.delete(oldest)
      somethingWaits.unsafeOpen()
    }
    /** Fails if the store is away. */
    const alone = (name: string, next: Record) =>
      Effect.suspend(() => {
        writing.set(name, next)
        const done = Effect.sync(() => void writing.delete(name))
        return Effect.uninterruptible(Effect.ensuring(save(name, next), done))
      })
    const writeRest = Effect.suspend(() =>
      Effect.ignore(Effect.forEach(Array.from(unwritten), ([name, next]) => {
        // A later one comes by itself.
        if (unwritten.get(name) !== next || waiting.has(name) || writing.has(name)) return Effect.void
        return Effect.map(alone(name, next), () => {
          if (unwritten.get(name) === next) unwritten.delete(name)
          if (waiting.size > 0) hasWork.unsafeOpen()
        })
      }, { discard: true }))
    )
    const hasWork = yield* Effect.makeLatch(false)
    const writeNext = Effect.gen(function*() {
      const [name, next] = firstOf(waiting, writing) ?? []
      if (name === undefined || next === undefined) return hasWork.unsafeClose()
      waiting.delete(name)
      const saved = yield* Effect.either(alone(name, next.record))
      if (Either.isLeft(saved)) keep(name, next.record)
      else unwritten.delete(name)
      next.done()
      if (waiting.size > 0) hasWork.unsafeOpen()
      if (--lookIn > 0) return
      lookIn = lookEvery
      yield* Effect.ignore(makeRoom)
    })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        Effect.whileLoop({ while: () => waiting.size > 0, body: () => writeNext, step: () => {} }),
        writeRest
      )
    )
    yield* somethingWaits.await.pipe(
      Effect.zipRight(Effect.sleep(again)),
      Effect.zipRight(writeRest),
      Effect.zipRight(Effect.sync(() => unwritten.size === 0 ? somethingWaits.unsafeClose() : undefined)),
      Effect.forever,
      Effect.interruptible,
      Effect.forkScoped
    )

    /** Sessions without a record that began until then have ended. In seconds since 1970. */
    const currentFloor = Effect.map(rows.get(floors, floor), (sealed) => ({
      sealed,
      endedBefore: opened(endedBefore, floors, floor, sealed)?.endedBefore ?? 0
    }))
    const raiseFloor = (to: number) =>
      Effect.gen(function*() {
        while (true) {
          const found = yield* currentFloor
          if (found.endedBefore >= to) return
          const text = seal.seal(floors, floor, Schema.encodeSync(endedBefore)({ endedBefore: to }))
          if ((yield* rows.change({ collection: floors, key: floor, before: found.sealed, text })) === text) return
        }
      })
    const makeRoom = Effect.gen(function*() {
      while (true) {
        const excess = yield* rows.excess(sessions, { maxRows: maxSessions, maxChars })
        if (excess.length === 0) return
        const ended = excess.map(([name, sealed]) => opened(record, sessions, name, sealed) ?? presumedEnded)
          .filter(({ hasEnded }) => hasEnded === true)
        // A session began before it was last used.
        yield* raiseFloor(ended.reduce((latest, { born, usedAt }) => Math.max(latest, born ?? usedAt / 1000), 0))
        yield* Effect.forEach(
          excess,
          ([name, before]) => rows.change({ collection: sessions, key: name, before, text: undefined }),
          { discard: true }
        )
      }
    })
    const removeOld = rows.prune(sessions, { maxRows: Number.MAX_SAFE_INTEGER, maxUnused: lifetime + spare })
    const clean = Effect.ignore(Effect.zipRight(removeOld, makeRoom))
    yield* clean.pipe(Effect.repeat(Schedule.spaced("1 day")), Effect.interruptible, Effect.forkScoped)

    const worker = Effect.forever(Effect.zipRight(hasWork.await, Effect.uninterruptible(writeNext)))
    for (let count = 0; count < atOnce; count++) yield* Effect.forkScoped(Effect.interruptible(worker))

    return {
      get: (id, born) => {
        const name = key(id)
        const found = Effect.gen(function*() {
          const sealed = yield* rows.get(sessions, name)
          recent.set(sessions, name, sealed)
          const stored = opened(record, sessions, name, sealed)
          // It may say that the session has ended.
          if (sealed !== undefined && stored === undefined) return wanted(name) ?? ("unknown" as const)
          const current = stored?.hasEnded === true ? stored : wanted(name) ?? stored
          if (current !== undefined || born === undefined) return current
          return born <= (yield* currentFloor).endedBefore ? presumedEnded : undefined
        })
        const unknown = Effect.sync(() => wanted(name) ?? ("unknown" as const))
        return Runtime.runPromise(runtime)(found.pipe(
          Effect.retry(Schedule.intersect(Schedule.spaced(soon), Schedule.recurs(2))),
          Effect.orElse(() => unknown)
        ))
      },
      set: (id, record) => {
        const name = key(id)
        const next = wanted(name)?.hasEnded === true && record.hasEnded !== true ? wanted(name) ?? record : record
        const before = waiting.get(name)
        if (before !== undefined) {
          before.record = next
          return before.written
        }
        let done = (): void => {}
        const written = new Promise<void>((resolve) => {
          done = resolve
        })
        waiting.set(name, { record: next, written, done })
        hasWork.unsafeOpen()
        return written
      }
    }
  })
