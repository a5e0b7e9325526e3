/** By the catalogue, and by the lists that the caller has read on the same connection. */
import type { ToolAnnotations } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Snapshot } from "./Catalog.js"

export type TaskSupport = "forbidden" | "optional" | "required"

export interface Hints {
  readonly readOnly: boolean
  /** Twice does no harm. */
  readonly harmless: boolean
  /** `undefined` if only lists of another connection are known. */
  readonly taskSupport: TaskSupport | undefined
}

/** `revision`: of the catalogue when this was read. */
interface Said extends Hints {
  readonly revision: number
}

export type Listed = Map<string, Said>

const ofAnnotations = (annotations: unknown): Pick<Hints, "readOnly" | "harmless"> => {
  const { idempotentHint, readOnlyHint }: ToolAnnotations = Predicate.isRecord(annotations) ? annotations : {}
  const readOnly = readOnlyHint === true
  return { readOnly, harmless: readOnly || idempotentHint === true }
}

const supportOf = (execution: unknown): TaskSupport => {
  const support = Predicate.isRecord(execution) ? execution["taskSupport"] : undefined
  return support === "optional" || support === "required" ? support : "forbidden"
}

/** Adds an unchecked page. Keeps `most` tools at most. */
export const learn = (known: Listed | undefined, page: unknown, revision: number, most: number): Listed | undefined => {
  const tools = Predicate.isRecord(page) ? page["tools"] : undefined
  if (!Array.isArray(tools)) return known
  const listed: Listed = known ?? new Map()
  for (const tool of tools as ReadonlyArray<unknown>) {
    if (!Predicate.isRecord(tool) || typeof tool["name"] !== "string") continue
    if (listed.size >= most && !listed.has(tool["name"])) break
    listed.set(tool["name"], {
      ...ofAnnotations(tool["annotations"]),
      taskSupport: supportOf(tool["execution"]),
      revision
    })
  }
  return listed
}

/** `undefined` if no list says it. Of two sources the later counts. A tool that the connection's own catalogue lacks is not harmless. */
export const of = (
  name: string,
  generation: number,
  listed: Listed | undefined,
  snapshot: Snapshot | undefined
): Hints | undefined => {
  const said = listed?.get(name)
  const isOwn = snapshot?.generation === generation
  if (said !== undefined && !(isOwn && snapshot.revision > said.revision)) return said
  // Another run of the program may be long ago.
  if (snapshot === undefined || snapshot.generation === 0) return undefined
  const tool = snapshot.tools.find((tool) => tool.name === name)
  if (tool === undefined && !isOwn) return undefined
  return { ...ofAnnotations(tool?.annotations), taskSupport: isOwn ? supportOf(tool?.execution) : undefined }
}
