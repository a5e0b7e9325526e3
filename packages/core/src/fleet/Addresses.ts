/** Addresses that a server hands out beside its lists lead back to the server. Pure. */
import type { ReadResourceResult } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import * as ExactJson from "../internal/ExactJson.js"
import * as Names from "./names.js"

type Address = (uri: string) => string

const isReadElsewhere = (uri: string): boolean => !/^(?!(?:https?|data|mailto):)[a-z][a-z\d+.-]*:/i.test(uri)

/** As a caller can read it. `owner`: the backend to which an address leads now. */
export const of = (backend: string, owner: (uri: string) => string | undefined): Address => (uri) => {
  const now = owner(uri)
  return now === backend || (now === undefined && isReadElsewhere(uri)) ? uri : Names.scopedUri(backend, uri) ?? uri
}

type Values = Readonly<Record<string, unknown>>

const withValue = <A extends object>(values: A, key: string, value: unknown): A =>
  (values as Values)[key] === value ? values : ExactJson.copied(values, { ...values, [key]: value })

/** Of a result's contents, and of `_meta`, no more is looked at. */
const most = { contents: 1000, levels: 4 }

const mapped = (values: unknown, map: (value: unknown) => unknown): unknown => {
  if (!Array.isArray(values)) return values
  const others = values.map((value, i) => i < most.contents ? map(value) : value)
  return others.some((other, i) => other !== values[i]) ? ExactJson.copied(values, others) : values
}

/** In all texts of `_meta`: only its host knows which are addresses. */
export const inDefinition = <A extends object>(definition: A, address: Address): A => {
  const inValue = (value: unknown, levels: number): unknown => {
    if (Predicate.isString(value)) return address(value)
    if (levels === 0) return value
    if (!Predicate.isRecord(value)) return mapped(value, (one) => inValue(one, levels - 1))
    const entries = Object.entries(value).map(([key, one]) => [key, inValue(one, levels - 1)] as const)
    return entries.some(([key, one]) => one !== value[key])
      ? ExactJson.copied(value, Object.fromEntries(entries))
      : value
  }
  return withValue(definition, "_meta", inValue((definition as Values)["_meta"], most.levels))
}

const inContent = (address: Address) => (content: unknown): unknown => {
  if (!Predicate.isRecord(content)) return content
  const { resource, type, uri } = content
  if (type === "resource_link" && Predicate.isString(uri)) return withValue(content, "uri", address(uri))
  return type === "resource" && Predicate.isRecord(resource) && Predicate.isString(resource["uri"])
    ? withValue(content, "resource", withValue(resource, "uri", address(resource["uri"])))
    : content
}

export const inResult = <A extends object>(result: A, address: Address): A => {
  const { content, messages } = result as Values
  const inMessage = (message: unknown): unknown =>
    Predicate.isRecord(message) ? withValue(message, "content", inContent(address)(message["content"])) : message
  return withValue(
    withValue(result, "content", mapped(content, inContent(address))),
    "messages",
    mapped(messages, inMessage)
  )
}

/** Contents with other URIs keep theirs: only the server knows what those stand for. */
export const underAsked = (result: ReadResourceResult, original: string, asked: string): ReadResourceResult =>
  Array.isArray(result.contents)
    ? { ...result, contents: result.contents.map((one) => one?.uri === original ? { ...one, uri: asked } : one) }
    : result
