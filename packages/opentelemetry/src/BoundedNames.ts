/**
 * Names of tools and prompts for metrics: so many, and `_OTHER` for all that come later, because clients and servers choose them.
 */
import { PlainText } from "@mcp-lifeline/core/internal"

/** The most names. */
const atMost = 1000
const longest = 1024

/** The names that metrics have so far. */
export class BoundedNames {
  readonly #known = new Set<string>()

  /** The name as it is in metrics. */
  of(given: string): string {
    const name = PlainText.line(given.slice(0, longest + 1))
    if (this.#known.size < atMost && name.length <= longest) this.#known.add(name)
    return this.#known.has(name) ? name : "_OTHER"
  }
}
