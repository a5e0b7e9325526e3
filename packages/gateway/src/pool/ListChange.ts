import { Routing } from "@mcp-lifeline/core/internal"
import type { Access } from "../access/Access.js"
import { type EncodedLists, type Kind, kinds } from "./EncodedLists.js"

export interface ListChange {
  /** The kinds that differ for who may use this. */
  readonly for: (access: Access) => ReadonlyArray<Kind>
}

export const ofAll = (changed: ReadonlyArray<Kind> = kinds): ListChange => ({ for: () => changed })

/** `undefined` if nothing differs. Compares once for all clients with the same rules. */
export const between = (before: EncodedLists, after: EncodedLists): ListChange | undefined => {
  const all = after.changedSince(before)
  if (all.length === 0) return undefined
  const visible = Routing.perVisible((access) => after.visibleTo(access).changedSince(before.visibleTo(access)))
  return { for: (access) => access.isWhole ? all : visible(access) }
}
