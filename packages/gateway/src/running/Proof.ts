/**
 * How a gateway shows that it is the one that wrote itself down: it knows a secret that stands in a file which only its user can read. So
 * nobody sends a token to another user's program that listens where a gateway was.
 */
import { Redacted } from "effect"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { request } from "node:http"

/** Where a gateway is asked for it. It needs no token. */
export const path = "/proof"

/** How long a gateway has to answer, in milliseconds. On a busy machine that takes seconds. */
const proofTimeout = 20_000

/** No proof is longer. */
const maxAnswer = 1000

/** A secret for one run of a gateway. It is not the token, which a person may have chosen, and which could be guessed from proofs. */
export const newSecret = (): Redacted.Redacted => Redacted.make(randomBytes(32).toString("base64url"))

const proofOf = (secret: Redacted.Redacted, challenge: string): string =>
  createHmac("sha256", Redacted.value(secret)).update(`mcp-lifeline gateway\0${challenge}`).digest("base64url")

/** The answer to a request for `path`; undefined where it has no challenge. */
export const answer = (secret: Redacted.Redacted, url: string): string | undefined => {
  const challenge = /^[^?#]*\?challenge=([\w-]{16,100})$/.exec(url.slice(0, 200))?.[1]
  return challenge === undefined ? undefined : proofOf(secret, challenge)
}

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** Whether the program that listens at an address knows the secret. Never rejects. */
export const isGiven = (url: string, secret: Redacted.Redacted): Promise<boolean> => {
  const challenge = randomBytes(32).toString("base64url")
  return new Promise<boolean>((resolve) => {
    const signal = AbortSignal.timeout(proofTimeout)
    // On a connection of its own: one that is kept open may lead to a process that listens there no more.
    const asked = request(`${url}${path}?challenge=${challenge}`, { agent: false, signal }, (response) => {
      let text = ""
      response.setEncoding("latin1")
      // What is cut off is closed, too.
      response.on("error", () => undefined)
      response.on("data", (chunk: string) => {
        text += chunk
        if (text.length > maxAnswer) asked.destroy()
      })
      response.on("close", () => resolve(isSame(text, proofOf(secret, challenge))))
    })
    asked.on("error", () => resolve(false))
    asked.end()
    // What stands in a file may be no address.
  }).catch(() => false)
}
