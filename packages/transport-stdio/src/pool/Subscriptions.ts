/** Subscriptions to resources: all in one process, and in the next once that is lost. A change is announced once. */
import {
  type Method,
  type Params,
  type RequestError,
  type RequestOptions,
  type Result,
  Sending
} from "@mcp-lifeline/core"
import { SafeLog, withDeadline } from "@mcp-lifeline/core/internal"
import { Effect, Exit } from "effect"
import type { Choice } from "./Choice.js"

type Subscribing = "resources/subscribe" | "resources/unsubscribe"

interface Parts {
  readonly backend: string
  /** Milliseconds. */
  readonly requestTimeout: number
  /** Runs work until the connection closes. */
  readonly run: (work: Effect.Effect<unknown>) => void
}

export class Subscriptions {
  readonly #choose: () => Choice | undefined
  readonly #refusal: () => RequestError
  readonly #parts: Parts
  readonly #uris = new Set<string>()
  /** The process that has them. */
  #home: Choice | undefined

  /** `refusal`: of a request that no process can take. */
  constructor(choose: () => Choice | undefined, refusal: () => RequestError, parts: Parts) {
    this.#choose = choose
    this.#refusal = refusal
    this.#parts = parts
  }

  get #isLive(): boolean {
    return this.#home !== undefined && this.#home.member.live === this.#home.live
  }

  send<M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    settle: Sending.Settle<Result<M>>
  ): () => void {
    this.look()
    const home = this.#home ??= this.#choose()
    if (home === undefined) return Sending.refuse(settle, this.#refusal())
    const { uri } = params as Params<Subscribing>
    const isNew = method === "resources/subscribe"
    // From this step on it is not made again.
    const had = !isNew && this.#uris.delete(uri)
    return home.live.send(method, params, options, (exit) => {
      const isRefused = Sending.errorOf(exit)?.fate === "answered"
      if (isNew ? Exit.isSuccess(exit) : had && isRefused) this.#uris.add(uri)
      settle(exit)
    })
  }

  /** Moves them if their process was lost. */
  look(): void {
    if (this.#home === undefined || this.#isLive) return
    const next = this.#home = this.#choose()
    if (next === undefined || this.#uris.size === 0) return
    const { backend, requestTimeout: timeout, run } = this.#parts
    const { live } = next
    /** One that was ended meanwhile is not made again. */
    const again = (uri: string) =>
      Effect.suspend(() =>
        this.#uris.has(uri)
          ? Effect.asVoid(Sending.ask(live, "resources/subscribe", { uri }, { timeout }))
          : Effect.void
      )
    run(Effect.forEach(
      [...this.#uris],
      (uri) =>
        Effect.catchAll(
          withDeadline(again(uri), timeout),
          ({ message }) => SafeLog.debug(`${backend}: not subscribed again: ${message}`)
        ),
      { concurrency: 8, discard: true }
    ))
  }
}
