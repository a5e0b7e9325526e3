/**
 * Which requests are the work of a server.
 */
import type { Method } from "../port/Method.js"

const work: ReadonlySet<string> = new Set<Method>([
  "tools/call",
  "prompts/get",
  "resources/read",
  "completion/complete"
])

/** Whether a server that answers a request has done what it is there for: not only listed what it offers, or shown that it lives. */
export const isWork = (method: string): boolean => work.has(method)
