import { Effect } from "effect"
import type { ClusterKeys } from "../ClusterKey.js"
import type { ClusterStore, Place, StoreError } from "../ClusterStore.js"
import type { KeyPrints } from "../postgres/KeyPrints.js"
import * as Seal from "../Seal.js"

export interface Options {
  readonly store: Pick<ClusterStore, "rows">
  readonly prints: KeyPrints
  readonly key: ClusterKeys
  /** See `ClusterState`. */
  readonly followed?: Iterable<string> | undefined
}

const atOnce = 50

/**
 * Seals everything shared with these keys only, without a change of its age, so that a key can be taken away. Returns how many rows were
 * sealed anew. Run it at the start of a replica, and again if it fails. Does nothing where others have newer keys. Throws a RangeError if a
 * key is too short.
 */
export const complete = (
  { followed = [], key: keys, prints, store: { rows } }: Options
): Effect.Effect<number, StoreError> => {
  const seal = Seal.make(keys)
  const isFollowed = new Set(followed)
  /** Whoever changes a row meanwhile seals it with his keys. */
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
  return Effect.flatMap(prints.begin, (isBehind) => isBehind ? Effect.succeed(0) : Effect.zipLeft(all, prints.end))
}
