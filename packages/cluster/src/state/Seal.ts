/**
 * Seals what replicas share, so that neither who reads the database nor who writes to it knows or forges any of it.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import * as ClusterKey from "../ClusterKey.js"

/** Of this purpose, and this form. */
const shared = "mcp-lifeline cluster: what replicas share, form 1"

const cipher = "aes-256-gcm"
const nonceBytes = 12
const tagBytes = 16

/** Between what was sealed with one key and with the next one. */
const separator = "."

/** Nobody has more keys at once. */
const maxParts = 5

/** Seals texts, each for one row of one collection: it cannot be opened as another one. */
export interface Seal {
  /** With each key, so that any replica opens it that has one of them. */
  readonly seal: (collection: string, key: string, text: string) => string
  /** The text; `undefined` if nobody with one of these keys has sealed it for this row. */
  readonly open: (collection: string, key: string, sealed: string) => string | undefined
  /** Whether it is sealed with these keys, and no others. */
  readonly isCurrent: (collection: string, key: string, sealed: string) => boolean
}

const place = (collection: string, key: string): Buffer => Buffer.from(JSON.stringify([collection, key]))

const sealedWith = (secret: Buffer, aad: Buffer, text: string): string => {
  const nonce = randomBytes(nonceBytes)
  const sealing = createCipheriv(cipher, secret, nonce)
  sealing.setAAD(aad)
  const sealed = Buffer.concat([sealing.update(text, "utf8"), sealing.final()])
  return Buffer.concat([nonce, sealed, sealing.getAuthTag()]).toString("base64url")
}

const openedWith = (secret: Buffer, aad: Buffer, part: string): string | undefined => {
  const bytes = Buffer.from(part, "base64url")
  try {
    // Refuse a shorter tag: it would be easier to forge.
    const opening = createDecipheriv(cipher, secret, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
    opening.setAAD(aad)
    opening.setAuthTag(bytes.subarray(-tagBytes))
    const opened = opening.update(bytes.subarray(nonceBytes, -tagBytes))
    return Buffer.concat([opened, opening.final()]).toString("utf8")
  } catch {
    return undefined
  }
}

/** Replicas that have a key in common open each other's texts. `info`: the purpose, and the form. Throws a RangeError if a key is too short. */
export const make = (keys: ClusterKey.ClusterKeys, info = shared): Seal => {
  const secrets = ClusterKey.allDerived(keys, info)
  return {
    seal: (collection, key, text) => {
      const aad = place(collection, key)
      return secrets.map((secret) => sealedWith(secret, aad, text)).join(separator)
    },
    open: (collection, key, sealed) => {
      const aad = place(collection, key)
      const parts = sealed.split(separator, maxParts)
      for (const secret of secrets) {
        for (const part of parts) {
          const text = openedWith(secret, aad, part)
          if (text !== undefined) return text
        }
      }
      return undefined
    },
    isCurrent: (collection, key, sealed) => {
      const aad = place(collection, key)
      const parts = sealed.split(separator, maxParts + 1)
      return parts.length === secrets.length &&
        secrets.every((secret, index) => openedWith(secret, aad, parts[index] ?? "") !== undefined)
    }
  }
}
