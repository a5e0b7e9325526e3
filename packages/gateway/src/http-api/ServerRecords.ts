/**
 * Recorded from telemetry, which misses nothing. The runtimes of all groups of clients that have a server share one record.
 */
import type { Event, Telemetry } from "@mcp-lifeline/core"
import { CallCounts } from "./CallCounts.js"
import { History } from "./History.js"
import { after, begun, leading, measured, type Runtime } from "./Runtime.js"

/** Called after the event is recorded. Must not throw. */
export type OnEvent = (event: Event.Event, runtime: Runtime, observed: Telemetry.Observed) => void

export class ServerRecord {
  readonly calls = new CallCounts()
  readonly history = new History()
  readonly #runtimes = new Map<number, Runtime>()
  #made = 0

  /** Oldest first, without closed ones. */
  get runtimes(): ReadonlyArray<Runtime> {
    return [...this.#runtimes.values()]
  }

  get leading(): Runtime | undefined {
    return leading(this.runtimes)
  }

  add(group: object, observed: Telemetry.Observed): Runtime {
    const runtime = begun(++this.#made, group, observed)
    this.#runtimes.set(runtime.number, runtime)
    this.#enter(runtime.since)
    return runtime
  }

  take(runtime: Runtime, event: Event.Event): Runtime {
    const next = this.replace(after(runtime, event))
    this.history.take(event)
    if (event._tag === "StateChanged") {
      if (event.to === "Closed") this.#runtimes.delete(next.number)
      this.#enter(event.at)
    }
    return next
  }

  replace(runtime: Runtime): Runtime {
    if (this.#runtimes.has(runtime.number)) this.#runtimes.set(runtime.number, runtime)
    return runtime
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
    let runtime = record.add(group, backend)
    const next = this.#next?.observe(backend)
    return {
      hasSpans: next?.hasSpans === true,
      event: (event) => {
        runtime = record.take(runtime, event)
        onEvent(event, runtime, backend)
        next?.event(event)
      },
      beat: (sent, failure, millis) => next?.beat(sent, failure, millis),
      breakerOpened: (method, reason) => next?.breakerOpened(method, reason),
      health: (score) => {
        runtime = record.replace({ ...runtime, healthScore: score })
        next?.health?.(score)
      },
      usage: (generation, usage) => {
        runtime = record.replace(measured(runtime, generation, usage))
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
