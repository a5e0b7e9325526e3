import type { Method, Params } from "../port/Method.js"
import * as Tools from "./Tools.js"

/** Names come from callers: how many are kept, and how long at most. */
const most = 1000
const longest = 256

export interface ToolRules {
  readonly rules: ReadonlyArray<Tools.ToolRule>
  readonly found: Map<string, Tools.Chosen | undefined>
}

const none: ToolRules = { rules: [], found: new Map() }

export const make = (rules: ReadonlyArray<Tools.ToolRule>): ToolRules =>
  rules.length === 0 ? none : { rules, found: new Map() }

export const of = <M extends Method>(self: ToolRules, method: M, params: Params<M>): Tools.Chosen | undefined => {
  if (self.rules.length === 0 || method !== "tools/call") return undefined
  const name: unknown = (params as Partial<Params<"tools/call">> | undefined)?.name
  return typeof name === "string" ? tool(self, name) : undefined
}

export const tool = ({ found, rules }: ToolRules, name: string): Tools.Chosen | undefined => {
  if (rules.length === 0) return undefined
  const known = found.get(name)
  if (known !== undefined || found.has(name)) return known
  const chosen = Tools.choose(rules, name)
  if (name.length > longest) return chosen
  if (found.size >= most) found.clear()
  found.set(name, chosen)
  return chosen
}
