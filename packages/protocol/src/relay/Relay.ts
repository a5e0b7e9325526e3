/**
 * The messages between a client of any kind and a backend: what the client sends is asked of the backend, and what the server
 * sends is passed to the client. Results and parameters pass as they come: the client decodes them.
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
import type { Cause, Effect } from "effect"
import { Exit, FiberId, Runtime } from "effect"
import { constVoid } from "effect/Function"
import * as JsonRpcError from "./JsonRpcError.js"

/** Gives a client a message. What it throws is told to its `onerror`. */
export const deliver = (client: Pick<Transport, "onerror" | "onmessage">, message: JSONRPCMessage): void => {
  try {
    client.onmessage?.(message)
  } catch (error) {
    client.onerror?.(error instanceof Error ? error : new Error(String(error)))
  }
}

/** The params of a message, where it has some. */
const withParams = <P>(params: P | undefined): { readonly params?: P } => params === undefined ? {} : { params }

/** Where the requests of the client go: a backend, which may be replaced by another one of the same name. */
export interface Target {
  readonly runtime: Runtime.Runtime<never>
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  /** The backend of now, where there is one: a request to it needs no fiber as long as all goes well. */
  readonly backend?: (() => Backend.Backend | undefined) | undefined
}

/** A request of the client that is not answered yet. */
interface Call {
  cancel: () => void
  /** Why the client has cancelled it. */
  reason: unknown
  isCancelled: boolean
}

/** The error of a response to a request that ended without a result. */
export type ErrorOf = (cause: Cause.Cause<CallError>) => JsonRpcError.JsonRpcError

const errorOfClosed: ErrorOf = (cause) => JsonRpcError.fromCause(cause, "the transport was closed")

const closed = (name: string): Error => new Error(`the client of ${name} is closed`)

/** Requests that may take as long as the client likes: what they do is not ours to judge. */
const hasOwnTime = (method: string): boolean => method === "tools/call" || method === "tasks/result"

/** Settles a request of the server. */
interface Answer {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

/** A schema that takes what comes. */
export const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) }

/** Hands on messages until it ends. */
export class Relay {
  readonly #name: string
  readonly #client: Pick<Transport, "onerror" | "onmessage">
  readonly #whenReady: (deliver: () => void) => void
  readonly #later: (settle: () => void) => void
  readonly #errorOf: ErrorOf
  /** What the client has asked for. */
  readonly methods = new Set<string>()
  readonly #calls = new Map<RequestId, Call>()
  /** Requests of the server that the client has not answered yet. */
  readonly #asked = new Map<RequestId, Answer>()
  #onSettled: (() => void) | undefined
  #asks = 0
  #ended = false

  /**
   * `whenReady` calls back once the client may be sent what the server says by itself: at once, unless it is given. `later` gives the
   * client an answer. By default it does so in a later step: never in the middle of the client's `send`, and after the official
   * Client has handled the notifications that came before, which it does a step later. A client that is a wire is answered at once, so
   * that what the server says after the answer comes after it. `errorOf` says what the client is told of a request that failed.
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

  /** The client asks. */
  request(target: Target, request: JSONRPCRequest, options?: Backend.CallOptions): void {
    this.#start(target, request, { cancel: constVoid, reason: undefined, isCancelled: false }, options)
  }

  #start(
    target: Target,
    { id, method, params }: JSONRPCRequest,
    call: Call,
    options: Backend.CallOptions | undefined
  ): void {
    this.methods.add(method)
    this.#calls.set(id, call)
    // Written out, because this is on the way of every call: a spread of it takes 4 us.
    const all: Backend.CallOptions = {
      timeout: options?.timeout,
      maxTotalTimeout: options?.maxTotalTimeout,
      resetTimeoutOnProgress: options?.resetTimeoutOnProgress,
      onprogress: options?.onprogress,
      failFast: options?.failFast,
      idempotent: options?.idempotent,
      task: options?.task,
      resultSchema: asItComes as never,
      cancelReason: () => call.reason
    }
    const settle = (exit: Exit.Exit<unknown, unknown>): void => this.#later(() => this.#settle(id, call, exit))
    const run = (rest: Effect.Effect<unknown, unknown>): void => {
      if (Exit.isExit(rest)) return settle(rest as Exit.Exit<unknown, unknown>)
      const fiber = Runtime.runFork(target.runtime)(rest)
      call.cancel = () => fiber.unsafeInterruptAsFork(FiberId.none)
      fiber.addObserver(settle)
    }
    const backend = target.backend?.()
    if (backend === undefined) run(target.use((backend) => backend.request(method as Method, params as never, all)))
    else {
      let isHandedOn = false
      const cancel = backend.start(method as Method, params as never, all, (rest) => {
        isHandedOn = true
        run(rest)
      })
      if (!isHandedOn) call.cancel = cancel
    }
  }

  /**
   * The same for a client that speaks of time and progress on the wire only: how long its call of a tool may take is its own
   * affair, unless `isBounded`, and progress that it asks for is passed on: also after the answer, where that begins a task.
   * `failFast`: it does not wait for a connection, whatever the backend's options say.
   */
  forward(target: Target, request: JSONRPCRequest, isBounded: boolean, failFast?: boolean): void {
    const { method, params } = request
    const progressToken = params?._meta?.progressToken
    const call: Call = { cancel: constVoid, reason: undefined, isCancelled: false }
    this.#start(target, request, call, {
      failFast: failFast === true ? true : undefined,
      ...(hasOwnTime(method) && !isBounded ? { timeout: Number.POSITIVE_INFINITY } : {}),
      ...(progressToken === undefined ? {} : {
        resetTimeoutOnProgress: true,
        onprogress: (progress) => {
          if (call.isCancelled) return
          this.#deliver({ jsonrpc: "2.0", method: "notifications/progress", params: { ...progress, progressToken } })
        }
      })
    })
  }

  /** The client has cancelled a request. */
  cancel({ params }: JSONRPCNotification): void {
    const id = params?.["requestId"] as RequestId
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    call.isCancelled = true
    call.reason = params?.["reason"]
    if (this.#calls.size === 0) this.#onSettled?.()
    call.cancel()
  }

  /** The client has answered a request of the server. */
  answered(response: JSONRPCResponse): void {
    const { id } = response
    if (id === undefined) return
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if ("result" in response) asked?.resolve(response.result)
    else asked?.reject(Object.assign(new Error(response.error.message), response.error))
  }

  /** The server asks the client. */
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

  /** Ends when the client has been answered everything, which it is once the backend has closed. */
  get settled(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onSettled = resolve
    })
  }

  /** Delivers nothing more, and rejects what the server still waits for. */
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
        : { jsonrpc: "2.0", id, error: this.#errorOf(exit.cause as Cause.Cause<CallError>) }
    )
    if (this.#calls.size === 0) this.#onSettled?.()
  }

  #deliver(message: JSONRPCMessage): void {
    if (!this.#ended) deliver(this.#client, message)
  }
}
