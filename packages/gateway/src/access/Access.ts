/**
 * What one caller may use: servers, with all that they offer, or some of their tools. Pure.
 */
import { McpConfig } from "@mcp-lifeline/config"
import { ToolPattern } from "@mcp-lifeline/core/internal"

/** Callers with the same rules have the same object. */
export interface Access {
  /** Whether it may use everything that the gateway serves, so that nothing has to be left out. */
  readonly isWhole: boolean
  /** Whether it may do what changes something for others, and see what others do. */
  readonly isAdmin: boolean
  /** How many calls it may make in a minute; `undefined` if that is not limited. */
  readonly callsPerMinute: number | undefined
  /** Whether it may use a server, and know that there is one. */
  readonly hasServer: (server: string) => boolean
  /** The same for a tool of a server, by the name that the server gives it. */
  readonly hasTool: (server: string, original: string) => boolean
}

const always = (): boolean => true
const never = (): boolean => false

/** Of whoever runs the gateway; and of everybody, where nothing tells one caller from another. */
export const everything: Access = {
  isWhole: true,
  isAdmin: true,
  callsPerMinute: undefined,
  hasServer: always,
  hasTool: always
}

/** Of whoever has an account that no rule is about, where there are rules for accounts; and of a client that is no more in the file. */
export const nothing: Access = {
  isWhole: false,
  isAdmin: false,
  callsPerMinute: undefined,
  hasServer: never,
  hasTool: never
}

/** What callers may use that no rule can be about. */
export const withoutRules: Access = { ...everything, isAdmin: false }

const matchesAny = (patterns: ReadonlyArray<string>, name: string): boolean =>
  patterns.some((pattern) => ToolPattern.matches(pattern, name))

const isChosen = ({ only }: McpConfig.Selection, name: string): boolean => only === undefined || matchesAny(only, name)

const isAll = ({ hide, only }: McpConfig.Selection): boolean => only === undefined && hide.length === 0

/**
 * What rules allow together: what any of them allows, except what one of them hides. Of several limits, the highest one counts. A pattern of tools is
 * about the server's name in the file and the tool's name at the server, whatever the gateway calls the tool. `names`: those of all servers.
 */
export const of = (rules: ReadonlyArray<McpConfig.Rules>, names: ReadonlyArray<string> = []): Access => {
  if (rules.length === 0) return nothing
  const isHidden = (server: string): boolean => rules.some(({ servers }) => matchesAny(servers.hide, server))
  const limits = rules.flatMap(({ callsPerMinute }) => callsPerMinute ?? [])
  return {
    isWhole: rules.every(({ servers, tools }) => servers.hide.length + tools.hide.length === 0)
      && rules.some(({ servers, tools }) => isAll(servers) && isAll(tools)),
    isAdmin: rules.some(({ isAdmin }) => isAdmin),
    callsPerMinute: limits.length === 0 ? undefined : Math.max(...limits),
    hasServer: (server) => rules.some(({ servers }) => isChosen(servers, server)) && !isHidden(server),
    hasTool: (server, original) =>
      rules.some(({ servers, tools: { only } }) =>
        isChosen(servers, server)
        && (only === undefined || only.some((one) => McpConfig.ServerTools.allows(one, server, original, names)))
      )
      && !isHidden(server)
      && !rules.some(({ tools }) => tools.hide.some((one) => McpConfig.ServerTools.hides(one, server, original)))
  }
}
