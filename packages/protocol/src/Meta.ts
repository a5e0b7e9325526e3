/**
 * `_meta`, and what of it belongs to one hop of the protocol and is never passed on. Pure.
 */
import { Predicate } from "effect"

/** The prefix of the protocol's own keys. */
const reserved = "io.modelcontextprotocol/"

/** The keys of `_meta` in which each request of the protocol without sessions says who asks. */
export const keys = {
  protocolVersion: `${reserved}protocolVersion`,
  clientInfo: `${reserved}clientInfo`,
  clientCapabilities: `${reserved}clientCapabilities`,
  logLevel: `${reserved}logLevel`,
  serverInfo: `${reserved}serverInfo`,
  subscriptionId: `${reserved}subscriptionId`
} as const

const own: ReadonlySet<string> = new Set(Object.values(keys))

/** `_meta`, where something has one. */
export const of = (value: unknown): Readonly<Record<string, unknown>> => {
  const meta = Predicate.isRecord(value) ? value["_meta"] : undefined
  return Predicate.isRecord(meta) ? meta : {}
}

/** Params or a result without what belongs to the hop on which they came. The same object where there is nothing of it. */
export const passedOn = <A extends Readonly<Record<string, unknown>>>(value: A): A => {
  if (value["_meta"] === undefined) return value
  const meta = of(value)
  if (!Object.keys(meta).some((key) => own.has(key))) return value
  const { _meta: _, ...others } = value
  const rest = Object.entries(meta).filter(([key]) => !own.has(key))
  return (rest.length === 0 ? others : { ...others, _meta: Object.fromEntries(rest) }) as unknown as A
}
