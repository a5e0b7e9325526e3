export type Kind = "tools" | "prompts" | "resources" | "resourceTemplates"

/** In the order of reading and comparing. */
export const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources", "resourceTemplates"]

export const byKind = <A>(make: (kind: Kind) => A): { readonly [K in Kind]: A } => ({
  tools: make("tools"),
  prompts: make("prompts"),
  resources: make("resources"),
  resourceTemplates: make("resourceTemplates")
})

export const keys = { tools: "name", prompts: "name", resources: "uri", resourceTemplates: "uriTemplate" } as const

export const changeOf = (kind: Kind): string =>
  `notifications/${kind === "resourceTemplates" ? "resources" : kind}/list_changed`
