/** Who reads or writes the database can neither learn nor forge what replicas share. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import * as ClusterKey from "./ClusterKey.js"

const shared = "mcp-lifeline cluster: what replicas share, form 1"

const cipher = "aes-256-gcm"
const nonceBytes = 12
const tagBytes = 16

const separator = "."

/** Nobody has more keys at once. */
const maxParts = 5

/** For one row: it cannot be opened as another. */
export interface Seal {
  /** Any replica with one of the keys opens it. */
  readonly seal: (collection: string, key: string, text: string) => string
  /** undefined if nobody with one of these keys sealed it for this row. */
  readonly open: (collection: string, key: string, sealed: string) => string | undefined
  /** Sealed with these keys, and no others. */
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

/** `info`: the purpose, and the form. */
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
