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

/** Signs messages with the key of the cluster. */
export class Signatures {
  readonly #key: Uint8Array

  /** Throws a RangeError if the key is too short. */
  constructor(key: ClusterKey.ClusterKey) {
    this.#key = ClusterKey.derived(key, info)
  }

  ofQuestion(body: Uint8Array): string {
    return createHmac("sha256", this.#key).update("question\0").update(body).digest("base64url")
  }

  ofAnswer(nonce: string, body: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`answer\0${nonce}\0`).update(body).digest("base64url")
  }
}

/** Whether a header has this signature. Takes the same time wherever they differ. */
export const isSigned = (header: unknown, signature: string): boolean => {
  if (typeof header !== "string") return false
  const [given, right] = [Buffer.from(header), Buffer.from(signature)]
  return given.length === right.length && timingSafeEqual(given, right)
}
