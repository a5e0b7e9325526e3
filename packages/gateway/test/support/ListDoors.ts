import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect, type Scope } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { connect, connectAll, supervisedTransport } from "../../../promise/src/index.js"
import { folder } from "../../../testing/test/support/folder.js"
import { isConnected, serveHere, untilStatus } from "./Gateway.js"
import { initialized, options as asArguments } from "./Host.js"
import { answer } from "./lists.mjs"
import * as TestClient from "./TestClient.js"

export type Lists = Readonly<
  Record<"prompts" | "resources" | "resourceTemplates" | "tools", ReadonlyArray<Record<string, unknown>>>
>

const inputSchema = { type: "object" }

export const lists: Lists = {
  tools: [{ name: "pid", inputSchema, annotations: { readOnlyHint: true } }],
  prompts: [{ name: "greet" }],
  resources: [{ uri: "file:///a", name: "a" }],
  resourceTemplates: [{ uriTemplate: "note:///{id}", name: "note" }]
}

export const late = { name: "late", inputSchema }

export interface Server {
  readonly definition: { readonly command: string; readonly args: Array<string> } | { readonly url: string }
  readonly offer: (lists: Lists) => void
  /** Ends what runs, given what a call of `pid` answers. */
  readonly stop: (pid: string) => Promise<void>
  readonly start: () => Promise<void>
}

const program = fileURLToPath(new URL("lists.mjs", import.meta.url))

/** `announces`: it says that a list has changed whenever it is asked for it; `undeclared`: it has not said that it would. */
export const stdio = (era: "2025" | "2026", ...announces: ReadonlyArray<"announces" | "undeclared">) =>
  Effect.map(folder, (where): Server => {
    const file = join(where, "lists.json")
    const offer = (lists: Lists): void => writeFileSync(file, JSON.stringify(lists))
    offer(lists)
    return {
      definition: { command: process.execPath, args: [program, file, era, ...announces] },
      offer,
      stop: async (pid) => void process.kill(Number(pid), "SIGKILL"),
      start: async () => {}
    }
  })

const subscriptionId = "io.modelcontextprotocol/subscriptionId"

/** Over HTTP, by which its requests are seen and may be refused. Of 2025 without a stream (405). `listens`: of 2026 with one. */
export const http = (
  era: "2025" | "2026",
  listens = era === "2026"
): Effect.Effect<Server & { readonly fault: HttpFaultServer.HttpFaultServer }, never, Scope.Scope> =>
  Effect.map(
    TestClient.opened(
      () => HttpFaultServer.open({ era, offersStream: false }),
      (fault) => fault[Symbol.asyncDispose]()
    ),
    (fault) => {
      let offered = lists
      fault.hook = ({ message, response, rpc, session }) => {
        const isKnown = session === undefined || fault.sessions.get(session) !== undefined
        if (rpc === undefined || rpc === "initialize" || !isKnown) return false
        if (listens && message !== undefined && rpc === "subscriptions/listen") {
          const params = { notifications: message.params?.["notifications"], _meta: { [subscriptionId]: message.id } }
          const method = "notifications/subscriptions/acknowledged"
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params })}\n\n`)
          return true
        }
        const said = message && answer(message as never, offered, era)
        if (said === undefined || "error" in said) return false
        response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said))
        return true
      }
      fault.capabilities = {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true }
      }
      return {
        fault,
        definition: { url: fault.url },
        offer: (lists) => {
          offered = lists
        },
        stop: async () => {
          await fault.stop()
          fault.sessions.clear()
        },
        start: () => fault.start()
      }
    }
  )

export interface Door {
  readonly read: () => Promise<Record<keyof Lists, ReadonlyArray<string>>>
  /** Calls a tool by the name that the server gives it. */
  readonly call: (tool: string) => Promise<string>
  readonly notified: ReadonlyArray<string>
}

export const options = {
  reconnect: { initialDelay: "10 millis", maxDelay: "1 second", demandInterval: "10 millis" },
  keepalive: { method: "none" },
  timeouts: { connect: "1 minute", wait: "1 minute" }
} as const

type Result = { readonly content?: unknown }

const textOf = ({ content }: Result): string => (content as ReadonlyArray<{ readonly text: string }>)[0]!.text

/** A client of the official SDK, or one of ours. */
const official = (client: Client, own = (name: string) => name): Door => {
  const notified: Array<string> = []
  client.fallbackNotificationHandler = ({ method }) => {
    notified.push(method)
    return Promise.resolve()
  }
  return {
    notified,
    read: async () => ({
      tools: (await client.listTools()).tools.map(({ name }) => name),
      prompts: (await client.listPrompts()).prompts.map(({ name }) => name),
      resources: (await client.listResources()).resources.map(({ uri }) => uri),
      resourceTemplates: (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate)
    }),
    call: async (name) => textOf(await client.callTool({ name: own(name) }, undefined, { timeout: 120_000 }) as Result)
  }
}

const closing = <A extends { readonly close: () => Promise<void> }>(open: () => Promise<A>) =>
  TestClient.opened(open, (one) => one.close())

type Open = (definition: Server["definition"]) => Effect.Effect<Door, never, Scope.Scope>

const served = (definition: Server["definition"]) =>
  Effect.tap(
    Effect.orDie(serveHere({ s: { ...definition, lifeline: options } })),
    ({ base }) => untilStatus(base, isConnected, "s")
  )

export const doors: Readonly<Record<string, Open>> = {
  connect: (definition) =>
    Effect.map(closing(() => connect(definition, options)), (client) => official(client as never)),
  connectAll: Effect.fnUntraced(function*(definition) {
    const fleet = yield* closing(() => connectAll({ mcpServers: { s: { ...definition, ...options } } } as never))
    yield* until(() => fleet.status["s"]?.state === "Connected" && fleet.status["s"].catalog !== undefined)
    return official(fleet.client("s") as never)
  }),
  supervisedTransport: (definition) =>
    Effect.map(
      closing(async () => {
        const client = new Client({ name: "test", version: "1" })
        await client.connect(supervisedTransport(definition, options))
        return client
      }),
      (client) => official(client)
    ),
  wrap: Effect.fnUntraced(function*(definition) {
    const state = yield* folder
    const line = "url" in definition ? [definition.url] : ["--", definition.command, ...definition.args]
    const reconnect = ["initialDelay=10ms", "maxDelay=1s", "demandInterval=10ms"].map((one) => `reconnect.${one}`)
    const supervision = asArguments(...reconnect, "keepalive.method=none", "timeouts.wait=1m")
    const host = yield* TestClient.opened(
      () => initialized([...supervision, ...line], { state }),
      (host) => host[Symbol.asyncDispose]()
    )
    const names = async (method: string, field: string, key: string) =>
      (await host.result(method))[field].map((entry: Record<string, string>) => entry[key])
    return {
      get notified() {
        return host.messages.flatMap(({ id, method }) => id === undefined && method !== undefined ? [method] : [])
      },
      read: async () => ({
        tools: await names("tools/list", "tools", "name"),
        prompts: await names("prompts/list", "prompts", "name"),
        resources: await names("resources/list", "resources", "uri"),
        resourceTemplates: await names("resources/templates/list", "resourceTemplates", "uriTemplate")
      }),
      call: (name) => host.call(name)
    }
  }),
  serve: Effect.fnUntraced(function*(definition) {
    const { base } = yield* served(definition)
    const client = yield* closing(() => TestClient.open(`${base}/mcp`))
    return official(client, (name) => `s__${name}`)
  })
}

export const until = (isSo: () => boolean | Promise<boolean>) =>
  Effect.promise(async () => {
    while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 20))
  })
