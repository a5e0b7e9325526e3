/**
 * Whether calling a tool twice does no harm, by its hints: those of the published catalogue, and those that the caller has
 * listed on the same connection, which may be before the catalogue is there.
 */
import type { ToolAnnotations } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Snapshot } from "./Catalog.js"

/** What a tool was said to be when the catalogue had a revision. */
interface Said {
  readonly harmless: boolean
  readonly revision: number
}

/** What the caller's own lists said of the tools of one connection, by name. */
export type Listed = Map<string, Said>

const isHarmless = (annotations: unknown): boolean => {
  if (!Predicate.isRecord(annotations)) return false
  const { idempotentHint, readOnlyHint } = annotations as ToolAnnotations
  return readOnlyHint === true || idempotentHint === true
}

/** What is known after a page of tools that the caller was answered, of which nothing is checked yet. Keeps `most` tools at most. */
export const learn = (known: Listed | undefined, page: unknown, revision: number, most: number): Listed | undefined => {
  const tools = Predicate.isRecord(page) ? page["tools"] : undefined
  if (!Array.isArray(tools)) return known
  const listed: Listed = known ?? new Map()
  for (const tool of tools as ReadonlyArray<unknown>) {
    if (!Predicate.isRecord(tool) || typeof tool["name"] !== "string") continue
    if (listed.size >= most && !listed.has(tool["name"])) break
    listed.set(tool["name"], { harmless: isHarmless(tool["annotations"]), revision })
  }
  return listed
}

/** Whether a tool may be called twice on the connection of a generation. Of two words about it the later counts. */
export const mayRepeat = (
  name: string,
  generation: number,
  listed: Listed | undefined,
  snapshot: Snapshot | undefined
): boolean => {
  const said = listed?.get(name)
  const isLater = snapshot?.generation === generation && snapshot.revision > (said?.revision ?? -1)
  if (said !== undefined && !isLater) return said.harmless
  // What is remembered of another run of the program may be long ago.
  if (snapshot?.generation === 0) return false
  return isHarmless(snapshot?.tools.find((tool) => tool.name === name)?.annotations)
}
