/** Follows what processes use, and replaces one that uses too much memory. */
import { MemoryLimit } from "../health/MemoryLimit.js"
import type { Loss } from "../port/Loss.js"
import type { ResourceUsage } from "../port/ResourceUsage.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"

export class MemoryWatch {
  readonly limit: MemoryLimit | undefined
  readonly #backend: BackendState

  constructor(backend: BackendState, maxMemory: number | undefined) {
    this.#backend = backend
    this.limit = maxMemory === undefined ? undefined : new MemoryLimit(maxMemory)
  }

  attach(runtime: Runtime): void {
    const { limit } = this
    limit?.begin()
    try {
      runtime.connection.onUsage?.((usage: ResourceUsage) => {
        if (!(usage.memory >= 0)) return
        runtime.measured(usage)
        this.#backend.telemetry?.usage?.(runtime.generation, usage)
        if (limit !== undefined) this.#backend.send({ _tag: "Measured", runtime })
      })
    } catch (defect) {
      this.#backend.reportDefect("the connector's onUsage", defect)
    }
  }

  /** Returns the loss that replaces the runtime. Compares nothing while a new connection is being made. */
  measured(runtime: Runtime): Loss | undefined {
    const { limit } = this
    const { generation, usage } = runtime
    const backend = this.#backend
    const { state } = backend.published.value
    if (limit === undefined || usage === undefined || !backend.isCurrent(runtime)) return undefined // guard: memory-of-current
    if (state._tag === "Connected" && state.replacing) return undefined
    const verdict = limit.measured(usage.memory, backend.now())
    if (verdict._tag === "Restart") return { kind: "memory", message: verdict.message }
    if (verdict._tag === "High") {
      const { message, nextRestartAt } = verdict
      backend.emit({ _tag: "MemoryHigh", generation, memory: usage.memory, limit: limit.limit, message, nextRestartAt })
    }
    return undefined
  }
}
