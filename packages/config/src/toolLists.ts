/**
 * Lists of tools that hosts offer, read as each host means them; not lists that only spare a question, such as `alwaysAllow` and `autoApprove`.
 */
import { Check, Problem } from "@mcp-lifeline/core/options"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Predicate, Record } from "effect"
import type { Raw } from "./Expansion.js"
import * as ToolSwitches from "./ToolSwitches.js"

type Reading = "patterns" | "names" | "wrapped"

/** Hosts differ in what they read besides plain names. */
const allowing: Readonly<Record<string, Reading>> = {
  // Gemini CLI has names, perhaps with their arguments in brackets; Amp has patterns.
  includeTools: "patterns",
  // nanobot has the server's names, or its own: mcp_<server>_<tool>. Others write mcp__<server>__<tool>.
  enabledTools: "wrapped",
  enabled_tools: "names",
  // Copilot.
  tools: "names"
}

const denying = ["excludeTools", "disabledTools", "disabled_tools"] as const

/** Not even null: read as no list, it would offer every tool. */
const list = Check.list(Check.string, "an array of names of tools; to offer all, leave it out")

export const checks: Readonly<Record<string, Check.Check>> = Record.fromIterableWith(
  [...Object.keys(allowing).filter((key) => key !== "tools"), ...denying],
  (key) => [key, list]
)

/** An object has options by tool; anything else is such a list. */
export const checkTools = (tools: unknown): ReadonlyArray<Problem.Problem> =>
  tools === undefined || Predicate.isRecord(tools)
    ? []
    : Array.isArray(tools)
    ? list(tools, ["tools"])
    : [Problem.wrongSecret(
      ["tools"],
      tools,
      "an array of names of tools, or an object of options by tool; to offer all, leave it out"
    )]

export const { schema } = list

const textsOf = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) && value.every(Predicate.isString) ? value.filter((text) => text !== "") : undefined

/** One of its readings is enough. */
const nameOf = (text: string, reading: Reading, server: string | undefined): string => {
  const prefixes = reading === "wrapped" && server !== undefined ? [`mcp_${server}_`, `mcp__${server}__`] : []
  const prefix = prefixes.find((one) => text.startsWith(one) && text.length > one.length)
  const other = reading === "patterns" ? /^[^(]+(?=\()/.exec(text)?.[0] : prefix && text.slice(prefix.length)
  return other === undefined ? text : ListFilter.meaning(text, { readings: [text, other] })
}

/** A problem for each text that names no tool. `server`: its name. `switches`: of opencode. */
export const read = (
  raw: Raw,
  server: string | undefined,
  switches: ToolSwitches.ToolSwitches = {}
): { readonly tools: ServerOptions.ServerOptions["tools"]; readonly problems: ReadonlyArray<Problem.Problem> } => {
  const problems: Array<Problem.Problem> = []
  let only: ReadonlyArray<string> | undefined
  for (const [key, reading] of Object.entries(allowing)) {
    const texts = textsOf(raw[key])
    // "*" is all for the hosts that know it, and the name of no tool for the others.
    if (texts === undefined || texts.includes("*")) continue
    const offered = texts.flatMap((text) => {
      if (reading === "patterns" || !/[*?]/.test(text)) return [nameOf(text, reading, server)]
      const path = [key, (raw[key] as ReadonlyArray<unknown>).indexOf(text)]
      const message =
        'is read as a name, because this list takes no patterns, and no tool has such a name; write tools: { "only": [..] }'
      problems.push({ path, message, key: "ambiguous" })
      return []
    })
    only = ListFilter.both(only, offered)
  }
  // A pattern is none for these hosts; read as one, it hides no less.
  const hide = [
    ...denying.flatMap((key) => textsOf(raw[key]) ?? []),
    ...(server === undefined ? [] : ToolSwitches.hidden(switches, server))
  ]
  const tools = { ...(hide.length === 0 ? {} : { hide }), ...(only === undefined ? {} : { only }) }
  return { tools: Object.keys(tools).length === 0 ? undefined : tools, problems }
}
