import type { Method, Params } from "../port/Method.js"
import type { ToolRule } from "./Tools.js"
import * as Tools from "./Tools.js"

/** Names come from callers: how many are kept, and how long at most. */
const most = 1000
const longest = 256

/** Shared by all backends without rules. */
const none = new Map<string, undefined>()

export class ToolRules {
  readonly #rules: ReadonlyArray<ToolRule>
  readonly #found: Map<string, Tools.Chosen | undefined>

  constructor(rules: ReadonlyArray<ToolRule>) {
    this.#rules = rules
    this.#found = rules.length === 0 ? none : new Map()
  }

  of<M extends Method>(method: M, params: Params<M>): Tools.Chosen | undefined {
    if (this.#rules.length === 0 || method !== "tools/call") return undefined
    const name: unknown = (params as Partial<Params<"tools/call">> | undefined)?.name
    return typeof name === "string" ? this.tool(name) : undefined
  }

  tool(name: string): Tools.Chosen | undefined {
    if (this.#rules.length === 0) return undefined
    const known = this.#found.get(name)
    if (known !== undefined || this.#found.has(name)) return known
    const chosen = Tools.choose(this.#rules, name)
    if (name.length > longest) return chosen
    if (this.#found.size >= most) this.#found.clear()
    this.#found.set(name, chosen)
    return chosen
  }
}
