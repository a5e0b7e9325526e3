import type { Snapshot } from "../catalog/Catalog.js"
import * as Tools from "../options/Tools.js"
import type { BackendState } from "../state/BackendState.js"

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
