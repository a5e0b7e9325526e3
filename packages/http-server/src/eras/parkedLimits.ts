import { mebibytes } from "@mcp-lifeline/core/text"
import { type Limits, Quota } from "../Quota.js"

/** Of calls that wait for input. The oldest of the caller that has most is cancelled. */
export const parkedLimits = { count: 1000, bytes: mebibytes(64) }

export const isTooMuch = ({ bytes, count }: typeof parkedLimits): boolean =>
  count > parkedLimits.count || bytes > parkedLimits.bytes

/** Questions that clients have not been sent. A holder is a call. */
export const questionLimits: Limits = {
  holder: { item: mebibytes(1), count: 100, bytes: mebibytes(4) },
  all: { count: 10_000, bytes: mebibytes(64) }
}

/** Answers that came before their clients. A holder is a conversation. */
export const earlyLimits: Limits = {
  holder: { item: mebibytes(16), count: 1000, bytes: mebibytes(64) },
  all: { count: 2000, bytes: mebibytes(128) }
}

export const questions = new Quota(questionLimits)
export const early = new Quota(earlyLimits)
