/** They hold until somebody switches the server again, or changes `disabled` in the file. */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Schema } from "effect"
import type { Server } from "../config/Backends.js"
import { switches } from "../replica/collections.js"

const Switch = Schema.Struct({
  server: Schema.String,
  isOff: Schema.Boolean,
  /** What the file said then. */
  wasDisabled: Schema.Boolean,
  /** In milliseconds since 1970. */
  at: Schema.Number
})
type Switch = typeof Switch.Type

export type Switched = Pick<Switch, "at" | "isOff">

export interface SharedSwitches {
  /** As far as `look` has seen; `undefined` if the file decides. */
  readonly of: (server: Server) => Switched | undefined
  readonly look: Effect.Effect<void>
  /** Returns whether those learn of it that cannot be reached now, too. */
  readonly set: (server: Server, isOff: boolean) => Effect.Effect<boolean>
}

const isDisabled = ({ lifecycle }: Server): boolean => lifecycle?.disabled === true

/** Looks once. */
export const make = (state: StateFolder.StateFolder["Type"]): Effect.Effect<SharedSwitches> => {
  const collection = state.collection(switches, Switch)
  let known: ReadonlyMap<string, Switch> = new Map()
  const look = Effect.map(collection.entries, (entries) => {
    known = new Map(entries.map(([, one]) => [one.server, one]))
  })
  return Effect.as(look, {
    of: (server) => {
      const one = known.get(server.id)
      return one?.wasDisabled === isDisabled(server) ? one : undefined
    },
    look,
    set: (server, isOff) =>
      Effect.flatMap(Clock.currentTimeMillis, (at) =>
        collection.set(StateFolder.key(server.id), {
          server: server.id,
          isOff,
          wasDisabled: isDisabled(server),
          at
        }))
  })
}
