/** Warns of options by tool whose names and patterns match nothing that the server has. */
import { Effect } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Tools from "../options/Tools.js"
import type { BackendState } from "../state/BackendState.js"

export const describe = (unmatched: ReadonlyArray<Tools.Unmatched>): string => unmatched.map(Tools.describe).join(". ")

/** Empty if the tools were not read to their end, or are of another run. */
export const unmatchedPatterns = (
  { offered, policy, published }: BackendState,
  snapshot: Snapshot | undefined
): ReadonlyArray<Tools.Unmatched> => {
  if (snapshot === undefined || policy.tools.length === 0 || snapshot.truncated.includes("tools")) return []
  if (!offered.isAll && published.value.current?.connection.isFiltered === true) return []
  const lists = offered.isAll ? snapshot : offered.listed
  return lists === undefined ? [] : Tools.unmatched(policy.tools, lists.tools.map(({ name }) => name))
}

const none: ReadonlySet<string> = new Set()

/** Warns of a pattern again only if it has matched in between. */
export class UnmatchedPatterns {
  readonly #backend: BackendState
  #known = none

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  read(snapshot: Snapshot): Effect.Effect<void> {
    const unmatched = unmatchedPatterns(this.#backend, snapshot)
    const found = unmatched.filter(({ pattern }) => !this.#known.has(pattern))
    this.#known = unmatched.length === 0 ? none : new Set(unmatched.map(({ pattern }) => pattern))
    return found.length === 0 ? Effect.void : SafeLog.warning(`${this.#backend.id}: ${describe(found)}`)
  }
}
