/**
 * The stream on which a server without sessions announces changes (`subscriptions/listen`): a request that is answered only when the server
 * ends it.
 */
import type { Hearing, Kind, Loss, Report } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Clock, Deferred, Effect, Exit, FiberId, Predicate, Random } from "effect"
import type { Answer } from "./Answers.js"
import * as Failures from "./Failures.js"
import * as JsonRpc from "./JsonRpc.js"
import { type Field, fieldsOf, type Filter, kindsOfAll } from "./listenFilter.js"
import * as Pace from "./listenPace.js"

/** None of it may throw. */
export interface Host {
  /** `settle` is called once, when the request has ended otherwise than by `cancel`. */
  readonly open: (
    filter: Filter,
    settle: (answer: Answer) => void
  ) => { readonly id: number; readonly cancel: () => void }
  readonly isOver: () => boolean
  readonly report: (report: Report) => void
  readonly log: (message: string) => void
}

interface Open {
  readonly uris: ReadonlySet<string>
  readonly openedAt: number
  /** Unknown while the request is being sent. */
  id: number | undefined
  cancel: () => void
  honoured: { readonly fields: ReadonlyArray<Field>; readonly uris: ReadonlySet<string> } | undefined
  heardAt: number
  /** It was of use, however short it was. */
  hasAnnounced: boolean
  /** The last comment, and the longest time between two. */
  beatAt: number | undefined
  longestBeat: number
  ended: Answer | undefined
}

const updated = "notifications/resources/updated"

const refused = (code: number, message: string): RequestError =>
  new RequestError({ fate: "answered", reason: "remote", code, message })

export class ListenStream {
  readonly #host: Host
  readonly #fields: ReadonlyArray<Field>
  readonly #clock: Clock.Clock
  readonly #uris = new Set<string>()
  readonly #waiting = new Map<string, Set<(exit: Exit.Exit<void, RequestError>) => void>>()
  /** Lists given before anything was acknowledged: later changes may have been missed. */
  #givenBefore: Set<Kind> | undefined = new Set()
  #stream: Open | undefined
  /** Resources of a stream that ended by itself: changes may have been missed. */
  readonly #missed = new Set<string>()
  /** Streams in a row that did not live long. */
  #short = 0
  #openAt = 0
  /** When a subscription was first wanted that is not asked for yet. */
  #grownAt: number | undefined
  #lastGrowthAt = Number.NEGATIVE_INFINITY
  /** It announces nothing at all, or nothing of what was asked for. */
  #none: "unknown" | "empty" | undefined
  #lastFailure = ""
  #wake = Deferred.unsafeMake<void>(FiberId.none)

  constructor(host: Host, capabilities: ServerCapabilities, clock: Clock.Clock) {
    this.#host = host
    this.#fields = fieldsOf(capabilities)
    this.#clock = clock
  }

  readonly run: Effect.Effect<never> = Effect.forever(Effect.flatMap(Random.next, (draw) => {
    this.#wake = Deferred.unsafeMake<void>(FiberId.none)
    const woken = Deferred.await(this.#wake)
    const wait = this.#step(this.#now(), draw)
    return wait === Number.POSITIVE_INFINITY ? woken : firstOf(Effect.sleep(Math.ceil(wait)), woken)
  }))

  // --- what callers want

  /** Ends when the server has promised to announce changes of a resource. */
  subscribe(uri: string): Effect.Effect<void, RequestError> {
    return Effect.async((resume) => {
      if (this.#stream?.honoured?.uris.has(uri) === true) {
        this.#uris.add(uri)
        return resume(Effect.void)
      }
      const refusal = this.#refusal
      if (refusal !== undefined) return resume(Effect.fail(refusal))
      const settle = (exit: Exit.Exit<void, RequestError>): void => resume(exit)
      const waiting = this.#waiting.get(uri) ?? new Set()
      this.#waiting.set(uri, waiting.add(settle))
      this.#want(uri)
      return Effect.sync(() => {
        waiting.delete(settle)
        if (waiting.size > 0 || this.#waiting.get(uri) !== waiting) return
        this.#waiting.delete(uri)
        if (this.#stream?.honoured?.uris.has(uri) !== true) this.unsubscribe(uri)
      })
    })
  }

  /** What the server still announces of it is dropped; it hears of that when the stream is next opened. */
  unsubscribe(uri: string): void {
    this.#uris.delete(uri)
    this.#wakeUp()
  }

  #want(uri: string): void {
    if (!this.#uris.has(uri)) {
      this.#uris.add(uri)
      this.#grownAt ??= this.#now()
      if (this.#none === "empty") this.#none = undefined
    }
    this.#wakeUp()
  }

  get #refusal(): RequestError | undefined {
    if (this.#none === "unknown") {
      return refused(JsonRpc.methodNotFound, "the server announces no changes: it has no subscriptions/listen")
    }
    if (this.#stream !== undefined || this.#short < Pace.maxShort) return undefined
    return new RequestError({
      fate: "answered",
      reason: "protocol",
      message: `subscriptions/listen fails repeatedly; Lifeline tries it again in a few minutes: ${this.#lastFailure}`
    })
  }

  // --- what comes

  end(loss: Loss): void {
    this.#failWaiting(Failures.cutOff(loss))
    this.#wakeUp()
  }

  listed(kinds: ReadonlyArray<Kind>): void {
    for (const kind of kinds) this.#givenBefore?.add(kind)
  }

  acknowledged(id: unknown, notifications: unknown): void {
    const stream = this.#stream
    if (stream === undefined || stream.honoured !== undefined || !isSame(stream.id, id)) return
    if (!Predicate.isRecord(notifications)) return this.#host.log("an acknowledgement says nothing, and is dropped")
    const promised = notifications
    const resources: unknown = promised["resourceSubscriptions"]
    const uris = new Set(Array.isArray(resources) ? resources.filter((uri) => stream.uris.has(uri as string)) : [])
    const fields = this.#fields.filter((field) => promised[field] === true)
    stream.honoured = { fields, uris }
    stream.heardAt = this.#now()
    const heard = kindsOfAll(fields)
    const announced = heard.filter((kind) => this.#givenBefore?.has(kind) !== false)
    const unannounced = kindsOfAll(this.#fields.filter((field) => !fields.includes(field)))
    this.#givenBefore = undefined
    if (announced.length + unannounced.length > 0) this.#hears({ announced, unannounced })
    for (const uri of stream.uris) {
      const error = refused(-32602, `the server does not announce changes of ${uri}`)
      if (!uris.has(uri)) this.#uris.delete(uri)
      this.#settle(uri, uris.has(uri) ? Exit.void : Exit.fail(error))
      if (!this.#missed.has(uri) || !this.#uris.has(uri)) continue
      this.#host.report({ _tag: "Notification", notification: { method: updated, params: { uri } } })
    }
    this.#missed.clear()
    this.#wakeUp()
  }

  /** A comment shows that the server lives. */
  beat(id: unknown): void {
    const stream = this.#stream
    if (stream === undefined || !isSame(stream.id, id)) return
    const now = this.#now()
    const isSecond = stream.beatAt !== undefined && stream.longestBeat === 0
    if (stream.beatAt !== undefined) stream.longestBeat = Math.max(stream.longestBeat, now - stream.beatAt)
    stream.beatAt = now
    stream.heardAt = now
    if (isSecond) this.#wakeUp()
  }

  /** False where the subscription was taken back. */
  accepts(method: string, params: Readonly<Record<string, unknown>> | undefined): boolean {
    const stream = this.#stream
    if (stream !== undefined) {
      stream.heardAt = this.#now()
      stream.hasAnnounced = true
    }
    if (method !== updated) return true
    const uri = String(params?.["uri"])
    return this.#uris.has(uri) || stream?.uris.has(uri) !== true
  }

  // --- what is done

  #now(): number {
    return this.#clock.unsafeCurrentTimeMillis()
  }

  #wakeUp(): void {
    Deferred.unsafeDone(this.#wake, Exit.void)
  }

  /** Returns the time until something may be due. */
  #step(now: number, draw: number): number {
    if (this.#host.isOver()) return Number.POSITIVE_INFINITY
    const stream = this.#stream
    if (stream?.ended !== undefined) this.#conclude(stream, stream.ended, now, draw)
    else if (stream !== undefined) {
      const left = this.#timeOf(stream, now, draw)
      if (left > 0) return left
    }
    if (this.#stream !== undefined || this.#none !== undefined || this.#fields.length + this.#uris.size === 0) {
      return Number.POSITIVE_INFINITY
    }
    if (now < this.#openAt) return this.#openAt - now
    this.#open(now)
    return this.#step(now, draw)
  }

  /** How long an open stream is left alone; 0 where it was closed. */
  #timeOf(stream: Open, now: number, draw: number): number {
    const { beatAt, heardAt, honoured, longestBeat, openedAt } = stream
    if (this.#fields.length + this.#uris.size === 0) {
      this.#close(stream)
      return 0
    }
    if (honoured !== undefined && honoured.fields.length + honoured.uris.size === 0) {
      this.#close(stream)
      if (this.#grownAt === undefined) this.#none = "empty"
      return 0
    }
    let left = Number.POSITIVE_INFINITY
    if (this.#grownAt !== undefined) {
      left = Math.max(this.#grownAt + Pace.gather, this.#lastGrowthAt + Pace.growthPace) - now
      if (left <= 0) {
        this.#lastGrowthAt = now
        this.#close(stream)
        return 0
      }
    }
    const isBeating = beatAt !== undefined && longestBeat > 0
    const quiet = honoured === undefined
      ? openedAt + Pace.acknowledgeTimeout - now
      : isBeating
      ? heardAt + Math.max(Pace.missedBeats * longestBeat, Pace.minSilence) - now
      : Number.POSITIVE_INFINITY
    if (quiet > 0) return Math.min(left, quiet)
    this.#close(stream)
    this.#failed(stream, honoured === undefined ? "it was not acknowledged" : "it is silent", now, draw)
    this.#host.report({ _tag: "Doubt" })
    return 0
  }

  #open(now: number): void {
    const uris = new Set(this.#uris)
    this.#grownAt = undefined
    const stream: Open = {
      uris,
      openedAt: now,
      id: undefined,
      cancel: () => {},
      honoured: undefined,
      heardAt: now,
      hasAnnounced: false,
      beatAt: undefined,
      longestBeat: 0,
      ended: undefined
    }
    this.#stream = stream
    const fields = Object.fromEntries(this.#fields.map((field) => [field, true]))
    const filter: Filter = uris.size === 0 ? fields : { ...fields, resourceSubscriptions: [...uris] }
    const { cancel, id } = this.#host.open(filter, (answer) => {
      stream.ended = answer
      this.#wakeUp()
    })
    stream.id = id
    stream.cancel = cancel
  }

  #close(stream: Open): void {
    this.#stream = undefined
    stream.cancel()
  }

  #conclude(stream: Open, answer: Answer, now: number, draw: number): void {
    this.#stream = undefined
    const { honoured, openedAt } = stream
    if (Exit.isSuccess(answer)) {
      if (honoured !== undefined && honoured.fields.length + honoured.uris.size === 0) {
        if (this.#grownAt === undefined) this.#none = "empty"
        return
      }
      this.#count(stream, now)
      this.#openAt = Math.max(now, openedAt + Pace.floor(this.#short))
      return this.#giveUp("the server ends it at once", now, draw)
    }
    const error = answer.cause._tag === "Fail" ? answer.cause.error : undefined
    if (error?.code === JsonRpc.methodNotFound) {
      this.#none = "unknown"
      this.#announcesNothing()
      return this.#failWaiting(this.#refusal!)
    }
    this.#failed(stream, error === undefined ? "it was interrupted" : Failures.describe(error), now, draw)
    this.#openAt = Math.max(this.#openAt, now + Math.min(error?.retryAfter ?? 0, Pace.maxAsked))
    // One that was open and is cut is opened again first: that tells as much.
    const unheard = honoured === undefined && error?.fate !== "answered"
    if (unheard || error?.ifSessionLost !== undefined) this.#host.report({ _tag: "Doubt" })
  }

  #count({ hasAnnounced, honoured, openedAt }: Open, now: number): void {
    for (const uri of honoured?.uris ?? []) this.#missed.add(uri)
    const isGood = hasAnnounced || now - openedAt >= Pace.stableAfter
    this.#short = honoured !== undefined && isGood ? 0 : this.#short + 1
  }

  #failed(stream: Open, why: string, now: number, draw: number): void {
    this.#count(stream, now)
    this.#openAt = stream.hasAnnounced && this.#short === 0
      ? Math.max(now, stream.openedAt + Pace.floor(0))
      : now + Pace.delay(this.#short, draw)
    this.#giveUp(why, now, draw)
  }

  /** After too many short streams nobody counts on them for a while. */
  #giveUp(why: string, now: number, draw: number): void {
    this.#lastFailure = why
    this.#host.log(`the stream of subscriptions/listen has ended: ${why}`)
    if (this.#short < Pace.maxShort) return
    this.#openAt = Math.max(this.#openAt, now + Pace.rest * (0.75 + draw / 4))
    this.#announcesNothing()
    this.#failWaiting(this.#refusal!)
  }

  #announcesNothing(): void {
    this.#givenBefore = undefined
    this.#hears({ announced: [], unannounced: kindsOfAll(this.#fields) })
  }

  #hears(hearing: Hearing): void {
    this.#host.report({ _tag: "Hearing", hearing })
  }

  #settle(uri: string, exit: Exit.Exit<void, RequestError>): void {
    const waiting = this.#waiting.get(uri) ?? []
    this.#waiting.delete(uri)
    for (const settle of waiting) settle(exit)
  }

  #failWaiting(error: RequestError): void {
    for (const uri of [...this.#waiting.keys()]) {
      this.#uris.delete(uri)
      this.#settle(uri, Exit.fail(error))
    }
  }
}

/** Some servers write the ids of requests as texts, and some leave them out. */
const isSame = (id: number | undefined, given: unknown): boolean =>
  id === undefined || given === undefined || String(given) === String(id)
