/**
 * The request of a server that is being answered.
 */
import { Context } from "effect"

/** The request of a server that a handler is answering. Once it is cancelled, the signal has the server's reason. */
export class ServerRequest extends Context.Reference<ServerRequest>()("@mcp-lifeline/protocol/ServerRequest", {
  defaultValue: (): { readonly signal: AbortSignal } | undefined => undefined
}) {}
