/** Kept between two runs of the program. The code is loaded on first use. */
import type { TemperamentMemory } from "@mcp-lifeline/core"
import type { PinStore } from "@mcp-lifeline/extensions"
import type * as State from "@mcp-lifeline/state"
import { digest } from "@mcp-lifeline/state/digest"
import { Effect } from "effect"

/** By default the state folder. */
const inFolder = <A>(
  make: (loaded: typeof State) => Effect.Effect<A, never, State.StateFolder.StateFolder>,
  folder?: string
): Effect.Effect<A> => {
  let made: Promise<A> | undefined
  const load = async (): Promise<A> => {
    const loaded = await import("@mcp-lifeline/state")
    const { layer, layerAt } = loaded.StateFolder
    return Effect.runSync(Effect.provide(make(loaded), folder === undefined ? layer : layerAt(folder)))
  }
  return Effect.promise(() => made ??= load())
}

/** The option `pin`. */
export const pins = (server: string, origin: State.ToolPins.Origin): PinStore.PinStore => {
  const store = inFolder(({ ToolPins }) => Effect.map(ToolPins.make, ({ of }) => of(server, origin)))
  return {
    digest,
    get: Effect.flatMap(store, ({ get }) => get),
    update: (change) => Effect.flatMap(store, ({ update }) => update(change))
  }
}

/** The option `temperamentMemory`. */
export const temperament = (server: string, origin: State.ToolPins.Origin, folder?: string): TemperamentMemory => {
  const memory = inFolder(
    ({ Temperaments }) => Effect.map(Temperaments.make, ({ of }) => of({ server, origin })),
    folder
  )
  return {
    remembered: Effect.flatMap(memory, ({ remembered }) => remembered),
    keep: (shown) => Effect.uninterruptible(Effect.flatMap(memory, ({ keep }) => keep(shown)))
  }
}
