/**
 * What a server is asked to announce on the stream of changes: pure.
 */
import type { Kind } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"

/** What a server is asked to announce. */
export interface Filter {
  readonly toolsListChanged?: true
  readonly promptsListChanged?: true
  readonly resourcesListChanged?: true
  readonly resourceSubscriptions?: ReadonlyArray<string>
}

const kindsOf: { readonly [F in Exclude<keyof Filter, "resourceSubscriptions">]: ReadonlyArray<Kind> } = {
  toolsListChanged: ["tools"],
  promptsListChanged: ["prompts"],
  resourcesListChanged: ["resources", "resourceTemplates"]
}

/** What of a filter concerns lists. */
export type Field = keyof typeof kindsOf

/** What a server says that it announces. */
export const fieldsOf = ({ prompts, resources, tools }: ServerCapabilities): ReadonlyArray<Field> => [
  ...(tools?.listChanged === true ? ["toolsListChanged" as const] : []),
  ...(prompts?.listChanged === true ? ["promptsListChanged" as const] : []),
  ...(resources?.listChanged === true ? ["resourcesListChanged" as const] : [])
]

/** The lists that it concerns. */
export const kindsOfAll = (fields: ReadonlyArray<Field>): ReadonlyArray<Kind> =>
  fields.flatMap((field) => kindsOf[field])
