/**
 * The texts of files before they were changed, kept in the state folder for `--undo`.
 */
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Option, Schema } from "effect"
import type { Named } from "./Plan.js"

/** One change, by `adopt` or by commands that it has printed. */
export const Step = Schema.Struct({
  before: Schema.String,
  after: Schema.String,
  /** The servers that it has wrapped, and that are not undone yet. */
  done: Schema.Array(Schema.Struct({ name: Schema.String, section: Schema.Array(Schema.String) })),
  /** The user makes it with commands, or does not. */
  isAdvised: Schema.Boolean
})
export type Step = typeof Step.Type

/** The oldest step first. */
const Copy = Schema.Struct({ version: Schema.Literal(1), path: Schema.String, steps: Schema.Array(Step) })
export type Copy = typeof Copy.Type

export interface Copies {
  readonly all: Effect.Effect<ReadonlyArray<Copy>>
  readonly of: (path: string) => Effect.Effect<ReadonlyArray<Step>>
  /** Deletes the copy if there are no steps. Returns whether this is on the disk. */
  readonly keep: (path: string, steps: ReadonlyArray<Step>) => Effect.Effect<boolean>
  readonly folder: string
}

const isSame = (one: Named) => (other: Named): boolean =>
  one.name === other.name && one.section.join(" ") === other.section.join(" ")

/** Without what commands were to change, and is changed now, or planned anew. */
export const withoutAdvice = (steps: ReadonlyArray<Step>, changed: ReadonlyArray<Named>): ReadonlyArray<Step> =>
  steps.flatMap((step) => {
    if (!step.isAdvised) return [step]
    const done = step.done.filter((one) => !changed.some(isSame(one)))
    return done.length === 0 ? [] : [{ ...step, done }]
  })

export const make: Effect.Effect<Copies, never, StateFolder.StateFolder> = Effect.map(
  StateFolder.StateFolder,
  (folder) => {
    const copies = folder.collection("adopted", Copy)
    const of = (path: string) =>
      Effect.map(
        copies.get(StateFolder.key(path)),
        (copy) => Option.match(copy, { onNone: () => [], onSome: ({ steps }) => steps })
      )
    return {
      folder: folder.path,
      of,
      all: Effect.map(copies.entries, (entries) => entries.map(([, copy]) => copy)),
      keep: (path, steps) =>
        Effect.gen(function*() {
          const key = StateFolder.key(path)
          if (steps.length === 0) {
            yield* copies.remove(key)
            return true
          }
          const copy: Copy = { version: 1, path, steps }
          yield* copies.set(key, copy)
          // Reads it back with a new StateFolder, which has nothing in memory.
          const found = yield* StateFolder.make(folder.path).collection("adopted", Copy).get(key)
          return Option.exists(found, (one) => JSON.stringify(one) === JSON.stringify(copy))
        })
    }
  }
)
