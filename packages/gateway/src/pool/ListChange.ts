import type { Access } from "../access/Access.js"
import { type AnnouncedKind, announcedKinds, type EncodedLists } from "./EncodedLists.js"

export interface ListChange {
  /** The kinds that differ for who may use this. */
  readonly for: (access: Access) => ReadonlyArray<AnnouncedKind>
}

export const ofAll = (kinds: ReadonlyArray<AnnouncedKind> = announcedKinds): ListChange => ({ for: () => kinds })

/** `undefined` if nothing differs. Compares once for all clients with the same rules. */
export const between = (before: EncodedLists, after: EncodedLists): ListChange | undefined => {
  const all = after.changedSince(before)
  if (all.length === 0) return undefined
  const known = new Map<Access, ReadonlyArray<AnnouncedKind>>()
  return {
    for: (access) => {
      if (access.isWhole) return all
      const kinds = known.get(access) ?? after.visibleTo(access).changedSince(before.visibleTo(access))
      known.set(access, kinds)
      return kinds
    }
  }
}
