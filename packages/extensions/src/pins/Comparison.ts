import type { Definition, Found, Kept } from "../PinStore.js"

/** Of one definition, and of all of a server, in characters. Of others only the digest is kept. */
const [longestText, longestTexts] = [32_768, 4 * 1024 * 1024]

export const definitionOf = (text: string, digest: (text: string) => string): Definition => ({
  digest: digest(text),
  ...(text.length <= longestText ? { text } : {})
})

const bounded = (definitions: Iterable<readonly [string, Definition]>): Kept["approved"] => {
  let length = 0
  return Array.from(definitions, ([tool, { digest, text }]) => {
    length += text?.length ?? 0
    return [tool, text === undefined || length > longestTexts ? { digest } : { digest, text }] as const
  })
}

const isSame = (one: Definition | undefined, other: Definition | undefined): boolean => one?.digest === other?.digest

/** `since` stays if the tool was found like this before. */
const foundNow = (before: Kept, tool: string, definition: Definition | undefined, now: number): Found => {
  const known = before.found.find((one) => one.tool === tool && isSame(one.definition, definition))
  return known ?? { tool, since: now, ...(definition === undefined ? {} : { definition }) }
}

/** The first tools count as approved. `isWhole`: the list was read to its end, so a missing tool is gone. */
export const compared = (
  kept: Kept | undefined,
  seen: ReadonlyMap<string, Definition>,
  isWhole: boolean,
  now: number
): Kept | undefined => {
  if (kept === undefined) return seen.size === 0 ? kept : { approved: bounded(seen), found: [] }
  const approved = new Map(kept.approved)
  const found: Array<Found> = []
  for (const [tool, definition] of seen) {
    if (!isSame(approved.get(tool), definition)) found.push(foundNow(kept, tool, definition, now))
  }
  for (const tool of approved.keys()) {
    if (isWhole && !seen.has(tool)) found.push(foundNow(kept, tool, undefined, now))
  }
  if (!isWhole) found.push(...kept.found.filter(({ tool }) => !seen.has(tool)))
  const isUnchanged = found.length === kept.found.length && found.every((one) => kept.found.includes(one))
  return isUnchanged ? kept : { ...kept, found }
}

export const approved = (
  kept: Kept | undefined
): { readonly kept: Kept | undefined; readonly tools: ReadonlyArray<string> } => {
  if (kept === undefined || kept.found.length === 0) return { kept, tools: [] }
  const definitions = new Map(kept.approved)
  for (const { definition, tool } of kept.found) {
    if (definition === undefined) definitions.delete(tool)
    else definitions.set(tool, definition)
  }
  return { kept: { approved: bounded(definitions), found: [] }, tools: kept.found.map(({ tool }) => tool) }
}
