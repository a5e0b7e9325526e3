import { type Answer, JsonRpcError } from "@mcp-lifeline/protocol"

const calls: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])

export const isCall = (method: string): boolean => calls.has(method)

/** In `_meta` of the result: milliseconds until the next call may be made. */
export const retryAfterKey = "mcp-lifeline/retryAfter"

export const messageOf = (perMinute: number, retryAfter: number): string => {
  const seconds = Math.ceil(retryAfter / 1000)
  return `Nothing was sent: the limit of ${perMinute} call${
    perMinute === 1 ? "" : "s"
  } a minute for this client is reached. `
    + `Wait ${seconds} second${seconds === 1 ? "" : "s"}, and call again.`
}

/** For a tool a result, which the model reads; of errors, many hosts tell the model little. */
export const answer = (method: string, perMinute: number, retryAfter: number): Answer => {
  const message = messageOf(perMinute, retryAfter)
  return method === "tools/call"
    ? { result: { content: [{ type: "text", text: message }], isError: true, _meta: { [retryAfterKey]: retryAfter } } }
    : { error: { code: JsonRpcError.ourCode, message, data: { fate: "notSent", tag: "RateLimited", retryAfter } } }
}
