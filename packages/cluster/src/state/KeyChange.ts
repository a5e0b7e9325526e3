/**
 * Seals everything that replicas share with the keys that count now, and no others, so that a key can be taken away. The age of what is shared stays
 * as it was.
 *
 * Each replica does so whenever its keys change: one that has not got the new key yet may still write something without it.
 */
import { Effect } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore, Place, StoreError } from "../ClusterStore.js"
import type { KeyPrints } from "../postgres/KeyPrints.js"
import * as Seal from "./Seal.js"

/** What is needed for that. */
export interface Options {
  readonly store: Pick<ClusterStore, "rows">
  readonly prints: KeyPrints
  readonly key: ClusterKeys
  /** See `ClusterState`. */
  readonly followed?: Iterable<string> | undefined
}

/** How many rows are read at a time. */
const atOnce = 200

/**
 * What a change of the keys needs. Either returns how many rows were sealed anew; `undefined` if there was nothing to do. What nobody with these keys
 * has sealed stays as it is. Can be run again if it fails.
 */
export interface KeyChange {
  /** To be run once at the start: completes a change that is under way. */
  readonly atStart: Effect.Effect<number | undefined, StoreError>
  /** To be run after each change. */
  readonly afterChange: Effect.Effect<number | undefined, StoreError>
}

/** Throws a RangeError if a key is too short. */
export const make = ({ followed = [], key: keys, prints, store: { rows } }: Options): KeyChange => {
  const seal = Seal.make(keys)
  const isFollowed = new Set(followed)
  /** A row that somebody else changes meanwhile is sealed by that one, with the keys that he has. */
  const renew = ({ collection, key, text: before }: Place & { readonly text: string }) =>
    Effect.suspend(() => {
      if (seal.isCurrent(collection, key, before)) return Effect.succeed(0)
      const opened = seal.open(collection, key, before)
      if (opened === undefined) return Effect.succeed(0)
      const text = seal.seal(collection, key, opened)
      const change = { collection, key, before, text, isFollowed: isFollowed.has(collection), keepsAge: true }
      return Effect.map(rows.change(change), (found) => found === text ? 1 : 0)
    })
  const all = Effect.gen(function*() {
    let count = 0
    let place: Place | undefined
    while (true) {
      const page: ReadonlyArray<Place & { readonly text: string }> = yield* rows.after(place, atOnce)
      for (const row of page) count += yield* renew(row)
      place = page.at(-1)
      if (place === undefined) return count
    }
  })
  const unless = (done: ReadonlySet<string>) =>
    Effect.flatMap(
      prints.begin,
      (found) => done.has(found) ? Effect.succeed(undefined) : Effect.zipLeft(all, prints.end)
    )
  return { atStart: unless(new Set(["same", "behind"])), afterChange: unless(new Set(["behind"])) }
}
