/**
 * What a transport over HTTP has under way, for callers that know promises only; and how that ends: by itself, with a loss, or with the close.
 */
import type { ConnectError, ConnectOptions, Loss } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { Bytes } from "@mcp-lifeline/core/internal"
import { type AdapterTransport, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Exit, Fiber, Runtime } from "effect"
import { constVoid } from "effect/Function"
import type { Dispatch } from "./Dispatch.js"
import { describe } from "./FailureText.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure } from "./HttpFailure.js"
import { toRequestError } from "./Outcome.js"

/** What every transport over HTTP is made from. */
export interface Options {
  readonly client: HttpClient
  readonly url: URL
  /** The address for people, without userinfo and query. */
  readonly target: string
  /** The longest message that is taken, in bytes. */
  readonly maxMessageBytes: Bytes
  /** Runs a request beside one that has no answer. Default: none is run. */
  readonly beside?: ConnectOptions["beside"]
}

type Failure = ConnectError | RequestError

/** A message that is out. */
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

  /** Once, and not at the close. */
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

  /** Warns of the first message that is too long. */
  dropped(message: Oversized.Oversized): void {
    const { maxMessageBytes, target } = this.#options
    if (!this.#hasWarned) {
      this.fork(Effect.logWarning(`${target}: ${Oversized.warning(message, maxMessageBytes)}`))
    }
    this.#hasWarned = true
    Oversized.answer(this.#transport(), message, maxMessageBytes)
  }

  /** The failure of a post where nobody listens any more, which is declared lost first. */
  gone(failure: HttpFailure): RequestError | undefined {
    if (failure._tag !== "NetworkFailure" || failure.kind !== "refused") return undefined
    this.lose("closed", failure)
    return toRequestError(failure, this.#options.target, ["notSent", "lost"])
  }

  /** Settles as the work ends, unless `ended`, which is run then, says that this is no matter. */
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

  /** The same for a request, which can be interrupted and withdrawn until then. */
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

  /** Starts something, interruptible wherever the transport was made: the SDK calls us. The close interrupts it. */
  fork<A, E>(effect: Effect.Effect<A, E>, among = this.#running): Fiber.RuntimeFiber<A, E> {
    const fiber = Runtime.runFork(this.#runtime)(Effect.interruptible(effect))
    among.add(fiber)
    fiber.addObserver(() => among.delete(fiber))
    return fiber
  }

  /** The same for what ends something at the server: the close waits for it first. */
  forkEnd(effect: Effect.Effect<unknown>): void {
    this.fork(effect, this.#ends)
  }

  /** After `first`, and so many milliseconds at most for what ends something at the server. */
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
