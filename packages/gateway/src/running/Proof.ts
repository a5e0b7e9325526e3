/**
 * How a gateway proves that it is the one that registered itself: it knows a secret from a file that only its user can read. So no process
 * sends a token to another user's program that listens at the port of a former gateway.
 */
import { Redacted } from "effect"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { request } from "node:http"

/** The path at which a gateway answers challenges. It needs no token. */
export const path = "/proof"

/** How long a gateway may take to answer, in milliseconds. On a busy machine that takes seconds. */
const proofTimeout = 20_000

/** The maximum length of an answer, in characters. */
const maxAnswer = 1000

/** Generates the secret for one run of a gateway. It is not the token: a user may have chosen that, and it could be guessed from proofs. */
export const newSecret = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

const proofOf = (secret: Redacted.Redacted, challenge: string): string =>
  createHmac("sha256", Redacted.value(secret)).update(`mcp-lifeline gateway\0${challenge}`).digest("base64url")

/** The answer to a request for `path`; `undefined` if it has no valid challenge. */
export const answer = (secret: Redacted.Redacted, url: string): string | undefined => {
  const challenge = /^[^?#]*\?challenge=([\w-]{16,100})$/.exec(url.slice(0, 200))?.[1]
  return challenge === undefined ? undefined : proofOf(secret, challenge)
}

/** Compares texts in a time that does not tell where they differ. */
const isSame = (a: string, b: string): boolean => {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  // In bytes: characters of a stranger's answer may have several.
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Whether the program at a URL knows the secret. Never rejects. */
export const isProven = (url: string, secret: Redacted.Redacted): Promise<boolean> => {
  const challenge = randomBytes(32).toString("base64url")
  return new Promise<boolean>((resolve) => {
    const signal = AbortSignal.timeout(proofTimeout)
    // On a new connection: a kept-alive one may lead to a process that no longer listens there.
    const challengeRequest = request(`${url}${path}?challenge=${challenge}`, { agent: false, signal }, (response) => {
      let text = ""
      response.setEncoding("latin1")
      // `close` follows an error, too.
      response.on("error", () => undefined)
      response.on("data", (chunk: string) => {
        text += chunk
        if (text.length > maxAnswer) challengeRequest.destroy()
      })
      response.on("close", () => resolve(isSame(text, proofOf(secret, challenge))))
    })
    challengeRequest.on("error", () => resolve(false))
    challengeRequest.end()
    // The URL from the file may be invalid.
  }).catch(() => false)
}
