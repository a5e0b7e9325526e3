/**
 * A question is signed as a whole, so it is good for no replica but the one that it names. An answer is signed with the nonce of its
 * question, so it answers no other.
 */
import { Schema } from "effect"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import * as ClusterKey from "./ClusterKey.js"
import type { Answers } from "./Peers.js"

export const path = "/cluster/ask"

export const signatureHeader = "lifeline-signature"

/** In bytes. */
export const maxQuestion = 4096

/** In bytes. */
export const maxAnswer = 1024

const Id = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(100))

const nonceBytes = 16

export const Question = Schema.Struct({
  ask: Schema.Literal("promise", "consent") satisfies Schema.Schema<keyof Answers>,
  to: Id,
  about: Id,
  renewals: Schema.NonNegativeInt,
  nonce: Schema.String.pipe(Schema.pattern(/^[\w-]{22}$/))
})
export type Question = typeof Question.Type

export const Answer = Schema.Struct({
  from: Id,
  answer: Schema.Boolean
})
export type Answer = typeof Answer.Type

export const newNonce = (): string => randomBytes(nonceBytes).toString("base64url")

/** Another form of the messages needs another text. */
const info = "mcp-lifeline cluster: questions of replicas and their answers, form 1"

const separator = "."

/** Nobody has more keys at once. */
const maxProofs = 5

/** With each key, so that whoever has one of them believes it. */
export class Signatures {
  readonly #keys: ReadonlyArray<Uint8Array>

  constructor(keys: ClusterKey.ClusterKeys) {
    this.#keys = ClusterKey.allDerived(keys, info)
  }

  #of(before: string, body: Uint8Array): string {
    return proofs(
      this.#keys.map((key) => createHmac("sha256", key).update(before).update(body).digest("base64url"))
    )
  }

  ofQuestion(body: Uint8Array): string {
    return this.#of("question\0", body)
  }

  ofAnswer(nonce: string, body: Uint8Array): string {
    return this.#of(`answer\0${nonce}\0`, body)
  }
}

export const proofs = (all: ReadonlyArray<string>): string => all.join(separator)

const isEqual = (one: string, other: string): boolean => {
  const [given, right] = [Buffer.from(one), Buffer.from(other)]
  return given.length === right.length && timingSafeEqual(given, right)
}

/** Whether both sides have a key in common. Takes the same time wherever two proofs differ. */
export const isSigned = (header: unknown, expected: string): boolean => {
  if (typeof header !== "string") return false
  const right = expected.split(separator)
  return header.split(separator, maxProofs).some((proof) => right.some((one) => isEqual(proof, one)))
}
