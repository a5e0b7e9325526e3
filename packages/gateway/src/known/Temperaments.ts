/**
 * What servers have shown of themselves, in the state folder, so that it is evidence from the first second of the next start. (V9)
 */
import type { Shown, TemperamentMemory } from "@mcp-lifeline/core"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
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

/** What is kept of servers. Never fails. */
export interface Temperaments {
  /** What is kept of one server. `identity`: how it is started or reached; only a digest of it is kept. */
  readonly of: (identity: unknown, fork: Fibers["fork"]) => Effect.Effect<TemperamentMemory>
}

/** That of the state folder. */
export const make: Effect.Effect<Temperaments, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const files = folder.collection("temperaments", Kept, limits)
    return {
      of: (identity, fork) => {
        const key = StateFolder.key(JSON.stringify(identity))
        return Effect.map(files.get(key), (found): TemperamentMemory => ({
          remembered: Option.getOrUndefined(found),
          keep: (shown: Shown) => void fork(files.set(key, shown))
        }))
      }
    }
  }
)
