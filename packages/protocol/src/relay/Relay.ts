/**
 * Passes messages between a client of any kind and a backend: it makes the client's requests through the backend, and passes the server's
 * messages to the client. Results and parameters pass unchanged; the client decodes them.
 */
import type { Backend, CallError, Method, ServerNotification } from "@mcp-lifeline/core"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import type { Cause, Fiber } from "effect"
import { Effect, Exit, FiberId, Runtime } from "effect"
import { constant } from "effect/Function"
import * as JsonRpcError from "./JsonRpcError.js"

/** Gives a client a message. If this throws, calls the client's `onerror`. */
export const deliver = (client: Pick<Transport, "onerror" | "onmessage">, message: JSONRPCMessage): void => {
  try {
    client.onmessage?.(message)
  } catch (error) {
    client.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

/** The params of a message, if it has any. */
const withParams = <P>(params: P | undefined): { readonly params?: P } => params === undefined ? {} : { params }

/** The target of the client's requests: a backend, which may be replaced by another one with the same name. */
export interface Target {
  readonly runtime: Runtime.Runtime<never>
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  /** The current backend, if there is one. A request to it needs no fiber as long as nothing goes wrong. */
  readonly backend?: (() => Backend.Backend | undefined) | undefined
}

/** An unanswered request of the client. */
class Call {
  /** Cancels what is done of it outside of any fiber, and says what becomes of it: see `Backend.start`. */
  stop: () => "notSent" | "unknown" = constant("notSent")
  /** Does what remains, if it needs a fiber. */
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** The reason with which the client has cancelled it. */
  reason: unknown
  isCancelled = false
  /** Why it is answered without having ended. */
  why: string | undefined

  cancel(): void {
    this.stop()
    this.fiber?.unsafeInterruptAsFork(FiberId.none)
  }
}

/** The error of a response to a request that ended without a result. */
export type ErrorOf = (cause: Cause.Cause<CallError>) => JsonRpcError.JsonRpcError

const errorOfClosed: ErrorOf = (cause) => JsonRpcError.fromCause(cause, "the transport was closed")

const interruption = Exit.interrupt(FiberId.none)

const closed = (name: string): Error => new Error(`the client of ${name} is closed`)

/** Requests without a time limit, because only the client knows how long they may take. */
const hasOwnTime = (method: string): boolean => method === "tools/call" || method === "tasks/result"

/** Resolves or rejects the promise of a request of the server. */
interface Answer {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

/** A schema that accepts any value unchanged. */
export const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) }

/** Passes messages on until it ends. */
export class Relay {
  readonly #name: string
  readonly #client: Pick<Transport, "onerror" | "onmessage">
  readonly #whenReady: (deliver: () => void) => void
  readonly #later: (settle: () => void) => void
  readonly #errorOf: ErrorOf
  /** The unanswered requests of the client. */
  readonly methods = new Set<string>()
  readonly #calls = new Map<RequestId, Call>()
  /** Requests of the server that the client has not answered yet. */
  readonly #asked = new Map<RequestId, Answer>()
  /** Who waits until no request is unanswered. */
  #waiting: Array<() => void> = []
  #asks = 0
  #ended = false

  /**
   * `whenReady` calls back when the client may get messages that the server sends by itself; by default at once. `later` gives the client an
   * answer. By default it does so in a later step: never during the client's `send`, and after the official Client has handled the
   * notifications that arrived before, which it does one step later. If the client is behind a wire, give it the answer at once, so that
   * later messages of the server arrive after the answer. `errorOf` makes the error for a request that has failed.
   */
  constructor(
    name: string,
    client: Pick<Transport, "onerror" | "onmessage">,
    whenReady: (deliver: () => void) => void = (deliver) => deliver(),
    later: (settle: () => void) => void = queueMicrotask,
    errorOf: ErrorOf = errorOfClosed
  ) {
    this.#name = name
    this.#client = client
    this.#whenReady = whenReady
    this.#later = later
    this.#errorOf = errorOf
  }

  /** Handles a request of the client. */
  request(target: Target, request: JSONRPCRequest, options?: Backend.CallOptions): void {
    const call = new Call()
    // Written out, because this is on the way of every call: a spread of it takes 4 us.
    this.#start(target, request, call, {
      timeout: options?.timeout,
      maxTotalTimeout: options?.maxTotalTimeout,
      resetTimeoutOnProgress: options?.resetTimeoutOnProgress,
      onprogress: options?.onprogress,
      failFast: options?.failFast,
      idempotent: options?.idempotent,
      task: options?.task,
      resultSchema: asItComes as never,
      cancelReason: () => call.reason
    })
  }

  #start(target: Target, { id, method, params }: JSONRPCRequest, call: Call, options: Backend.CallOptions): void {
    this.methods.add(method)
    this.#calls.set(id, call)
    const settle = (exit: Exit.Exit<unknown, unknown>): void => this.#later(() => this.#settle(id, call, exit))
    const run = (rest: Effect.Effect<unknown, unknown>): void => {
      if (Exit.isExit(rest)) return settle(rest as Exit.Exit<unknown, unknown>)
      call.fiber = Runtime.runFork(target.runtime)(rest)
      call.fiber.addObserver(settle)
    }
    const backend = target.backend?.()
    const start = (backend: Backend.Backend, next: typeof run): void => {
      call.stop = backend.start(method as Method, params as never, options, next)
    }
    if (backend !== undefined) return start(backend, run)
    run(target.use((backend) =>
      Effect.async<unknown, CallError>((resume) => {
        start(backend, resume as typeof run)
        return Effect.sync(() => call.stop())
      })
    ))
  }

  /**
   * The same for a client that sends its options on the wire. A tool call has no time limit here, unless `isBounded`. Progress that the
   * client asks for is passed on, also after the answer if that begins a task. `failFast`: the request does not wait for a connection, even
   * if the backend's options allow this.
   */
  forward(target: Target, request: JSONRPCRequest, isBounded: boolean, failFast?: boolean): void {
    const { method, params } = request
    const progressToken = params?._meta?.progressToken
    const call = new Call()
    this.#start(target, request, call, {
      timeout: hasOwnTime(method) && !isBounded ? Number.POSITIVE_INFINITY : undefined,
      resetTimeoutOnProgress: progressToken === undefined ? undefined : true,
      onprogress: progressToken === undefined ? undefined : (progress) => {
        if (call.isCancelled) return
        this.#deliver({ jsonrpc: "2.0", method: "notifications/progress", params: { ...progress, progressToken } })
      },
      failFast: failFast === true ? true : undefined,
      resultSchema: asItComes as never,
      cancelReason: () => call.reason
    })
  }

  /** Handles a cancellation of the client. */
  cancel({ params }: JSONRPCNotification): void {
    const id = params?.["requestId"] as RequestId
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    call.isCancelled = true
    call.reason = params?.["reason"]
    this.#wake()
    call.cancel()
  }

  /**
   * Cancels the unanswered requests of the client, and answers each: that `why`, and whether it was sent. Some are answered a few steps later,
   * before `settled` ends.
   */
  interrupt(why: string): void {
    for (const [id, call] of [...this.#calls]) {
      if (call.isCancelled) continue
      call.isCancelled = true
      call.reason = why
      call.why = why
      call.cancel()
      if (call.fiber === undefined) this.#settle(id, call, interruption)
    }
  }

  /** Handles the client's answer to a request of the server. */
  answered(response: JSONRPCResponse): void {
    const { id } = response
    if (id === undefined) return
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if ("result" in response) asked?.resolve(response.result)
    else asked?.reject(Object.assign(new Error(response.error.message), response.error))
  }

  /** Passes a request of the server to the client. */
  ask(
    { method, params }: { readonly method: string; readonly params?: Record<string, unknown> | undefined },
    signal: AbortSignal
  ): Promise<Result> {
    const gone = (): Error => closed(this.#name)
    if (signal.aborted || this.#ended) return Promise.reject(gone())
    return new Promise((resolve, reject) => {
      const id = ++this.#asks
      let isDelivered = false
      const abort = (): void => {
        if (!this.#asked.delete(id)) return
        reject(gone())
        if (!isDelivered) return
        const reason = typeof signal.reason === "string" ? { reason: signal.reason } : {}
        this.pass({ method: "notifications/cancelled", params: { requestId: id, ...reason } })
      }
      const settled = () => signal.removeEventListener("abort", abort)
      signal.addEventListener("abort", abort, { once: true })
      this.#asked.set(id, {
        resolve: (result) => {
          settled()
          resolve(result)
        },
        reject: (error) => {
          settled()
          reject(error)
        }
      })
      this.#whenReady(() => {
        if (!this.#asked.has(id)) return
        isDelivered = true
        this.#deliver({ jsonrpc: "2.0", id, method, ...withParams(params) })
      })
    })
  }

  /** Passes on a notification of the server. */
  pass({ method, params }: ServerNotification): void {
    this.#whenReady(() => this.#deliver({ jsonrpc: "2.0", method, ...withParams(params) }))
  }

  /** Ends when every request of the client has its answer, which is so when the backend has closed. */
  get settled(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Delivers nothing more, and rejects the unanswered requests of the server. */
  end(): void {
    for (const { reject } of this.#asked.values()) reject(closed(this.#name))
    this.#asked.clear()
    this.#ended = true
  }

  #settle(id: RequestId, call: Call, exit: Exit.Exit<unknown, unknown>): void {
    if (this.#calls.get(id) !== call) return // cancelled
    this.#calls.delete(id)
    this.#deliver(
      Exit.isSuccess(exit)
        ? { jsonrpc: "2.0", id, result: exit.value as Result }
        : {
          jsonrpc: "2.0",
          id,
          error: call.why !== undefined && Exit.isInterrupted(exit)
            ? JsonRpcError.interrupted(call.why, call.stop())
            : this.#errorOf(exit.cause as Cause.Cause<CallError>)
        }
    )
    this.#wake()
  }

  #wake(): void {
    if (this.#calls.size > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
  }

  #deliver(message: JSONRPCMessage): void {
    if (!this.#ended) deliver(this.#client, message)
  }
}
