/**
 * Offers only approved tools. (G24) With `block`, no call passes before its tools were compared, since it was made and since the last
 * announced change. A server that cannot announce changes is asked again now and then.
 */
import {
  type Connection,
  type Hearing,
  type Params,
  type Policy,
  RequestError,
  type RequestOptions,
  type Result,
  Sending
} from "@mcp-lifeline/core"
import { delegated, Discovery, withDeadline } from "@mcp-lifeline/core/internal"
import { type Clock, Effect, Exit, Predicate } from "effect"
import { constVoid } from "effect/Function"
import type { PinnedTools, Seen } from "./PinnedTools.js"

/** If no changes are announced, in milliseconds. */
const holds = 30_000

/** For one call. */
const mostRounds = 3

/** JSON-RPC "invalid params": no such tool. */
const invalidParams = -32602

export interface Options {
  readonly inner: Connection
  readonly backend: string
  readonly policy: Policy.Policy
  readonly pins: PinnedTools
  readonly clock: Clock.Clock
  readonly announce: () => void
}

interface FirstPage {
  readonly params: Params<"tools/list">
  readonly options: Sending.Options
  answer: Result<"tools/list"> | undefined
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
    return Effect.map(Effect.runtime<never>(), (runtime) => {
      const sendList = Sending.by(runtime, (_, params, options) => this.#list(params, options))
      const send: Connection["send"] = (method, params, options, settle) => {
        if (method === "tools/list") return sendList(method, params, options, settle)
        if (method !== "tools/call" || this.#options.pins.mode === "warn") {
          return inner.send(method, params, options, settle)
        }
        const sendCompared = (options: RequestOptions, _: void, settled = settle) => {
          const refusal = this.#refusal(params)
          return refusal === undefined
            ? inner.send(method, params, options, settled)
            : Sending.refuse(settled, refusal)
        }
        if (this.#isCompared(this.#epoch)) return sendCompared(options) // guard: compared-before-called
        const compared = Effect.mapError(this.#compared(options.timeout), notCalled)
        return Sending.after(runtime, compared, options, sendCompared, settle)
      }
      return { ...inner, send }
    })
  }

  #list(params: Params<"tools/list">, options: Sending.Options): Effect.Effect<Result<"tools/list">, RequestError> {
    if (params?.cursor !== undefined) {
      const known = this.#options.pins.isKnown ? Effect.void : this.#compared(options.timeout)
      return Effect.zipRight(
        known,
        Effect.map(this.#ask(params, options), (page) => this.#approvedOf(page))
      )
    }
    if (this.#inner.capabilities.tools === undefined) return this.#ask(params, options)
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

  #ask(params: Params<"tools/list">, options: Sending.Options): Effect.Effect<Result<"tools/list">, RequestError> {
    return Sending.ask(this.#inner, "tools/list", params, options)
  }

  #approvedOf(page: Result<"tools/list">): Result<"tools/list"> {
    const { pins } = this.#options
    if (pins.mode === "warn" || !Predicate.isRecord(page) || !Array.isArray(page.tools)) return page
    const tools = page.tools.filter((tool) => pins.isApproved(nameOf(tool), pins.digestOf(tool))) // guard: withheld-is-not-listed
    return tools.length === page.tools.length ? page : { ...page, tools }
  }

  #refusal(params: unknown): RequestError | undefined {
    const name = nameOf(params)
    const message = this.#options.pins.refusal(name, this.#seen.get(name))
    return message === undefined
      ? undefined
      : new RequestError({ fate: "answered", reason: "remote", code: invalidParams, message })
  }

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
        send: (method, params, options, settle) => {
          const isFirst = first !== undefined && first.answer === undefined
          const [asked, limits] = isFirst ? [first.params as typeof params, first.options] : [params, options]
          const cancel = this.#inner.send(method, asked, limits, (exit) => {
            failure = Sending.errorOf(exit) ?? failure
            if (isFirst && Exit.isSuccess(exit)) first.answer = exit.value as unknown as Result<"tools/list">
            settle(exit)
          })
          return () => cancel(isFirst ? first.options.cancelReason?.() : undefined)
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
