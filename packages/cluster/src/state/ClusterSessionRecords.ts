/** Sealed rows, which all replicas share. */
import * as SessionRecords from "@mcp-lifeline/http-server/SessionRecords"
import { Effect, Option, Schedule, Schema, type Scope } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore, StoreError } from "../ClusterStore.js"
import * as Seal from "../Seal.js"
import { RecentRows } from "./RecentRows.js"

const [sessions, floors, floor] = ["sessions", "sessions-ended", "floor"]

/** Its `maxChars` count all text. */
export type Limits = SessionRecords.Limits

const defaultLimits: Limits = { maxSessions: 500_000, maxChars: 1024 * 1024 * 1024 }

/** Before asking the store again, in milliseconds. */
const soon = 500

/** Between the clocks of replicas and the store, in milliseconds. */
const spare = 24 * 60 * 60 * 1000

const [recordText, floorText] = [Schema.parseJson(SessionRecords.Record), Schema.parseJson(SessionRecords.Floor)]

export interface Options {
  readonly store: Pick<ClusterStore, "rows">
  readonly key: ClusterKeys
  readonly limits?: Limits | undefined
}

const patiently = <A>(work: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
  Effect.retry(work, Schedule.intersect(Schedule.spaced(soon), Schedule.recurs(2)))

const rowStore = ({ key, limits = defaultLimits, store: { rows } }: Options): SessionRecords.RecordStore => {
  const seal = Seal.make(key)
  const recent = new RecentRows()
  const opened = <A>(
    schema: Schema.Schema<A, string>,
    collection: string,
    name: string,
    sealed: string | undefined
  ): A | undefined => {
    const text = sealed === undefined ? undefined : seal.open(collection, name, sealed)
    return text === undefined ? undefined : Option.getOrUndefined(Schema.decodeOption(schema)(text))
  }
  const recordIn = (name: string, sealed: string | undefined) => opened(recordText, sessions, name, sealed)

  const currentFloor = Effect.map(rows.get(floors, floor), (sealed) => ({
    sealed,
    endedBefore: opened(floorText, floors, floor, sealed)?.endedBefore ?? 0
  }))
  const raiseFloor = (to: number) =>
    Effect.gen(function*() {
      while (true) {
        const found = yield* currentFloor
        if (found.endedBefore >= to) return
        const text = seal.seal(floors, floor, Schema.encodeSync(floorText)({ endedBefore: to }))
        if ((yield* rows.change({ collection: floors, key: floor, before: found.sealed, text })) === text) return
      }
    })
  const makeRoom = Effect.gen(function*() {
    while (true) {
      const excess = yield* rows.excess(sessions, { maxRows: limits.maxSessions, maxChars: limits.maxChars })
      if (excess.length === 0) return
      const gone = excess.map(([name, sealed]) =>
        SessionRecords.shareOf(recordIn(name, sealed) ?? SessionRecords.presumedEnded)
      )
      yield* raiseFloor(gone.reduce((latest, { floor = 0 }) => Math.max(latest, floor), 0))
      yield* Effect.forEach(
        excess,
        ([name, before]) => rows.change({ collection: sessions, key: name, before, text: undefined }),
        { discard: true }
      )
    }
  })
  const removeOld = rows.prune(sessions, {
    maxRows: Number.MAX_SAFE_INTEGER,
    maxUnused: SessionRecords.lifetime + spare
  })
  return {
    read: (name) =>
      Effect.flatMap(patiently(rows.get(sessions, name)), (sealed) => {
        recent.set(sessions, name, sealed)
        const record = recordIn(name, sealed)
        // It may say that the session has ended.
        return sealed !== undefined && record === undefined ? Effect.fail("not readable") : Effect.succeed(record)
      }),
    write: (name, record) =>
      Effect.gen(function*() {
        const text = seal.seal(sessions, name, Schema.encodeSync(recordText)(record))
        let before = recent.get(sessions, name)?.text
        while (SessionRecords.newer(recordIn(name, before), record) === record) {
          const found = yield* rows.change({ collection: sessions, key: name, before, text })
          recent.set(sessions, name, found)
          if (found === text) return
          before = found
        }
      }),
    endedBefore: () => Effect.map(patiently(currentFloor), ({ endedBefore }) => endedBefore),
    clean: Effect.ignore(Effect.zipRight(removeOld, makeRoom))
  }
}

/** Throws a RangeError if the key is too short. */
export const make = (options: Options): Effect.Effect<SessionRecords.SessionRecords, never, Scope.Scope> =>
  Effect.suspend(() =>
    SessionRecords.make(rowStore(options), { ...SessionRecords.defaultLimits, lookEvery: options.limits?.lookEvery })
  )
