/**
 * The port for what outlives the program of the definitions of a server's tools: those that were approved, and what differs from them.
 */
import { Effect } from "effect"

/** The definition of a tool. */
export interface Definition {
  /** A digest of its canonical JSON: equal for equal definitions, and for no others. */
  readonly digest: string
  /** That JSON, to show what has changed. Missing if it is too long to be kept. */
  readonly text?: string
}

/** A tool that is not as it was approved. */
export interface Found {
  readonly tool: string
  /** As the server defines it now; missing if it is not there any more. */
  readonly definition?: Definition
  /** When this was found, in milliseconds since the epoch. */
  readonly since: number
}

/** What is kept of one server. */
export interface Kept {
  /** The approved definitions, by the names of their tools. */
  readonly approved: ReadonlyArray<readonly [tool: string, definition: Definition]>
  readonly found: ReadonlyArray<Found>
}

/** Something is kept, but what it says cannot be known. */
export interface Unreadable {
  readonly _tag: "Unreadable"
  /** The file, or whatever has its place, for people. */
  readonly file: string
  readonly reason: string
}

/** What was found: `undefined` only if certainly nothing is kept. */
export type Reading = Kept | Unreadable | undefined

/** Whether it cannot be known what is kept. */
export const isUnreadable = (found: Reading): found is Unreadable => found !== undefined && "_tag" in found

/** Where the definitions of one server's tools are kept. Several programs may share it. None of its functions may fail or throw. */
export interface PinStore {
  /** A digest of a text. Two texts that somebody chooses must not have the same one. */
  readonly digest: (text: string) => string
  readonly get: Effect.Effect<Reading>
  /**
   * Keeps in place of what is kept what the function makes of it, and returns that; `undefined` removes it. Nothing is written if the function
   * returns its argument. It runs while nobody else writes.
   */
  readonly update: (change: (found: Reading) => Reading) => Effect.Effect<Reading>
}

/** Keeps them as long as the program runs. */
export const memory = (): PinStore => {
  let kept: Reading
  return {
    digest: (text) => text,
    get: Effect.sync(() => kept),
    update: (change) => Effect.sync(() => kept = change(kept))
  }
}
