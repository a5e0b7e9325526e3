import { McpConfig } from "@mcp-lifeline/config"
import { Tools } from "@mcp-lifeline/core/options"

/** Callers with the same rules have the same object. */
export interface Access {
  /** Nothing has to be left out. */
  readonly isWhole: boolean
  readonly isAdmin: boolean
  /** `undefined`: no limit. */
  readonly callsPerMinute: number | undefined
  /** Whether it may use a server, and know that there is one. */
  readonly hasServer: (server: string) => boolean
  /** `original`: the tool's name at the server. */
  readonly hasTool: (server: string, original: string) => boolean
}

const always = (): boolean => true
const never = (): boolean => false

/** Also of everybody, where nothing tells one caller from another. */
export const everything: Access = {
  isWhole: true,
  isAdmin: true,
  callsPerMinute: undefined,
  hasServer: always,
  hasTool: always
}

/** An account that no rule is about, or a client that is not in the file any more. */
export const nothing: Access = {
  isWhole: false,
  isAdmin: false,
  callsPerMinute: undefined,
  hasServer: never,
  hasTool: never
}

export const withoutRules: Access = { ...everything, isAdmin: false }

const matchesAny = (patterns: ReadonlyArray<string>, name: string): boolean =>
  patterns.some((pattern) => Tools.matches(pattern, name))

const isChosen = ({ only }: McpConfig.Selection, name: string): boolean => only === undefined || matchesAny(only, name)

const isAll = ({ hide, only }: McpConfig.Selection): boolean => only === undefined && hide.length === 0

/**
 * What any rule allows, except what one hides; the highest limit counts. Patterns of tools are about the names of the server in the file and of the
 * tool at the server, whatever the gateway calls the tool.
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
