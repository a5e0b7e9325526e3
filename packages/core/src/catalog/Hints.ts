/**
 * Whether calling a tool twice does no harm, by its hints, and whether it runs as a task: as the published catalogue says, and the lists
 * that the caller has read on the same connection, which may be before the catalogue is there.
 */
import type { ToolAnnotations } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Snapshot } from "./Catalog.js"

/** Whether a tool runs as a task: never, if it is asked to, or always. */
export type TaskSupport = "forbidden" | "optional" | "required"

/** What the hints of a tool come to. */
export interface Hints {
  /** Calling it changes nothing. */
  readonly readOnly: boolean
  /** Calling it twice does no harm. */
  readonly harmless: boolean
  /** Whether it runs as a task on this connection; `undefined` where only the lists of another connection are known. */
  readonly taskSupport: TaskSupport | undefined
}

/** What a tool was said to be when the catalogue had a revision. */
interface Said extends Hints {
  readonly revision: number
}

/** What the caller's own lists said of the tools of one connection, by name. */
export type Listed = Map<string, Said>

const ofAnnotations = (annotations: unknown): Pick<Hints, "readOnly" | "harmless"> => {
  const { idempotentHint, readOnlyHint }: ToolAnnotations = Predicate.isRecord(annotations) ? annotations : {}
  const readOnly = readOnlyHint === true
  return { readOnly, harmless: readOnly || idempotentHint === true }
}

/** A tool that says nothing of tasks has none. */
const supportOf = (execution: unknown): TaskSupport => {
  const support = Predicate.isRecord(execution) ? execution["taskSupport"] : undefined
  return support === "optional" || support === "required" ? support : "forbidden"
}

/** What is known after a page of tools that the caller was answered, of which nothing is checked yet. Keeps `most` tools at most. */
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

/**
 * What is known of a tool on the connection of a generation; `undefined` where nobody has read what it is. Of two words about it the later
 * counts. A tool that the catalogue of that very connection does not have is not known to be harmless.
 */
export const of = (
  name: string,
  generation: number,
  listed: Listed | undefined,
  snapshot: Snapshot | undefined
): Hints | undefined => {
  const said = listed?.get(name)
  const isOwn = snapshot?.generation === generation
  if (said !== undefined && !(isOwn && snapshot.revision > said.revision)) return said
  // What is remembered of another run of the program may be long ago.
  if (snapshot === undefined || snapshot.generation === 0) return undefined
  const tool = snapshot.tools.find((tool) => tool.name === name)
  if (tool === undefined && !isOwn) return undefined
  return { ...ofAnnotations(tool?.annotations), taskSupport: isOwn ? supportOf(tool?.execution) : undefined }
}
