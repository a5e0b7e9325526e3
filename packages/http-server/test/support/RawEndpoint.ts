import { Bytes } from "@mcp-lifeline/core/text"
import { Quota } from "@mcp-lifeline/protocol"
import type { JSONRPCResponse, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { createServer, request as httpRequest, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import * as Authentication from "../../src/Authentication.js"
import * as Caller from "../../src/Caller.js"
import type { ClientSession } from "../../src/ClientSession.js"
import type { ClientSessions } from "../../src/ClientSessions.js"
import type { Client, Conversation, Resumed } from "../../src/Conversation.js"
import { EventBudget } from "../../src/EventBudget.js"
import * as McpEndpoint from "../../src/McpEndpoint.js"
import type { Refusal } from "../../src/Refusal.js"
import { subscriptionLimits } from "../../src/subscriptionLimits.js"

export interface Message {
  readonly id?: number | string | null
  readonly method?: string
  readonly params?: any
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
  readonly isRepeated?: true
}

export interface Scripted extends Pick<Client, "caller" | "saveSetting" | "requests" | "startsServers"> {
  /** Gives it any message. `about`: the request during which it is said. */
  readonly write: (message: Message & { readonly jsonrpc: "2.0" }, about?: RequestId) => void
  readonly writeResult: (id: RequestId, resultText: string) => void
}

export const scripted = (client: Client): Scripted => ({
  ...client,
  write: (message, about) => {
    if (message.method === undefined) {
      return client.requests.get(message.id as RequestId)?.answer(message as JSONRPCResponse)
    }
    if (about === undefined) client.write(message as never)
    else client.requests.get(about)?.say(message as never)
  },
  writeResult: (id, resultText) => client.requests.get(id)?.answer({ resultText })
})

/** Of a client without a session. */
export const stateless = "2026-07-28"

export const key = (name: string): string => `io.modelcontextprotocol/${name}`

export const meta = (more: object = {}, capabilities: object = {}) => ({
  [key("protocolVersion")]: stateless,
  [key("clientCapabilities")]: capabilities,
  ...more
})

export const fewest = {
  maxSessions: 9,
  maxBodyBytes: Bytes(1),
  maxBodiesBytes: Bytes(1),
  maxCalls: 1,
  maxOwnServers: () => 9
}

export const openQuota = (count: number, bytes: number) => {
  const all = { count, bytes: Bytes(bytes) }
  return new Quota({ holder: { ...all, item: all.bytes }, all })
}

export const budget = () => new EventBudget(Bytes(1))

export const plenty = () => openQuota(10_000, 1_000_000)

export const subscriptions = () => new Quota(subscriptionLimits)

export const startingServers: Answer = ({ id, params }, { client }) => {
  if (id === undefined || id === null) return
  client.write({ jsonrpc: "2.0", id, result: { hasRoom: client.startsServers?.(params.count) } })
}

export const startServers = async (url: string, session: Readonly<Record<string, string>>, count = 1) => {
  const answered = await send(url, "POST", session, { id: 1, method: "tools/call", params: { count } })
  return JSON.parse(await answered.body).result.hasRoom as boolean
}

export const found = (sessions: ClientSessions, id: string, subject = "") =>
  new Promise<ClientSession | Refusal>((resolve) => sessions.find(id, { subject, claims: {} }, resolve))

export const conversing = (
  receive: (message: Message) => void,
  conversation: Partial<Conversation> = {}
): Conversation => ({
  introduce: () => Promise.reject(new Error("not scripted")),
  request: (request) => {
    // A server has it, for all that is known.
    request.work = { stop: () => "unknown" }
    const { id, isRepeated, method, params } = request
    receive({ id, method, params, ...(isRepeated ? { isRepeated } : {}) })
  },
  receive: (message) => receive(message as Message),
  close: () => Promise.resolve(),
  ...conversation
})

export interface Begun {
  readonly client: Scripted
  readonly resumed: Resumed | undefined
  readonly received: Array<Message>
  isClosed: boolean
}

export type Answer = (message: Message, begun: Begun) => void

export const introduction = {
  protocolVersion: "2025-11-25",
  capabilities: { tools: { listChanged: true }, resources: { listChanged: true, subscribe: true }, logging: {} },
  serverInfo: { name: "scripted", version: "1" }
}

const reply = ({ client }: Begun, id: unknown, result: object): void =>
  client.write({ jsonrpc: "2.0", id: id as number, result: result as Record<string, unknown> })

/** An endpoint, where the bearer token says who calls; `initialize`, `ping` and settings are answered for the test. */
export const serve = (
  answer: Answer = () => undefined,
  { interruptsOnClose = false, unsent, ...options }: Partial<McpEndpoint.Options> & {
    readonly unsent?: McpEndpoint.Unsent
    readonly interruptsOnClose?: boolean
  } = {}
) =>
  Effect.gen(function*() {
    const conversations: Array<Begun> = []
    const begin = (client: Client, resumed?: Resumed): Conversation => {
      const begun: Begun = { client: scripted(client), resumed, received: [], isClosed: false }
      conversations.push(begun)
      return conversing(
        (message) => {
          const { id, method, params } = message
          begun.received.push(message)
          switch (method) {
            case "initialize":
              return reply(begun, id, { ...introduction, protocolVersion: params.protocolVersion })
            case "ping":
              return reply(begun, id, {})
            case "logging/setLevel":
              return void client.saveSetting({ level: params.level }).then(() => reply(begun, id, {}))
            case "resources/subscribe":
              return void client.saveSetting({ subscribed: params.uri }).then(() => reply(begun, id, {}))
            default:
              return answer(message, begun)
          }
        },
        {
          introduce: () => Promise.resolve(introduction as never),
          close: (why) => {
            begun.isClosed = true
            return interruptsOnClose ? client.requests.interrupt(why) : Promise.resolve()
          }
        }
      )
    }
    const errors: Array<unknown> = []
    const requests = McpEndpoint.make({ begin, onError: (error) => errors.push(error), ...options })
    const server = yield* Effect.acquireRelease(
      Effect.promise(() =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer((request, response) => {
            const subject = Authentication.bearer(request.headers.authorization)
            Caller.note(request, { subject, claims: {} })
            requests.handle(request, response, unsent)
          })
          server.listen(0, "127.0.0.1", () => resolve(server))
        })
      ),
      (server) =>
        Effect.promise(async () => {
          await requests.close()
          server.closeAllConnections()
          server.close()
        })
    )
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
      conversations,
      errors,
      requests
    }
  })

export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: () => string
  readonly until: (part: string) => Promise<string>
  readonly body: Promise<string>
  readonly cut: () => void
  readonly response: unknown
}

const accept = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }

/** Sends a request, and gives the answer once its headers are there. */
export const send = (
  url: string,
  method: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string | object
): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method, headers: { ...accept, ...headers }, agent: false }, (response) => {
      let text = ""
      const looking = new Set<() => void>()
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk
        for (const look of looking) look()
      })
      const ended = new Promise<string>((done) => response.once("close", () => done(text)))
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: () => text,
        body: ended,
        until: (part) =>
          new Promise((done, failed) => {
            const look = (): void => text.includes(part) ? done(text) : undefined
            looking.add(look)
            look()
            void ended.then(() => text.includes(part) ? undefined : failed(new Error(`ended without ${part}: ${text}`)))
          }),
        cut: () => void sent.destroy(),
        response
      })
    })
    sent.on("error", reject)
    sent.end(typeof body === "object" ? JSON.stringify({ jsonrpc: "2.0", ...body }) : body)
  })

export const events = (text: string): ReadonlyArray<{ readonly id: string | undefined; readonly message: Message }> =>
  text.split("\n\n").slice(0, -1).flatMap((block) => {
    const data = /^data: (.+)$/m.exec(block)?.[1]
    return data === undefined ? [] : [{ id: /^id: (.+)$/m.exec(block)?.[1], message: JSON.parse(data) as Message }]
  })

export const lastId = (text: string): string => [...text.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? ""

export const initialize = (protocolVersion = "2025-11-25", capabilities: object = {}) => ({
  id: 0,
  method: "initialize",
  params: { protocolVersion, capabilities, clientInfo: { name: "raw", version: "1" } }
})

export const begin = async (
  url: string,
  version?: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<Readonly<Record<string, string>>> => {
  const answered = await send(url, "POST", headers, initialize(version))
  await answered.body
  const named = { ...headers, "Mcp-Session-Id": String(answered.headers["mcp-session-id"]) }
  await (await send(url, "POST", named, { method: "notifications/initialized" })).body
  return named
}

export const pause = (answered: Answered): void => void (answered.response as ServerResponse["req"]).pause()

export const resume = (answered: Answered): void => void (answered.response as ServerResponse["req"]).resume()
