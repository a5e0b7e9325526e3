/** So many names in metrics, and `_OTHER` for all that come later, because clients and servers choose them. */
import { PlainText } from "@mcp-lifeline/core/text"

const atMost = 1000
const longest = 1024

export class BoundedNames {
  readonly #known = new Set<string>()

  of(given: string): string {
    const name = this.#known.has(given) ? given : PlainText.line(given.slice(0, longest + 1))
    if (this.#known.size < atMost && name.length <= longest) this.#known.add(name)
    return this.#known.has(name) ? name : "_OTHER"
  }
}
