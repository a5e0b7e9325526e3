/**
 * What servers have shown of themselves, in the state folder, so that it is evidence from the first second of the next start. (V9)
 */
import type { Shown, TemperamentMemory } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Duration, Effect, Option, Schema } from "effect"
import type { Fibers } from "../Fibers.js"

const Kept = Schema.Struct({
  server: Schema.String,
  isConcurrent: Schema.Boolean,
  ignoresPings: Schema.Boolean,
  slowestStart: Schema.optional(Schema.Number),
  sessionsSince: Schema.optional(Schema.Number)
})

/** `maxUnused` in milliseconds. */
const limits = { maxFiles: 500, maxUnused: 90 * 24 * 60 * 60 * 1000 }

/** What a server has shown of itself, in words. */
export const inWords = ({ ignoresPings, isConcurrent, slowestStart }: Omit<Shown, "server">): ReadonlyArray<string> => [
  ...(isConcurrent ? ["answers requests during a call"] : []),
  ...(ignoresPings ? ["ignores pings"] : []),
  ...(slowestStart === undefined ? [] : [`has taken ${Duration.format(Duration.millis(slowestStart))} to start`])
]

/** What is kept of servers. Never fails. */
export interface Temperaments {
  /** What is kept of one server; `undefined` if nothing is. `identity`: how it is started or reached, of which only a digest is kept. */
  readonly shown: (identity: unknown) => Effect.Effect<Shown | undefined>
  /** The same, and where it is kept from now on. */
  readonly of: (identity: unknown, fork: Fibers["fork"]) => Effect.Effect<TemperamentMemory>
}

/** That of the state folder. */
export const make: Effect.Effect<Temperaments, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const files = folder.collection("temperaments", Kept, limits)
    const keyOf = (identity: unknown): string => StateFolder.key(JSON.stringify(identity))
    const shown = (identity: unknown): Effect.Effect<Shown | undefined> =>
      identity === undefined ? Effect.succeed(undefined) : Effect.map(files.get(keyOf(identity)), Option.getOrUndefined)
    return {
      shown,
      of: (identity, fork) =>
        Effect.map(shown(identity), (remembered): TemperamentMemory => ({
          remembered,
          keep: (news: Shown) => void fork(files.set(keyOf(identity), news))
        }))
    }
  }
)
