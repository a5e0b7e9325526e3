/** What the hints of tools say of calls. (C3, C15) */
import type { Effect } from "effect"
import * as Hints from "../catalog/Hints.js"
import { isRead, type Method, type Params } from "../port/Method.js"
import type { Runtime } from "../runtime/Runtime.js"
import type { BackendState } from "../state/BackendState.js"
import type { Call } from "./Call.js"
import type { ToolReading } from "./ToolReading.js"

export class ToolHints {
  readonly #backend: BackendState
  readonly #reading: ToolReading

  constructor(backend: BackendState, reading: ToolReading) {
    this.#backend = backend
    this.#reading = reading
  }

  /** `undefined`: the hints decide, and were never read. `onlyReading`: of the hints, only that the tool does nothing but read counts. */
  mayRepeat<M extends Method>(
    { method, options, params, tool }: Call<M>,
    { generation, listed }: Runtime,
    onlyReading = false
  ): boolean | undefined {
    const word = options?.idempotent ?? tool?.idempotent
    if (word !== undefined) return word
    if (isRead(method)) return true
    const { policy, published } = this.#backend
    if (method !== "tools/call" || !policy.calls.trustAnnotations) return false
    const { name } = params as Params<"tools/call">
    const said = Hints.of(name, generation, listed, published.value.snapshot)
    return said && (onlyReading ? said.readOnly : said.harmless)
  }

  read<M extends Method>(call: Call<M>, runtime: Runtime): Effect.Effect<void> {
    return this.#reading.wait(call, runtime, () => this.mayRepeat(call, runtime) !== undefined)
  }
}
