/**
 * The handshake of the protocol with sessions: the versions, and the check of a server's answer. Pure.
 */
import type { RequestError } from "@mcp-lifeline/core"
import type { Implementation, InitializeResult, ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Exit, Predicate } from "effect"
import * as Failures from "./Failures.js"

/** The versions with sessions, newest first. A test compares them to the official SDK's. */
export const versions: ReadonlyArray<string> = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"]

/** The version that Lifeline requests. */
export const latestVersion = "2025-11-25"

const isText = Predicate.isString

/** The capabilities that Lifeline uses. */
const known = ["completions", "logging", "prompts", "resources", "tasks", "tools"] as const
const isObjectOrNone = (value: unknown): boolean => value === undefined || Predicate.isRecord(value)

/** Whether a value has the form of server capabilities. */
export const isCapabilities = (value: unknown): value is ServerCapabilities =>
  Predicate.isRecord(value) && known.every((one) => isObjectOrNone(value[one]))

/** Whether a value has the form of a server's name and version. */
export const isImplementation = (value: unknown): value is Implementation =>
  Predicate.isRecord(value) && isText(value["name"]) && isText(value["version"])

const wrong = ({ capabilities, instructions, protocolVersion, serverInfo }: Record<string, unknown>) =>
  !isText(protocolVersion)
    ? "protocolVersion is no string"
    : !isCapabilities(capabilities)
    ? "capabilities is no object of objects"
    : !isImplementation(serverInfo)
    ? "serverInfo has no name and version"
    : instructions !== undefined && !isText(instructions)
    ? "instructions is no string"
    : undefined

/** A server's answer to `initialize`, unchanged, if it matches the protocol. */
export const read = (result: Record<string, unknown>): Exit.Exit<InitializeResult, RequestError> => {
  const problem = wrong(result)
  return problem === undefined
    ? Exit.succeed(result as unknown as InitializeResult)
    : Exit.fail(Failures.misfit("initialize", problem))
}
