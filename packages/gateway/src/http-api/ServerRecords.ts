/**
 * Recorded from telemetry, which misses nothing. The runtimes of all groups of clients that have a server share one record.
 */
import type { Event, Telemetry } from "@mcp-lifeline/core"
import { MutableRef } from "effect"
import { CallCounts } from "./CallCounts.js"
import { History } from "./History.js"
import * as Runtime from "./Runtime.js"

/** Called after the event is recorded. Must not throw. */
export type OnEvent = (event: Event.Event, runtime: Runtime.Runtime, observed: Telemetry.Observed) => void

type Current = MutableRef.MutableRef<Runtime.Runtime>

export class ServerRecord {
  readonly calls = new CallCounts()
  readonly history = new History()
  readonly #runtimes = new Set<Current>()
  #made = 0

  /** Oldest first, without closed ones. */
  get runtimes(): ReadonlyArray<Runtime.Runtime> {
    return Array.from(this.#runtimes, MutableRef.get)
  }

  get leading(): Runtime.Runtime | undefined {
    return Runtime.leading(this.runtimes)
  }

  add(group: object, { clock, state }: Telemetry.Observed): Current {
    const since = clock.unsafeCurrentTimeMillis()
    const number = ++this.#made
    const runtime = MutableRef.make({ number, group, state, since, generation: 0, isDown: false, healthScore: 1 })
    this.#runtimes.add(runtime)
    this.#enter(since)
    return runtime
  }

  take(runtime: Current, event: Event.Event): void {
    MutableRef.update(runtime, (one) => Runtime.after(one, event))
    this.history.take(event)
    if (event._tag !== "StateChanged") return
    if (event.to === "Closed") this.#runtimes.delete(runtime)
    this.#enter(event.at)
  }

  #enter(at: number): void {
    const { history, leading } = this
    // A disabled server stays disabled when its last client leaves.
    history.enter(leading?.state ?? (history.state === "Disabled" ? "Disabled" : "Idle"), at)
  }
}

/** Passes all measurements on to `next`. */
export class ServerRecords {
  readonly #records = new Map<string, ServerRecord>()
  readonly #next: Telemetry.Telemetry | undefined

  constructor(next: Telemetry.Telemetry | undefined) {
    this.#next = next
  }

  of(server: string): ServerRecord | undefined {
    return this.#records.get(server)
  }

  keep(servers: ReadonlySet<string>): void {
    for (const name of this.#records.keys()) if (!servers.has(name)) this.#records.delete(name)
  }

  ofGroup(onEvent: OnEvent = () => undefined): Telemetry.Telemetry {
    const group = {}
    return { observe: (backend) => this.#observe(group, backend, onEvent) }
  }

  #observe(group: object, backend: Telemetry.Observed, onEvent: OnEvent): Telemetry.Observer {
    const record = this.#records.get(backend.id) ?? new ServerRecord()
    this.#records.set(backend.id, record)
    const { calls } = record
    const runtime = record.add(group, backend)
    const next = this.#next?.observe(backend)
    return {
      hasSpans: next?.hasSpans === true,
      event: (event) => {
        record.take(runtime, event)
        onEvent(event, runtime.current, backend)
        next?.event(event)
      },
      beat: (sent, failure, millis) => next?.beat(sent, failure, millis),
      breakerOpened: (method, reason) => next?.breakerOpened(method, reason),
      health: (score) => {
        MutableRef.update(runtime, (one) => ({ ...one, healthScore: score }))
        next?.health?.(score)
      },
      usage: (generation, usage) => {
        MutableRef.update(runtime, (one) => Runtime.measured(one, generation, usage))
        next?.usage?.(generation, usage)
      },
      call: (method, params, parent) => {
        const began = performance.now()
        // Another replica asks so for itself.
        const isCounted = method !== "ping" && !method.endsWith("/list")
        if (isCounted) calls.begin()
        const call = next?.call(method, params, parent)
        return {
          attempt: (on) => call?.attempt(on),
          end: (exit) => {
            if (isCounted) calls.end(exit, performance.now() - began)
            call?.end(exit)
          }
        }
      }
    }
  }
}
