/**
 * What was approved of the tools of a server (the option `pin`), in the state folder. Its code is loaded when the tools are first compared.
 */
import type { PinStore } from "@mcp-lifeline/extensions"
import { digest } from "@mcp-lifeline/state/digest"
import type { Origin } from "@mcp-lifeline/state/ToolPins"
import { Effect } from "effect"

/** The store of one server. */
export const make = (server: string, origin: Origin): PinStore.PinStore => {
  let loaded: Promise<PinStore.PinStore> | undefined
  const load = async (): Promise<PinStore.PinStore> => {
    const { StateFolder, ToolPins } = await import("@mcp-lifeline/state")
    return Effect.runSync(Effect.provide(ToolPins.make, StateFolder.layer)).of(server, origin)
  }
  const store = Effect.promise(() => loaded ??= load())
  return {
    digest,
    get: Effect.flatMap(store, ({ get }) => get),
    update: (change) => Effect.flatMap(store, ({ update }) => update(change))
  }
}
