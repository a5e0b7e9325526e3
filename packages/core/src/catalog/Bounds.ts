/**
 * How long the texts may be by which entries are found, in characters (UTF-16 code units). They are compared and hashed with each list and
 * with each call, so they are bounded where they come in.
 */
import { mebibytes } from "../internal/Bytes.js"
import type { Kind } from "./Kind.js"

/** The longest URI that is looked up. */
export const longestUri = 16_384

/** The longest name of a tool or prompt, URI of a resource, or template. */
export const longestKey: { readonly [K in Kind]: number } = {
  tools: 1024,
  prompts: 1024,
  resources: longestUri,
  resourceTemplates: 2048
}

/** Problems of one list that are reported one by one. */
export const mostProblems = 100

/** How much the entries of one list may take together, with its cursors, as `EntrySize` counts it. A server has four lists. */
export const largestList = mebibytes(32)
