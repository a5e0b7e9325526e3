/**
 * Ids of sessions that contain, encrypted, what is needed to serve the session. So a session outlives its process: any process with the same
 * key can resume it.
 */
import { Redacted } from "effect"
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** What an id contains. */
export interface Claims {
  /** The params of `initialize`; absent if they are too long for a header. */
  readonly initialize?: Readonly<Record<string, unknown>> | undefined
  /** The negotiated version of the protocol. */
  readonly version: string
  /** The lists for which `initialize` announced `listChanged`. */
  readonly lists: ReadonlyArray<string>
  /** Whose it is (`Caller.ownerOf`); nobody else may use the session. */
  readonly owner: string
  /** When the session began, in seconds since 1970. */
  readonly born: number
  /** Which of several replicas it began on. */
  readonly home?: string | undefined
}

/** Seals and opens ids. */
export interface Seal {
  readonly seal: (claims: Claims) => string
  /** Returns the claims of an id; `undefined` if it was not sealed with this key. */
  readonly open: (id: string) => Claims | undefined
  /** A short text that only who has the key can make of a text, the same each time. */
  readonly mark: (text: string) => string
  /** Whether it is the mark of a text, as it is made now or was made before. */
  readonly isMark: (text: string, mark: string) => boolean
}

const cipher = "aes-256-gcm"
/** The version of the binary format, its first byte. */
const format = 1
const nonceBytes = 12
const tagBytes = 16
/** No id that we make is longer. */
const maxLength = 8192

/** Derives a key of the right length from a secret of any length. */
const keyOf = (secret: Redacted.Redacted, purpose = "session id"): Buffer =>
  createHash("sha256").update(`mcp-lifeline ${purpose}\0`).update(Redacted.value(secret)).digest()

/** How many bytes of a mark there are: as hard to guess as a key of this length. */
const markBytes = 16

/** Makes a seal. All processes with the same secret open each other's ids. */
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

/** Seals with the first of several seals, and opens what any of them has sealed. They may be others each time. */
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

/** A new random secret. */
export const randomSecret = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))
