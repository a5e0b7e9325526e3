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

export type Field = keyof typeof kindsOf

export const fieldsOf = ({ prompts, resources, tools }: ServerCapabilities): ReadonlyArray<Field> => [
  ...(tools?.listChanged === true ? ["toolsListChanged" as const] : []),
  ...(prompts?.listChanged === true ? ["promptsListChanged" as const] : []),
  ...(resources?.listChanged === true ? ["resourcesListChanged" as const] : [])
]

export const kindsOfAll = (fields: ReadonlyArray<Field>): ReadonlyArray<Kind> =>
  fields.flatMap((field) => kindsOf[field])
