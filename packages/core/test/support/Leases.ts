import { Effect } from "effect"
import { vi } from "vitest"
import { Runtime } from "../../src/runtime/Runtime.js"

export interface Leases {
  readonly held: () => ReadonlyArray<number>
  readonly all: () => number
  readonly faults: () => ReadonlyArray<string>
  readonly stop: () => void
}

export const leases = (): Leases => {
  const runtimes: Array<Runtime> = []
  const { make } = Runtime
  const spy = vi.spyOn(Runtime, "make").mockImplementation((generation) =>
    Effect.tap(make(generation), (runtime) => Effect.sync(() => runtimes.push(runtime)))
  )
  const held = () => runtimes.map(({ traffic }) => traffic.inFlight)
  return {
    held,
    all: () => held().reduce((sum, one) => sum + one, 0),
    faults: () =>
      runtimes.flatMap(({ generation, traffic: { inFlight } }) =>
        inFlight < 0 ? [`generation ${generation}: ${inFlight}`] : []
      ),
    stop: () => spy.mockRestore()
  }
}
