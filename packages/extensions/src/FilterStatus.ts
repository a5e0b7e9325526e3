export interface UnmatchedPattern {
  readonly kind: "tools" | "prompts" | "resources"
  readonly option: "hide" | "only"
  readonly pattern: string
  /** What was probably meant. */
  readonly meant: string | undefined
}

/** As the lists were read last. */
export interface FilterStatus {
  /** `undefined` before the lists are read, and where the connection itself offers only a part. */
  readonly hidden: { readonly [K in "tools" | "prompts" | "resources" | "resourceTemplates"]: number } | undefined
  readonly unmatched: ReadonlyArray<UnmatchedPattern>
  /** In a sentence each; `undefined` if there are none. */
  readonly warning: string | undefined
}

export interface FiltersStatus {
  /** Missing where everything is offered. */
  readonly filters?: FilterStatus | undefined
}
