import { createMCPClient } from "@ai-sdk/mcp"
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import {
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"

export type Heard = { listChanged: number; updated: number }

export interface Unaware {
  /** Calls a tool and gives the text of its result; rejects as the client does, or when `millis` are over. */
  readonly call: (name: string, args: Record<string, unknown>, millis: number) => Promise<string>
  readonly sessionId: () => string | undefined
  readonly subscribe: ((uri: string) => Promise<unknown>) | undefined
  readonly heard: Heard
  readonly close: () => Promise<void>
}

const clientInfo = (name = "unaware") => ({ name, version: "1" })

/** By themselves they look twice, within three seconds, for a stream that broke. A busy machine starts no gateway in that time. */
export const reconnectionOptions = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 1000,
  reconnectionDelayGrowFactor: 1.5,
  maxRetries: 300
}

const textOf = (result: unknown): string =>
  String((result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]?.text)

const v1 = async (url: URL, name?: string): Promise<Unaware> => {
  const heard: Heard = { listChanged: 0, updated: 0 }
  const transport = new HttpV1(url, { reconnectionOptions })
  const client = new ClientV1(clientInfo(name))
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.listChanged++)
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => void heard.updated++)
  await client.connect(transport as Transport)
  return {
    heard,
    sessionId: () => transport.sessionId,
    subscribe: (uri) => client.subscribeResource({ uri }),
    call: async (name, args, timeout) =>
      textOf(await client.callTool({ name, arguments: args }, undefined, { timeout, onprogress: () => undefined })),
    close: () => client.close()
  }
}

/** Without sessions, this client does not notice that the stream of an answer is cut, and waits until its time is up: it is told so here. */
const noticing = (onCut: (error: unknown) => void): typeof fetch => async (input, init) => {
  const response = await fetch(input, init)
  if (response.body === null || !String(init?.body).includes('"tools/call"')) return response
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  response.body.pipeTo(writable).catch(onCut)
  return new Response(readable, response)
}

const v2 = (mode: "legacy" | "auto") => async (url: URL, name?: string): Promise<Unaware> => {
  const heard: Heard = { listChanged: 0, updated: 0 }
  const calls = new Set<(error: unknown) => void>()
  const onCut = (error: unknown) => calls.forEach((reject) => reject(error))
  const transport = new HttpV2(url, { reconnectionOptions, ...(mode === "auto" ? { fetch: noticing(onCut) } : {}) })
  const client = new ClientV2(clientInfo(name), { versionNegotiation: { mode } })
  client.setNotificationHandler("notifications/tools/list_changed", () => void heard.listChanged++)
  client.setNotificationHandler("notifications/resources/updated", () => void heard.updated++)
  await client.connect(transport)
  if (mode === "auto") await client.listen({ toolsListChanged: true })
  return {
    heard,
    sessionId: () => transport.sessionId,
    subscribe: mode === "auto" ? undefined : (uri) => client.subscribeResource({ uri }),
    call: async (name, args, timeout) => {
      let end: (error: unknown) => void = () => undefined
      const cut = new Promise<never>((_, reject) => calls.add(end = reject))
      const result = client.callTool({ name, arguments: args }, { timeout, onprogress: () => undefined })
      return textOf(await Promise.race([result, cut]).finally(() => calls.delete(end)))
    },
    close: () => client.close()
  }
}

/** It has neither progress nor subscriptions, and hears of no changes. */
const aiSdk = async (url: URL, name?: string): Promise<Unaware> => {
  const client = await createMCPClient({
    ...(name === undefined ? {} : { clientName: name }),
    transport: { type: "http", url: url.href },
    // What breaks on the stream that it holds open beside its calls.
    onUncaughtError: () => undefined
  })
  const tools = await client.tools()
  return {
    heard: { listChanged: 0, updated: 0 },
    sessionId: () => undefined,
    subscribe: undefined,
    call: async (name, args, millis) => {
      const tool = tools[name]
      if (tool === undefined) throw new Error(`no tool ${name}`)
      return textOf(
        await tool.execute(args, {
          toolCallId: "1",
          messages: [],
          context: {},
          abortSignal: AbortSignal.timeout(millis)
        })
      )
    },
    close: () => client.close()
  }
}

export const clients: Readonly<Record<string, (url: URL, name?: string) => Promise<Unaware>>> = {
  "the official Client, v1": v1,
  "the v2 client, 2025-11-25": v2("legacy"),
  "the v2 client, 2026-07-28": v2("auto"),
  "@ai-sdk/mcp 2": aiSdk
}
