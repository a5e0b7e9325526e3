import { Predicate } from "effect"
import { mebibytes } from "../internal/ByteSize.js"

export type Kind = "tools" | "prompts" | "resources" | "resourceTemplates"

/** In the order of reading and comparing. */
export const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources", "resourceTemplates"]

export const byKind = <A>(make: (kind: Kind) => A) =>
  Object.fromEntries(kinds.map((kind) => [kind, make(kind)])) as { readonly [K in Kind]: A }

export const keys = { tools: "name", prompts: "name", resources: "uri", resourceTemplates: "uriTemplate" } as const

/** By which a server names it; anything where it breaks the protocol. */
export const keyOf = (kind: Kind, entry: unknown): unknown => Predicate.isRecord(entry) ? entry[keys[kind]] : undefined

export const changeOf = (kind: Kind): string =>
  `notifications/${kind === "resourceTemplates" ? "resources" : kind}/list_changed`

/** In UTF-16 code units, like `longestKey`: each call hashes such texts. */
export const longestUri = 16_384

export const longestKey: { readonly [K in Kind]: number } = {
  tools: 1024,
  prompts: 1024,
  resources: longestUri,
  resourceTemplates: 2048
}

/** Of one list with its cursors, as `JsonValue.sizeOf` counts. A server has four. */
export const largestList = mebibytes(32)
