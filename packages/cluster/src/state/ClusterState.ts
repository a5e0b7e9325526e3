/**
 * The state that all replicas of a cluster share: what a state folder is for the processes of one machine. Values are JSON, sealed with the
 * key of the cluster, in the cluster's store.
 *
 * While the store is away, reads answer with what this replica has read or written last, writes are kept in memory until it is back, unless
 * another replica has changed the same meanwhile, and locks wait. One warning says so.
 */
import type { Collection, StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Unreadable } from "@mcp-lifeline/state/Unreadable"
import { Clock, Effect, Either, Option, Schema, type Scope } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore } from "../ClusterStore.js"
import type { Membership } from "../Membership.js"
import * as ClusterLocks from "./ClusterLocks.js"
import * as Seal from "./Seal.js"
import * as SharedRows from "./SharedRows.js"

/** What a replica needs. */
export interface Options {
  readonly store: ClusterStore
  readonly key: ClusterKeys
  readonly membership: Pick<Membership, "changes" | "held">
  /** The state folder of this machine, whose paths stay as they are. */
  readonly local: StateFolder["Type"]
  /**
   * The collections of which all replicas learn within a renewal when they change (`Renewal.changes`), and that nobody asks the store for as long as
   * they have not. Each should be small: it is read as a whole. Default: none.
   */
  readonly followed?: Iterable<string> | undefined
}

/** How often a value with bounds is marked as used at most, in milliseconds. */
const useEvery = 24 * 60 * 60 * 1000

const notOurs = "was not written by this version of mcp-lifeline with the key of this cluster"

const checked = (name: string): string => {
  if (!/^[\w-]{1,100}$/.test(name)) throw new Error(`not a name for something that replicas share: ${name}`)
  return name
}

/**
 * The shared state of a replica: one for each replica. Nothing fails, except what may fail of a state folder. When the scope closes, what the store has not taken is
 * written, or lost. Throws a RangeError if the key is too short.
 */
export const make = (
  { followed = [], key: clusterKey, local, membership, store }: Options
): Effect.Effect<StateFolder["Type"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const seal = Seal.make(clusterKey)
    const rows = yield* SharedRows.make({
      store,
      followed: new Set(followed),
      changes: membership.changes
    })
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
          return Effect.as(
            Effect.logWarning(
              `what replicas share as ${row} ${notOurs}, and is ignored`
            ),
            value
          )
        })
      /** Marks a value as used, now and then. */
      const used = (key: string) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          if (bounds === undefined || now - (usedAt.get(key) ?? -Infinity) < useEvery) return Effect.void
          usedAt.set(key, now)
          return Effect.ignore(store.rows.use(name, key))
        })
      /** Once in each process: one process never writes much. */
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
        entries: Effect.flatMap(rows.entries(name), (all) =>
          Effect.map(
            Effect.forEach(
              all,
              ([key, sealed]) => Effect.map(opened(key, sealed), Option.map((value) => [key, value] as const))
            ),
            (found) => found.flatMap(Option.toArray)
          )),
        keys: Effect.flatMap(Effect.sync(rows.guesses), (before) =>
          Effect.flatMap(rows.entries(name), (all) =>
            rows.guesses() === before
              ? Effect.succeed(all.map(([key]) =>
                key
              ))
              : Effect.fail(new Unreadable({ file: `the cluster's ${name}`, reason: "the database does not answer" }))))
      }
    }

    return {
      path: local.path,
      privateFolder: local.privateFolder,
      collection,
      lock: (name) => Effect.suspend(() => locks.lock(checked(name)))
    }
  })
