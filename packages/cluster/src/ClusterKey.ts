import { Array, Redacted } from "effect"
import { hkdfSync } from "node:crypto"

/** At least 32 bytes, or characters, as from `openssl rand -base64 32`. Keys for all purposes are derived from it. */
export type ClusterKey = Redacted.Redacted<string | Uint8Array>

/** While the key is replaced, the new one, then the old. Replicas understand each other while they share one. */
export type ClusterKeys = ClusterKey | Array.NonEmptyReadonlyArray<ClusterKey>

const minKey = 32

/** `info`: the purpose and form; another form needs another text. */
const derived = (key: ClusterKey, info: string): Buffer => {
  const shared = Buffer.from(Redacted.value(key))
  if (shared.length < minKey) {
    throw new RangeError(
      `the key of the cluster has ${shared.length} bytes, and needs at least ${minKey}: make one with: openssl rand -base64 32`
    )
  }
  return Buffer.from(hkdfSync("sha256", shared, "", info, 32))
}

/** Newest first. Throws a RangeError if a key is too short. */
export const allDerived = (keys: ClusterKeys, info: string): Array.NonEmptyReadonlyArray<Buffer> =>
  Array.map(Redacted.isRedacted(keys) ? [keys] as const : keys, (key) => derived(key, info))
