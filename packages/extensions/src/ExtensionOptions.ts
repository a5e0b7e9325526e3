/** The options of a server that extensions carry out. */
export interface ExtensionOptions {
  /**
   * What becomes of a tool whose definition (title, description, schemas, annotations) is not the one that was approved, because it has
   * changed or is new. The definitions of the first list that Lifeline reads count as approved. `warn`: Lifeline says how it has changed.
   * `block`: it also withholds the tool, which is neither listed nor callable until it is approved. `off`: nothing is compared. Default `off`.
   */
  readonly pin?: "off" | "warn" | "block" | undefined
}
