/**
 * The state that all replicas share, as processes of one machine share a state folder: JSON, sealed with the cluster's key, in its store.
 *
 * While the store is away, reads answer with what this replica has read or written last, writes wait in memory, unless another replica has
 * changed the same meanwhile, and locks wait.
 */
import type { Collection, StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Unreadable } from "@mcp-lifeline/state/Unreadable"
import { Array, Clock, Effect, Either, Option, Schema, type Scope } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore } from "../ClusterStore.js"
import type { Membership } from "../Membership.js"
import * as Seal from "../Seal.js"
import * as ClusterLocks from "./ClusterLocks.js"
import * as SharedRows from "./SharedRows.js"

export interface Options {
  readonly store: ClusterStore
  readonly key: ClusterKeys
  readonly membership: Pick<Membership, "changes" | "held">
  /** Its paths stay as they are. */
  readonly local: StateFolder["Type"]
  /** All replicas learn of changes of these within a renewal, and read them only then. Keep each small: it is read as a whole. Default: none. */
  readonly followed?: Iterable<string> | undefined
}

/** Between two marks of a value as used, in milliseconds. */
const useEvery = 24 * 60 * 60 * 1000

const notOurs = "was not written by this version of mcp-lifeline with the key of this cluster"

const checked = (name: string): string => {
  if (!/^[\w-]{1,100}$/.test(name)) throw new Error(`not a name for something that replicas share: ${name}`)
  return name
}

/**
 * Fails only where a state folder may. When the scope closes, what the store has not taken is written, or lost. Throws a RangeError if the
 * key is too short.
 */
export const make = (
  { followed = [], key: clusterKey, local, membership, store }: Options
): Effect.Effect<StateFolder["Type"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const seal = Seal.make(clusterKey)
    const rows = yield* SharedRows.make({ store, followed: new Set(followed), changes: membership.changes })
    const locks = yield* ClusterLocks.make({ locks: store.locks, membership, rows })
    const warned = new Set<string>()

    const collection = <A, I>(
      name: string,
      schema: Schema.Schema<A, I>,
      bounds?: Parameters<StateFolder["Type"]["collection"]>[2]
    ): Collection<A> => {
      checked(name)
      const json = Schema.parseJson(schema)
      const decode = Schema.decodeEither(json)
      const encode = Schema.encodeSync(json)
      const usedAt = new Map<string, number>()
      let isBounded = false

      const decoded = (key: string, sealed: string): Option.Option<A> => {
        const text = seal.open(name, key, sealed)
        return text === undefined ? Option.none() : Either.getRight(decode(text))
      }
      const opened = (key: string, sealed: string): Effect.Effect<Option.Option<A>> =>
        Effect.suspend(() => {
          const value = decoded(key, sealed)
          const row = `${name}/${key}`
          if (Option.isSome(value) || warned.has(row)) return Effect.succeed(value)
          warned.add(row)
          return Effect.as(Effect.logWarning(`what replicas share as ${row} ${notOurs}, and is ignored`), value)
        })
      const used = (key: string) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          if (bounds === undefined || now - (usedAt.get(key) ?? -Infinity) < useEvery) return Effect.void
          usedAt.set(key, now)
          return Effect.ignore(store.rows.use(name, key))
        })
      const bound = Effect.suspend(() => {
        if (isBounded || bounds === undefined) return Effect.void
        isBounded = true
        return Effect.ignore(store.rows.prune(name, { maxRows: bounds.maxFiles, maxUnused: bounds.maxUnused }))
      })

      return {
        get: (key) =>
          Effect.flatMap(rows.get(name, checked(key)), (sealed) =>
            sealed === undefined
              ? Effect.succeedNone
              : Effect.tap(opened(key, sealed), (value) => Option.isSome(value) ? used(key) : Effect.void)),
        read: (key) => {
          const unreadable = (reason: string) => new Unreadable({ file: `the cluster's ${name}/${key}`, reason })
          return rows.find(name, checked(key)).pipe(
            Effect.mapError(({ message }) => unreadable(message)),
            Effect.flatMap((sealed): Effect.Effect<Option.Option<A>, Unreadable> => {
              if (sealed === undefined) return Effect.succeedNone
              const value = decoded(key, sealed)
              return Option.isSome(value) ? Effect.as(used(key), value) : Effect.fail(unreadable(`it ${notOurs}`))
            })
          )
        },
        set: (key, value) =>
          Effect.suspend(() => rows.set(name, checked(key), seal.seal(name, key, encode(value)))).pipe(
            Effect.tap((isWritten) => isWritten ? bound : Effect.void)
          ),
        remove: (key) => Effect.suspend(() => Effect.asVoid(rows.set(name, checked(key), undefined))),
        entries: rows.entries(name).pipe(
          Effect.flatMap(Effect.forEach(([key, sealed]) =>
            Effect.map(opened(key, sealed), Option.map((value) => [key, value] as const))
          )),
          Effect.map(Array.getSomes)
        ),
        keys: Effect.gen(function*() {
          const before = rows.guesses()
          const all = yield* rows.entries(name)
          if (rows.guesses() === before) {
            return all.map(([key]) =>
              key
            )
          }
          return yield* new Unreadable({ file: `the cluster's ${name}`, reason: "the database does not answer" })
        })
      }
    }

    return {
      path: local.path,
      privateFolder: local.privateFolder,
      collection,
      lock: (name) => Effect.suspend(() => locks.lock(checked(name)))
    }
  })
