/**
 * The options of a call as the core takes them.
 */
import type { Backend } from "@mcp-lifeline/core"
import { ResultSchemas } from "@mcp-lifeline/protocol"
import type { ConfigError } from "../Errors.js"
import type { CallOptions } from "../Options.js"
import * as Checks from "./Checks.js"

/** What is wrong with the options of a call. */
export const wrong = (backend: string, options: CallOptions | undefined): ConfigError | undefined =>
  options === undefined ? undefined : Checks.call(backend, options)

/** Options, or what is wrong with them: a ConfigError, or the TypeError that the official Client would throw. */
export const make = (
  backend: string,
  options: CallOptions | undefined,
  resultSchema?: unknown
): Backend.CallOptions | Error | undefined => {
  if (options === undefined && resultSchema === undefined) return undefined
  const error = (resultSchema === undefined ? undefined : ResultSchemas.wrong(resultSchema)) ?? wrong(backend, options)
  if (error !== undefined) return error
  const { signal, ...others } = options ?? {}
  return {
    ...others,
    ...(resultSchema === undefined ? {} : { resultSchema }),
    ...(signal === undefined ? {} : { cancelReason: () => signal.reason as unknown })
  }
}

/** Of the options of a call what the backend looks at, where the official Client looks at the signal and at tasks. */
export const split = (options: CallOptions | undefined): Backend.CallOptions | undefined => {
  if (options === undefined) return undefined
  const { failFast, idempotent, maxTotalTimeout, onprogress, resetTimeoutOnProgress, timeout, wait } = options
  return { failFast, idempotent, maxTotalTimeout, onprogress, resetTimeoutOnProgress, timeout, wait }
}
