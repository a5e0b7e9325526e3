/**
 * The token with which a replica asks the owner of a server, derived from the key of the cluster.
 */
import { Redacted } from "effect"
import { createHash, hkdfSync, timingSafeEqual } from "node:crypto"
import type { ClusterKey } from "../PeerMessages.js"

/** Of this purpose. Another form of it needs another text. */
const info = "mcp-lifeline cluster: requests to the owner of a server, form 1"

/** The header `Authorization` of a replica. */
export const authorization = (key: ClusterKey): Redacted.Redacted =>
  Redacted.make(
    `Bearer ${Buffer.from(hkdfSync("sha256", Buffer.from(Redacted.value(key)), "", info, 32)).toString("base64url")}`
  )

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** Whether a header is the one of a replica. Takes the same time wherever they differ. */
export const isAllowed = (expected: Redacted.Redacted, header: string | undefined): boolean =>
  timingSafeEqual(digest(header ?? ""), digest(Redacted.value(expected)))
