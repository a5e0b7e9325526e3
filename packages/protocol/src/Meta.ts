/** `_meta`, and its keys that belong to a single connection and are never passed on. */
import { ExactJson } from "@mcp-lifeline/core/text"
import { Predicate } from "effect"

const reserved = "io.modelcontextprotocol/"

/** With them, each request without sessions identifies its client. */
export const keys = {
  protocolVersion: `${reserved}protocolVersion`,
  clientInfo: `${reserved}clientInfo`,
  clientCapabilities: `${reserved}clientCapabilities`,
  logLevel: `${reserved}logLevel`,
  serverInfo: `${reserved}serverInfo`,
  subscriptionId: `${reserved}subscriptionId`
} as const

const own: ReadonlySet<string> = new Set(Object.values(keys))

/** Empty if there is none. */
export const of = (value: unknown): Readonly<Record<string, unknown>> => {
  const meta = Predicate.isRecord(value) ? value["_meta"] : undefined
  return Predicate.isRecord(meta) ? meta : {}
}

/** Without the keys of the connection. Returns the same object if it has none. */
export const passedOn = <A extends Readonly<Record<string, unknown>>>(value: A): A => {
  if (value["_meta"] === undefined) return value
  const meta = of(value)
  if (!Object.keys(meta).some((key) => own.has(key))) return value
  const { _meta: _, ...others } = value
  const rest = Object.entries(meta).filter(([key]) => !own.has(key))
  const passed = rest.length === 0
    ? others
    : { ...others, _meta: ExactJson.copied(meta, Object.fromEntries(rest)) }
  return ExactJson.copied(value, passed) as unknown as A
}
