/**
 * Ids of sessions contain, encrypted, what is needed to serve the session: any process with the same key can resume it.
 */
import { Redacted } from "effect"
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

export interface Claims {
  /** Its params; absent if they are too long for a header. */
  readonly initialize?: Readonly<Record<string, unknown>> | undefined
  readonly version: string
  /** Those for which `initialize` announced `listChanged`. */
  readonly lists: ReadonlyArray<string>
  /** `Caller.ownerOf`; nobody else may use the session. */
  readonly owner: string
  /** In seconds since 1970. */
  readonly born: number
  /** The replica on which it began. */
  readonly home?: string | undefined
}

export interface Seal {
  readonly seal: (claims: Claims) => string
  /** `undefined` if the id was not sealed with this key. */
  readonly open: (id: string) => Claims | undefined
  /** A short text that only who has the key can make, the same each time. */
  readonly mark: (text: string) => string
  /** Whether it is that of the text, as made now or before. */
  readonly isMark: (text: string, mark: string) => boolean
}

const cipher = "aes-256-gcm"
const format = 1
const nonceBytes = 12
const tagBytes = 16
const maxLength = 8192

const keyOf = (secret: Redacted.Redacted, purpose = "session id"): Buffer =>
  createHash("sha256").update(`mcp-lifeline ${purpose}\0`).update(Redacted.value(secret)).digest()

const markBytes = 16

/** All processes with the same secret open each other's ids. */
export const make = (secret: Redacted.Redacted): Seal => {
  const key = keyOf(secret)
  const version = Buffer.from([format])
  const markKey = keyOf(secret, "mark")
  const markOf = (text: string): Buffer => createHmac("sha256", markKey).update(text).digest().subarray(0, markBytes)
  return {
    mark: (text) => markOf(text).toString("base64url"),
    isMark: (text, mark) => {
      const [expected, given] = [Buffer.from(markOf(text).toString("base64url")), Buffer.from(mark)]
      return expected.length === given.length && timingSafeEqual(expected, given)
    },
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
      // Several texts decode to the same bytes; only one of them is the id.
      if (bytes[0] !== format || bytes.toString("base64url") !== id) return undefined
      try {
        // Refuse a shorter tag: it would be easier to forge.
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

/** Seals with the first, and opens what any has sealed. `current` may change. */
export const several = (current: () => readonly [Seal, ...ReadonlyArray<Seal>]): Seal => ({
  seal: (claims) => current()[0].seal(claims),
  open: (id) => {
    for (const seal of current()) {
      const claims = seal.open(id)
      if (claims !== undefined) return claims
    }
    return undefined
  },
  mark: (text) => current()[0].mark(text),
  isMark: (text, mark) => current().some((seal) => seal.isMark(text, mark))
})

export const randomSecret = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))
