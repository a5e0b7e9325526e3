import { isInputRequired } from "@mcp-lifeline/http-server/translation"
import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"
import { Predicate } from "effect"
import { retryAfterKey } from "../access/RateLimited.js"
import { fault } from "../conversation/errors.js"
import type { Fate, Outcome } from "./AuditLine.js"

export interface Ended {
  readonly outcome: Outcome
  readonly fate: Fate
  readonly code?: number | undefined
  readonly reason?: string | undefined
}

export interface Known {
  /** It was ever sent to a server. */
  readonly isSent: boolean
  /** There is what it asks for, and the client may not use it. */
  readonly isHidden: boolean
  readonly asksForTask: boolean
}

const { isNumber, isRecord, isString } = Predicate

const rateLimited: Ended = { outcome: "refused", reason: "RateLimited", fate: "notSent" }

const ofResult = (result: Readonly<Record<string, unknown>>, { asksForTask, isSent }: Known): Ended => {
  const { _meta: meta, isError, task } = result
  if (!isSent && isRecord(meta) && meta[retryAfterKey] !== undefined) return rateLimited
  const outcome = isInputRequired(result)
    ? "input-required"
    : result["resultType"] === "task" || (asksForTask && isRecord(task))
    ? "task"
    : isError === true
    ? "tool-error"
    : "ok"
  return { outcome, fate: "answered" }
}

export const byAnswer = (answer: Answer, known: Known): Ended => {
  if ("resultText" in answer) return { outcome: "ok", fate: "answered" }
  if ("result" in answer) return ofResult(answer.result, known)
  const { error } = answer
  const { isHidden, isSent } = known
  const code = isNumber(error.code) ? { code: error.code } : {}
  const isOurs = JsonRpcError.isOurs(error) || error === fault
  const { fate, tag } = (!isSent || isOurs) && isRecord(error.data) ? error.data : {}
  if (!isSent && tag === "RateLimited") return { ...rateLimited, ...code }
  if (!isSent && isHidden) return { outcome: "refused", ...code, reason: "NotAllowed", fate: "notSent" }
  const isKnown = fate === "notSent" || fate === "unknown" || fate === "answered" || fate === "rejected"
  return {
    outcome: "error",
    ...code,
    ...(isString(tag) ? { reason: tag } : {}),
    fate: isOurs && isKnown ? fate : !isSent ? "notSent" : isOurs ? "unknown" : "answered"
  }
}

/** `fate`: what is known of the call that its caller gave up. */
export const byCancel = (isSent: boolean, fate?: "notSent" | "unknown"): Ended => ({
  outcome: "cancelled",
  fate: isSent ? fate ?? "unknown" : "notSent"
})

export const byEnd = (isSent: boolean): Ended => ({
  outcome: "error",
  reason: "Interrupted",
  fate: isSent ? "unknown" : "notSent"
})
