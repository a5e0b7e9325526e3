import { Effect } from "effect"

export interface Definition {
  /** Of the canonical JSON: equal for equal definitions, and for no others. */
  readonly digest: string
  /** That JSON. Missing if it is too long to be kept. */
  readonly text?: string
}

/** A tool that is not as it was approved. */
export interface Found {
  readonly tool: string
  /** As the server defines it; missing if it is not there any more. */
  readonly definition?: Definition
  /** In milliseconds since the epoch. */
  readonly since: number
}

export interface Kept {
  readonly approved: ReadonlyArray<readonly [tool: string, definition: Definition]>
  readonly found: ReadonlyArray<Found>
}

/** Something is kept, but what it says cannot be known. */
export interface Unreadable {
  readonly _tag: "Unreadable"
  /** For people. */
  readonly file: string
  readonly reason: string
}

/** `undefined` only if certainly nothing is kept. */
export type Reading = Kept | Unreadable | undefined

export const isUnreadable = (found: Reading): found is Unreadable => found !== undefined && "_tag" in found

/** For one server. Several programs may share it. None of its functions may fail or throw. */
export interface PinStore {
  /** Two texts that somebody chooses must not have the same one. */
  readonly digest: (text: string) => string
  readonly get: Effect.Effect<Reading>
  /**
   * Replaces what is kept by what the function makes of it, and returns that; `undefined` removes it. Nothing is written if the function
   * returns its argument. It runs while nobody else writes.
   */
  readonly update: (change: (found: Reading) => Reading) => Effect.Effect<Reading>
}

/** As long as the program runs. */
export const memory = (): PinStore => {
  let kept: Reading
  return {
    digest: (text) => text,
    get: Effect.sync(() => kept),
    update: (change) => Effect.sync(() => kept = change(kept))
  }
}
