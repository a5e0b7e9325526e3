/** Never fails; `ClusterState` says what happens while the store is away. */
import { Effect, Either, type Scope } from "effect"
import type { Change, ClusterStore, StoreError } from "../ClusterStore.js"
import { RecentRows } from "./RecentRows.js"

const again = 1000

/** Of more, the oldest are not kept. */
const maxUnwritten = 10_000

export interface Options {
  readonly store: Pick<ClusterStore, "rows">
  /** See `ClusterState`. */
  readonly followed: ReadonlySet<string>
  /** As last seen; undefined if that was long ago. */
  readonly changes: () => number | undefined
}

export interface SharedRows {
  readonly get: (collection: string, key: string) => Effect.Effect<string | undefined>
  /** Fails where the store is away and this replica does not know the row. */
  readonly find: (collection: string, key: string) => Effect.Effect<string | undefined, StoreError>
  readonly entries: (collection: string) => Effect.Effect<ReadonlyArray<readonly [key: string, text: string]>>
  /** Whatever was there; `undefined` removes it. Returns whether it is in the store. Uninterruptible. */
  readonly set: (collection: string, key: string, text: string | undefined) => Effect.Effect<boolean>
  readonly written: Effect.Effect<void>
  readonly isWritten: () => boolean
  /** Until the scope closes, all reads ask the store. */
  readonly exact: Effect.Effect<void, never, Scope.Scope>
  /** Reads answered while the store was away. */
  readonly guesses: () => number
}

interface Unwritten extends Pick<Change, "collection" | "key" | "before" | "text"> {
  /** Earlier texts of this replica, which the store may have. */
  readonly tried: ReadonlyArray<string | undefined>
}

interface Snapshot {
  readonly changes: number | undefined
  readonly rows: Map<string, string>
}

/** When the scope closes, writes what is left. */
export const make = (
  { changes, followed, store: { rows } }: Options
): Effect.Effect<SharedRows, never, Scope.Scope> =>
  Effect.gen(function*() {
    const recent = new RecentRows()
    const snapshots = new Map<string, Snapshot>()
    const unwritten = new Map<string, Unwritten>()
    const nothingWaits = yield* Effect.makeLatch(true)
    const somethingWaits = yield* Effect.makeLatch(false)
    let isAway = false
    let exact = 0
    let guesses = 0
    let writes = 0

    const asked = <A>(work: Effect.Effect<A, StoreError>): Effect.Effect<Either.Either<A, StoreError>> =>
      Effect.tap(Effect.either(work), (found) => {
        if (Either.isLeft(found) === isAway) return Effect.void
        isAway = Either.isLeft(found)
        return Effect.logWarning(
          Either.isLeft(found)
            ? `${found.left.message}; until it is back, this replica goes on with what it knows of logins and other shared state, and keeps changes in its memory`
            : "the database of the cluster answers again"
        )
      })
    const change = (one: Omit<Unwritten, "tried">) =>
      asked(rows.change({ ...one, isFollowed: followed.has(one.collection) }))

    const remember = (collection: string, key: string, text: string | undefined): void => {
      if (!followed.has(collection)) return recent.set(collection, key, text)
      const known = snapshots.get(collection)?.rows
      if (known === undefined && text !== undefined) {
        snapshots.set(collection, { changes: undefined, rows: new Map([[key, text]]) })
      } else if (text === undefined) known?.delete(key)
      else known?.set(key, text)
    }
    const known = (collection: string, key: string): { readonly text: string | undefined } | undefined => {
      if (!followed.has(collection)) return recent.get(collection, key)
      const text = snapshots.get(collection)?.rows.get(key)
      return text === undefined ? undefined : { text }
    }

    const keep = (id: string, one: Unwritten): void => {
      unwritten.delete(id)
      unwritten.set(id, one)
      const [oldest] = unwritten.keys()
      if (unwritten.size > maxUnwritten && oldest !== undefined) unwritten.delete(oldest)
      nothingWaits.unsafeClose()
      somethingWaits.unsafeOpen()
    }
    const drop = (id: string): void => {
      unwritten.delete(id)
      if (unwritten.size > 0) return
      somethingWaits.unsafeClose()
      nothingWaits.unsafeOpen()
    }

    const set: SharedRows["set"] = (collection, key, text) =>
      Effect.gen(function*() {
        const id = `${collection}/${key}`
        const earlier = unwritten.get(id)
        const tried = earlier === undefined ? [] : [...earlier.tried, earlier.text]
        let before = earlier === undefined ? known(collection, key)?.text : earlier.before
        while (true) {
          const found = yield* change({ collection, key, before, text })
          if (Either.isRight(found) && found.right !== text) {
            before = found.right
            continue
          }
          writes++
          remember(collection, key, text)
          if (Either.isRight(found)) drop(id)
          else keep(id, { collection, key, before, text, tried })
          return Either.isRight(found)
        }
      }).pipe(Effect.uninterruptible)

    /** Unless the row is somebody else's now. Fails if the store is away. */
    const late = (id: string, one: Unwritten) =>
      Effect.gen(function*() {
        const { collection, key, text, tried } = one
        let { before } = one
        while (unwritten.get(id) === one) {
          const found = yield* change({ collection, key, before, text })
          if (Either.isLeft(found)) return yield* found.left
          const isOurs = found.right === before || tried.includes(found.right)
          if (found.right !== text && isOurs) {
            before = found.right
            continue
          }
          if (unwritten.get(id) !== one) return
          writes++
          remember(collection, key, found.right)
          drop(id)
        }
      })
    const writeRest = Effect.suspend(() =>
      Effect.ignore(Effect.forEach(Array.from(unwritten), ([id, one]) => late(id, one), { discard: true }))
    )

    /** What is to be written is newer than what was read. */
    const withUnwritten = (collection: string, read: ReadonlyArray<readonly [key: string, text: string]>) => {
      const all = new Map(read)
      for (const one of unwritten.values()) {
        if (one.collection !== collection) continue
        if (one.text === undefined) all.delete(one.key)
        else all.set(one.key, one.text)
      }
      return all
    }
    const guess = <A>(value: A): A => {
      guesses++
      return value
    }
    const snapshot = (collection: string): Effect.Effect<ReadonlyMap<string, string>> =>
      Effect.gen(function*() {
        while (true) {
          const now = changes()
          const known = snapshots.get(collection)
          const isSame = known !== undefined && known.changes === now
          if (isSame && now !== undefined && exact === 0) return known.rows
          const before = writes
          const read = yield* asked(rows.entries(collection))
          if (Either.isLeft(read)) return guess(known?.rows ?? new Map<string, string>())
          if (before !== writes) continue
          const found = withUnwritten(collection, read.right)
          snapshots.set(collection, { changes: now, rows: found })
          return found
        }
      })

    yield* Effect.addFinalizer(() => writeRest)
    yield* somethingWaits.await.pipe(
      Effect.zipRight(Effect.sleep(again)),
      Effect.zipRight(writeRest),
      Effect.forever,
      Effect.interruptible,
      Effect.forkScoped
    )

    const find: SharedRows["find"] = (collection, key) =>
      Effect.gen(function*() {
        const before = writes
        const read = yield* asked(rows.get(collection, key))
        const waiting = unwritten.get(`${collection}/${key}`)
        if (waiting !== undefined) return waiting.text
        if (Either.isLeft(read)) {
          const row = known(collection, key)
          return row === undefined ? yield* read.left : guess(row.text)
        }
        if (before === writes && !followed.has(collection)) recent.set(collection, key, read.right)
        return read.right
      })

    return {
      get: (collection, key) =>
        followed.has(collection)
          ? Effect.map(snapshot(collection), (rows) => rows.get(key))
          : Effect.catchAll(find(collection, key), () => Effect.sync(() => guess(undefined))),
      find,
      entries: (collection) => {
        if (followed.has(collection)) return Effect.map(snapshot(collection), (rows) => Array.from(rows).toSorted())
        return Effect.gen(function*() {
          const before = writes
          const read = yield* asked(rows.entries(collection))
          if (Either.isLeft(read)) return guess(recent.entries(collection).toSorted())
          if (before === writes) { for (const [key, text] of read.right) recent.set(collection, key, text) }
          return Array.from(withUnwritten(collection, read.right)).toSorted()
        })
      },
      set,
      written: Effect.zipRight(writeRest, nothingWaits.await),
      isWritten: () => unwritten.size === 0,
      exact: Effect.asVoid(
        Effect.acquireRelease(Effect.sync(() => void exact++), () => Effect.sync(() => void exact--))
      ),
      guesses: () => guesses
    }
  })
