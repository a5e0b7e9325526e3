/**
 * The messages between a client of any kind and a backend: what the client sends is asked of the backend, and what the server
 * sends is passed to the client. Results and parameters pass as they come: the client decodes them.
 */
import type { Backend, Method, ServerNotification } from "@mcp-lifeline/core"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import type { Cause, Effect, Fiber, Runtime } from "effect"
import { Exit, FiberId, Runtime as Runtimes } from "effect"
import { closed } from "./Failure.js"
import type { JsonRpcError } from "./JsonRpc.js"

/** What a relay stands between. */
export interface Ends {
  readonly name: string
  readonly runtime: Runtime.Runtime<never>
  readonly use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => Effect.Effect<A, unknown>
  /** Gives the client a message. Must not throw. */
  readonly deliver: (message: JSONRPCMessage) => void
  /** How the client is told of a request that has failed. */
  readonly toError: (cause: Cause.Cause<unknown>) => JsonRpcError
  /** Calls back once the client may be sent what the server says by itself. */
  readonly whenReady: (deliver: () => void) => void
}

/** A request of the client that is not answered yet. */
interface Call {
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Why the client has cancelled it. */
  reason: unknown
}

/** A request of the server that the client has not answered yet. */
interface Asked {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/** A schema that takes what comes. */
const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) }

/** Hands on messages until it ends. */
export class Relay {
  readonly #ends: Ends
  readonly #runFork: <A>(effect: Effect.Effect<A, unknown>) => Fiber.RuntimeFiber<A, unknown>
  /** What the client has asked for. */
  readonly methods = new Set<string>()
  readonly #calls = new Map<RequestId, Call>()
  readonly #asked = new Map<RequestId, Asked>()
  #onSettled: (() => void) | undefined
  #asks = 0
  #ended = false

  constructor(ends: Ends) {
    this.#ends = ends
    this.#runFork = Runtimes.runFork(ends.runtime)
  }

  /** The client asks. It is answered in a later step, never in the middle of its `send`. */
  request({ id, method, params }: JSONRPCRequest, options: Backend.CallOptions | undefined): void {
    this.methods.add(method)
    const call: Call = { fiber: undefined, reason: undefined }
    this.#calls.set(id, call)
    const fiber = this.#runFork(
      this.#ends.use((backend) =>
        backend.request(method as Method, params as never, {
          ...options,
          resultSchema: asItComes,
          cancelReason: () => call.reason
        })
      )
    )
    call.fiber = fiber
    let sending = true
    fiber.addObserver((exit) => {
      if (sending) queueMicrotask(() => this.#settle(id, call, exit))
      else this.#settle(id, call, exit)
    })
    sending = false
  }

  /** Whether a request of the client is still waited for. */
  isOpen(id: RequestId): boolean {
    return this.#calls.has(id)
  }

  /** The client has cancelled a request. */
  cancel({ params }: JSONRPCNotification): void {
    const id = params?.["requestId"] as RequestId
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    call.reason = params?.["reason"]
    if (this.#calls.size === 0) this.#onSettled?.()
    call.fiber?.unsafeInterruptAsFork(FiberId.none)
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
    return new Promise((resolve, reject) => {
      const gone = (): Error => closed(this.#ends.name)
      if (signal.aborted || this.#ended) return reject(gone())
      const id = ++this.#asks
      let isDelivered = false
      const abort = (): void => {
        if (!this.#asked.delete(id)) return
        reject(gone())
        if (!isDelivered) return
        const reason = typeof signal.reason === "string" ? { reason: signal.reason } : {}
        this.pass({ method: "notifications/cancelled", params: { requestId: id, ...reason } })
      }
      signal.addEventListener("abort", abort, { once: true })
      this.#asked.set(id, {
        resolve: (result) => {
          signal.removeEventListener("abort", abort)
          resolve(result)
        },
        reject: (error) => {
          signal.removeEventListener("abort", abort)
          reject(error)
        }
      })
      this.#ends.whenReady(() => {
        if (!this.#asked.has(id)) return
        isDelivered = true
        this.#deliver(params === undefined ? { jsonrpc: "2.0", id, method } : { jsonrpc: "2.0", id, method, params })
      })
    })
  }

  /** Passes on a notification of the server. */
  pass({ method, params }: ServerNotification): void {
    this.#ends.whenReady(() =>
      this.#deliver(params === undefined ? { jsonrpc: "2.0", method } : { jsonrpc: "2.0", method, params })
    )
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
    for (const { reject } of this.#asked.values()) reject(closed(this.#ends.name))
    this.#asked.clear()
    this.#ended = true
  }

  #settle(id: RequestId, call: Call, exit: Exit.Exit<unknown, unknown>): void {
    if (this.#calls.get(id) !== call) return // cancelled
    this.#calls.delete(id)
    this.#deliver(
      Exit.isSuccess(exit)
        ? { jsonrpc: "2.0", id, result: exit.value as Result }
        : { jsonrpc: "2.0", id, error: this.#ends.toError(exit.cause) }
    )
    if (this.#calls.size === 0) this.#onSettled?.()
  }

  #deliver(message: JSONRPCMessage): void {
    if (!this.#ended) this.#ends.deliver(message)
  }
}
