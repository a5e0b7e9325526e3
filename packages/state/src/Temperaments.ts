/** What servers have shown is evidence from the first second of the next start. (V9) */
import { Duration, Effect, Option, Schema } from "effect"
import * as StateFolder from "./StateFolder.js"

const Kept = Schema.Struct({
  server: Schema.String,
  isConcurrent: Schema.Boolean,
  ignoresPings: Schema.Boolean,
  slowestStart: Schema.optional(Schema.Number),
  sessionsSince: Schema.optional(Schema.Number)
})

/** `Shown` of the core, which this package does not know. */
type Shown = typeof Kept.Type

/** `maxUnused` in milliseconds. */
const limits = { maxFiles: 500, maxUnused: 90 * 24 * 60 * 60 * 1000 }

export const inWords = ({ ignoresPings, isConcurrent, slowestStart }: Omit<Shown, "server">): ReadonlyArray<string> => [
  ...(isConcurrent ? ["answers requests during a call"] : []),
  ...(ignoresPings ? ["ignores pings"] : []),
  ...(slowestStart === undefined ? [] : [`has taken ${Duration.format(Duration.millis(slowestStart))} to start`])
]

/** A `TemperamentMemory` of the core. */
export interface Memory {
  readonly remembered: Effect.Effect<Shown | undefined>
  readonly keep: (shown: Shown) => Effect.Effect<void>
}

/** Never fails. */
export interface Temperaments {
  /** `identity`: how the server is started or reached; only a digest is kept. Of `undefined` nothing is remembered. */
  readonly of: (identity: unknown) => Memory
}

export const make: Effect.Effect<Temperaments, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const files = folder.collection("temperaments", Kept, limits)
    // Of two writes at once, the older could be the last. Each ends: the folder bounds it.
    const inTurn = Effect.unsafeMakeSemaphore(1).withPermits(1)
    return {
      of: (identity) => {
        if (identity === undefined) return { remembered: Effect.succeed(undefined), keep: () => Effect.void }
        const key = StateFolder.key(JSON.stringify(identity))
        return {
          remembered: Effect.map(files.get(key), Option.getOrUndefined),
          keep: (shown) => Effect.uninterruptible(inTurn(files.set(key, shown)))
        }
      }
    }
  }
)
