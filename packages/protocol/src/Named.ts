/** Everything that routes, records or repeats a request reads this parameter of it, and no other. */
import { Predicate } from "effect"

export const calls = { "tools/call": "name", "prompts/get": "name", "resources/read": "uri" } as const

export type Call = keyof typeof calls

const keys: Readonly<Record<string, string>> = {
  ...calls,
  "tasks/get": "taskId",
  "tasks/update": "taskId",
  "tasks/cancel": "taskId"
}

export const isCall = (method: string): method is Call => Object.hasOwn(calls, method)

/** `undefined` if its requests name nothing. */
export const keyOf = (method: string): string | undefined => Object.hasOwn(keys, method) ? keys[method] : undefined

export const valueOf = (method: string, params: unknown): unknown => {
  const key = keyOf(method)
  return key !== undefined && Predicate.isRecord(params) && Object.hasOwn(params, key) ? params[key] : undefined
}
