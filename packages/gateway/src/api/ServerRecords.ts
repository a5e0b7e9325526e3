/**
 * The calls, the runtimes and the history of each server, measured as telemetry: from before anything happens to it. Of a server that
 * each client has for itself there may be many runtimes at once; what is known of them is one record.
 */
import type { Event, Telemetry } from "@mcp-lifeline/core"
import { CallCounts } from "./CallCounts.js"
import { History } from "./History.js"
import { Runtime } from "./Runtime.js"

/** Which of the runtimes of a server speaks for all of them. */
export type Leading = (runtimes: ReadonlyArray<Runtime>) => Runtime | undefined

/** Takes an event of a runtime after it is recorded. Must not throw. */
export type OnEvent = (event: Event.Event, runtime: Runtime, observed: Telemetry.Observed) => void

/** What is known of one server. */
export class ServerRecord {
  readonly calls = new CallCounts()
  readonly history = new History()
  readonly #leading: Leading
  readonly #runtimes = new Set<Runtime>()
  #made = 0

  constructor(leading: Leading) {
    this.#leading = leading
  }

  /** Those that are not closed, oldest first. */
  get runtimes(): ReadonlyArray<Runtime> {
    return [...this.#runtimes]
  }

  /** The one whose state is that of the server. */
  get leading(): Runtime | undefined {
    return this.#leading(this.runtimes)
  }

  /** Has one more runtime. */
  add(observed: Telemetry.Observed): Runtime {
    const runtime = new Runtime(++this.#made, observed)
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
export class ServerRecords implements Telemetry.Telemetry {
  readonly #records = new Map<string, ServerRecord>()
  readonly #next: Telemetry.Telemetry | undefined
  readonly #leading: Leading
  readonly #onEvent: OnEvent

  constructor(next: Telemetry.Telemetry | undefined, leading: Leading, onEvent: OnEvent = () => undefined) {
    this.#next = next
    this.#leading = leading
    this.#onEvent = onEvent
  }

  of(server: string): ServerRecord | undefined {
    return this.#records.get(server)
  }

  /** Forgets all servers but these. */
  keep(servers: ReadonlySet<string>): void {
    for (const name of this.#records.keys()) if (!servers.has(name)) this.#records.delete(name)
  }

  observe(backend: Telemetry.Observed): Telemetry.Observer {
    const record = this.#records.get(backend.id) ?? new ServerRecord(this.#leading)
    this.#records.set(backend.id, record)
    const { calls } = record
    const runtime = record.add(backend)
    const next = this.#next?.observe(backend)
    return {
      hasSpans: next?.hasSpans === true,
      event: (event) => {
        record.take(runtime, event)
        this.#onEvent(event, runtime, backend)
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
