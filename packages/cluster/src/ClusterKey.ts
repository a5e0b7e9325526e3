/**
 * The key of a cluster, by which its replicas know each other.
 */
import { Array, Redacted } from "effect"
import { hkdfSync } from "node:crypto"

/**
 * The key that all replicas of a cluster have in common: at least 32 bytes, or characters, as from `openssl rand -base64 32`. Keys for all
 * purposes are derived from it.
 */
export type ClusterKey = Redacted.Redacted<string | Uint8Array>

/** The key; or, while it is replaced, the new one and then the old one. Two replicas understand each other as long as they have one in common. */
export type ClusterKeys = ClusterKey | Array.NonEmptyReadonlyArray<ClusterKey>

const minKey = 32

/**
 * The key for one purpose. `info`: the purpose, and the form of what is made with it; another form needs another text. Throws a RangeError if
 * the key of the cluster is too short.
 */
const derived = (key: ClusterKey, info: string): Buffer => {
  const shared = Buffer.from(Redacted.value(key))
  if (shared.length < minKey) {
    throw new RangeError(
      `the key of the cluster has ${shared.length} bytes, and needs at least ${minKey}: make one with: openssl rand -base64 32`
    )
  }
  return Buffer.from(hkdfSync("sha256", shared, "", info, 32))
}

/** The keys for one purpose, the newest first. Throws a RangeError if one of the cluster is too short. */
export const allDerived = (keys: ClusterKeys, info: string): Array.NonEmptyReadonlyArray<Buffer> =>
  Array.map(Redacted.isRedacted(keys) ? [keys] as const : keys, (key) => derived(key, info))
