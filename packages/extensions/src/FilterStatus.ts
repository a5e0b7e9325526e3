/** A pattern of `hide` or `only` that fits nothing that the server has. */
export interface UnmatchedPattern {
  readonly kind: "tools" | "prompts" | "resources"
  readonly option: "hide" | "only"
  readonly pattern: string
  /** What was probably meant. */
  readonly meant: string | undefined
}

/** What is hidden of the lists of a server, as they were read last. */
export interface FilterStatus {
  /** How many entries are hidden; `undefined` before the lists are read, and where the connection itself offers only a part. */
  readonly hidden: { readonly [K in "tools" | "prompts" | "resources" | "resourceTemplates"]: number } | undefined
  readonly unmatched: ReadonlyArray<UnmatchedPattern>
  /** The patterns that fit nothing, in a sentence each; `undefined` if there are none. */
  readonly warning: string | undefined
}

/** What the extension adds to a backend's status. */
export interface FiltersStatus {
  /** Missing where everything is offered. */
  readonly filters?: FilterStatus | undefined
}
