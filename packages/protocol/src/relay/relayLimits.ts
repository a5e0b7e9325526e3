import { Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { type Limits, Quota } from "../Quota.js"

/** Of messages until a client is initialized, in the sizes of `JsonValue`. The oldest make room. */
export const heldLimits: Limits = {
  holder: { item: mebibytes(1), count: 1000, bytes: mebibytes(4) },
  all: { count: 100_000, bytes: mebibytes(64) }
}

/** Requests of servers that a client has not answered. */
export const questionLimits: Limits = {
  holder: { item: Bytes(0), count: 1000, bytes: Bytes(0) },
  all: { count: 10_000, bytes: Bytes(0) }
}

export const held = new Quota(heldLimits)
export const questions = new Quota(questionLimits)
