import type { Backend } from "@mcp-lifeline/core"
import * as ResultSchemas from "@mcp-lifeline/protocol/ResultSchemas"
import type { CallOptions } from "../Options.js"
import * as Checks from "./Checks.js"

/** Returns the options, or a ConfigError, or the official Client's TypeError. */
export const make = (
  backend: string,
  options: CallOptions | undefined,
  resultSchema?: unknown
): Backend.CallOptions | Error | undefined => {
  if (options === undefined && resultSchema === undefined) return undefined
  const error = (resultSchema === undefined ? undefined : ResultSchemas.wrong(resultSchema)) ??
    Checks.call(backend, options)
  if (error !== undefined) return error
  // Not spread: a call is a microsecond faster if its options always have the same shape.
  const { failFast, idempotent, maxTotalTimeout, onprogress, resetTimeoutOnProgress, signal, task, timeout, wait } =
    options ?? none
  return {
    timeout,
    maxTotalTimeout,
    resetTimeoutOnProgress,
    onprogress,
    idempotent,
    wait,
    failFast,
    task,
    resultSchema,
    cancelReason: signal === undefined ? undefined : () => signal.reason as unknown
  }
}

const none: CallOptions = {}
