/**
 * The handshake of the protocol with sessions: the versions, and the check of a server's answer. Pure.
 */
import type { RequestError } from "@mcp-lifeline/core"
import { Nesting, PlainText } from "@mcp-lifeline/core/internal"
import type { Implementation, InitializeResult, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import * as Failures from "./Failures.js"

export { versions } from "./Era.js"

/** The version that Lifeline requests. */
export const latestVersion = "2025-11-25"

/** The capabilities that Lifeline uses. */
const known = ["completions", "logging", "prompts", "resources", "tasks", "tools"] as const
const isObjectOrNone = (value: unknown): boolean => value === undefined || Predicate.isRecord(value)

/** What is wrong where a server says of itself what could not be passed on. */
export const tooDeep = `capabilities or serverInfo are nested more than ${Nesting.defaultDepth} levels deep`

/** Whether a value has the form of server capabilities. */
export const isCapabilities = (value: unknown): value is ServerCapabilities =>
  Predicate.isRecord(value) && known.every((one) => isObjectOrNone(value[one]))

/** Whether a value has the form of a server's name and version. */
export const isImplementation = (value: unknown): value is Implementation =>
  Predicate.isRecord(value) && Predicate.isString(value["name"]) && Predicate.isString(value["version"])

/** The longest texts of a server about itself that are kept whole, in characters. */
const longest = { name: 256, instructions: 100_000 }

/** Instructions as they came, and not longer than is bearable. */
export const instructionsOf = (instructions: string): string => PlainText.cut(instructions, longest.instructions)

/** A server's name as it came, and nothing of it longer than is bearable. */
export const implementationOf = (info: Implementation): Implementation => {
  const tooLong = (["name", "title", "version"] as const).filter((key) =>
    Predicate.isString(info[key]) && info[key].length > longest.name
  )
  return tooLong.length === 0
    ? info
    : { ...info, ...Object.fromEntries(tooLong.map((key) => [key, PlainText.cut(info[key] ?? "", longest.name)])) }
}

const wrong = ({ capabilities, instructions, protocolVersion, serverInfo }: Record<string, unknown>) =>
  !Predicate.isString(protocolVersion)
    ? "protocolVersion is no string"
    : !isCapabilities(capabilities)
    ? "capabilities is no object of objects"
    : !isImplementation(serverInfo)
    ? "serverInfo has no name and version"
    : instructions !== undefined && !Predicate.isString(instructions)
    ? "instructions is no string"
    : Nesting.isDeeper([capabilities, serverInfo], Nesting.defaultDepth)
    ? tooDeep
    : undefined

/** A server's answer to `initialize`, as it came but for texts that are too long, if it matches the protocol. */
export const read = (result: Record<string, unknown>): Exit.Exit<InitializeResult, RequestError> => {
  const problem = wrong(result)
  if (problem !== undefined) return Exit.fail(Failures.misfit("initialize", problem))
  const { instructions, serverInfo, ...others } = result as unknown as InitializeResult
  return Exit.succeed({
    ...others,
    serverInfo: implementationOf(serverInfo),
    ...(instructions === undefined ? {} : { instructions: instructionsOf(instructions) })
  })
}
