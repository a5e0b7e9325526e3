/**
 * Seals what replicas share, so that neither who reads the database nor who writes to it knows or forges any of it.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import * as ClusterKey from "../ClusterKey.js"

/** Of this purpose, and this form. */
const info = "mcp-lifeline cluster: what replicas share, form 1"

const cipher = "aes-256-gcm"
const nonceBytes = 12
const tagBytes = 16

/** Seals texts, each for one row of one collection: it cannot be opened as another one. */
export interface Seal {
  readonly seal: (collection: string, key: string, text: string) => string
  /** The text; `undefined` if nobody with this key has sealed it for this row. */
  readonly open: (collection: string, key: string, sealed: string) => string | undefined
}

const place = (collection: string, key: string): Buffer => Buffer.from(JSON.stringify([collection, key]))

/** All replicas with the same key open each other's texts. Throws a RangeError if the key is too short. */
export const make = (clusterKey: ClusterKey.ClusterKey): Seal => {
  const secret = ClusterKey.derived(clusterKey, info)
  return {
    seal: (collection, key, text) => {
      const nonce = randomBytes(nonceBytes)
      const sealing = createCipheriv(cipher, secret, nonce)
      sealing.setAAD(place(collection, key))
      const sealed = Buffer.concat([sealing.update(text, "utf8"), sealing.final()])
      return Buffer.concat([nonce, sealed, sealing.getAuthTag()]).toString("base64url")
    },
    open: (collection, key, sealed) => {
      const bytes = Buffer.from(sealed, "base64url")
      try {
        // Refuse a shorter tag: it would be easier to forge.
        const opening = createDecipheriv(cipher, secret, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        opening.setAAD(place(collection, key))
        opening.setAuthTag(bytes.subarray(-tagBytes))
        const opened = opening.update(bytes.subarray(nonceBytes, -tagBytes))
        return Buffer.concat([opened, opening.final()]).toString("utf8")
      } catch {
        return undefined
      }
    }
  }
}
