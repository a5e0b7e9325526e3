/**
 * The API as an OpenAPI document.
 */
import * as OpenApi from "@effect/platform/OpenApi"
import { Predicate } from "effect"
import * as Api from "./Api.js"

/** The library's own form of errors, which the gateway never answers with, and what that is made of. */
const unused: ReadonlySet<string> = new Set(["HttpApiDecodeError", "Issue", "PropertyKey"])

const isUnused = (schema: unknown): boolean =>
  Predicate.isRecord(schema) && schema["$ref"] === "#/components/schemas/HttpApiDecodeError"

/** The same without what is unused. */
const tidy = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(tidy)
  if (!Predicate.isRecord(value)) return value
  const { anyOf } = value
  if (Array.isArray(anyOf) && anyOf.some(isUnused)) {
    const rest = anyOf.filter((schema) => !isUnused(schema))
    return tidy(rest.length === 1 ? rest[0] : { ...value, anyOf: rest })
  }
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, tidy(one)]))
}

/** The document. */
export const make = (): unknown => {
  const { components, ...spec } = OpenApi.fromApi(Api.Api)
  const schemas = Object.entries(components.schemas).filter(([name]) => !unused.has(name))
  return tidy({ ...spec, components: { ...components, schemas: Object.fromEntries(schemas) } })
}
