/**
 * The lists with which hosts say which tools of a server they offer, read as each of them means it. Lists that only spare the user a question,
 * such as `alwaysAllow` and `autoApprove`, are not among them.
 */
import { Check, Problem } from "@mcp-lifeline/core/internal"
import type { ServerOptions } from "@mcp-lifeline/extensions"
import { ListFilter } from "@mcp-lifeline/extensions/internal"
import { Predicate, Record } from "effect"
import * as ToolSwitches from "./ToolSwitches.js"

type Raw = Readonly<Record<string, unknown>>

type Reading = "patterns" | "names" | "wrapped"

/** Lists of the only tools to offer. What hosts do with names that have more than a name differs. */
const allowing: Readonly<Record<string, Reading>> = {
  // Gemini CLI has names, perhaps with their arguments in brackets; Amp has patterns.
  includeTools: "patterns",
  // nanobot has the names of the server, and those that it gives the tools itself: mcp_<server>_<tool>. Others write mcp__<server>__<tool>.
  enabledTools: "wrapped",
  enabled_tools: "names",
  // Copilot.
  tools: "names"
}

const denying = ["excludeTools", "disabledTools", "disabled_tools"] as const

/** Nothing else, not even null: who reads it as no list at all offers every tool. */
const list = Check.list(Check.string, "an array of names of tools; to offer all, leave it out")

/** What is accepted of the keys that are nothing but such lists. */
export const checks: Readonly<Record<string, Check.Check>> = Record.fromIterableWith(
  [...Object.keys(allowing).filter((key) => key !== "tools"), ...denying],
  (key) => [key, list]
)

/** `tools` may be an object with options by tool; as anything else it is such a list. */
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

/** The JSON Schema of such a list. */
export const { schema } = list

const textsOf = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) && value.every(Predicate.isString) ? value.filter((text) => text !== "") : undefined

/** A text that names a tool in several ways, of which one is enough. */
const eitherOf = (text: string, other: string): string => ListFilter.meaning(text, { readings: [text, other] })

const isPattern = (text: string): boolean => /[*?]/.test(text)

/** What a text of a list of the only tools names. */
const nameOf = (text: string, reading: Reading, server: string | undefined): string => {
  if (reading === "patterns") {
    const bracket = text.indexOf("(")
    return bracket > 0 ? eitherOf(text, text.slice(0, bracket)) : text
  }
  const prefix = reading === "wrapped" && server !== undefined
    ? [`mcp_${server}_`, `mcp__${server}__`].find((one) => text.startsWith(one) && text.length > one.length)
    : undefined
  return prefix === undefined ? text : eitherOf(text, text.slice(prefix.length))
}

/**
 * What the lists of an entry hide, as options; and a notice of each text that names no tool. `server`: the name of the server, where it has one.
 * `switches`: those of opencode, at the top of its file.
 */
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
      if (reading === "patterns" || !isPattern(text)) return [nameOf(text, reading, server)]
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
