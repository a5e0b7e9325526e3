/**
 * What files were before they were adopted, in the state folder: for `--undo`.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
import { Edit } from "./Edit.js"
import type { Done } from "./Plan.js"

/** One change of a file. */
export const Step = Schema.Struct({
  /** The whole text before, which comes back byte for byte. */
  before: Schema.String,
  /** Of the text after; as long as the file has it, nobody else has changed it. */
  after: Schema.String,
  done: Schema.Array(
    Schema.Struct({ name: Schema.String, section: Schema.Array(Schema.String), edits: Schema.Array(Edit) })
  )
})
export type Step = typeof Step.Type

/** The changes of a file, the oldest first. */
const Copy = Schema.Struct({ version: Schema.Literal(1), path: Schema.String, steps: Schema.Array(Step) })
export type Copy = typeof Copy.Type

export interface Copies {
  readonly all: Effect.Effect<ReadonlyArray<Copy>>
  readonly of: (path: string) => Effect.Effect<ReadonlyArray<Step>>
  /** Keeps the steps of a file, or nothing where there are none. Says whether that is on the disk. */
  readonly keep: (path: string, steps: ReadonlyArray<Step>) => Effect.Effect<boolean>
  /** The folder of the copies. */
  readonly folder: string
}

/** A step of one file: what a plan has done to it. */
export const step = (before: string, after: string, done: ReadonlyArray<Done>): Step => ({ before, after, done })

export const make: Effect.Effect<Copies, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const kept = folder.collection("adopted", Copy)
    const of = (path: string) =>
      Effect.map(
        kept.get(StateFolder.key(path)),
        (copy) => Option.match(copy, { onNone: () => [], onSome: ({ steps }) => steps })
      )
    return {
      folder: folder.path,
      of,
      all: Effect.map(kept.entries, (entries) => entries.map(([, copy]) => copy)),
      keep: (path, steps) =>
        Effect.gen(function*() {
          const key = StateFolder.key(path)
          if (steps.length === 0) {
            yield* kept.remove(key)
            return true
          }
          const copy: Copy = { version: 1, path, steps }
          yield* kept.set(key, copy)
          // Another view of the folder knows only what is on the disk.
          const found = yield* StateFolder.make(folder.path).collection("adopted", Copy).get(key)
          return Option.exists(found, (one) => JSON.stringify(one) === JSON.stringify(copy))
        })
    }
  }
)
