import type { Deferred } from "effect"
import { Effect, Exit, FiberId, type Tracer } from "effect"
import type { CallError, RequestError } from "../Errors.js"
import type { Liveness } from "../health/Liveness.js"
import type { Queue, Ticket } from "../internal/Queue.js"
import type { AttemptObserver, CallObserver } from "../observe/Telemetry.js"
import type { CallOptions } from "../options/CallOptions.js"
import * as TimeSpan from "../options/TimeSpan.js"
import type * as ToolRules from "../options/Tools.js"
import type { Chosen, ToolRule } from "../options/Tools.js"
import * as Budget from "../port/Budget.js"
import type { Cancel, RequestEvent, RequestOptions } from "../port/Connection.js"
import type { Method, Params, Result } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { InFlight } from "../runtime/Traffic.js"
import type { BackendState } from "../state/BackendState.js"
import type { SessionState } from "../state/SessionState.js"
import * as CallProgress from "./CallProgress.js"
import { type Tally, untried } from "./decide.js"

/** Milliseconds of silence after which giving up is suspicion: shorter than hosts' timeouts. (H9) */
export const silence = 2000

export interface Calls {
  readonly backend: BackendState
  readonly liveness: Liveness
  /** To their end, within bounds; `undefined` if the server does not list them. */
  readonly readTools: (runtime: Runtime) => Effect.Effect<ReadonlyArray<unknown> | undefined, RequestError>
  /** In place of the first page of a list. */
  readonly whole: (
    method: string,
    params: unknown,
    first: any,
    ask: (cursor: string) => Effect.Effect<any, RequestError>
  ) => Effect.Effect<unknown, RequestError>
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
  readonly watched: Map<Call, CallProgress.CallProgress>
  isRunning: boolean
  asked: { readonly runtime: Runtime; readonly at: number } | undefined
}

export interface Ask<M extends Method = Method> {
  readonly method: M
  readonly params: Params<M>
  readonly options: CallOptions | undefined
  readonly about: Call<"tools/call"> | undefined
  readonly progress: CallProgress.CallProgress | undefined
}

export interface Flight<M extends Method = Method> {
  readonly on: Runtime
  attempt: AttemptObserver<M> | undefined
  /** The connection's own: with a function of ours, calls took twice the time. */
  cancel: Cancel | undefined
}

export interface Call<M extends Method = Method> extends InFlight {
  readonly ask: Ask<M>
  tool: Chosen | undefined
  budget: Budget.Budget
  tally: Tally
  /** The server may have carried out its last request. */
  isDoubtful: boolean
  flight: Flight<M> | undefined
  waitEnd: number | undefined
  waitsFor: string | undefined
  /** Refusals that are not the server's, while its session lives. */
  refusedBeside: number
  refused: { readonly by: Runtime; readonly answers: number; readonly since: number } | undefined
  /** Decided anew on each connection, by its tools. (C15) */
  undecided: Undecided | undefined
  runsTask: boolean | undefined
  task: RunningTask | undefined
  /** Asked first if it lives. Default: the current one. */
  first: Runtime | undefined
  /** For `calls.maxInFlight`. A request about a task needs none. */
  place: Ticket | undefined
  turn: Ticket | undefined
  observer: CallObserver<M> | undefined
  carrier: Calls | undefined
  isGivenUp: boolean
  isOver: boolean
}

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
  const total = options?.maxTotalTimeout
  const maxTotalTimeout = total === undefined ? undefined : TimeSpan.millis(total)
  const limits = { timeout, maxTotalTimeout, resetTimeoutOnProgress: options?.resetTimeoutOnProgress }
  const progress = options?.onprogress && CallProgress.make(options.onprogress, now)
  return {
    ask: { method, params, options, about, progress },
    tool,
    budget: Budget.begin(limits, now),
    tally: untried,
    isDoubtful: false,
    flight: undefined,
    waitEnd: undefined,
    waitsFor: undefined,
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

export const leaves = (call: Call, { generation }: Runtime): void => {
  call.waitEnd = undefined
  call.isDoubtful = true
  call.ask.options?.onSent?.(generation)
}

/** Milliseconds that a server keeps a task beyond the time of its call. */
const margin = 60_000

export const runsOn = ({ flight, task }: Call): Runtime | undefined =>
  (flight?.on ?? (task?.isOver === false ? task.on : undefined))?.latest

export const fateOf = ({ isDoubtful, tally }: Call): "notSent" | "unknown" =>
  isDoubtful || tally.unknown !== undefined ? "unknown" : "notSent"

export const waitingFor = <A, E>(call: Call, what: string, wait: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    call.waitsFor = what
    return Effect.ensuring(wait, Effect.sync(() => void (call.waitsFor = undefined)))
  })

export const millis = (input: CallOptions["timeout"], otherwise: number): number =>
  input === undefined ? otherwise : TimeSpan.millis(input)

const happened = (call: Call, event: RequestEvent, now: number): void => {
  const { about, progress } = call.ask
  switch (event._tag) {
    case "Withdrawn":
      call.isDoubtful = false
      return
    case "Progress":
      if (call.task?.isOver === true) return
      call.budget = Budget.heard(call.budget, now)
      return progress && CallProgress.reported(progress, event.progress, now)
    default: {
      const change = event._tag === "Asked" ? Budget.asked : Budget.answered
      call.budget = change(call.budget, now)
      if (about !== undefined) about.budget = change(about.budget, now)
    }
  }
}

export const requestOptions = (call: Call, clock: () => number, span?: Tracer.AnySpan): RequestOptions => {
  const { about, options, progress } = call.ask
  const { deadline, heardAt: now, openEnded, timeout } = call.budget = Budget.sent(call.budget, clock())
  const left = Math.max(0, deadline - now)
  const onevent = (event: RequestEvent): void => happened(call, event, clock())
  const isBounded = !openEnded && Number.isFinite(left)
  const task = call.runsTask !== true ? options?.task : isBounded ? { ttl: Math.ceil(left) + margin } : {}
  const runsTask = call.runsTask === true || about !== undefined ? true : undefined
  if (options === undefined) return { timeout: left, onevent, task, runsTask, span }
  if (call.tally.sent > 0 && progress !== undefined) CallProgress.sentAgain(progress)
  return {
    timeout: Math.min(timeout, left),
    resetTimeoutOnProgress: options.resetTimeoutOnProgress,
    maxTotalTimeout: openEnded ? undefined : left,
    progress: openEnded || progress !== undefined,
    onevent,
    task,
    runsTask,
    resultSchema: options.resultSchema,
    span
  }
}
