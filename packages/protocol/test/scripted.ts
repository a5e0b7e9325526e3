import type { ConnectOptions } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { SdkConnection } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"

export const transportOf = (onSend: (message: JSONRPCMessage) => Promise<void>) => {
  let closes = 0
  const transport: AdapterTransport = {
    peer: {},
    stateful: true,
    start: () => Promise.resolve(),
    send: onSend,
    close: () => {
      closes++
      transport.onclose?.()
      return Promise.resolve()
    }
  }
  return { transport, closed: () => closes }
}

export const initializeResult = {
  protocolVersion: "2025-11-25",
  capabilities: {},
  serverInfo: { name: "scripted", version: "1" }
}

export const scripted = (options: ConnectOptions) =>
  Effect.gen(function*() {
    const sent: Array<JSONRPCMessage> = []
    let held: Promise<void> | undefined
    const receive = (message: JSONRPCMessage): void => transport.onmessage?.(message)
    const { closed, transport } = transportOf((message) => {
      sent.push(message)
      if ("method" in message && message.method === "initialize" && "id" in message) {
        const { id } = message
        queueMicrotask(() => receive({ jsonrpc: "2.0", id, result: initializeResult }))
      }
      const result = held ?? Promise.resolve()
      held = undefined
      return result
    })
    const connection = yield* SdkConnection.connect(transport, options)
    const answer = (body: object): void => {
      const request = sent.findLast((message) => "id" in message && "method" in message) as { id: number }
      receive({ jsonrpc: "2.0", id: request.id, ...body } as JSONRPCMessage)
    }
    const hold = (): (error: ConstructorParameters<typeof RequestError>[0]) => void => {
      let reject: (error: unknown) => void = () => {}
      held = new Promise((_, fail) => {
        reject = fail
      })
      return (error) => reject(new RequestError(error))
    }
    return { connection, transport, sent, receive, answer, hold, closed }
  })
