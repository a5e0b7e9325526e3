/**
 * For clients of revisions before 2026-07-28, structured results of tools and their schemas are objects; since SEP-2106 a server may use
 * any JSON. What is no object becomes `{ result }`, as in the official SDK's servers.
 */
import { ExactJson, JsonValue } from "@mcp-lifeline/core/text"
import type { Result } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import type { Answer, ClientRequest } from "./ClientRequest.js"
import { changedTools } from "./TaskMarks.js"

type Schema = Readonly<Record<string, unknown>>

/** As far as it says so at its root or in each of its alternatives. */
const isOfObjects = (schema: unknown): boolean => {
  if (!Predicate.isRecord(schema)) return false
  const { anyOf, oneOf, type } = schema
  if (type !== undefined) return type === "object"
  const alternatives = Array.isArray(anyOf) ? anyOf : oneOf
  return Array.isArray(alternatives) && alternatives.length > 0 && alternatives.every(isOfObjects)
}

const mayBeObject = ({ type }: Schema): boolean =>
  type === undefined || (Array.isArray(type) && type.includes("object"))

/** Keywords whose values are data, and those with names for schemas as keys. */
const data = new Set(["const", "default", "enum", "examples"])
const names = new Set(["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"])

const isPlaceInDocument = (key: string, value: unknown): value is string =>
  (key === "$ref" || key === "$dynamicRef") && typeof value === "string" && /^#(?:\/|$)/.test(value)

/** Adapts references to `place`. A schema with an `$id` is a document of its own. */
const moved = (schema: unknown, place: string): unknown => {
  if (Array.isArray(schema)) return schema.map((item) => moved(item, place))
  if (!Predicate.isRecord(schema) || typeof schema["$id"] === "string") return schema
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => {
      if (isPlaceInDocument(key, value)) return [key, `#${place}${value.slice(1)}`]
      if (data.has(key)) return [key, value]
      return names.has(key) && Predicate.isRecord(value)
        ? [key, Object.fromEntries(Object.entries(value).map(([name, item]) => [name, moved(item, place)]))]
        : [key, moved(value, place)]
    })
  )
  return ExactJson.copied(schema, copy)
}

const schemaOfObjects = (schema: Schema): Schema => {
  if (isOfObjects(schema)) return { ...schema, type: "object" }
  const { $schema, ...rest } = schema
  const dialect = $schema === undefined ? {} : { $schema }
  return mayBeObject(schema)
    ? {
      ...dialect,
      type: "object",
      anyOf: [moved(rest, "/anyOf/0"), { properties: { result: { $ref: "#/anyOf/0" } }, required: ["result"] }]
    }
    : { ...dialect, type: "object", properties: { result: moved(rest, "/properties/result") }, required: ["result"] }
}

/** With a schema of objects, or without one that nobody could read. The same object if nothing is different. */
export const tool = <T>(tool: T): T => {
  const schema: unknown = Predicate.isRecord(tool) ? tool["outputSchema"] : undefined
  if (schema === undefined || (Predicate.isRecord(schema) && schema["type"] === "object")) return tool
  if (Predicate.isRecord(schema) && !JsonValue.isTooDeep(schema)) {
    return { ...tool, outputSchema: schemaOfObjects(schema) }
  }
  const { outputSchema: _, ...others } = tool as T & { readonly outputSchema: unknown }
  return others as T
}

/** The same object if nothing is different. */
export const result = (method: string, given: Result): Result => {
  if (method === "tools/list") return changedTools(given, tool)
  if (method !== "tools/call" && method !== "tasks/result") return given
  const value = given["structuredContent"]
  return value === undefined || Predicate.isRecord(value) ? given : { ...given, structuredContent: { result: value } }
}

/** The same object if nothing is different. */
export const answer = ({ method }: Pick<ClientRequest, "method">, given: Answer): Answer => {
  if (!("result" in given)) return given
  const changed = result(method, given.result)
  return changed === given.result ? given : { result: changed }
}
