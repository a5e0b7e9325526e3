import { Exit } from "effect"
import {
  BackendUnavailable,
  type CallError,
  ConnectionLost,
  ProtocolError,
  RemoteError,
  type RequestError,
  RequestTimeout,
  ResultUnknown
} from "../Errors.js"
import { formatMillis } from "../internal/Time.js"
import { entries, inWords, type State } from "../lifecycle/Lifecycle.js"
import { aside, detail, open, program, type Said, said } from "../observe/Said.js"
import { inWords as reasonInWords } from "../Reasons.js"
import type { BackendState } from "../state/BackendState.js"
import type { LastError } from "../state/Slot.js"
import type { Tally } from "./decide.js"

export interface About {
  readonly backend: string
  readonly generation: number
  readonly method: string
  readonly timeout: number
  readonly state: State
  readonly lastError: LastError | undefined
  readonly evidence?: string | undefined
  readonly harmless?: boolean | undefined
  /** Set once it has reached the server as often as Lifeline sends it. */
  readonly times?: number | undefined
}

const again = (times: number): Said =>
  said`this happened ${times} times, so find out why before you call again: it may be the call that ends the server`

const orPass = program(", or pass idempotent: true for calls that may be carried out twice")

export const checkFirst = said`check before you repeat it${orPass}`

const moreTime = "Give it more time (timeout), or"

export const checkOrWait = said`${program(`${moreTime} check`, "Check")} before you repeat it`

const isIn = (state: string): Said => {
  const text = `is ${inWords(state)}`
  return program(text, Object.hasOwn(entries, state) ? entries[state as State["_tag"]].plainly ?? text : text)
}

export const toCallError = (error: RequestError, about: About): CallError => {
  const { evidence, generation, harmless = false, timeout, times } = about
  const common = { backend: about.backend, generation, cause: error.cause ?? error }
  const when = error.retryAfter ? `in ${formatMillis(error.retryAfter)}` : "later"
  const [backend, method, why] = [open(about.backend), open(about.method), detail(error.message, error.reason)]
  switch (error.fate) {
    case "answered":
      return error.reason === "remote"
        ? new RemoteError({
          ...common,
          method: about.method,
          code: error.code ?? 0,
          data: error.data,
          message: error.message,
          publicMessage: error.publicMessage
        })
        : new ProtocolError({
          ...common,
          method: about.method,
          ...said`${backend}: ${method} got an answer that the protocol does not allow${detail(`: ${error.message}`)}`
        })
    case "unknown":
      return error.reason === "timeout"
        ? new RequestTimeout({
          ...common,
          method: about.method,
          timeout,
          harmless,
          ...said`${backend}: ${method} was not answered within ${timeout} ms${
            aside(evidence)
          }; it may still be carried out. ${
            harmless ? said`${program(`${moreTime} call`, "Call")} again: doing it twice does no harm` : checkOrWait
          }`
        })
        : new ResultUnknown({
          ...common,
          method: about.method,
          harmless: harmless && times === undefined,
          ...said`${backend}: ${method} was sent and its result is unknown (${why}); ${
            times !== undefined
              ? again(times)
              : harmless
              ? said`doing it twice does no harm, so call again`
              : checkFirst
          }`
        })
    case "notSent":
    case "rejected":
      // Mostly it waited behind others that the server has not taken yet.
      if (error.reason === "timeout") {
        return notTaken(
          about,
          said`${backend}: ${method} was not sent, because its ${timeout} ms were over before its turn came. It is safe to call again`
        )
      }
      if (error.reason === "unauthorized" || error.reason === "rateLimited" || error.reason === "server") {
        const advice = error.reason === "unauthorized" ? said`Check the credentials` : said`Call again ${open(when)}`
        return notTaken(about, said`${backend} did not accept ${method}, and it was not carried out: ${why}. ${advice}`)
      }
      return new ConnectionLost({
        ...common,
        ...said`${backend}: ${method} was not carried out (${why}); ${
          times === undefined ? said`it is safe to call again` : again(times)
        }`
      })
  }
}

const notTaken = ({ backend, generation, lastError, state }: About, text: Said): BackendUnavailable =>
  new BackendUnavailable({ backend, generation, state: state._tag, ...lastErrorOf(lastError), ...text })

const lastErrorOf = (lastError: LastError | undefined): Pick<BackendUnavailable, "lastError" | "lastReason"> => ({
  lastError: lastError?.message,
  lastReason: lastError?.reason
})

const whyNot = (backend: string, last: CallError): Said => {
  switch (last._tag) {
    case "ConnectionLost":
      return said`the next connection was lost, too`
    case "SessionExpired":
      return said`its session was lost`
    case "BackendUnavailable": {
      if (last.state === "Connected") return said`${open(backend)} did not take it in time`
      const { lastError, lastReason } = last
      return said`${open(backend)} ${isIn(last.state)}${
        lastError === undefined
          ? said``
          : said` (last error: ${{ ...open(lastError), publicMessage: reasonInWords(lastReason) }})`
      }`
    }
    default:
      return said`${open(backend)} does not offer it any more`
  }
}

/** Once a request may have been carried out, no error of a repetition denies it. */
export const outcomeOf = (
  last: CallError,
  method: string,
  { repeated, unknown }: Pick<Tally, "repeated" | "unknown">,
  backend: string
): CallError => {
  if (unknown === undefined || last._tag === "ResultUnknown" || last._tag === "RequestTimeout") return last
  const { error, generation } = unknown
  const why = whyNot(backend, last)
  return new ResultUnknown({
    backend,
    generation,
    method,
    cause: last,
    ...said`${open(backend)}: ${open(method)} was sent and its result is unknown (${
      detail(error.message, error.reason)
    }); ${
      repeated
        ? said`it may be carried out twice, but could not be sent again: ${why}`
        : said`what its tool does could not be read, because ${why}. Check before you repeat it${orPass}`
    }`
  })
}

export const unavailable = (on: BackendState, why: Said): BackendUnavailable => {
  const now = on.now()
  const { demandableFrom, generation, lastError, nextAttemptAt, state } = on.published.value
  const last = lastError === undefined ? said`` : said`; last error: ${detail(lastError.message, lastError.reason)}`
  const wait = nextAttemptAt === undefined ? undefined : Math.max(0, nextAttemptAt - now)
  const next = wait === undefined ? "" : `; next attempt in ${formatMillis(wait)}`
  const early = demandableFrom !== undefined && demandableFrom > now
    ? `, in ${formatMillis(demandableFrom - now)} at the earliest`
    : ""
  const remedy = demandableFrom === undefined ? entries[state._tag].remedy : `Fix the cause, then call again${early}`
  return new BackendUnavailable({
    backend: on.id,
    generation: generation || undefined,
    state: state._tag,
    ...lastErrorOf(lastError),
    nextAttemptAt,
    ...said`${open(on.id)} ${isIn(state._tag)}: ${why}${last}${open(next)}${
      program(remedy === undefined ? "" : `. ${remedy}`)
    }`
  })
}

export const notSent = (on: BackendState, because: Said): Exit.Exit<never, BackendUnavailable> =>
  Exit.fail(unavailable(on, said`the call was not sent, because ${because}`))

export const busy = (backend: string, why: Said): BackendUnavailable =>
  new BackendUnavailable({
    backend,
    state: "Busy",
    ...said`${open(backend)} is busy: ${why}; call again when some have ended`
  })
