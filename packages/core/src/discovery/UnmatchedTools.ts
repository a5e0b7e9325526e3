/**
 * Warns of options by tool whose pattern matches no tool of the server.
 */
import { Effect } from "effect"
import type { Snapshot } from "../catalog/Catalog.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as Tools from "../options/Tools.js"
import type { BackendState } from "../state/BackendState.js"

/** The rules that match none of the tools of a catalogue; none where the list of tools was not read to its end. */
export const unmatchedTools = (
  rules: ReadonlyArray<Tools.ToolRule>,
  snapshot: Snapshot | undefined
): ReadonlyArray<Tools.Unmatched> =>
  rules.length === 0 || snapshot === undefined || snapshot.truncated.includes("tools")
    ? []
    : Tools.unmatched(rules, snapshot.tools)

const none: ReadonlySet<string> = new Set()

/** Looks at each new catalogue of one backend, and warns of a pattern again only if it has matched in between. */
export class UnmatchedTools {
  readonly #backend: BackendState
  #known = none

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  /** A catalogue was read. */
  read(snapshot: Snapshot): Effect.Effect<void> {
    const { id, policy } = this.#backend
    if (policy.tools.length === 0) return Effect.void
    const unmatched = unmatchedTools(policy.tools, snapshot)
    const isNew = ({ pattern }: Tools.Unmatched) => !this.#known.has(pattern)
    const found = unmatched.filter(isNew)
    this.#known = new Set(unmatched.map(({ pattern }) => pattern))
    return found.length === 0 ? Effect.void : SafeLog.warning(`${id}: ${found.map(Tools.describe).join(". ")}`)
  }
}
