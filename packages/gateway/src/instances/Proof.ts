/** No token goes to another user's program at a former gateway's port. */
import { Redacted } from "effect"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { request } from "node:http"

/** Needs no token. */
export const path = "/proof"

/** In milliseconds. On a busy machine it takes seconds. */
const proofTimeout = 20_000

/** In characters. */
const maxAnswer = 1000

/** `secret`: not the token, which a user may have chosen, and which could be guessed from proofs. */
const proofOf = (secret: Redacted.Redacted, challenge: string): string =>
  createHmac("sha256", Redacted.value(secret)).update(`mcp-lifeline gateway\0${challenge}`).digest("base64url")

export const answer = (secret: Redacted.Redacted, url: string): string | undefined => {
  const challenge = /^[^?#]*\?challenge=([\w-]{16,100})$/.exec(url.slice(0, 200))?.[1]
  return challenge === undefined ? undefined : proofOf(secret, challenge)
}

const isSame = (a: string, b: string): boolean => {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Never rejects. */
export const isProven = (url: string, secret: Redacted.Redacted): Promise<boolean> => {
  const challenge = randomBytes(32).toString("base64url")
  return new Promise<boolean>((resolve) => {
    const signal = AbortSignal.timeout(proofTimeout)
    // A kept-alive connection may lead to another process.
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
    // The URL may be invalid.
  }).catch(() => false)
}
