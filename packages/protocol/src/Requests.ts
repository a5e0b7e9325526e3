/**
 * What was asked of a server and is not answered yet.
 *
 * Not the official Client: it checks each message several times, and takes an AbortSignal to cancel, which made a call over stdio take a
 * third longer (`tools/benchmarks/call.mjs`).
 */
import type { Fate, Loss, Method, RequestError, RequestOptions } from "@mcp-lifeline/core"
import { Budget } from "@mcp-lifeline/core/internal"
import { ExactJson } from "@mcp-lifeline/core/text"
import type { JSONRPCMessage, Progress, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import * as Answers from "./Answers.js"
import type { Answer, Response } from "./Answers.js"
import * as Failures from "./Failures.js"
import * as JsonRpc from "./JsonRpc.js"
import type { Unread } from "./Messages.js"
import * as Timers from "./Timers.js"

export type Options = Pick<
  RequestOptions,
  | "maxTotalTimeout"
  | "onevent"
  | "progress"
  | "resetTimeoutOnProgress"
  | "runsTask"
  | "task"
  | "timeout"
>

interface Pending {
  /** How many were sent before it. */
  readonly order: number
  readonly method: string
  readonly options: Options
  /** On the scale of its timers. */
  budget: Budget.Budget
  readonly settle: (answer: Answer) => void
  /** The task after whose answer there is no more progress. */
  readonly about: string | undefined
  timer: unknown
  isSending: boolean
  /** Something came in place of its answer. */
  isUnread: boolean
}

const timedOut = "Request timed out"

const drawn = new Uint32Array(256)
let isDrawn = drawn.length

/** Nobody can guess it, and every server keeps it: some read ids as integers of 32 bits. */
const draw = (): number => {
  if (isDrawn === drawn.length) {
    crypto.getRandomValues(drawn)
    isDrawn = 0
  }
  return (drawn[isDrawn++]! >>> 1) || 1
}

/** How long an unreadable answer waits for a better one, in milliseconds. */
const grace = 1000

export class Requests {
  #transport: AdapterTransport
  #log: (message: string) => void
  readonly #pending = new Map<number, Pending>()
  /** By id, which is also the token of its progress. */
  readonly #listeners = new Map<number, Options>()
  #tasks: Map<string, number> | undefined
  #sent = 0
  /** How many were sent before a notification that the server may answer. */
  #notified = Number.POSITIVE_INFINITY
  readonly #timers: Timers.Timers
  /** What was cancelled while the session is suspended, with the reason. */
  #cancelled: Map<number, string> | undefined

  /** `log`: what a server does that helps nobody, for a developer. */
  constructor(transport: AdapterTransport, log: (message: string) => void, timers = Timers.live) {
    this.#transport = transport
    this.#log = log
    this.#timers = timers
  }

  /** Tells the server what was cancelled meanwhile. */
  moveTo(transport: AdapterTransport, log: (message: string) => void): void {
    this.#transport = transport
    this.#log = log
    const cancelled = this.#cancelled ?? []
    this.#cancelled = undefined
    for (const [id, reason] of cancelled) this.#sendCancelled(id, reason)
  }

  has(id: RequestId): boolean {
    return this.#pending.has(Number(id))
  }

  get size(): number {
    return this.#pending.size
  }

  /** Returns the id. `settle` is called once, perhaps before this returns, unless it is cancelled. */
  send(
    method: Method | "initialize" | "server/discover" | "subscriptions/listen" | "tasks/update",
    params: unknown,
    options: Options,
    settle: (answer: Answer) => void
  ): number {
    let id = draw()
    while (this.#pending.has(id) || this.#listeners.has(id)) id = draw()
    const { progress, task } = options
    const pending: Pending = {
      order: this.#sent++,
      method,
      options,
      budget: Budget.begin(options, this.#timers.now()),
      settle,
      about: Answers.endedBy(method, params),
      timer: undefined,
      isSending: true,
      isUnread: false
    }
    if (progress === true) this.#listeners.set(id, options)
    this.#pending.set(id, pending)
    const all = progress !== true && task === undefined ? params : augmented(params as object, id, options)
    let sending: Promise<void>
    try {
      sending = this.#transport.send(
        (all === undefined
          ? { method, jsonrpc: "2.0", id }
          : { method, params: all, jsonrpc: "2.0", id }) as JSONRPCMessage
      )
    } catch (error) {
      this.#fail(id, error, "notSent")
      return id
    }
    sending.then(() => {
      pending.isSending = false
    }, (error: unknown) => this.#fail(id, error, "unknown"))
    // After the send, because this can be done while the server works; it may have answered already.
    if (this.#pending.has(id)) this.#runTimer(id, pending, pending.budget.begunAt)
    return id
  }

  /** Takes the request back where nothing of it has left, else tells the server. */
  cancel(id: number, reason: string): void {
    const pending = this.#take(id)
    if (pending !== undefined && this.#giveUp(id, pending, reason) === "notSent") {
      pending.options.onevent?.({ _tag: "Withdrawn" })
    }
  }

  #giveUp(id: number, { method }: Pending, reason: string): "notSent" | "unknown" {
    if (this.#transport.withdraw?.(id) === true) return "notSent"
    // The protocol forbids to cancel `initialize`.
    if (method === "initialize") return "unknown"
    if (this.#cancelled === undefined) this.#sendCancelled(id, reason)
    else this.#cancelled.set(id, reason)
    return "unknown"
  }

  #sendCancelled(id: number, reason: string): void {
    const failed = (error: unknown): void => this.#log(`a cancellation was not sent: ${Failures.describe(error)}`)
    try {
      this.notified()
      this.#transport.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id, reason } })
        .catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  answered(response: Response): void {
    const id = this.#meant(response.id)
    const order = this.#pending.get(id)?.order
    if (order !== undefined && order >= this.#notified) this.#notified = Number.POSITIVE_INFINITY
    const answer = Answers.of(response, this.#transport.sessionId !== undefined, this.#pending.get(id)?.method)
    const pending = this.#take(id, answer)
    if (pending === undefined) return this.#log("a response came for no request that waits for it")
    pending.settle(answer ?? Exit.fail(Failures.noResponse()))
  }

  /** A response without an id can only mean the one request that waits. */
  #meant(id: unknown): number {
    if (!Predicate.isNullable(id)) return JsonRpc.isId(id) ? Number(id) : Number.NaN
    const [only = Number.NaN] = this.#pending.keys()
    return this.#pending.size === 1 && this.#notified === Number.POSITIVE_INFINITY ? only : Number.NaN
  }

  /** Some servers answer notifications, too, without an id: until a later request was answered, an answer without one may be to it. */
  notified(): void {
    this.#notified = this.#sent
  }

  /** Its request, if one waits, ends a little later: a server that prints what it sends may send it next. */
  unread(unread: Unread, of?: RequestId): void {
    const { hasMethod, id, isOfProtocol } = unread
    if (!isOfProtocol) return
    if (hasMethod) {
      const error = { code: JsonRpc.invalidRequest, message: "the request cannot be read as JSON-RPC" }
      if (id !== undefined) this.#transport.send({ jsonrpc: "2.0", id, error }).catch(() => {})
      return
    }
    const meant = Number(id ?? of)
    const pending = this.#pending.get(meant)
    if (pending === undefined || pending.isUnread) return
    // Whatever it says, it is alive, and has the session.
    if (pending.method === "ping" && id !== undefined) return this.#take(meant)?.settle(Exit.succeed({}))
    pending.isUnread = true
    this.#log(`what came in place of the answer to ${pending.method} cannot be read`)
    this.#timers.start(() => {
      if (this.#pending.get(meant) === pending) this.#fail(meant, Failures.unreadable(unread), "answered")
    }, grace)
  }

  progressed(notification: unknown): void {
    const params = progressOf(notification)
    if (params === undefined) return this.#log("a progress notification does not fit the protocol and is dropped")
    const { progressToken, ...progress } = params
    const id = Number(progressToken)
    const listener = this.#listeners.get(id)
    if (listener === undefined) return this.#log("progress came for no request that waits for it")
    const pending = this.#pending.get(id)
    if (pending?.options.resetTimeoutOnProgress === true) {
      const now = this.#timers.now()
      pending.budget = Budget.heard(pending.budget, now)
      this.#timers.stop(pending.timer)
      this.#runTimer(id, pending, now)
    }
    try {
      listener.onevent?.({ _tag: "Progress", progress: ExactJson.copied(params, progress) })
    } catch (error) {
      this.#log(`a listener of progress threw: ${Failures.describe(error)}`)
    }
  }

  failed(id: RequestId, error: RequestError): void {
    this.#fail(Number(id), error, "unknown")
  }

  endUnsent(loss: Loss): void {
    for (const id of [...this.#pending.keys()]) {
      if (this.#transport.withdraw?.(id) === true) this.#take(id)?.settle(Exit.fail(Failures.refused(loss)))
    }
  }

  /**
   * Ends all `but` some, which wait until the session goes on. The transport may be rejecting some with a better knowledge of their fate:
   * those microtasks go first.
   */
  end(loss: Loss, but?: ReadonlySet<RequestId>): void {
    if (but !== undefined) this.#cancelled = new Map()
    this.endUnsent(loss)
    const ids = [...this.#pending.keys()].filter((id) => but?.has(id) !== true)
    const endAll = (): void => {
      const error = Failures.cutOff(loss)
      for (const id of ids) {
        this.#take(id)?.settle(Exit.fail(error))
        this.#listeners.delete(id)
      }
      if (but === undefined) this.#listeners.clear()
    }
    for (const id of ids) {
      if (this.#pending.get(id)?.isSending === true) return void setTimeout(endAll, 0)
    }
    endAll()
  }

  /** Until the returned function is called, the time of waiting requests stands still; but not that of a ping, which waits for nobody. */
  asks(): () => void {
    const waiting = [...this.#pending].filter(([, { method }]) => method !== "ping")
    for (const [, pending] of waiting) {
      pending.budget = Budget.asked(pending.budget, this.#timers.now())
      if (pending.budget.questions > 1) continue
      this.#timers.stop(pending.timer)
      pending.options.onevent?.({ _tag: "Asked" })
    }
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      for (const [id, pending] of waiting) {
        if (this.#pending.get(id) !== pending) continue
        const now = this.#timers.now()
        pending.budget = Budget.answered(pending.budget, now)
        if (pending.budget.questions > 0) continue
        this.#runTimer(id, pending, now)
        pending.options.onevent?.({ _tag: "Answered" })
      }
    }
  }

  #runTimer(id: number, pending: Pending, now: number): void {
    const left = Budget.left(pending.budget, now)
    if (left === Number.POSITIVE_INFINITY || pending.budget.questions > 0) return
    pending.timer = this.#timers.start(() => {
      this.#take(id)
      const fate = this.#giveUp(id, pending, timedOut)
      pending.settle(Exit.fail(Failures.timedOut(pending.method, fate)))
    }, left)
  }

  #fail(id: number, error: unknown, fate: Fate): void {
    this.#take(id)?.settle(Exit.fail(Failures.toRequestError(error, fate)))
  }

  /** Only progress may follow, where a task was begun. */
  #take(id: number, answer?: Answer | undefined): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending === undefined) return undefined
    this.#pending.delete(id)
    this.#timers.stop(pending.timer)
    if (pending.budget.questions > 0) pending.options.onevent?.({ _tag: "Answered" })
    if (pending.options.progress === true) this.#release(id, Answers.taskOf(answer))
    if (pending.about !== undefined && answer !== undefined) this.#taskEnds(pending.about)
    return pending
  }

  #release(id: number, task: string | undefined): void {
    if (task === undefined) this.#listeners.delete(id)
    else (this.#tasks ??= new Map()).set(task, id)
  }

  #taskEnds(task: string): void {
    const id = this.#tasks?.get(task)
    if (id === undefined) return
    this.#tasks?.delete(task)
    this.#listeners.delete(id)
  }
}

const augmented = (params: object | undefined, id: number, { progress, task }: Options): object => {
  const meta = (params as { readonly _meta?: object } | undefined)?._meta
  return ExactJson.copied(params, {
    ...params,
    ...(progress === true ? { _meta: ExactJson.copied(meta, { ...meta, progressToken: id }) } : {}),
    ...(task === undefined ? {} : { task })
  })
}

const isNumberOrNone = (value: unknown): boolean => value === undefined || Predicate.isNumber(value)
const isTextOrNone = (value: unknown): boolean => value === undefined || Predicate.isString(value)

const progressOf = (notification: unknown): (Progress & { readonly progressToken: RequestId }) | undefined => {
  const params = Predicate.isRecord(notification) ? notification["params"] : undefined
  if (!Predicate.isRecord(params)) return undefined
  const { message, progress, progressToken, total } = params
  return JsonRpc.isId(progressToken) && Predicate.isNumber(progress) && isNumberOrNone(total) && isTextOrNone(message)
    ? ExactJson.copied(params, { ...params, progress, progressToken })
    : undefined
}
