import type { ConnectError, ConnectOptions, Loss } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { Bytes } from "@mcp-lifeline/core/text"
import { type AdapterTransport, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Exit, Fiber, Runtime } from "effect"
import { constVoid } from "effect/Function"
import type { Dispatch } from "./Dispatch.js"
import { describe } from "./FailureText.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure } from "./HttpFailure.js"
import { toRequestError } from "./Outcome.js"

export interface Options {
  readonly client: HttpClient
  readonly url: URL
  /** For people, without userinfo and query. */
  readonly target: string
  /** In bytes. */
  readonly maxMessageBytes: Bytes
  /** Runs a copy of an unanswered request. Default: none. */
  readonly beside?: ConnectOptions["beside"]
}

type Failure = ConnectError | RequestError

export interface Post {
  readonly dispatch: Dispatch
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
}

export const cancelledBy = (message: JSONRPCMessage): RequestId | undefined =>
  "method" in message && message.method === "notifications/cancelled"
    ? (message.params as { readonly requestId?: RequestId } | undefined)?.requestId
    : undefined

export class Posts<P extends Post> {
  readonly requests = new Map<RequestId, P>()
  readonly #runtime: Runtime.Runtime<never>
  readonly #options: Options
  readonly #transport: () => AdapterTransport
  readonly #onLost: () => void
  readonly #running = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  readonly #ends = new Set<Fiber.RuntimeFiber<unknown, unknown>>()
  #lost: Loss | undefined
  #closing: Promise<void> | undefined
  #hasWarned = false

  constructor(
    runtime: Runtime.Runtime<never>,
    options: Options,
    transport: () => AdapterTransport,
    onLost: () => void = constVoid
  ) {
    this.#runtime = runtime
    this.#options = options
    this.#transport = transport
    this.#onLost = onLost
  }

  get lost(): Loss | undefined {
    return this.#lost
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  get isOver(): boolean {
    return this.isClosing || this.#lost !== undefined
  }

  lose(kind: Loss["kind"], failure: HttpFailure): void {
    const retryAfter = failure._tag === "StatusFailure" ? failure.retryAfter : undefined
    this.declare({ kind, message: `${this.#options.target}: ${describe(failure)}`, retryAfter, cause: failure })
  }

  /** Once, and not at close. */
  declare(loss: Loss): void {
    if (this.isOver) return
    this.#lost = loss
    this.#onLost()
    this.#transport().onlost?.(loss)
  }

  over(fate: RequestError["fate"], cause?: unknown): RequestError {
    const message = this.#lost?.message ?? `${this.#options.target}: the connection is closed`
    return new RequestError({ fate, reason: "lost", message, cause })
  }

  /** Warns once. */
  dropped(message: Oversized.Oversized): void {
    const { maxMessageBytes, target } = this.#options
    if (!this.#hasWarned) {
      this.fork(Effect.logWarning(`${target}: ${Oversized.warning(message, maxMessageBytes)}`))
    }
    this.#hasWarned = true
    Oversized.answer(this.#transport(), message, maxMessageBytes)
  }

  /** If nobody listens any more, declares the loss and returns the post's failure. */
  gone(failure: HttpFailure): RequestError | undefined {
    if (failure._tag !== "NetworkFailure" || failure.kind !== "refused") return undefined
    this.lose("closed", failure)
    return toRequestError(failure, this.#options.target, ["notSent", "lost"])
  }

  /** Settles with the work, unless `ended`, called then, returns true to ignore a failure. */
  send(work: Effect.Effect<void, Failure>, post: Post, ended?: (isSent: boolean) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const fiber = post.fiber = this.fork(work)
      fiber.addObserver((exit) => {
        if (ended?.(Exit.isSuccess(exit)) === true || Exit.isSuccess(exit)) return resolve()
        const { cause } = exit
        const isOver = Cause.isInterruptedOnly(cause)
        reject(isOver ? this.over(post.dispatch.isDone ? "unknown" : "notSent", cause) : Cause.squash(cause))
      })
    })
  }

  /** Until then, it can be interrupted and withdrawn. */
  ask(id: RequestId, work: Effect.Effect<void, Failure>, post: P, ended?: () => boolean): Promise<void> {
    this.requests.set(id, post)
    return this.send(work, post, () => {
      this.requests.delete(id)
      return ended?.() === true
    })
  }

  interrupt(id: RequestId | undefined): void {
    const fiber = id === undefined ? undefined : this.requests.get(id)?.fiber
    fiber?.unsafeInterruptAsFork(fiber.id())
  }

  withdraw(id: RequestId): boolean {
    if (this.requests.get(id)?.dispatch.withdraw() !== true) return false
    this.interrupt(id)
    return true
  }

  /** Interruptible even where the transport was made uninterruptibly; close interrupts it. */
  fork<A, E>(effect: Effect.Effect<A, E>, among = this.#running): Fiber.RuntimeFiber<A, E> {
    const fiber = Runtime.runFork(this.#runtime)(Effect.interruptible(effect))
    among.add(fiber)
    fiber.addObserver(() => among.delete(fiber))
    return fiber
  }

  /** For what ends something at the server: close waits for it first. */
  forkEnd(effect: Effect.Effect<unknown>): void {
    this.fork(effect, this.#ends)
  }

  /** Runs `first`, then waits at most `millis` milliseconds for what `forkEnd` started. */
  close(first: Effect.Effect<void> = Effect.void, millis = 0): Promise<void> {
    const interrupted = (fibers: Iterable<Fiber.RuntimeFiber<unknown, unknown>>) =>
      Effect.suspend(() => Fiber.interruptAll([...fibers]))
    const ended = Effect.suspend(() => Fiber.awaitAll([...this.#ends]))
    const closed = first.pipe(
      Effect.zipRight(interrupted(this.#running)),
      Effect.zipRight(Effect.timeoutOption(ended, millis)),
      Effect.zipRight(interrupted(this.#ends)),
      Effect.zipRight(this.#options.client.destroy),
      Effect.ensuring(Effect.sync(() => this.#transport().onclose?.()))
    )
    return this.#closing ??= Runtime.runPromise(this.#runtime)(Effect.interruptible(closed))
  }
}
