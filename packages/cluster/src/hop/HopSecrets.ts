/**
 * The token with which a replica asks the owner of a server, derived from the key of the cluster.
 */
import { Redacted } from "effect"
import * as ClusterKey from "../ClusterKey.js"
import { isSigned } from "../PeerMessages.js"

/** Of this purpose. Another form of it needs another text. */
const info = "mcp-lifeline cluster: requests to the owner of a server, form 1"

/** The header `Authorization` of a replica. Throws a RangeError if the key is too short. */
export const authorization = (key: ClusterKey.ClusterKey): Redacted.Redacted =>
  Redacted.make(`Bearer ${ClusterKey.derived(key, info).toString("base64url")}`)

/** Whether a header is the one of a replica. Takes the same time wherever they differ. */
export const isAllowed = (expected: Redacted.Redacted, header: string | undefined): boolean =>
  isSigned(header, Redacted.value(expected))
