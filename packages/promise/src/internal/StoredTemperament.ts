/**
 * What a server has shown of itself (the option `temperamentMemory`), in a folder. Its code is loaded when that is first read.
 */
import type { TemperamentMemory } from "@mcp-lifeline/core"
import type { Temperaments } from "@mcp-lifeline/state"
import { Effect } from "effect"

/** `folder`: its path, or `true` for the state folder. `identity`: how the server is reached. */
export const make = (folder: string | true, identity: unknown): TemperamentMemory => {
  let loaded: Promise<Temperaments.Memory> | undefined
  const load = async (): Promise<Temperaments.Memory> => {
    const { StateFolder, Temperaments } = await import("@mcp-lifeline/state")
    const layer = folder === true ? StateFolder.layer : StateFolder.layerAt(folder)
    return Effect.runSync(Effect.provide(Temperaments.make, layer)).of(identity)
  }
  const memory = Effect.promise(() => loaded ??= load())
  return {
    remembered: Effect.flatMap(memory, ({ remembered }) => remembered),
    keep: (shown) => Effect.uninterruptible(Effect.flatMap(memory, ({ keep }) => keep(shown)))
  }
}
