/**
 * The token with which a replica asks the owner of a server, derived from the key of the cluster. Of several keys, there is one of each.
 */
import { Redacted } from "effect"
import * as ClusterKey from "../ClusterKey.js"
import { isSigned, proofs } from "../PeerMessages.js"

/** Of this purpose. Another form of it needs another text. */
const info = "mcp-lifeline cluster: requests to the owner of a server, form 1"

const scheme = "Bearer "

/** The header `Authorization` of a replica, with the keys that count when it is called. Throws a RangeError if a key is too short. */
export const authorization = (keys: ClusterKey.ClusterKeys): () => Redacted.Redacted =>
  ClusterKey.fromEach(
    keys,
    (all) => Redacted.make(scheme + proofs(all.map((key) => ClusterKey.derived(key, info).toString("base64url"))))
  )

/** Whether a header is of a replica that has one of the same keys. Takes the same time wherever tokens differ. */
export const isAllowed = (expected: Redacted.Redacted, header: string | undefined): boolean =>
  header?.startsWith(scheme) === true
  && isSigned(header.slice(scheme.length), Redacted.value(expected).slice(scheme.length))
