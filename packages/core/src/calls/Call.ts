/**
 * One call on its way, through however many connections it takes.
 */
import type { CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { RequestOptions } from "../port/Connection.js"
import type { Method, Params } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"

/** What was asked for, and how far it is. */
export interface Call<M extends Method> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  readonly timeout: number
  deadline: number
  /** Each progress moves the deadline, and nothing bounds the whole. */
  readonly openEnded: boolean
  /** Requests that were sent and failed. */
  sent: number
  /** When its last request was sent, or the server told of progress, on the Clock's scale. */
  heardAt: number
  /** The runtime on which its request is in flight. */
  on: Runtime | undefined
  /** Its caller does not wait for it any more. */
  isGivenUp: boolean
  /** It was cancelled outside of the fiber that may still carry on with it. */
  isCancelled: boolean
  /** A request of it was sent, and it is not known that the server did not carry it out. */
  isDoubtful: boolean
  /** It was sent again although it may have been carried out, because doing it twice does no harm. */
  repeated: boolean
  readonly onprogress: CallOptions["onprogress"]
  observer: CallObserver<M> | undefined
}

/** A call that begins now. `requestTimeout`: where the options have none. */
export const make = <M extends Method>(
  method: M,
  params: Params<M>,
  options: CallOptions | undefined,
  requestTimeout: number,
  now: number
): Call<M> => {
  const timeout = millis(options?.timeout, requestTimeout)
  const progressResets = options?.resetTimeoutOnProgress === true
  const openEnded = progressResets && options.maxTotalTimeout === undefined
  const total = millis(options?.maxTotalTimeout, timeout)
  const longest = progressResets ? total : Math.min(timeout, total)
  const call: Call<M> = {
    method,
    params,
    options,
    timeout,
    deadline: now + longest,
    openEnded,
    sent: 0,
    heardAt: now,
    on: undefined,
    isGivenUp: false,
    isCancelled: false,
    isDoubtful: false,
    repeated: false,
    onprogress: options?.onprogress && growing(options.onprogress, () => call.sent > 0),
    observer: undefined
  }
  return call
}

/**
 * Hands on progress. What is sent again begins anew, and progress must not go back (MCP): until it is farther than before, nothing is said
 * of it. What the server says of one request is handed on as it comes.
 */
const growing = (
  onprogress: NonNullable<CallOptions["onprogress"]>,
  isSentAgain: () => boolean
): NonNullable<CallOptions["onprogress"]> => {
  let farthest = Number.NEGATIVE_INFINITY
  return (progress) => {
    const isFarther = progress.progress > farthest
    if (isFarther) farthest = progress.progress
    if (isFarther || !isSentAgain()) onprogress(progress)
  }
}

/** A request of it leaves; what comes of that is not known yet. */
export const leaves = <M extends Method>(call: Call<M>, on: Runtime): void => {
  call.on = on
  call.isDoubtful = true
}

/** What becomes of a call that is cancelled now. */
export const fateOf = <M extends Method>({ isDoubtful }: Call<M>): "notSent" | "unknown" =>
  isDoubtful ? "unknown" : "notSent"

/** A length of time in milliseconds. */
export const millis = (input: CallOptions["timeout"], otherwise: number): number =>
  input === undefined ? otherwise : TimeSpan.millis(input)

/** The options of the request that is sent for a call now. What the server tells of its progress is a sign of life. */
export const requestOptions = <M extends Method>(call: Call<M>, clock: () => number): RequestOptions => {
  const { deadline, onprogress, openEnded, options, timeout } = call
  const now = call.heardAt = clock()
  const left = Math.max(0, deadline - now)
  const onwithdrawn = (): void => {
    call.isDoubtful = call.repeated
  }
  if (options === undefined) return { timeout: left, onwithdrawn }
  const heard: RequestOptions["onprogress"] = (progress) => {
    call.heardAt = clock()
    if (openEnded) call.deadline = call.heardAt + timeout
    onprogress?.(progress)
  }
  return {
    timeout: Math.min(timeout, left),
    resetTimeoutOnProgress: options.resetTimeoutOnProgress,
    maxTotalTimeout: openEnded ? undefined : left,
    onprogress: openEnded || onprogress !== undefined ? heard : undefined,
    cancelReason: options.cancelReason,
    onwithdrawn,
    task: options.task,
    resultSchema: options.resultSchema
  }
}
