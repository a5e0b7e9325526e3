import { Effect, Exit, FiberId, type Tracer } from "effect"
import type { CallError } from "../Errors.js"
import type { Ticket } from "../internal/Queue.js"
import type { AttemptObserver, CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type { Chosen } from "../options/Tools.js"
import type { RequestOptions } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { Tally } from "./decide.js"
import { CallProgress } from "./progress/CallProgress.js"

/** After this silence in milliseconds, giving up puts the connection in doubt: shorter than hosts' timeouts. (H9) */
export const silence = 2000

/** A call may wait for this part of its time, so that its caller learns why. (V8) */
const partOfTime = 0.75

export const heldUntil = ({ begunAt, deadline }: { readonly begunAt: number; readonly deadline: number }): number =>
  begunAt + partOfTime * (deadline - begunAt)

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** Points in time are on the Clock's scale. */
export interface Call<M extends Method> extends Mutable<Tally> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  tool: Chosen | undefined
  readonly timeout: number
  deadline: number
  /** For a connection, from its first wait until it is sent. */
  waitEnd: number | undefined
  readonly begunAt: number
  /** Each progress moves the deadline, without a bound. */
  readonly openEnded: boolean
  /** By something else than the server, while the server gave its lists. */
  refusedBeside: number
  refused: { readonly by: Runtime; readonly answers: number; readonly since: number } | undefined
  /** When its last request was sent, or progress came. */
  heardAt: number
  questions: number
  askedAt: number
  on: Runtime | undefined
  /** Not decided before it is sent. */
  runsTask: boolean | undefined
  task: RunningTask | undefined
  readonly about: Call<"tools/call"> | undefined
  /** As long as that lives. Default: the current one. */
  first: Runtime | undefined
  attempt: AttemptObserver<M> | undefined
  /** The connection's own: with a function of ours, calls took twice the time. */
  cancel: (() => void) | undefined
  isGivenUp: boolean
  isOver: boolean
  /** Sent again only where the tools there say that this does no harm: each time. (C15) */
  undecided: Undecided | undefined
  readonly progress: CallProgress | undefined
  waitsFor: string | undefined
  /** For `calls.maxInFlight`. A request about a task needs none. */
  place: Ticket | undefined
  /** For `calls.concurrency`. Kept while its task runs. */
  turn: Ticket | undefined
  observer: CallObserver<M> | undefined
  carrier: Carrier | undefined
}

export interface Undecided {
  readonly failed: Runtime
  readOn: Runtime | undefined
  /** Once, before it is sent. */
  pause: Effect.Effect<void, CallError> | undefined
  readonly fail: Effect.Effect<never, CallError>
}

/** A call has waited, and is looked at anew. */
export const again = Symbol("again")

/** An outcome (`Exit`), or work in a fiber that ends with one or with `again`. */
export type Rest<M extends Method> = Effect.Effect<Result<M> | typeof again, CallError>

export const isOutcome = <M extends Method>(rest: Rest<M>): rest is Exit.Exit<Result<M>, CallError> => Exit.isExit(rest)

/** Never an `Exit`. */
export const after = <E extends CallError>(wait: Effect.Effect<unknown, E>): Effect.Effect<typeof again, E> =>
  Effect.map(wait, () => again)

export const interrupted = Exit.interrupt(FiberId.none)

export interface Carrier {
  /** Nothing of the call is in flight. */
  readonly take: <M extends Method>(call: Call<M>) => Effect.Effect<Result<M>, CallError>
  readonly giveUp: <M extends Method>(call: Call<M>) => void
  readonly doubt: <M extends Method>(call: Call<M>) => void
}

export interface RunningTask {
  readonly id: string
  /** The connection that answered last for it. */
  on: Runtime
  /** It has not failed since. */
  isThere: boolean
  /** The call has ended, and holds no lease. */
  isOver: boolean
  said?: string
}

/** `requestTimeout`: if neither its options nor its tool have one. */
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
    params,
    options,
    tool,
    timeout,
    deadline: now + longest,
    waitEnd: undefined,
    begunAt: now,
    openEnded,
    sent: 0,
    sessions: 0,
    withoutResult: 0,
    refusedBeside: 0,
    refused: undefined,
    heardAt: now,
    questions: 0,
    askedAt: now,
    on: undefined,
    runsTask: undefined,
    task: undefined,
    about,
    first: about?.task?.isThere === true ? about.task.on : undefined,
    attempt: undefined,
    cancel: undefined,
    isGivenUp: false,
    isOver: false,
    isDoubtful: false,
    unknown: undefined,
    repeated: false,
    undecided: undefined,
    progress: options?.onprogress && new CallProgress(options.onprogress, now),
    waitsFor: undefined,
    place: undefined,
    turn: undefined,
    observer: undefined,
    carrier: undefined
  }
}

export const leaves = <M extends Method>(call: Call<M>, on: Runtime): void => {
  call.on = on
  call.waitEnd = undefined
  call.isDoubtful = true
  call.options?.onSent?.(on.generation)
}

/** Milliseconds that a server keeps a task beyond the time of its call. */
const margin = 60_000

const keeping = <M extends Method>({ openEnded }: Call<M>, left: number): { readonly ttl?: number } =>
  openEnded || !Number.isFinite(left) ? {} : { ttl: Math.ceil(left) + margin }

export const runsOn = <M extends Method>({ on, task }: Call<M>): Runtime | undefined =>
  (on ?? (task?.isOver === false ? task.on : undefined))?.latest

export const fateOf = <M extends Method>({ isDoubtful, unknown }: Call<M>): "notSent" | "unknown" =>
  isDoubtful || unknown !== undefined ? "unknown" : "notSent"

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

export const millis = (input: CallOptions["timeout"], otherwise: number): number =>
  input === undefined ? otherwise : TimeSpan.millis(input)

/** In milliseconds: of the whole call, or of one answer. */
export const timeOver = <M extends Method>({ begunAt, deadline, heardAt, openEnded, timeout }: Call<M>): number =>
  openEnded || heardAt + timeout < deadline ? timeout : Math.round(deadline - begunAt)

/** In milliseconds, since it was last known that nobody is asked. */
export const askedFor = <M extends Method>({ askedAt, questions }: Call<M>, now: number): number =>
  questions === 0 ? 0 : now - askedAt

/** Time in which the user is asked is not the server's. */
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

export const requestOptions = <M extends Method>(
  call: Call<M>,
  clock: () => number,
  span?: Tracer.AnySpan
): RequestOptions => {
  const { deadline, openEnded, options, progress, timeout } = call
  const now = call.heardAt = clock()
  const left = Math.max(0, deadline - now)
  const onwithdrawn = (): void => {
    call.isDoubtful = false
  }
  const onasking = (isAsking: boolean): void => {
    const now = clock()
    asked(call, isAsking, now)
    if (call.about !== undefined) asked(call.about, isAsking, now)
  }
  const begun = call.runsTask === true ? { task: keeping(call, left) } : undefined
  const runsTask = begun !== undefined || call.about !== undefined ? true : undefined
  if (options === undefined) return { timeout: left, onwithdrawn, onasking, runsTask, span, ...begun }
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
    resultSchema: options.resultSchema,
    span
  }
}
