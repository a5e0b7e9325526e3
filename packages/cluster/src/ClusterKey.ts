/**
 * The key of a cluster, by which its replicas know each other.
 */
import { Redacted } from "effect"
import { hkdfSync } from "node:crypto"

/**
 * The key that all replicas of a cluster have in common: at least 32 bytes, or characters, as from `openssl rand -base64 32`. Keys for all
 * purposes are derived from it.
 */
export type ClusterKey = Redacted.Redacted<string | Uint8Array>

const minKey = 32

/**
 * The key for one purpose. `info`: the purpose, and the form of what is made with it; another form needs another text. Throws a RangeError if
 * the key of the cluster is too short.
 */
export const derived = (key: ClusterKey, info: string): Buffer => {
  const shared = Buffer.from(Redacted.value(key))
  if (shared.length < minKey) {
    throw new RangeError(
      `the key of the cluster has ${shared.length} bytes, and needs at least ${minKey}: make one with: openssl rand -base64 32`
    )
  }
  return Buffer.from(hkdfSync("sha256", shared, "", info, 32))
}
