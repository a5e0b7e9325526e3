/** The handshake of the protocol with sessions. Pure. */
import type { RequestError, ServerRequestHandlers } from "@mcp-lifeline/core"
import { JsonValue, PlainText } from "@mcp-lifeline/core/text"
import type {
  ClientCapabilities,
  Implementation,
  InitializeResult,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import * as Failures from "./Failures.js"

export { versions } from "./Era.js"

export const latestVersion = "2025-11-25"

/** The capabilities that Lifeline uses. */
const known = ["completions", "logging", "prompts", "resources", "tasks", "tools"] as const
const isObjectOrNone = (value: unknown): boolean => value === undefined || Predicate.isRecord(value)

export const tooDeep = `capabilities or serverInfo are nested more than ${JsonValue.defaultDepth} levels deep`

export const isCapabilities = (value: unknown): value is ServerCapabilities =>
  Predicate.isRecord(value) && known.every((one) => isObjectOrNone(value[one]))

export const isImplementation = (value: unknown): value is Implementation =>
  Predicate.isRecord(value) && Predicate.isString(value["name"]) && Predicate.isString(value["version"])

/** As declared; of what was not, what follows from the handlers. */
export const capabilitiesOf = (
  handlers: ServerRequestHandlers | undefined,
  declared: ClientCapabilities = {}
): ClientCapabilities => ({
  ...declared,
  ...(handlers?.sampling === undefined || declared.sampling !== undefined ? {} : { sampling: {} }),
  ...(handlers?.elicitation === undefined || declared.elicitation !== undefined ? {} : { elicitation: { form: {} } }),
  ...(handlers?.roots === undefined || declared.roots !== undefined ? {} : { roots: { listChanged: true } })
})

/** Kept whole, in characters. */
const longest = { name: 256, instructions: 100_000 }

/** Cut where they are longer than is bearable. */
export const instructionsOf = (instructions: string): string => PlainText.cut(instructions, longest.instructions)

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
    : JsonValue.isTooDeep([capabilities, serverInfo])
    ? tooDeep
    : undefined

/** As it came but for texts that are too long, if it matches the protocol. */
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
