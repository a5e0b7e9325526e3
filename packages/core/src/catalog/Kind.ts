/** The kinds of list that a server can have. */
export type Kind = "tools" | "prompts" | "resources" | "resourceTemplates"
