/**
 * Ids of sessions that say, sealed with a key, what is needed to serve the session: so a session outlives the process that began it,
 * and any process with the same key can go on with it.
 */
import { Redacted } from "effect"
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto"

/** What an id says. */
export interface Claims {
  /** The params of `initialize`; absent where they are too long for a header. */
  readonly initialize?: Readonly<Record<string, unknown>> | undefined
  /** The version of the protocol that was agreed on. */
  readonly version: string
  /** The lists of which the client was promised that changes are told. */
  readonly lists: ReadonlyArray<string>
  /** A hash of the token of the client. */
  readonly tokenHash: string
  /** When the session began, in seconds since 1970. */
  readonly born: number
}

/** Seals and opens ids. */
export interface Seal {
  readonly seal: (claims: Claims) => string
  /** What an id says; `undefined` where it was not sealed with this key. */
  readonly open: (id: string) => Claims | undefined
}

const cipher = "aes-256-gcm"
/** The form of what is sealed. */
const format = 1
const nonceBytes = 12
const tagBytes = 16
/** Whatever is longer was not made here. */
const maxLength = 8192

/** A key of the right length from a secret of any length. */
const keyOf = (secret: Redacted.Redacted): Buffer =>
  createHash("sha256").update("mcp-lifeline session id\0").update(Redacted.value(secret)).digest()

/** The seal of everybody who has this secret. */
export const make = (secret: Redacted.Redacted): Seal => {
  const key = keyOf(secret)
  const version = Buffer.from([format])
  return {
    seal: (claims) => {
      const nonce = randomBytes(nonceBytes)
      const sealing = createCipheriv(cipher, key, nonce)
      sealing.setAAD(version)
      const sealed = Buffer.concat([sealing.update(JSON.stringify(claims), "utf8"), sealing.final()])
      return Buffer.concat([version, nonce, sealed, sealing.getAuthTag()]).toString("base64url")
    },
    open: (id) => {
      if (id.length > maxLength) return undefined
      const bytes = Buffer.from(id, "base64url")
      // Several texts are the same bytes; only one of them is the id.
      if (bytes[0] !== format || bytes.toString("base64url") !== id) return undefined
      try {
        // A tag that is shorter is refused, whatever else the id holds.
        const nonce = bytes.subarray(1, 1 + nonceBytes)
        const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes })
        opening.setAAD(version)
        opening.setAuthTag(bytes.subarray(-tagBytes))
        const opened = opening.update(bytes.subarray(1 + nonceBytes, -tagBytes))
        return JSON.parse(Buffer.concat([opened, opening.final()]).toString("utf8")) as Claims
      } catch {
        return undefined
      }
    }
  }
}

/** A secret that nobody else has. */
export const randomSecret = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))
