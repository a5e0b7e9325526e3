import type { ServerRequestHandlers } from "@mcp-lifeline/core"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ErrorCode,
  ListRootsRequestSchema,
  McpError
} from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Exit, Option, Runtime } from "effect"
import { describe } from "./Failures.js"
import { ServerRequest } from "./ServerRequest.js"

/** What the SDK makes a JSON-RPC error of: it takes `code`, `message` and `data`, and would keep McpError's prefix. */
class Refusal extends Error {
  readonly code: number
  readonly data: unknown
  constructor(code: number, message: string, data: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

const refusal = (cause: Cause.Cause<unknown>): Refusal => {
  // A defect is our own bug; its text is not for the server.
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  if (failure instanceof McpError) {
    const prefix = `MCP error ${failure.code}: `
    return new Refusal(failure.code, failure.message.replace(prefix, ""), failure.data)
  }
  if (failure === undefined) return new Refusal(ErrorCode.InternalError, "Internal error", undefined)
  return new Refusal(ErrorCode.InternalError, describe(failure), undefined)
}

/** The client declares their capabilities. */
export const register = (
  client: Client,
  handlers: ServerRequestHandlers | undefined,
  runtime: Runtime.Runtime<never>
): void => {
  const runExit = Runtime.runPromiseExit(runtime)
  const run = async <A>(effect: Effect.Effect<A, unknown>, signal: AbortSignal): Promise<A> => {
    const exit = await runExit(Effect.provideService(effect, ServerRequest, { signal }), { signal })
    if (Exit.isSuccess(exit)) return exit.value
    throw refusal(exit.cause)
  }
  if (handlers === undefined) return
  const { elicitation, roots, sampling } = handlers
  if (sampling !== undefined) {
    client.setRequestHandler(
      CreateMessageRequestSchema,
      (request, extra) => run(sampling(request.params), extra.signal)
    )
  }
  if (elicitation !== undefined) {
    client.setRequestHandler(ElicitRequestSchema, (request, extra) => run(elicitation(request.params), extra.signal))
  }
  if (roots !== undefined) client.setRequestHandler(ListRootsRequestSchema, (_, extra) => run(roots, extra.signal))
}
