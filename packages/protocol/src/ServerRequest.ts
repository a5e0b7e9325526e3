import { Context } from "effect"

/** The request of a server that a handler is answering. If the server cancels it, the signal has the server's reason. */
export class ServerRequest extends Context.Reference<ServerRequest>()("@mcp-lifeline/protocol/ServerRequest", {
  defaultValue: (): { readonly signal: AbortSignal } | undefined => undefined
}) {}
