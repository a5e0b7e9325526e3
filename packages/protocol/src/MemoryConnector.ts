import type { Connector } from "@mcp-lifeline/core"
import { ConnectError } from "@mcp-lifeline/core"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Effect } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import { describe } from "./Failures.js"
import * as SdkConnection from "./SdkConnection.js"

/** What the connector uses of a `Server` or `McpServer`. */
export interface MemoryServer {
  readonly connect: (transport: Transport) => Promise<void>
  readonly close: () => Promise<void>
}

export interface Options {
  /** Called for each connection, because a server of the SDK serves only one at a time. */
  readonly server: () => MemoryServer | Promise<MemoryServer>
  /** The name in messages and status. Default "in memory". */
  readonly target?: string | undefined
}

/**
 * Makes a server of the official SDK for each connection, and closes it with that.
 *
 * @example
 * ```ts
 * import { MemoryConnector } from "@mcp-lifeline/protocol"
 * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
 *
 * const connector = MemoryConnector.make({ server: () => new McpServer({ name: "docs", version: "1.0.0" }) })
 * ```
 */
export const make = (options: Options): Connector => {
  const failed = (error: unknown): ConnectError =>
    new ConnectError({
      backend: "",
      reason: "spawn",
      permanent: false,
      message: `the option server failed to make a server: ${describe(error)}`,
      cause: error
    })
  const serve = Effect.acquireRelease(
    Effect.tryPromise({ try: () => Promise.resolve().then(options.server), catch: failed }),
    (server) => Effect.promise(() => server.close())
  )
  return {
    transport: "memory",
    overlap: true,
    target: options.target ?? "in memory",
    connect: (connectOptions) =>
      allOrNothing(Effect.gen(function*() {
        const server = yield* serve
        const [ours, theirs] = InMemoryTransport.createLinkedPair()
        yield* Effect.tryPromise({ try: () => server.connect(theirs), catch: failed })
        const transport: AdapterTransport = Object.assign(ours, { peer: {}, stateful: true })
        return yield* SdkConnection.connect(transport, connectOptions)
      }))
  }
}
