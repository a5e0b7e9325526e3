/** The tool, prompt or resource that a request names, and the params for the server that has it. */
import { Fleet } from "@mcp-lifeline/core"
import { Addresses } from "@mcp-lifeline/core/internal"
import { ExactJson } from "@mcp-lifeline/core/text"
import { Meta } from "@mcp-lifeline/protocol"
import type { ReadResourceResult, Result } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"

type Params = Readonly<Record<string, unknown>>

export interface Destination {
  readonly kind: Fleet.Routed
  /** As the client uses it. */
  readonly name: string
  /** `original`: what the server calls it. They ask for no task. */
  readonly paramsFor: (original: string) => Params
}

const { isString } = Predicate

const isTexts = (value: unknown): boolean =>
  value === undefined || (Predicate.isRecord(value) && Object.values(value).every(isString))

const isToken = (value: unknown): boolean => value === undefined || isString(value) || Number.isSafeInteger(value)

const hasMeta = ({ _meta }: Params): boolean =>
  _meta === undefined || (Predicate.isRecord(_meta) && isToken(_meta["progressToken"]))

/** Without the fields that only concern the client and the gateway. The same object if possible, because a copy is slow. */
export const forwarded = (params: Params): Params => {
  const forwarded = Meta.passedOn(params)
  if (forwarded["task"] === undefined) return forwarded
  const { task: _, ...rest } = forwarded
  return ExactJson.copied(forwarded, rest)
}

const changed = (params: Params, values: Params): Params => {
  const given = forwarded(params)
  return ExactJson.copied(given, { ...given, ...values })
}

const byName = (kind: Fleet.Routed, params: Params, isValid: boolean): Destination | undefined => {
  const { name } = params
  return isValid && isString(name)
    ? { kind, name, paramsFor: (original) => changed(params, { name: original }) }
    : undefined
}

const completion = (params: Params): Destination | undefined => {
  const { argument, context, ref } = params
  if (!Predicate.isRecord(argument) || !isString(argument["name"]) || !isString(argument["value"])) return undefined
  if (context !== undefined && !(Predicate.isRecord(context) && isTexts(context["arguments"]))) return undefined
  if (!Predicate.isRecord(ref)) return undefined
  const to = (kind: Fleet.Routed, key: "name" | "uri"): Destination | undefined => {
    const name = ref[key]
    if (!isString(name)) return undefined
    return { kind, name, paramsFor: (original) => changed(params, { ref: { ...ref, [key]: original } }) }
  }
  return ref["type"] === "ref/prompt"
    ? to("prompts", "name")
    : ref["type"] === "ref/resource"
    ? to("resources", "uri")
    : undefined
}

const destinations = {
  "tools/call": (params: Params) =>
    byName("tools", params, params["arguments"] === undefined || Predicate.isRecord(params["arguments"])),
  "prompts/get": (params: Params) => byName("prompts", params, isTexts(params["arguments"])),
  "resources/read": (params: Params): Destination | undefined => {
    const { uri } = params
    if (!isString(uri)) return undefined
    return { kind: "resources", name: uri, paramsFor: (original) => changed(params, { uri: original }) }
  },
  "completion/complete": completion
} as const

export type Method = keyof typeof destinations

export const isRouted = (method: string): method is Method => Object.hasOwn(destinations, method)

/** `undefined` if the params are not valid. */
export const of = (method: Method, params: unknown): Destination | undefined =>
  Predicate.isRecord(params) && hasMeta(params) ? destinations[method](params) : undefined

/** Addresses lead back to the server. `resources/read` has the URI that the client requested in place of the server's. */
export const clientResult = (
  method: Method,
  { name }: Destination,
  original: string,
  result: Result,
  address: (uri: string) => string
): Result =>
  method === "resources/read"
    ? original === name ? result : Addresses.underAsked(result as ReadResourceResult, original, name)
    : Addresses.inResult(result, address)
