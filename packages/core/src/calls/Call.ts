/**
 * One call on its way, through however many connections it takes.
 */
import { Effect } from "effect"
import type { CallError } from "../Errors.js"
import type { CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { Chosen } from "../options/Tools.js"
import type { RequestOptions } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { LiveConnection } from "../runtime/LiveConnection.js"
import type { Runtime } from "../runtime/Runtime.js"
import { identified } from "./callId.js"
import { CallProgress } from "./CallProgress.js"
import type { Ticket } from "./Queue.js"

/** How much of its time a call may wait for something: its caller learns why before that is over, and ends the call by itself. (V8) */
const partOfTime = 0.75

/** Until when a call may be held, on the Clock's scale. */
export const heldUntil = ({ begunAt, deadline }: { readonly begunAt: number; readonly deadline: number }): number =>
  begunAt + partOfTime * (deadline - begunAt)

/** What was asked for, and how far it is. */
export interface Call<M extends Method> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  /** What the options by tool say of it. */
  tool: Chosen | undefined
  readonly timeout: number
  deadline: number
  /** Until when it may wait for a connection, from when it began to do so until it is sent, on the Clock's scale. */
  waitEnd: number | undefined
  /** When it began, on the Clock's scale. */
  readonly begunAt: number
  /** Each progress moves the deadline, and nothing bounds the whole. */
  readonly openEnded: boolean
  /** Requests that were sent and failed. */
  sent: number
  /** Those of them that have reached the server, in whole or in part, and have no result. */
  withoutResult: number
  /** How often something else than the server has refused it, while the server gave its lists. */
  refusedBeside: number
  /** When its last request was sent, or the server told of progress, on the Clock's scale. */
  heardAt: number
  /** Questions of the server that the user has not answered. */
  questions: number
  /** Since when there are some, on the Clock's scale. */
  askedAt: number
  /** The runtime on which its request is in flight. */
  on: Runtime | undefined
  /** Whether it begins a task that Lifeline runs; not decided before it is sent. */
  runsTask: boolean | undefined
  /** The task that it has begun. */
  task: RunningTask | undefined
  /** For a request about a task: the call that has begun it. */
  readonly about: Call<"tools/call"> | undefined
  /** The connection on which it is sent first, as long as that lives. Default: the current one. */
  first: LiveConnection | undefined
  /** Its caller does not wait for it any more. */
  isGivenUp: boolean
  /** It was cancelled outside of the fiber that may still carry on with it. */
  isCancelled: boolean
  /** A request of it was sent, and it is not known that the server did not carry it out. */
  isDoubtful: boolean
  /** It was sent again although it may have been carried out, because doing it twice does no harm. */
  repeated: boolean
  /** Where the caller wants to hear of it. */
  readonly progress: CallProgress | undefined
  /** What it waits for while there is a connection, for its progress: "waits for its turn". */
  waitsFor: string | undefined
  /** Its place, or its position, among all calls (`calls.maxInFlight`). A request about a task needs none. */
  place: Ticket | undefined
  /** The same among those of which fewer may be in flight (`calls.concurrency`). It is kept while a task of the call runs. */
  turn: Ticket | undefined
  observer: CallObserver<M> | undefined
  /** Who carries it out, if that is not the backend that it was made for. */
  carrier: Carrier | undefined
}

/** A backend that calls can be left to. */
export interface Carrier {
  /** Goes on with a call of which nothing is in flight. */
  readonly take: Attempt
  readonly giveUp: <M extends Method>(call: Call<M>) => void
  readonly doubt: <M extends Method>(call: Call<M>) => void
}

/** A task that a server runs for a call. */
export interface RunningTask {
  readonly id: string
  /** The connection that has answered last for it. */
  on: LiveConnection
  /** That connection has not failed since. */
  isThere: boolean
  /** A fiber waits for its outcome. */
  hasBegun: boolean
  /** The call has ended: nothing is said of it any more, and it has no lease. */
  isOver: boolean
  /** What the caller was told of it last. */
  said?: string
}

/** Sends the request of a call on the connection that there is, or the next one. */
export type Attempt = <M extends Method>(call: Call<M>) => Effect.Effect<Result<M>, CallError>

/** A call that begins now. `requestTimeout`: where neither its options nor those of its tool have a time. `about`: the call whose task it is about. */
export const make = <M extends Method>(
  method: M,
  params: Params<M>,
  options: CallOptions | undefined,
  tool: Chosen | undefined,
  requestTimeout: number,
  now: number,
  about?: Call<"tools/call">
): Call<M> => {
  const timeout = millis(options?.timeout, tool?.timeout ?? millis(options?.defaultTimeout, requestTimeout))
  const progressResets = options?.resetTimeoutOnProgress === true
  const openEnded = progressResets && options.maxTotalTimeout === undefined
  const total = millis(options?.maxTotalTimeout, timeout)
  const longest = progressResets ? total : Math.min(timeout, total)
  return {
    method,
    params: method === "tools/call" ? identified(params) : params,
    options,
    tool,
    timeout,
    deadline: now + longest,
    waitEnd: undefined,
    begunAt: now,
    openEnded,
    sent: 0,
    withoutResult: 0,
    refusedBeside: 0,
    heardAt: now,
    questions: 0,
    askedAt: now,
    on: undefined,
    runsTask: undefined,
    task: undefined,
    about,
    first: about?.task?.isThere === true ? about.task.on : undefined,
    isGivenUp: false,
    isCancelled: false,
    isDoubtful: false,
    repeated: false,
    progress: options?.onprogress && new CallProgress(options.onprogress, now),
    waitsFor: undefined,
    place: undefined,
    turn: undefined,
    observer: undefined,
    carrier: undefined
  }
}

/** A request of it leaves; what comes of that is not known yet. */
export const leaves = <M extends Method>(call: Call<M>, on: Runtime): void => {
  call.on = on
  call.waitEnd = undefined
  call.isDoubtful = true
  call.options?.onSent?.(on.generation)
}

/** How long a server shall keep a task beyond the time of its call, in milliseconds. */
const margin = 60_000

/** What a task is begun with: that the server keeps its outcome for as long as somebody may ask for it. */
const keeping = <M extends Method>({ openEnded }: Call<M>, left: number): { readonly ttl?: number } =>
  openEnded || !Number.isFinite(left) ? {} : { ttl: Math.ceil(left) + margin }

/** The runtime on which the server carries it out, in a request or in a task. */
export const runsOn = <M extends Method>({ on, task }: Call<M>): Runtime | undefined =>
  (on ?? (task?.isOver === false ? task.on.runtime : undefined))?.latest

/** What becomes of a call that is cancelled now. */
export const fateOf = <M extends Method>({ isDoubtful }: Call<M>): "notSent" | "unknown" =>
  isDoubtful ? "unknown" : "notSent"

/** What a call does while there is a connection and it waits for something, which its progress says meanwhile. */
export const waitingFor = <M extends Method, A, E>(
  call: Call<M>,
  what: string,
  wait: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    call.waitsFor = what
    return Effect.ensuring(
      wait,
      Effect.sync(() => {
        call.waitsFor = undefined
      })
    )
  })

/** A length of time in milliseconds. */
export const millis = (input: CallOptions["timeout"], otherwise: number): number =>
  input === undefined ? otherwise : TimeSpan.millis(input)

/** The time that is over when a call is not answered in time: that of the whole call, or that of one answer. In milliseconds. */
export const timeOver = <M extends Method>({ begunAt, deadline, heardAt, openEnded, timeout }: Call<M>): number =>
  openEnded || heardAt + timeout < deadline ? timeout : Math.round(deadline - begunAt)

/** For how long the user has been asked, in milliseconds, since it was last known that nobody is. */
export const askedFor = <M extends Method>({ askedAt, questions }: Call<M>, now: number): number =>
  questions === 0 ? 0 : now - askedAt

/** The server begins to ask the user something, or has its answer. That time is not the server's. */
const asked = <M extends Method>(call: Call<M>, isAsking: boolean, now: number): void => {
  if (isAsking) {
    if (call.questions++ === 0) call.askedAt = now
    return
  }
  const time = askedFor(call, now)
  if (--call.questions > 0) return
  call.deadline += time
  call.heardAt += time
}

/** The options of the request that is sent for a call now. What the server tells of its progress is a sign of life. */
export const requestOptions = <M extends Method>(call: Call<M>, clock: () => number): RequestOptions => {
  const { deadline, openEnded, options, progress, timeout } = call
  const now = call.heardAt = clock()
  const left = Math.max(0, deadline - now)
  const onwithdrawn = (): void => {
    call.isDoubtful = call.repeated
  }
  const onasking = (isAsking: boolean): void => {
    const now = clock()
    asked(call, isAsking, now)
    if (call.about !== undefined) asked(call.about, isAsking, now)
  }
  const begun = call.runsTask === true ? { task: keeping(call, left) } : undefined
  const runsTask = begun !== undefined || call.about !== undefined ? true : undefined
  if (options === undefined) return { timeout: left, onwithdrawn, onasking, runsTask, ...begun }
  if (call.sent > 0) progress?.sentAgain()
  const heard: RequestOptions["onprogress"] = (reported) => {
    if (call.task?.isOver === true) return
    call.heardAt = clock()
    if (openEnded) call.deadline = call.heardAt + timeout
    progress?.reported(reported, call.heardAt)
  }
  return {
    timeout: Math.min(timeout, left),
    resetTimeoutOnProgress: options.resetTimeoutOnProgress,
    maxTotalTimeout: openEnded ? undefined : left,
    onprogress: openEnded || progress !== undefined ? heard : undefined,
    cancelReason: options.cancelReason,
    onwithdrawn,
    onasking,
    task: begun?.task ?? options.task,
    runsTask,
    resultSchema: options.resultSchema
  }
}
