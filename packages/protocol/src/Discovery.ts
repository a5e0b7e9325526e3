/** `server/discover` begins a connection without a session. Pure. */
import type { ClientOptions } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { JsonValue } from "@mcp-lifeline/core/text"
import type { Implementation } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import type { Answer } from "./Answers.js"
import * as Era from "./Era.js"
import * as Failures from "./Failures.js"
import * as Initialize from "./Initialize.js"
import * as Meta from "./Meta.js"
import { clientInfo } from "./Session.js"

/** The reserved keys of `_meta`, which every request has. */
export const envelopeOf = (options: ClientOptions): Readonly<Record<string, unknown>> => {
  // Nobody tells such a server that the roots have changed: it asks for them when it needs them.
  const { roots, ...others } = Initialize.capabilitiesOf(options.handlers, options.capabilities)
  return {
    [Meta.keys.protocolVersion]: Era.statelessVersion,
    [Meta.keys.clientInfo]: options.clientInfo ?? clientInfo,
    [Meta.keys.clientCapabilities]: roots === undefined ? others : { ...others, roots: {} }
  }
}

/** No error of JSON-RPC speaks of a session here. */
export const outcomeOf = (answer: Answer): Era.Outcome =>
  Exit.match(answer, {
    onSuccess: (result) => ({ _tag: "Result", result }),
    onFailure: (cause) => {
      const error = cause._tag === "Fail" ? cause.error : undefined
      return error?.reason === "remote" && error.code !== undefined
        ? { _tag: "Error", code: error.code, data: error.data }
        : { _tag: "Failed", reason: Failures.toConnectError(error).reason }
    }
  })

export const answerText = (answer: Answer): string => {
  if (Exit.isSuccess(answer)) return "a result that names no version in common"
  const error = answer.cause._tag === "Fail" ? answer.cause.error : undefined
  return error === undefined
    ? "nothing"
    : Failures.describe(error) + (error.code === undefined ? "" : ` (${error.code})`)
}

export const notHeard = (answer: Answer): ConnectError => {
  const error = Exit.isFailure(answer) && answer.cause._tag === "Fail" ? answer.cause.error : undefined
  return error?.reason === "remote"
    ? new ConnectError({
      backend: "",
      reason: "protocol",
      permanent: false,
      message: `the server refused server/discover: ${answerText(answer)}`,
      cause: error
    })
    : Failures.toConnectError(error)
}

/** A name it need not say. */
export const introductionOf = (result: Readonly<Record<string, unknown>>, { peer }: AdapterTransport) =>
  Effect.suspend(() => {
    const { capabilities, instructions } = result
    const info = Meta.of(result)[Meta.keys.serverInfo]
    const unnamed: Implementation = { name: peer.url ?? "unnamed", version: "unknown" }
    const misfit = (problem: string) =>
      Effect.fail(Failures.toConnectError(Failures.misfit("server/discover", problem)))
    if (!Initialize.isCapabilities(capabilities)) return misfit("capabilities is no object of objects")
    if (JsonValue.isTooDeep([capabilities, info])) return misfit(Initialize.tooDeep)
    return Effect.succeed({
      capabilities,
      instructions: typeof instructions === "string" ? Initialize.instructionsOf(instructions) : undefined,
      serverInfo: Initialize.isImplementation(info) ? Initialize.implementationOf(info) : unnamed
    })
  })
