/** By this id in `_meta` a server can tell that a call was sent again. (C16) */
import { Predicate } from "effect"
import * as ExactJson from "../internal/ExactJson.js"

const { crypto } = globalThis as unknown as { readonly crypto: { readonly randomUUID: () => string } }

export const key = "mcp-lifeline/callId"

export const identified = <P>(params: P): P => {
  if (!Predicate.isRecord(params)) return params
  const { _meta: meta } = params
  if (meta !== undefined && (!Predicate.isRecord(meta) || meta[key] !== undefined)) return params
  // Nobody who has seen other ids can guess it.
  const identifiedMeta = ExactJson.copied(meta, { ...meta, [key]: crypto.randomUUID() })
  return ExactJson.copied(params, { ...params, _meta: identifiedMeta })
}
