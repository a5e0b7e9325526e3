/**
 * One connection that offers only approved tools. (G24) With `block`, no call passes before its tools were read and compared, since it was
 * made and since the last announced change. A server that cannot announce changes is asked again now and then.
 */
import {
  type Connection,
  type Hearing,
  type Method,
  type Params,
  type Policy,
  RequestError,
  type RequestOptions,
  type Result
} from "@mcp-lifeline/core"
import { delegated, Discovery, withDeadline } from "@mcp-lifeline/core/internal"
import { type Clock, Effect, Predicate, Runtime } from "effect"
import { constVoid } from "effect/Function"
import type { PinnedTools, Seen } from "./PinnedTools.js"

/** How long a comparison holds if no changes are announced, in milliseconds. */
const holds = 30_000

/** How often the tools are read for one call at most. */
const mostRounds = 3

/** JSON-RPC "invalid params", the code for a tool that does not exist. */
const invalidParams = -32602

export interface Options {
  readonly inner: Connection
  readonly backend: string
  readonly policy: Policy.Policy
  readonly pins: PinnedTools
  readonly clock: Clock.Clock
  readonly announce: () => void
}

/** As its caller asks for it. */
interface FirstPage {
  readonly params: Params<"tools/list">
  readonly options: RequestOptions
  answer: Result<"tools/list"> | undefined
}

interface Sending {
  isSent?: boolean
}

const nameOf = (params: unknown): string => {
  const name = Predicate.isRecord(params) ? params["name"] : undefined
  return Predicate.isString(name) ? name : ""
}

export class PinnedConnection {
  readonly #inner: Connection
  readonly #options: Options
  readonly #reading = Effect.unsafeMakeSemaphore(1)
  /** Grows with each announced change. */
  #epoch = 0
  /** The epoch in which the last comparison began. */
  #comparedIn = -1
  #comparedAt = 0
  #seen: Seen = new Map()
  #mayMiss: boolean

  constructor(options: Options) {
    this.#options = options
    this.#inner = delegated(options.inner)
    this.#mayMiss = !options.inner.stateful
  }

  changed(): void {
    this.#epoch++
  }

  hears({ announced, unannounced }: Hearing): void {
    if (announced.includes("tools")) {
      this.#mayMiss = false
      this.#epoch++
    }
    if (unannounced.includes("tools")) this.#mayMiss = true
  }

  get connection(): Effect.Effect<Connection> {
    const inner = this.#inner
    const { send } = inner
    const request: Connection["request"] = (method, params, options) =>
      Effect.suspend(() => this.#instead(method, params, options, {}) ?? inner.request(method, params, options))
    if (send === undefined) return Effect.succeed({ ...inner, request })
    // Not in the scope of the connection: when that closes, each request must be answered, and is, because those of `inner` end.
    return Effect.map(Effect.runtime<never>(), (runtime) => ({
      ...inner,
      request,
      send: (method, params, options, settle) => {
        const sending: Sending = {}
        const work = this.#instead(method, params, options, sending)
        if (work === undefined) return send(method, params, options, settle)
        const settled = Effect.flatMap(Effect.exit(work), (exit) => Effect.sync(() => settle(exit)))
        // Also where the connection was made in an uninterruptible region.
        const fiber = Runtime.runFork(runtime)(Effect.interruptible(settled))
        return () => {
          // The fiber is interrupted later than the caller wants to know.
          if (sending.isSent !== true) options.onwithdrawn?.()
          fiber.unsafeInterruptAsFork(fiber.id())
        }
      }
    }))
  }

  /** `undefined`: the request is sent as it is. */
  #instead<M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    sending: Sending
  ): Effect.Effect<Result<M>, RequestError> | undefined {
    switch (method) {
      case "tools/list":
        return this.#list(params as Params<"tools/list">, options) as Effect.Effect<Result<M>, RequestError>
      case "tools/call":
        return this.#call(method, params, options, sending)
      default:
        return undefined
    }
  }

  // --- lists

  #list(params: Params<"tools/list">, options: RequestOptions): Effect.Effect<Result<"tools/list">, RequestError> {
    if (params?.cursor !== undefined) {
      const known = this.#options.pins.isKnown ? Effect.void : this.#compared(options.timeout)
      return Effect.zipRight(
        known,
        Effect.map(this.#inner.request("tools/list", params, options), (page) => this.#approvedOf(page))
      )
    }
    // A server without tools answers that itself.
    if (this.#inner.capabilities.tools === undefined) return this.#inner.request("tools/list", params, options)
    const first: FirstPage = { params, options, answer: undefined }
    return this.#reading.withPermits(1)(Effect.flatMap(Effect.either(this.#read(first)), (read) => {
      const { answer } = first
      if (answer !== undefined && (read._tag === "Right" || this.#options.pins.mode === "warn")) {
        return Effect.succeed(this.#approvedOf(answer))
      }
      return read._tag === "Left" ? Effect.fail(read.left) : Effect.fail(
        new RequestError({ fate: "answered", reason: "protocol", message: "the server has not listed its tools" })
      )
    }))
  }

  #approvedOf(page: Result<"tools/list">): Result<"tools/list"> {
    const { pins } = this.#options
    if (pins.mode === "warn" || !Predicate.isRecord(page) || !Array.isArray(page.tools)) return page
    const tools = page.tools.filter((tool) => pins.isApproved(nameOf(tool), pins.digestOf(tool))) // guard: withheld-is-not-listed
    return tools.length === page.tools.length ? page : { ...page, tools }
  }

  // --- calls

  #call<M extends Method>(
    method: M,
    params: Params<M>,
    options: RequestOptions,
    sending: Sending
  ): Effect.Effect<Result<M>, RequestError> | undefined {
    const { clock, pins } = this.#options
    if (pins.mode === "warn") return undefined
    if (this.#isCompared(this.#epoch)) { // guard: compared-before-called
      const refusal = this.#refusal(params)
      return refusal === undefined ? undefined : Effect.fail(refusal)
    }
    return Effect.suspend(() => {
      const began = clock.unsafeCurrentTimeMillis()
      const compared = Effect.onInterrupt(
        Effect.mapError(this.#compared(options.timeout), notCalled),
        () => Effect.sync(() => options.onwithdrawn?.())
      )
      return Effect.flatMap(compared, () => {
        const refusal = this.#refusal(params)
        if (refusal !== undefined) return Effect.fail(refusal)
        sending.isSent = true
        const taken = clock.unsafeCurrentTimeMillis() - began
        const left = (time: number) => Math.max(1, time - taken)
        const { maxTotalTimeout, timeout } = options
        return this.#inner.request(method, params, {
          ...options,
          timeout: left(timeout),
          maxTotalTimeout: maxTotalTimeout && left(maxTotalTimeout)
        })
      })
    })
  }

  #refusal(params: unknown): RequestError | undefined {
    const name = nameOf(params)
    const message = this.#options.pins.refusal(name, this.#seen.get(name))
    return message === undefined
      ? undefined
      : new RequestError({ fate: "answered", reason: "remote", code: invalidParams, message })
  }

  // --- comparing

  #isCompared(epoch: number): boolean {
    if (this.#comparedIn < epoch) return false
    return !this.#mayMiss || this.#options.clock.unsafeCurrentTimeMillis() - this.#comparedAt < holds
  }

  /** A server that announces a change at each reading is asked `mostRounds` times, and then believed. */
  #compared(timeout: number): Effect.Effect<void, RequestError> {
    return Effect.suspend(() => {
      const epoch = this.#epoch
      const once = Effect.suspend(() => this.#isCompared(this.#epoch) ? Effect.void : this.#read())
      const rounds = Effect.repeat(this.#reading.withPermits(1)(once), {
        until: () => this.#isCompared(this.#epoch),
        times: mostRounds - 1
      })
      return this.#isCompared(epoch) ? Effect.void : withDeadline(Effect.asVoid(rounds), timeout)
    })
  }

  #read(first?: FirstPage): Effect.Effect<void, RequestError> {
    return Effect.gen(this, function*() {
      const { announce, backend, clock, pins, policy } = this.#options
      const epoch = this.#epoch
      let failure: RequestError | undefined
      const reading: Connection = {
        ...this.#inner,
        request: (method, params, options) => {
          const isFirst = first !== undefined && first.answer === undefined
          const asked = isFirst
            ? this.#inner.request(method, first.params as typeof params, first.options)
            : this.#inner.request(method, params, options)
          return asked.pipe(
            Effect.tap((answer) =>
              Effect.sync(() => {
                if (isFirst) first.answer = answer as unknown as Result<"tools/list">
              })
            ),
            Effect.tapError((error) =>
              Effect.sync(() => {
                failure = error
              })
            )
          )
        }
      }
      const [list] = yield* Discovery.read(backend, reading, ["tools"], policy, constVoid)
      if (list === undefined || list.refused !== undefined) {
        return yield* failure ??
          new RequestError({ fate: "answered", reason: "protocol", message: "the server has not listed its tools" })
      }
      this.#seen = yield* pins.compare(list.entries, !list.truncated)
      this.#comparedIn = epoch
      this.#comparedAt = clock.unsafeCurrentTimeMillis()
      if (pins.offers(this.#seen) && first === undefined) announce()
      if (first !== undefined && first.answer === undefined && failure !== undefined) return yield* failure
    })
  }
}

const notCalled = (error: RequestError): RequestError =>
  new RequestError({
    ...error,
    fate: "notSent",
    ifSessionLost: error.ifSessionLost && "rejected",
    message: `its tools could not be compared with those that were approved: ${error.message}`,
    cause: error
  })
