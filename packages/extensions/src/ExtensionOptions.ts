/** `Time`: the type of a duration, which is wider in programs with Effect. */
import type { PolicyOptions, ToolOptions } from "@mcp-lifeline/core/types"

/**
 * What is hidden is in no list, and a request for it is refused like one for something that the server does not have, without asking the
 * server. Names and patterns: `*` stands for any number of characters, `?` for one.
 */
export interface ListFilter {
  /** What is hidden, even if `only` names it. */
  readonly hide?: ReadonlyArray<string> | undefined
  /**
   * Everything else is hidden; an empty array hides all. If options for several servers have such a list, only what all have is offered.
   * Default: nothing is hidden but what `hide` names.
   */
  readonly only?: ReadonlyArray<string> | undefined
}

export interface ExtensionOptions {
  /** By their names. */
  readonly prompts?: ListFilter | undefined
  /** By URIs; templates by their text. A pattern such as `db://{table}/rows` also matches the URIs of such a template. */
  readonly resources?: ListFilter | undefined
  /**
   * What becomes of a tool whose definition (title, description, schemas, annotations) is not the approved one, because it has changed or
   * is new. The first list that Lifeline reads counts as approved. `warn`: Lifeline says how it has changed. `block`: it also withholds the
   * tool, neither listed nor callable, until it is approved. Default `off`.
   */
  readonly pin?: "off" | "warn" | "block" | undefined
}

export interface ServerOptions<Time> extends Omit<PolicyOptions<Time>, "tools">, ExtensionOptions {
  /**
   * How Lifeline handles calls of some tools, by name, or by a pattern (`*`: any number of characters, `?`: one). If several match, each
   * option comes from the most exact one that has it: the name, or else the pattern with the most characters that stand for themselves; of
   * equals, the first.
   *
   * `hide` and `only` with an array are no names, but say which tools callers are offered.
   */
  readonly tools?: {
    readonly hide?: ReadonlyArray<string> | ToolOptions<Time> | undefined
    readonly only?: ReadonlyArray<string> | ToolOptions<Time> | undefined
    readonly [pattern: string]: ToolOptions<Time> | ReadonlyArray<string> | undefined
  } | undefined
}
