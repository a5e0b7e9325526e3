/** In UTF-16 code units, of texts that each list and each call compares and hashes. */
import { mebibytes } from "../internal/Bytes.js"
import type { Kind } from "./Kind.js"

export const longestUri = 16_384

export const longestKey: { readonly [K in Kind]: number } = {
  tools: 1024,
  prompts: 1024,
  resources: longestUri,
  resourceTemplates: 2048
}

/** Of one list; others are only counted. */
export const mostProblems = 100

/** Of one list with its cursors, as `EntrySize` counts. A server has four. */
export const largestList = mebibytes(32)
