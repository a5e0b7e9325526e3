import { Check, checkPrefix, type Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Predicate } from "effect"
import * as Access from "./access.js"
import * as Auth from "./auth.js"
import type { Raw } from "./Expansion.js"
import { doubtful } from "./hosts.js"
import * as Tools from "./tools.js"

/** What could be read, and everything that is wrong. */
export interface Read<A> {
  readonly value: A | undefined
  readonly problems: ReadonlyArray<Problem.Problem>
}

const sessions = Check.oneOf("shared", "per-client")
const placement = Check.oneOf("one", "each")

/** Under `lifeline`, beside the options of supervision. */
export const gateway = {
  ofServer: { sessions, placement, prefix: checkPrefix },
  ofAll: {
    sessions,
    prefix: checkPrefix,
    statusTool: Check.flag,
    maxOwnServers: Check.whole(1, 100_000),
    auth: Auth.check,
    clients: Access.clients,
    groups: Access.groups
  }
} satisfies Record<string, Readonly<Record<string, Check.Check>>>

/** In groups, or in groups under `lifeline`, where `others` may stand beside them; the result has what does. */
export const policyOf = (
  raw: Raw,
  others: Readonly<Record<string, Check.Check>> = {},
  isEntry = false
): {
  readonly policy: ServerOptions.ServerOptions
  readonly others: Raw
  readonly problems: Array<Problem.Problem>
} => {
  const tools = Tools.own(raw["tools"])
  const isOurs = (filter: unknown) => Predicate.isRecord(filter) && Object.keys(filter).some(Tools.isListName)
  // Other programs keep other things under these names at the top of a file.
  const foreign = isEntry ? [] : ["prompts", "resources"].filter((group) => !isOurs(raw[group]))
  const none = Object.fromEntries(foreign.map((group) => [group, undefined]))
  const direct = ServerOptions.pick({ ...raw, tools: tools.tools, ...none })
  const { lifeline } = raw
  const under = Predicate.isRecord(lifeline) ? lifeline : {}
  const twice = ServerOptions.groups.filter((group) => direct[group] !== undefined && under[group] !== undefined)
  const message = "is given twice, here and beside lifeline; keep one"
  return {
    policy: { ...direct, ...ServerOptions.pick(under) },
    others: Object.fromEntries(Object.entries(under).filter(([key]) => Object.hasOwn(others, key))),
    problems: [
      ...tools.problems,
      ...foreign.filter((group) => Predicate.isRecord(raw[group])).map((group) => Tools.belongsToOthers([group])),
      ...ServerOptions.problems(direct),
      ...doubtful(direct, []),
      ...lifeline === undefined ? [] : ServerOptions.checkWith(others)(lifeline, ["lifeline"]),
      ...doubtful(under, ["lifeline"]),
      ...twice.map((group) => ({ path: ["lifeline", group], message }))
    ]
  }
}
