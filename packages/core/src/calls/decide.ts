/** Whether a failed request is sent again; its fate comes with the error. Pure. (C2, C3, C15, C16) */
import { isGone, isObjection, RequestError, type RequestReason } from "../Errors.js"

/** A call that ends the server each time must not do so for everybody. (C3) */
const mostWithoutResult = 6

/** Nor may one that ends its session each time. (R7) */
const mostSessions = 2

/** After so many, the server means this request. (R12) */
const mostRefusedBeside = 3

const doubtful: ReadonlySet<RequestReason> = new Set<RequestReason>(["timeout", "network", "server", "fault"])

/** A server that asks us to wait lives. (H4, K19) */
export const isSuspicious = (error: RequestError): boolean => doubtful.has(error.reason) && !isObjection(error)

export const isLost = ({ reason }: RequestError): boolean => reason === "lost" || reason === "session"

const conclusive: ReadonlySet<RequestReason> = new Set<RequestReason>(["timeout", "unauthorized", "fault"])

/** A fault that leaves no doubt about what became of the request. */
export const isMisuse = ({ fate, reason }: RequestError): boolean => reason === "fault" && fate !== "unknown"

export interface Tally {
  readonly sent: number
  readonly withoutResult: number
  readonly sessions: number
  readonly unknown: { readonly generation: number; readonly error: RequestError } | undefined
  /** Sent again although it may have been carried out. */
  readonly repeated: boolean
}

export const untried: Tally = {
  sent: 0,
  withoutResult: 0,
  sessions: 0,
  unknown: undefined,
  repeated: false
}

export interface Facts {
  readonly generation: number
  /** `undefined`: its tool's hints decide, and were never read. */
  readonly mayRepeat: boolean | undefined
  readonly trustsRefusals: boolean
  readonly retries: boolean
}

export interface Decision {
  readonly error: RequestError
  readonly tally: Tally
  readonly harmless: boolean
  /** Set where it has reached the server as often as Lifeline sends it. */
  readonly times: number | undefined
  readonly isSuspicious: boolean
  /** `hints`: once its tool's are read, if they allow it. */
  readonly again: "no" | "yes" | "hints"
}

export const decide = (failure: RequestError, tally: Tally, facts: Facts): Decision => {
  const sessions = tally.sessions + Number(failure.reason === "session" && failure.fate !== "notSent")
  const isMeant = sessions > tally.sessions && sessions >= mostSessions
  const error = asTrusted(isMeant && failure.cause instanceof RequestError ? failure.cause : failure, facts)
  const { fate } = error
  const { mayRepeat } = facts
  const isUnknown = fate === "unknown"
  const isRepeatable = isUnknown && mayRepeat === true
  const withoutResult = tally.withoutResult + Number(isUnknown || error.partlySent === true)
  const isLast = withoutResult > tally.withoutResult && withoutResult >= mostWithoutResult
  const failed: Decision = {
    error,
    tally: {
      sent: tally.sent,
      repeated: tally.repeated,
      withoutResult,
      sessions,
      unknown: fate === "answered"
        ? undefined
        : tally.unknown ?? (isUnknown ? { generation: facts.generation, error } : undefined)
    },
    harmless: tally.repeated || isRepeatable,
    times: isMeant ? sessions : isLast ? withoutResult : undefined,
    isSuspicious: fate !== "answered" && !isMisuse(error) && isSuspicious(error),
    again: "no"
  }
  if (isMeant || isLast || !facts.retries) return failed
  if (fate === "answered" || isMisuse(error) || conclusive.has(error.reason)) return failed
  if (isUnknown && mayRepeat === false) return failed // guard: side-effect-once
  return {
    ...failed,
    tally: { ...failed.tally, sent: tally.sent + 1, repeated: failed.harmless },
    again: isUnknown && mayRepeat === undefined ? "hints" : "yes"
  }
}

/** An intermediary that refuses may have passed the request on. (C16) */
const asTrusted = (error: RequestError, { mayRepeat, trustsRefusals }: Facts): RequestError => {
  if (error.fate !== "rejected" || trustsRefusals || mayRepeat === true) return error
  const message =
    `it was refused (${error.message}), which is no proof that nobody has carried it out (calls.afterRefusal)`
  return new RequestError({ ...error, fate: "unknown", message, cause: error })
}

/** `refusedBeside`: refusals while the session lives. (R12) */
export const afterDoubt = (
  error: RequestError,
  session: "lost" | "alive" | "unknown",
  refusedBeside: number,
  facts: Pick<Facts, "mayRepeat" | "trustsRefusals">
): RequestError => {
  const { cause, message } = error
  // A server that gives lists means this request by a refusal that it repeats.
  if (session === "alive" && isGone(error) && refusedBeside === mostRefusedBeside) {
    return new RequestError({ fate: "answered", reason: "protocol", message, cause })
  }
  const mayRepeat = (error.ifSessionLost === "rejected" && facts.trustsRefusals) || facts.mayRepeat === true // guard: doubted-side-effect-once
  return session === "lost" && mayRepeat
    ? new RequestError({ fate: "rejected", reason: "session", message, cause: error })
    : error
}
