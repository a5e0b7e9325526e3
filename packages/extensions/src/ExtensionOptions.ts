/** The options of a server that extensions carry out. `Time` is the type of a duration, which is wider in programs with Effect. */
import type { PolicyOptions, ToolOptions } from "@mcp-lifeline/core/types"

/**
 * Which entries of a list callers are offered. What is hidden is in no list, and a request for it is refused like one for something that the
 * server does not have, without asking the server. Names and patterns: `*` stands for any number of characters, `?` for one.
 */
export interface ListFilter {
  /** What is hidden, even if `only` names it. */
  readonly hide?: ReadonlyArray<string> | undefined
  /**
   * Everything else is hidden; an empty array hides all. If options for several servers have such a list, too, only what both have is
   * offered. Default: nothing is hidden but what `hide` names.
   */
  readonly only?: ReadonlyArray<string> | undefined
}

/** The options that stand beside those of a backend. */
export interface ExtensionOptions {
  /** Which prompts callers are offered, by their names. */
  readonly prompts?: ListFilter | undefined
  /**
   * Which resources callers are offered, by their URIs, and which templates, by their text. A pattern with expressions, such as
   * `db://{table}/rows`, also matches the URIs that such a template stands for.
   */
  readonly resources?: ListFilter | undefined
  /**
   * What becomes of a tool whose definition (title, description, schemas, annotations) is not the one that was approved, because it has
   * changed or is new. The definitions of the first list that Lifeline reads count as approved. `warn`: Lifeline says how it has changed.
   * `block`: it also withholds the tool, which is neither listed nor callable until it is approved. `off`: nothing is compared. Default `off`.
   */
  readonly pin?: "off" | "warn" | "block" | undefined
}

/** The options of a server: how it is supervised, and what its extensions do. */
export interface ServerOptions<Time> extends Omit<PolicyOptions<Time>, "tools">, ExtensionOptions {
  /**
   * How Lifeline handles calls of some tools, by the name that the server gives them, or by a pattern in which `*` stands for any number of
   * characters and `?` for one. If several match, each option comes from the most exact one that has it: the name itself, or else the pattern
   * with the most characters that stand for themselves; of equals, the first.
   *
   * `hide` and `only` are no names if they have an array: which tools callers are offered.
   */
  readonly tools?: {
    readonly hide?: ReadonlyArray<string> | ToolOptions<Time> | undefined
    readonly only?: ReadonlyArray<string> | ToolOptions<Time> | undefined
    readonly [pattern: string]: ToolOptions<Time> | ReadonlyArray<string> | undefined
  } | undefined
}
