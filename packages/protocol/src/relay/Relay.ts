/** Results and parameters pass unchanged; the client decodes them. */
import type { Backend, CallError, Method, ServerNotification } from "@mcp-lifeline/core"
import { Freshness, Handle } from "@mcp-lifeline/core/internal"
import { Bytes, ExactJson, JsonValue } from "@mcp-lifeline/core/text"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  Progress,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import type { Cause, Fiber } from "effect"
import { Clock, Effect, Exit, FiberId } from "effect"
import { constant, constVoid } from "effect/Function"
import { type Answer, type ClientRequest, type Fate, type Responder, responseOf, type Work } from "./ClientRequest.js"
import * as JsonRpcError from "./JsonRpcError.js"
import { Listings } from "./Listings.js"
import { held, questions } from "./relayLimits.js"
import * as TaskMarks from "./TaskMarks.js"

/** If the client throws, calls its `onerror`. */
export const deliver = (client: Pick<Transport, "onerror" | "onmessage">, message: JSONRPCMessage): void => {
  try {
    client.onmessage?.(message)
  } catch (error) {
    client.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

const withParams = <P>(params: P | undefined): { readonly params?: P } => params === undefined ? {} : { params }

/** A backend, which may be replaced by another one with the same name. */
export interface Target {
  /** Runs what remains of a request that needs a fiber; a cancellation interrupts it. */
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  /** The current backend, if any. A request to it needs no fiber as long as nothing goes wrong. */
  readonly backend?: (() => Backend.Backend | undefined) | undefined
}

class Call implements Work {
  /** Outside of any fiber: see `start` of the core. */
  started: { readonly cancel: () => Fate; readonly doubt: () => void } = {
    cancel: constant("notSent"),
    doubt: constVoid
  }
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  reason: unknown
  why: string | undefined
  isStopped = false

  stop(reason: unknown, why?: string): Fate | undefined {
    this.isStopped = true
    this.reason = reason
    this.why = why
    const fate = this.started.cancel()
    if (this.fiber === undefined) return fate
    this.fiber.unsafeInterruptAsFork(FiberId.none)
    return undefined
  }

  doubt(): void {
    this.started.doubt()
  }
}

export type ErrorOf = (cause: Cause.Cause<CallError>) => JsonRpcError.JsonRpcError

const errorOfClosed: ErrorOf = (cause) => JsonRpcError.fromCause(cause, "the transport was closed")

const closed = (name: string): Error => new Error(`the client of ${name} is closed`)

/** Only the client knows how long these may take. */
const hasOwnTime = (method: string): boolean => method === "tools/call" || method === "tasks/result"

interface Question {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

/** Waits until the client is initialized. */
interface Held {
  readonly bytes: Bytes
  readonly deliver: () => void
  /** Called instead, to make room for others. */
  readonly dropped: () => void
}

/** Only what the protocol knows of it, if the rest is nested too deeply. */
const readable = (progress: Progress): Progress => {
  if (!JsonValue.isTooDeep(progress)) return progress
  const { message, progress: done, total } = progress
  return { progress: done, ...(total === undefined ? {} : { total }), ...(message === undefined ? {} : { message }) }
}

/** A schema that accepts any value unchanged. */
export const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) }

/** Between two announcements of the same lists, in milliseconds. */
const leastPause = 300

export interface Options {
  /** Whether messages that the server sends by itself wait until the client is initialized, within `relayLimits`. Default false. */
  readonly holds?: boolean | undefined
  readonly errorOf?: ErrorOf | undefined
}

/** For a client that sends its options on the wire. */
export interface Forwarded {
  /** Default: those of the request. */
  readonly params?: JSONRPCRequest["params"]
  /** Whether a tool call has the time limit of the backend's options. Otherwise it has only that of its tool (`tools`), if any. */
  readonly isBounded: boolean
  /** Whether the request does not wait for a connection, even if the backend's options allow this. */
  readonly failFast?: boolean | undefined
  /**
   * Takes the answer, at once. Default: in a later step, never during the client's `send`, and after the official Client has handled
   * earlier notifications. Behind a wire, answer at once, so that later messages of the server arrive after the answer.
   */
  readonly answered?: ((answer: Answer) => void) | undefined
}

export class Relay {
  readonly #name: string
  readonly #client: Pick<Transport, "onerror" | "onmessage">
  #held: Array<Held> | undefined
  readonly #roomForHeld = held.holderOf(this)
  readonly #roomForQuestions = questions.holderOf(this)
  readonly #errorOf: ErrorOf
  readonly responder: Responder = {
    say: (_request, message) => this.deliver(message),
    answer: ({ id }, answer) => this.deliver(responseOf(id, answer))
  }
  readonly #asked = new Map<RequestId, Question>()
  readonly listings = new Listings()
  readonly #paces = new Map<string, Freshness.Pace>()
  readonly #waiting = new Map<string, Fiber.RuntimeFiber<void>>()
  #fork: Target["fork"] | undefined
  #asks = 0
  #ended = false

  constructor(name: string, client: Pick<Transport, "onerror" | "onmessage">, options: Options = {}) {
    this.#name = name
    this.#client = client
    this.#held = options.holds === true ? [] : undefined
    this.#errorOf = options.errorOf ?? errorOfClosed
  }

  /** From now on, logs lists that end at a repeated cursor, and passes on announcements that go on ever less often. */
  watchLists(fork: Target["fork"]): void {
    this.#fork = fork
    this.listings.onRepeated = (list) =>
      fork(Effect.logWarning(`${list} of ${this.#name} repeats a cursor: the list ends there`))
  }

  /** With the backend's own options. */
  request(target: Target, request: ClientRequest): void {
    const call = new Call()
    const options = { resultSchema: asItComes as never, cancelReason: () => call.reason }
    this.#start(target, request, call, request.params, options)
  }

  /** Progress is passed on during the request, and after an answer that begins a task. */
  forward(target: Target, request: ClientRequest, forwarded: Forwarded): void {
    const { params = request.params, isBounded, failFast } = forwarded
    const progressToken = params?._meta?.progressToken
    const call = new Call()
    const options: Backend.CallOptions = {
      defaultTimeout: hasOwnTime(request.method) && !isBounded ? Number.POSITIVE_INFINITY : undefined,
      resetTimeoutOnProgress: progressToken === undefined ? undefined : true,
      onprogress: progressToken === undefined ? undefined : (progress) => {
        if (call.isStopped) return
        const message: JSONRPCNotification = {
          jsonrpc: "2.0",
          method: "notifications/progress",
          params: ExactJson.copied(progress, { ...readable(progress), progressToken })
        }
        if (request.isOver) this.deliver(message)
        else request.say(message)
      },
      failFast: failFast === true ? true : undefined,
      onSent: request.onSent,
      resultSchema: asItComes as never,
      cancelReason: () => call.reason
    }
    this.#start(target, request, call, params, options, forwarded.answered)
  }

  #start(
    target: Target,
    request: ClientRequest,
    call: Call,
    params: JSONRPCRequest["params"],
    options: Backend.CallOptions,
    answered = (answer: Answer): void => queueMicrotask(() => request.answer(answer))
  ): void {
    const { method } = request
    request.work = call
    let asked: Backend.Backend | undefined
    const settle = (exit: Exit.Exit<unknown, unknown>): void => {
      if (request.isOver) return
      const isMarked = method === "tools/list" && asked !== undefined && Handle.runsTasks(asked)
      const marked = isMarked ? Exit.map(exit, TaskMarks.list) : exit
      answered(this.#answerOf(call, Exit.map(marked, (result) => this.listings.result(method, params, result))))
    }
    const run = (rest: Effect.Effect<unknown, unknown>): void => {
      if (Exit.isExit(rest)) return settle(rest as Exit.Exit<unknown, unknown>)
      call.fiber = target.fork(rest)
      call.fiber.addObserver(settle)
    }
    const backend = target.backend?.()
    const begin = (backend: Backend.Backend, next: typeof run): void => {
      asked = backend
      call.started = Handle.start(backend, method as Method, params as never, options, next)
    }
    if (backend !== undefined) return begin(backend, run)
    run(target.use((backend) =>
      Effect.async<unknown, CallError>((resume) => {
        begin(backend, resume as typeof run)
        return Effect.sync(() => call.started.cancel())
      })
    ))
  }

  #answerOf(call: Call, exit: Exit.Exit<unknown, unknown>): Answer {
    if (Exit.isSuccess(exit)) return { result: exit.value as Result }
    return {
      error: call.why !== undefined && Exit.isInterrupted(exit)
        ? JsonRpcError.interrupted(call.why, call.started.cancel())
        : this.#errorOf(exit.cause as Cause.Cause<CallError>)
    }
  }

  answered(response: JSONRPCResponse): void {
    const { id } = response
    if (id === undefined) return
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if ("result" in response) asked?.resolve(response.result)
    else asked?.reject(Object.assign(new Error(response.error.message), response.error))
  }

  ask(
    { method, params }: { readonly method: string; readonly params?: Record<string, unknown> | undefined },
    signal: AbortSignal
  ): Promise<Result> {
    const gone = (): Error => closed(this.#name)
    if (signal.aborted || this.#ended) return Promise.reject(gone())
    if (this.#roomForQuestions.take(Bytes(0)) !== undefined) {
      const waiting = `${this.#asked.size} requests wait for an answer of this client, the maximum`
      return Promise.reject(new Error(`${waiting}: send ${method} again when some are answered`))
    }
    const id = ++this.#asks
    let isDelivered = false
    const fail = (why: Error): boolean => {
      this.#asked.get(id)?.reject(why)
      return this.#asked.delete(id)
    }
    const abort = (): void => {
      if (!fail(gone()) || !isDelivered) return
      const reason = typeof signal.reason === "string" ? { reason: signal.reason } : {}
      this.pass({ method: "notifications/cancelled", params: { requestId: id, ...reason } })
    }
    signal.addEventListener("abort", abort, { once: true })
    return new Promise<Result>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      const dropped = (): void =>
        void fail(new Error("the client has not been initialized, and too much waits for that"))
      this.#whenReady(
        params,
        () => {
          if (!this.#asked.has(id)) return
          isDelivered = true
          this.deliver({ jsonrpc: "2.0", id, method, ...withParams(params) })
        },
        dropped
      )
    }).finally(() => {
      signal.removeEventListener("abort", abort)
      this.#roomForQuestions.release(Bytes(0))
    })
  }

  /** If too much waits, the oldest messages are dropped. */
  #whenReady(params: unknown, deliver: () => void, dropped: () => void = constVoid): void {
    if (this.#held === undefined) return deliver()
    const bytes = JsonValue.sizeOf(params)
    let excess = this.#roomForHeld.take(bytes)
    while (excess !== undefined && excess.limit !== "item") {
      const oldest = this.#held.shift()
      if (oldest === undefined) break
      this.#roomForHeld.release(oldest.bytes)
      oldest.dropped()
      excess = this.#roomForHeld.take(bytes)
    }
    if (excess === undefined) this.#held.push({ bytes, deliver, dropped })
    else dropped()
  }

  /** The client has sent `notifications/initialized`. */
  initialized(): void {
    const waiting = this.#held ?? []
    this.#held = undefined
    this.#roomForHeld.close()
    for (const { deliver } of waiting) deliver()
  }

  pass(notification: ServerNotification): void {
    const { method } = notification
    if (this.#fork === undefined || !method.endsWith("/list_changed")) return this.#passNow(notification)
    if (this.#waiting.has(method) || this.#ended) return
    const paced = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const pace = Freshness.paced(this.#paces.get(method) ?? Freshness.unpaced, now, leastPause)
      this.#paces.set(method, pace)
      const passed = Effect.sync(() => this.#passNow(notification))
      return pace.at > now ? Effect.delay(passed, pace.at - now) : passed
    })
    const fiber = this.#fork(paced)
    this.#waiting.set(method, fiber)
    fiber.addObserver(() => this.#waiting.delete(method))
  }

  #passNow({ method, params }: ServerNotification): void {
    this.#whenReady(params, () => this.deliver({ jsonrpc: "2.0", method, ...withParams(params) }))
  }

  /** Delivers nothing more, and rejects the unanswered requests of the server. */
  end(): void {
    for (const { reject } of this.#asked.values()) reject(closed(this.#name))
    this.#asked.clear()
    for (const fiber of this.#waiting.values()) fiber.unsafeInterruptAsFork(FiberId.none)
    this.#ended = true
    this.#held = this.#held === undefined ? undefined : []
    this.#roomForHeld.close()
    this.#roomForQuestions.close()
  }

  /** Does nothing after `end`. */
  deliver(message: JSONRPCMessage): void {
    if (!this.#ended) deliver(this.#client, message)
  }
}
