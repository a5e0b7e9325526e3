/** Warns of options whose names and patterns match nothing that the server has. */
import { Effect } from "effect"
import type { Kind, Lists, Snapshot } from "../catalog/Catalog.js"
import { keys } from "../catalog/Kind.js"
import * as SafeLog from "../internal/SafeLog.js"
import * as ListFilter from "../options/ListFilter.js"
import * as Tools from "../options/Tools.js"
import type { BackendState } from "../state/BackendState.js"

const described = (one: ListFilter.Unmatched): string =>
  one.option === undefined ? Tools.describe(one) : ListFilter.describe(one)

export const describe = (unmatched: ReadonlyArray<ListFilter.Unmatched>): string => unmatched.map(described).join(". ")

const listed: { readonly [K in ListFilter.Filtered]: ReadonlyArray<Kind> } = {
  tools: ["tools"],
  prompts: ["prompts"],
  resources: ["resources", "resourceTemplates"]
}

const namesOf = (lists: Lists, kinds: ReadonlyArray<Kind>): ReadonlyArray<string> =>
  kinds.flatMap((kind) => lists[kind].map((entry) => (entry as unknown as Record<string, string>)[keys[kind]] ?? ""))

/** Empty if the lists were not read to their end, or are of another run. */
export const unmatchedPatterns = (
  { offered, policy, published }: BackendState,
  snapshot: Snapshot | undefined
): ReadonlyArray<ListFilter.Unmatched> => {
  if (snapshot === undefined || (policy.tools.length === 0 && offered.isAll)) return []
  if (!offered.isAll && published.value.current?.connection.isFiltered === true) return []
  const lists = offered.isAll ? snapshot : offered.listed
  if (lists === undefined) return []
  return (["tools", "prompts", "resources"] as const).flatMap((kind): ReadonlyArray<ListFilter.Unmatched> => {
    if (listed[kind].some((one) => snapshot.truncated.includes(one))) return []
    const names = namesOf(lists, listed[kind])
    const rules = kind === "tools" ? Tools.unmatched(policy.tools, names) : []
    return [...rules, ...ListFilter.unmatched(kind, policy.filters[kind], names)]
  })
}

const none: ReadonlySet<string> = new Set()

const keyOf = ({ kind, option, pattern }: ListFilter.Unmatched): string => `${kind} ${option} ${pattern}`

/** Warns of a pattern again only if it has matched in between. */
export class UnmatchedPatterns {
  readonly #backend: BackendState
  #known = none

  constructor(backend: BackendState) {
    this.#backend = backend
  }

  read(snapshot: Snapshot): Effect.Effect<void> {
    const unmatched = unmatchedPatterns(this.#backend, snapshot)
    const found = unmatched.filter((one) => !this.#known.has(keyOf(one)))
    this.#known = unmatched.length === 0 ? none : new Set(unmatched.map(keyOf))
    return found.length === 0 ? Effect.void : SafeLog.warning(`${this.#backend.id}: ${describe(found)}`)
  }
}
