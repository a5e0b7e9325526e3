import type { Event, ResourceUsage, Telemetry } from "@mcp-lifeline/core"
import { Exit, type Tracer } from "effect"
import type { BoundedNames } from "./BoundedNames.js"
import { CallKinds } from "./CallKind.js"
import { CallSpan, type Host } from "./CallSpan.js"
import type { HealthScores } from "./HealthScores.js"
import type { Meter, Series } from "./Meter.js"
import * as Names from "./Names.js"
import * as Spans from "./Spans.js"

const { attribute } = Names

const linksAtMost = 32

/** States in which no attempt is in progress. */
const still: ReadonlySet<string> = new Set(["Idle", "Disabling", "Disabled", "Disconnected", "Closed"])

export class BackendObserver implements Telemetry.Observer, Host {
  readonly waiting = new Set<Tracer.Span>()
  installed: Host["installed"]
  readonly backend: Telemetry.Observed
  readonly spans: Spans.Spans
  readonly meter: Meter
  readonly kinds: CallKinds
  readonly active: Series
  readonly #common: { readonly [attribute.backend]: string }
  readonly #connection: { readonly [key: string]: string | undefined }
  readonly #scores: HealthScores
  #attempt: Tracer.Span | undefined
  /** Why there is no connection, or why Lifeline makes a new one. */
  #cause: string | undefined
  /** Sessions that have not ended, by generation. */
  readonly #sessions = new Map<number, { readonly at: number; readonly protocol: string | undefined }>()
  /** Of connections that are not closed, by generation. Made when it is first needed. */
  #usages: Map<number, ResourceUsage> | undefined

  constructor(
    backend: Telemetry.Observed,
    spans: Spans.Spans,
    meter: Meter,
    names: BoundedNames,
    scores: HealthScores
  ) {
    this.backend = backend
    this.spans = spans
    this.meter = meter
    this.#scores = scores
    this.#common = { [attribute.backend]: backend.id }
    this.#connection = { ...this.#common, [attribute.transport]: Names.networkTransport(backend.transport) }
    this.kinds = new CallKinds({ id: backend.id, meter, names, transport: backend.transport })
    this.active = meter.series(Names.activeCalls, this.#common)
    meter.record(Names.state, 1, { ...this.#common, [attribute.state]: backend.state })
    this.health(1)
  }

  get hasSpans(): boolean {
    return this.spans !== Spans.none
  }

  readonly call: Telemetry.Observer["call"] = (method, params, parent) =>
    new CallSpan(this, method, params, Spans.parent(parent, params))

  readonly event = (event: Event.Event): void => {
    switch (event._tag) {
      case "StateChanged":
        return this.#moved(event.from, event.to)
      case "AttemptStarted":
        return this.#attemptStarted(event.attempt, event.at)
      case "AttemptFailed":
        return this.#attemptFailed(event.error, event.duration, event.at)
      case "Installed":
        return this.#install(event)
      case "RuntimeLost":
        this.#cause = event.loss.isMove === true ? "moved" : event.loss.kind
        return this.#sessionEnded(event.generation, event.at, event.loss.kind)
      case "RuntimeClosed":
        this.#sessionEnded(event.generation, event.at, undefined)
        this.#processesEnded(event.generation)
        return this.meter.record(Names.closes, 1, { ...this.#common, [attribute.outcome]: event.outcome })
      case "Judged": {
        const verdict = event.enforced ? event.kind : `${event.kind}_unenforced`
        return this.meter.record(Names.verdicts, 1, { ...this.#common, [attribute.verdict]: verdict })
      }
      case "CatalogChanged":
      case "DiscoveryFailed":
      case "KeepaliveChanged":
      case "MemoryHigh":
        return
    }
  }

  readonly beat = (sent: string, failure: string | undefined, millis: number): void => {
    const { meter } = this
    if (meter.readsRegistry) return
    const attributes = { backend: this.backend.id, method: sent }
    meter.record(Names.keepalive.attempts, 1, attributes)
    if (failure !== undefined) return meter.record(Names.keepalive.failures, 1, { ...attributes, reason: failure })
    meter.record(Names.keepalive.successes, 1, attributes)
    meter.record(Names.keepalive.latency, millis, attributes)
  }

  readonly breakerOpened = (method: string, reason: string): void => {
    if (this.meter.readsRegistry) return
    this.meter.record(Names.keepalive.autoDisabled, 1, { backend: this.backend.id, method, reason })
  }

  readonly health = (score: number | undefined): void => this.#scores.set(this.backend.id, this, score)

  readonly usage = (generation: number, usage: ResourceUsage): void => {
    const usages = this.#usages ??= new Map()
    const last = usages.get(generation)
    usages.set(generation, usage)
    this.meter.record(Names.memoryUsage, usage.memory - (last?.memory ?? 0), this.#common)
    this.meter.record(Names.cpuTime, Math.max(0, usage.cpuTime - (last?.cpuTime ?? 0)), this.#common)
  }

  #processesEnded(generation: number): void {
    const last = this.#usages?.get(generation)
    if (last === undefined) return
    this.#usages?.delete(generation)
    this.meter.record(Names.memoryUsage, -last.memory, this.#common)
  }

  #moved(from: string, to: string): void {
    const { meter } = this
    meter.record(Names.state, -1, { ...this.#common, [attribute.state]: from })
    if (to !== "Closed") meter.record(Names.state, 1, { ...this.#common, [attribute.state]: to })
    meter.record(Names.transitions, 1, { ...this.#common, [attribute.from]: from, [attribute.to]: to })
    if (to === "Closed") this.health(undefined)
    if (from === "Idle") this.#cause = "demand"
    if (still.has(to)) this.#cancelled()
  }

  #attemptStarted(attempt: number, at: number): void {
    this.#cancelled()
    const again = this.#sessions.size > 0 || this.installed !== undefined
    this.#attempt = Spans.open(this.spans, {
      name: again ? "lifeline.reconnect" : "lifeline.connect",
      kind: "internal",
      parent: "root",
      attributes: {
        ...this.#connection,
        [attribute.attempt]: attempt,
        [attribute.cause]: again ? this.#cause ?? "command" : undefined
      },
      at: nanos(at)
    })
  }

  #attemptFailed(error: { readonly reason: string; readonly message: string }, millis: number, at: number): void {
    this.meter.record(Names.connectDuration, millis / 1000, { ...this.#connection, [attribute.error]: error.reason })
    const span = this.#attempt
    this.#attempt = undefined
    if (span === undefined) return
    Spans.annotate(span, { [attribute.error]: error.reason, [attribute.outcome]: "failed" })
    Spans.endFailed(span, nanos(at), error.reason, error.message)
  }

  #install(event: Extract<Event.Event, { readonly _tag: "Installed" }>): void {
    const { at, downtime, duration, generation } = event
    const { meter } = this
    const protocol = this.backend.connection()?.protocolVersion
    this.#sessions.set(generation, { at, protocol })
    meter.record(Names.connectDuration, duration / 1000, this.#connection)
    if (downtime !== undefined) meter.record(Names.recoveryDuration, downtime / 1000, this.#connection)
    if (generation > 1) {
      meter.record(Names.reconnects, 1, { ...this.#common, [attribute.cause]: this.#cause ?? "command" })
    }
    this.#cause = undefined
    const span = this.#attempt
    this.#attempt = undefined
    if (span === undefined) return
    Spans.annotate(span, { [attribute.generation]: generation, [attribute.outcome]: "installed" })
    const waiting = [...this.waiting].slice(0, linksAtMost)
    if (waiting.length > 0) Spans.link(span, ...waiting)
    this.installed = { generation, span }
    span.end(nanos(at), Exit.void)
  }

  #cancelled(): void {
    const span = this.#attempt
    this.#attempt = undefined
    if (span === undefined) return
    Spans.annotate(span, { [attribute.outcome]: "cancelled" })
    span.end(Spans.now(this.backend.clock), Exit.void)
  }

  #sessionEnded(generation: number, at: number, error: string | undefined): void {
    const session = this.#sessions.get(generation)
    if (session === undefined) return
    this.#sessions.delete(generation)
    this.meter.record(Names.sessionDuration, (at - session.at) / 1000, {
      ...this.#connection,
      [attribute.protocol]: session.protocol,
      [attribute.error]: error
    })
  }
}

const nanos = (millis: number): bigint => BigInt(Math.round(millis)) * 1_000_000n
