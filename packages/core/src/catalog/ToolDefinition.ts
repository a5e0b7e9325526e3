/**
 * The definition of a tool: what a model and its user decide by. As canonical JSON, so that equal definitions are equal texts.
 */
import { Predicate } from "effect"
import { canonical } from "./canonical.js"
import * as Nesting from "./Nesting.js"

/** The fields of a definition, but for the name, by which it is found. */
const fields = ["title", "description", "inputSchema", "outputSchema", "annotations"] as const

/** The definition as text; `undefined` if it is nested more deeply than this, or is no JSON, as a connector in this process may have it. */
export const textOf = (tool: unknown, maxDepth: number): string | undefined => {
  if (!Predicate.isRecord(tool) || Nesting.isDeeper(tool, maxDepth)) return undefined
  try {
    return canonical(Object.fromEntries(fields.map((field) => [field, tool[field]])))
  } catch {
    return undefined
  }
}
