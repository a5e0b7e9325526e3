import { vi } from "vitest"

/** Runs something with the set of maps in which anything has been set since it began. */
export const watched = (use: (maps: ReadonlySet<ReadonlyMap<unknown, unknown>>) => void): void => {
  const maps = new Set<Map<unknown, unknown>>()
  const { set } = Map.prototype
  const spy = vi.spyOn(Map.prototype, "set").mockImplementation(function(this: Map<unknown, unknown>, ...args) {
    maps.add(this)
    return set.apply(this, args)
  })
  try {
    use(maps)
  } finally {
    spy.mockRestore()
  }
}
