/**
 * Which parameter says what a request is about. Everything that routes, records or repeats it reads that one, and no other.
 */
import { Predicate } from "effect"

/** The methods of calls, and the parameter of each. */
export const calls = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri" } as const

/** A method of a call. */
export type Call = keyof typeof calls

const keys: Readonly<Record<string, string>> = {
  ...calls,
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId"
}

/** Whether a method is that of a call. */
export const isCall = (method: string): method is Call => Object.hasOwn(calls, method)

/** The parameter of a method; `undefined` if its requests name nothing. */
export const keyOf = (method: string): string | undefined => Object.hasOwn(keys, method) ? keys[method] : undefined

/** What a request names, whatever it is. */
export const valueOf = (method: string, params: unknown): unknown => {
  const key = keyOf(method)
  return key !== undefined && Predicate.isRecord(params) && Object.hasOwn(params, key) ? params[key] : undefined
}
