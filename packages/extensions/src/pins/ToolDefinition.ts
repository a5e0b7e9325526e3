/** What a model and its user decide by. Canonical, so that equal definitions are equal texts. */
import { JsonValue } from "@mcp-lifeline/core/text"
import { Predicate } from "effect"

/** Without the name. */
const fields = ["title", "description", "inputSchema", "outputSchema", "annotations"] as const

/** `undefined` if nested more deeply, or no JSON, which a connector in this process may give. */
export const textOf = (tool: unknown, maxDepth: number): string | undefined => {
  if (!Predicate.isRecord(tool) || JsonValue.isTooDeep(tool, maxDepth)) return undefined
  try {
    return JsonValue.canonical(Object.fromEntries(fields.map((field) => [field, tool[field]])))
  } catch {
    return undefined
  }
}
