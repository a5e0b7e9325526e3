/** Somebody with the cluster's key sends exactly this request, to exactly this replica, now, and for the first time. Pure. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"

export const header = "lifeline-authorization"

/** Of an answer to a request from another time. */
export const timeHeader = "lifeline-time"

/** Of an answer that is signed. */
export const signatureHeader = "lifeline-signature"

export interface SignedRequest {
  readonly method: string
  /** Path and query, after the replica's address. */
  readonly target: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, unknown>>
}

export interface Proof {
  readonly to: string
  /** In milliseconds since 1970. */
  readonly time: number
  readonly nonce: string
  /** Of the body. */
  readonly digest: string
  readonly signatures: string
}

/** They say who asks, and for what. A proxy between the replicas may change others. */
const isSignedHeader = (name: string): boolean =>
  name !== header && /^(lifeline-|mcp-|x-lifeline$|cookie$|last-event-id$|sec-fetch-site$)/.test(name)

const form = /^(\S{1,300}) (\d{1,16}) ([\w-]{22}) ([\w-]{43}) ([\w.-]{43,220})$/

export const digestOf = (body: Uint8Array): string => createHash("sha256").update(body).digest("base64url")

export const newNonce = (): string => randomBytes(16).toString("base64url")

export const encode = ({ digest, nonce, signatures, time, to }: Proof): string =>
  [encodeURIComponent(to), time, nonce, digest, signatures].join(" ")

export const decode = (value: unknown): Proof | undefined => {
  const [, to = "", time, nonce = "", digest = "", signatures = ""] = form.exec(String(value)) ?? []
  if (time === undefined) return undefined
  try {
    return { to: decodeURIComponent(to), time: Number(time), nonce, digest, signatures }
  } catch {
    return undefined
  }
}

const separator = "."

/** Nobody has more keys at once. */
const maxSignatures = 5

/** With each key: whoever has one of them believes it. */
const signed = (keys: ReadonlyArray<Uint8Array>, what: string, content: unknown): string =>
  keys.map((key) => createHmac("sha256", key).update(`${what}\0`).update(JSON.stringify(content)).digest("base64url"))
    .join(separator)

const isEqual = (one: string, other: string): boolean => {
  const [given, right] = [Buffer.from(one), Buffer.from(other)]
  return given.length === right.length && timingSafeEqual(given, right)
}

/** Whether both sides have a key in common. Takes the same time wherever two signatures differ. */
const isSigned = (given: unknown, expected: string): boolean => {
  const right = expected.split(separator)
  return String(given).split(separator, maxSignatures).some((one) => right.some((other) => isEqual(one, other)))
}

const signaturesOf = (
  keys: ReadonlyArray<Uint8Array>,
  { headers, method, target }: SignedRequest,
  { digest, nonce, time, to }: Omit<Proof, "signatures">
): string => {
  const named = Object.keys(headers).filter((name) => headers[name] !== undefined && isSignedHeader(name)).toSorted()
  const values = named.map((name) => [name, String(headers[name])])
  return signed(keys, "request", [to, time, nonce, digest, method, target, values])
}

export const sign = (
  keys: ReadonlyArray<Uint8Array>,
  request: SignedRequest,
  proof: Omit<Proof, "signatures">
): Proof => ({ ...proof, signatures: signaturesOf(keys, request, proof) })

/** Says nothing of the body, time and receiver. */
export const isOf = (keys: ReadonlyArray<Uint8Array>, request: SignedRequest, proof: Proof): boolean =>
  isSigned(proof.signatures, signaturesOf(keys, request, proof))

export const encodeTime = (keys: ReadonlyArray<Uint8Array>, { nonce, to }: Proof, time: number): string =>
  `${time} ${signed(keys, "time", [to, nonce, time])}`

/** undefined unless somebody with one of the keys has answered this request. */
export const decodeTime = (
  keys: ReadonlyArray<Uint8Array>,
  { nonce, to }: Pick<Proof, "nonce" | "to">,
  value: unknown
): number | undefined => {
  const [, text, signatures] = /^(\d{1,16}) ([\w.-]{43,220})$/.exec(String(value)) ?? []
  const time = Number(text)
  return isSigned(signatures, signed(keys, "time", [to, nonce, time])) ? time : undefined
}

/** Good for no other request. */
export const signAnswer = (
  keys: ReadonlyArray<Uint8Array>,
  { nonce, to }: Pick<Proof, "nonce" | "to">,
  answer: string
): string => signed(keys, "answer", [to, nonce, answer])

export const isAnswer = (
  keys: ReadonlyArray<Uint8Array>,
  proof: Pick<Proof, "nonce" | "to">,
  answer: string,
  signature: unknown
): boolean => isSigned(signature, signAnswer(keys, proof, answer))
