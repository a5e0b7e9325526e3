import { TransportConnector } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { ServerPool } from "mcp-lifeline"

export interface Asked {
  readonly id?: number | string
  readonly method?: string
  readonly params?: any
  readonly result?: unknown
  readonly error?: unknown
}

/** The result for a request; undefined where the test answers it itself, by `send`. */
export type Answer = (asked: Asked, send: (message: unknown) => void) => object | undefined

export const usual: Readonly<Record<string, (params: any) => object>> = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {}, resources: {}, prompts: {} },
    serverInfo: { name: "raw", version: "1" }
  }),
  "tools/list": () => ({ tools: [] }),
  "prompts/list": () => ({ prompts: [] }),
  "resources/list": () => ({ resources: [] }),
  "resources/templates/list": () => ({ resourceTemplates: [] }),
  ping: () => ({})
}

const transport = (answer: Answer): Transport => {
  const one: Transport = {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(one.onclose?.()),
    send: (message) => {
      const asked = JSON.parse(JSON.stringify(message)) as Asked
      // As from a wire: later, and on its own stack.
      const send = (message: unknown) => void setImmediate(() => one.onmessage?.(message as JSONRPCMessage))
      const result = answer(asked, send) ??
        (asked.method === undefined ? undefined : usual[asked.method]?.(asked.params))
      if (asked.id !== undefined && result !== undefined) send({ jsonrpc: "2.0", id: asked.id, result })
      return Promise.resolve()
    }
  }
  return one
}

export const connector = (answer: Answer) =>
  TransportConnector.make({ transport: () => transport(answer), target: "raw" })

export const make = (id: string, answer: Answer): ServerPool.Server => ({ id, connector: connector(answer) })
