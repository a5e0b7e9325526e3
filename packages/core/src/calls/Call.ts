import type { Deferred } from "effect"
import { Effect, Exit, FiberId, type Tracer } from "effect"
import type { CallError, RequestError } from "../Errors.js"
import type { Liveness } from "../health/Liveness.js"
import type { Queue, Ticket } from "../internal/Queue.js"
import type { Signal } from "../internal/Signal.js"
import type { AttemptObserver, CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type * as ToolRules from "../options/ToolRules.js"
import type { Chosen, ToolRule } from "../options/Tools.js"
import type { Cancel, RequestEvent, RequestOptions } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { SessionState } from "../state/SessionState.js"
import { type Tally, untried } from "./decide.js"
import { CallProgress } from "./progress/CallProgress.js"

/** After this silence in milliseconds, giving up puts the connection in doubt: shorter than hosts' timeouts. (H9) */
export const silence = 2000

/** A call may wait for this part of its time, so that its caller learns why. (V8) */
const partOfTime = 0.75

export const heldUntil = ({ begunAt, deadline }: { readonly begunAt: number; readonly deadline: number }): number =>
  begunAt + partOfTime * (deadline - begunAt)

export interface Calls {
  readonly backend: BackendState
  readonly liveness: Liveness
  /** To their end, within bounds; `undefined` where the server does not list them. */
  readonly readTools: (runtime: Runtime) => Effect.Effect<ReadonlyArray<unknown> | undefined, RequestError>
  readonly isProcess: boolean
  readonly tools: ToolRules.ToolRules
  readonly sessionState: SessionState
  readonly wait: Waits
  readonly places: Queue<never>
  readonly turns: Queue<ToolRule> | undefined
  readonly beats: Beats
  readonly state: {
    successor: Calls | undefined
    givenUp: number
    reading: { readonly runtime: Runtime; readonly ended: Deferred.Deferred<void> } | undefined
  }
}

export class Waits {
  readonly connections = new Set<{ readonly millis: number }>()
  forVerdicts = 0
  forTurns = 0
  onAwaited: (() => void) | undefined
  readonly #demandInterval: number

  constructor(demandInterval: number) {
    this.#demandInterval = demandInterval
  }

  get forConnections(): number {
    return this.connections.size
  }

  get unsent(): number {
    return this.connections.size + this.forVerdicts
  }

  get isAwaited(): boolean {
    return this.unsent > 0
  }

  get shortest(): number {
    let shortest = Number.POSITIVE_INFINITY
    for (const { millis } of this.connections) {
      if (millis >= this.#demandInterval) shortest = Math.min(millis, shortest)
    }
    return shortest
  }
}

export interface Beats {
  readonly watched: Map<Call, CallProgress>
  isRunning: boolean
  asked: { readonly runtime: Runtime; readonly at: number } | undefined
  answered: Signal
}

/** Points in time are on the Clock's scale. */
export interface Ask<M extends Method = Method> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  readonly timeout: number
  readonly begunAt: number
  /** Each progress moves the deadline, without a bound. */
  readonly openEnded: boolean
  readonly about: Call<"tools/call"> | undefined
  readonly progress: CallProgress | undefined
}

export interface Flight<M extends Method = Method> {
  readonly on: Runtime
  attempt: AttemptObserver<M> | undefined
  /** The connection's own: with a function of ours, calls took twice the time. */
  cancel: Cancel | undefined
}

export interface Call<M extends Method = Method> {
  readonly ask: Ask<M>
  tally: Tally
  flight: Flight<M> | undefined
  tool: Chosen | undefined
  deadline: number
  /** When its last request was sent, or progress came. */
  heardAt: number
  questions: number
  askedAt: number
  /** For a connection, from its first wait until it is sent. */
  waitEnd: number | undefined
  waitsFor: string | undefined
  saidOfMissing: string | undefined
  /** By something else than the server, while the server gave its lists. */
  refusedBeside: number
  refused: { readonly by: Runtime; readonly answers: number; readonly since: number } | undefined
  /** Sent again only where the tools there say that this does no harm: each time. (C15) */
  undecided: Undecided | undefined
  runsTask: boolean | undefined
  task: RunningTask | undefined
  /** The connection that it asks first, if that lives. Default: the current one. */
  first: Runtime | undefined
  /** For `calls.maxInFlight`. A request about a task needs none. */
  place: Ticket | undefined
  /** For `calls.concurrency`. Kept while its task runs. */
  turn: Ticket | undefined
  observer: CallObserver<M> | undefined
  carrier: Calls | undefined
  isGivenUp: boolean
  isOver: boolean
}

export interface Undecided {
  readonly failed: Runtime
  readOn: Runtime | undefined
  pause: Effect.Effect<void, CallError> | undefined
  readonly fail: Exit.Exit<never, CallError>
}

export interface RunningTask {
  readonly id: string
  on: Runtime
  isThere: boolean
  isOver: boolean
  said?: string
}

export type Outcome<M extends Method> = Exit.Exit<Result<M>, CallError>

export type Next<M extends Method = never> = Outcome<M> | typeof again | Later<M>

export interface Later<M extends Method = never> {
  readonly _tag: "Later"
  readonly next: Effect.Effect<Next<M>, CallError>
}

export const again = { _tag: "Again" } as const

export const later = <M extends Method = never>(next: Later<M>["next"]): Later<M> => ({ _tag: "Later", next })

export const after = (wait: Effect.Effect<unknown, CallError>): Later => later(Effect.as(wait, again))

export const interrupted = Exit.interrupt(FiberId.none)

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
  const progress = options?.onprogress && new CallProgress(options.onprogress, now)
  return {
    ask: { method, params, options, timeout, begunAt: now, openEnded, about, progress },
    tally: untried,
    flight: undefined,
    tool,
    deadline: now + (progressResets ? total : Math.min(timeout, total)),
    heardAt: now,
    questions: 0,
    askedAt: now,
    waitEnd: undefined,
    waitsFor: undefined,
    saidOfMissing: undefined,
    refusedBeside: 0,
    refused: undefined,
    undecided: undefined,
    runsTask: undefined,
    task: undefined,
    first: about?.task?.isThere === true ? about.task.on : undefined,
    place: undefined,
    turn: undefined,
    observer: undefined,
    carrier: undefined,
    isGivenUp: false,
    isOver: false
  }
}

export const leaves = (call: Call, { generation }: Runtime): void => {
  call.waitEnd = undefined
  doubtful(call, true)
  call.ask.options?.onSent?.(generation)
}

export const doubtful = (call: Call, isDoubtful: boolean): void => {
  call.tally = { ...call.tally, isDoubtful }
}

/** Milliseconds that a server keeps a task beyond the time of its call. */
const margin = 60_000

const keeping = ({ ask: { openEnded } }: Call, left: number): { readonly ttl?: number } =>
  openEnded || !Number.isFinite(left) ? {} : { ttl: Math.ceil(left) + margin }

export const runsOn = ({ flight, task }: Call): Runtime | undefined =>
  (flight?.on ?? (task?.isOver === false ? task.on : undefined))?.latest

export const fateOf = ({ tally: { isDoubtful, unknown } }: Call): "notSent" | "unknown" =>
  isDoubtful || unknown !== undefined ? "unknown" : "notSent"

export const waitingFor = <A, E>(call: Call, what: string, wait: Effect.Effect<A, E>): Effect.Effect<A, E> =>
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
export const timeOver = ({ ask: { begunAt, openEnded, timeout }, deadline, heardAt }: Call): number =>
  openEnded || heardAt + timeout < deadline ? timeout : Math.round(deadline - begunAt)

/** In milliseconds, since it was last known that nobody is asked. */
export const askedFor = ({ askedAt, questions }: Call, now: number): number => questions === 0 ? 0 : now - askedAt

/** Time in which the user is asked is not the server's. */
const asked = (call: Call, isAsking: boolean, now: number): void => {
  if (isAsking) {
    if (call.questions++ === 0) call.askedAt = now
    return
  }
  const time = askedFor(call, now)
  if (--call.questions > 0) return
  call.deadline += time
  call.heardAt += time
}

const happened = (call: Call, event: RequestEvent, now: number): void => {
  const { about, openEnded, progress, timeout } = call.ask
  switch (event._tag) {
    case "Withdrawn":
      return doubtful(call, false)
    case "Progress":
      if (call.task?.isOver === true) return
      call.heardAt = now
      if (openEnded) call.deadline = now + timeout
      return progress?.reported(event.progress, now)
    default:
      asked(call, event._tag === "Asked", now)
      if (about !== undefined) asked(about, event._tag === "Asked", now)
  }
}

export const requestOptions = (call: Call, clock: () => number, span?: Tracer.AnySpan): RequestOptions => {
  const { about, openEnded, options, progress, timeout } = call.ask
  const now = call.heardAt = clock()
  const left = Math.max(0, call.deadline - now)
  const onevent = (event: RequestEvent): void => happened(call, event, clock())
  const begun = call.runsTask === true ? { task: keeping(call, left) } : undefined
  const runsTask = begun !== undefined || about !== undefined ? true : undefined
  if (options === undefined) return { timeout: left, onevent, runsTask, span, ...begun }
  if (call.tally.sent > 0) progress?.sentAgain()
  return {
    timeout: Math.min(timeout, left),
    resetTimeoutOnProgress: options.resetTimeoutOnProgress,
    maxTotalTimeout: openEnded ? undefined : left,
    progress: openEnded || progress !== undefined,
    onevent,
    task: begun?.task ?? options.task,
    runsTask,
    resultSchema: options.resultSchema,
    span
  }
}
