/**
 * What replicas send each other over HTTP: a question and its answer, and how both are signed. A question is signed as a whole, so that it
 * reaches nobody but the replica that it names. An answer is signed together with the nonce of its question, so that it answers no other.
 */
import { Schema } from "effect"
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import * as ClusterKey from "./ClusterKey.js"
import type { Answers } from "./Peers.js"

/** Where a replica takes questions, after its address. */
export const path = "/cluster/ask"

/** The header that has the signature of a body. */
export const signatureHeader = "lifeline-signature"

/** The maximum length of a question, in bytes. */
export const maxQuestion = 4096

/** The maximum length of an answer, in bytes. */
export const maxAnswer = 1024

const Id = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(100))

const nonceBytes = 16

export const Question = Schema.Struct({
  /** What is asked. */
  ask: Schema.Literal("promise", "consent") satisfies Schema.Schema<keyof Answers>,
  /** The replica that is asked. */
  to: Id,
  /** The replica whose lease it is about. */
  about: Id,
  /** How often that lease was renewed. */
  renewals: Schema.NonNegativeInt,
  /** Different for each question. */
  nonce: Schema.String.pipe(Schema.pattern(/^[\w-]{22}$/))
})
export type Question = typeof Question.Type

export const Answer = Schema.Struct({
  /** The replica that answers. */
  from: Id,
  answer: Schema.Boolean
})
export type Answer = typeof Answer.Type

export const newNonce = (): string => randomBytes(nonceBytes).toString("base64url")

/** Of this purpose and this form of the messages. Another form needs another text. */
const info = "mcp-lifeline cluster: questions of replicas and their answers, form 1"

/** Between the proofs of several keys in a header. */
const separator = "."

/** So many proofs of a header are looked at. Nobody has more keys at once. */
const maxProofs = 5

/** Signs messages with each key of the cluster, so that whoever has one of them believes it. */
export class Signatures {
  readonly #keys: ReadonlyArray<Uint8Array>

  /** Throws a RangeError if a key is too short. */
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

/** The proofs of several keys as one header. */
export const proofs = (all: ReadonlyArray<string>): string => all.join(separator)

const isEqual = (one: string, other: string): boolean => {
  const [given, right] = [Buffer.from(one), Buffer.from(other)]
  return given.length === right.length && timingSafeEqual(given, right)
}

/** Whether two headers have a proof in common, so that both sides have the same key. Takes the same time wherever two proofs differ. */
export const isSigned = (header: unknown, expected: string): boolean => {
  if (typeof header !== "string") return false
  const right = expected.split(separator)
  return header.split(separator, maxProofs).some((proof) => right.some((one) => isEqual(proof, one)))
}
