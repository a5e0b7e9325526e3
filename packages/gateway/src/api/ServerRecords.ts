/**
 * The calls, the runtimes and the history of each server, measured as telemetry: from before anything happens to it. What is known of the
 * runtimes of all who hold a server is one record.
 */
import type { Event, Telemetry } from "@mcp-lifeline/core"
import { CallCounts } from "./CallCounts.js"
import { History } from "./History.js"
import { leading, Runtime } from "./Runtime.js"

/** Takes an event of a runtime after it is recorded. Must not throw. */
export type OnEvent = (event: Event.Event, runtime: Runtime, observed: Telemetry.Observed) => void

/** What is known of one server. */
export class ServerRecord {
  readonly calls = new CallCounts()
  readonly history = new History()
  readonly #runtimes = new Set<Runtime>()
  #made = 0

  /** Those that are not closed, oldest first. */
  get runtimes(): ReadonlyArray<Runtime> {
    return [...this.#runtimes]
  }

  /** The one whose state is that of the server. */
  get leading(): Runtime | undefined {
    return leading(this.runtimes)
  }

  /** Has one more runtime. */
  add(group: object, observed: Telemetry.Observed): Runtime {
    const runtime = new Runtime(++this.#made, group, observed)
    this.#runtimes.add(runtime)
    this.#enter(runtime.since)
    return runtime
  }

  /** Something has happened to one of them. */
  take(runtime: Runtime, event: Parameters<Runtime["take"]>[0]): void {
    runtime.take(event)
    this.history.take(event)
    if (event._tag !== "StateChanged") return
    if (event.to === "Closed") this.#runtimes.delete(runtime)
    this.#enter(event.at)
  }

  #enter(at: number): void {
    const { history, leading } = this
    // What is switched off stays so when the last client leaves.
    history.enter(leading?.state ?? (history.state === "Disabled" ? "Disabled" : "Idle"), at)
  }
}

/** The records of all servers by name. Hands on what it measures. */
export class ServerRecords {
  readonly #records = new Map<string, ServerRecord>()
  readonly #next: Telemetry.Telemetry | undefined

  constructor(next: Telemetry.Telemetry | undefined) {
    this.#next = next
  }

  of(server: string): ServerRecord | undefined {
    return this.#records.get(server)
  }

  /** Forgets all servers but these. */
  keep(servers: ReadonlySet<string>): void {
    for (const name of this.#records.keys()) if (!servers.has(name)) this.#records.delete(name)
  }

  /** Measures the servers of one more group. */
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
        onEvent(event, runtime, backend)
        next?.event(event)
      },
      beat: (sent, failure, millis) => next?.beat(sent, failure, millis),
      breakerOpened: (method, reason) => next?.breakerOpened(method, reason),
      call: (method, params, parent) => {
        const began = performance.now()
        calls.begin()
        const call = next?.call(method, params, parent)
        return {
          attempt: (on) => call?.attempt(on),
          end: (exit) => {
            calls.end(exit, performance.now() - began)
            call?.end(exit)
          }
        }
      }
    }
  }
}
