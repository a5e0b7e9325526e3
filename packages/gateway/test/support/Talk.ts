import { bytesOf, type ClientSettings, type SettingChange, subscriptionLimits } from "@mcp-lifeline/http-server"
import { ClientRequests, Holding, type Responder, responseOf } from "@mcp-lifeline/protocol"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { type Begin, Clients, type Conversation, ServerPool } from "mcp-lifeline"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import * as Built from "../../../testing/test/support/Built.js"
import type { Answers, Message } from "./Host.js"
import { fixture } from "./Program.js"

export interface Said extends Message {
  readonly about?: string | number | undefined
}

export interface Options {
  readonly answers?: Answers
  readonly capabilities?: object
  readonly isStateless?: boolean
  readonly resumed?: Parameters<Begin>[1]
  /** Ends when settings are saved. Default: at once. */
  readonly remembered?: () => Promise<void>
}

const applied = ({ level, subscriptions }: ClientSettings, change: SettingChange): ClientSettings => {
  const others = subscriptions.filter((uri) => "unsubscribed" in change ? uri !== change.unsubscribed : true)
  return {
    ...("level" in change ? change : level === undefined ? {} : { level }),
    subscriptions: "subscribed" in change && !others.includes(change.subscribed)
      ? [...others, change.subscribed]
      : others
  }
}

export class Talk {
  readonly said: Array<Said> = []
  settings: ClientSettings
  readonly room: Holding
  readonly #conversation: Conversation
  readonly #capabilities: object
  readonly #requests = new ClientRequests()
  readonly #responder: Responder
  readonly #waiting = new Set<() => void>()
  #last = 0

  constructor(begin: Begin, options: Options = {}) {
    const { answers = {}, capabilities = {}, isStateless = false, remembered, resumed } = options
    this.#capabilities = capabilities
    this.settings = resumed?.settings ?? { subscriptions: [] }
    this.room = new Holding(subscriptionLimits.holder)
    this.room.takeAll(this.settings.subscriptions.map(bytesOf))
    const take = (message: Said): void => {
      this.said.push(message)
      for (const wake of this.#waiting) wake()
      const { id, method, params } = message
      if (method !== undefined && id !== undefined && answers[method] !== undefined) {
        queueMicrotask(() => this.send({ id, result: answers[method]?.(params) }))
      }
    }
    // As a wire has it.
    const wired = (message: object): Message => JSON.parse(JSON.stringify(message)) as Message
    this.#responder = {
      say: ({ id }, message) => take({ ...wired(message), about: id }),
      answer: ({ id }, answer) => take(wired(responseOf(id, answer)))
    }
    this.#conversation = begin({
      isStateless,
      requests: this.#requests,
      write: (message) => take(wired(message)),
      subscriptions: this.room,
      saveSetting: (change) => {
        this.settings = applied(this.settings, change)
        return remembered?.() ?? Promise.resolve()
      }
    }, resumed)
  }

  send(message: object): void {
    const sent = { jsonrpc: "2.0", ...message } as never as Message
    if (sent.method !== undefined && sent.id !== undefined) {
      this.#conversation.request(this.#requests.open(sent as never, this.#responder))
    } else if (sent.method === "notifications/cancelled") this.#requests.cancel(sent as never)
    else this.#conversation.receive(sent as never)
  }

  notify(method: string, params?: object): void {
    this.send({ method, ...(params === undefined ? {} : { params }) })
  }

  request(method: string, params?: object, id: string | number = ++this.#last): Promise<Said> {
    const before = this.said.length
    this.send({ id, method, ...(params === undefined ? {} : { params }) })
    return this.until(() => this.said.slice(before).find((one) => one.id === id && one.method === undefined))
  }

  async result(method: string, params?: object): Promise<Record<string, any>> {
    const { error, result } = await this.request(method, params)
    if (result === undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result
  }

  async call(name: string, args: object = {}, meta?: object): Promise<string> {
    const params = { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) }
    return (await this.result("tools/call", params))["content"][0].text
  }

  async initialize(): Promise<Record<string, any>> {
    const clientInfo = { name: "talk", version: "1" }
    const params = { protocolVersion: "2025-11-25", capabilities: this.#capabilities, clientInfo }
    const result = await this.result("initialize", params)
    this.notify("notifications/initialized")
    return result
  }

  async tools(): Promise<ReadonlyArray<string>> {
    const { tools } = await this.result("tools/list")
    return (tools as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)
      .filter((name) => name !== "lifeline__status")
  }

  /** The same once one of them is there, which it may not be at first. */
  async toolsWith(name: string): Promise<ReadonlyArray<string>> {
    for (;;) {
      const { length } = this.notified("notifications/tools/list_changed")
      const names = await this.tools()
      if (names.includes(name)) return names
      await this.until(() => this.notified("notifications/tools/list_changed")[length])
    }
  }

  notified(method: string): ReadonlyArray<Said> {
    return this.said.filter((message) => message.method === method && message.id === undefined)
  }

  until<A>(look: () => A | undefined): Promise<A> {
    return new Promise((resolve) => {
      const wake = (): void => {
        const found = look()
        if (found === undefined) return
        this.#waiting.delete(wake)
        resolve(found)
      }
      this.#waiting.add(wake)
      wake()
    })
  }

  close(why = "the client has gone"): Promise<void> {
    return this.#conversation.close(why)
  }
}

export const published = (name: string): string =>
  join(dirname(createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`)), "dist/index.js")

/** A busy machine takes long to start a server: what is asked meanwhile waits for it. */
const patient = { connect: "2 minutes", wait: "2 minutes" } as const

export const everything = (id: string): ServerPool.Server => ({
  id,
  timeouts: patient,
  connector: StdioConnector.make({ command: process.execPath, args: [Built.everything, "stdio"] })
})

export const chatty = (
  id: string,
  options: Partial<ServerPool.Server> & { readonly says?: string } = {}
): ServerPool.Server => {
  const { says, ...others } = options
  return {
    id,
    connector: StdioConnector.make({ ...fixture("chatty", ...(says === undefined ? [] : [says])), protocol: "2025" }),
    reconnect: { initialDelay: 20 },
    ...others,
    timeouts: { ...patient, ...others.timeouts }
  }
}

export const chat = (id: string) => ({
  log: (client: Talk) => client.call(`${id}__log`),
  change: (client: Talk, uri: string) => client.call(`${id}__change`, { uri }),
  heard: async (client: Talk, method: string): Promise<ReadonlyArray<Record<string, any>>> =>
    JSON.parse(await client.call(`${id}__heard`, { method })) as ReadonlyArray<Record<string, any>>,
  pid: async (client: Talk) => Number(await client.call(`${id}__pid`)),
  ask: async (client: Talk, method: string, params?: object) =>
    JSON.parse(await client.call(`${id}__ask`, { method, params })) as Record<string, any>
})

export const gateway = Effect.fnUntraced(
  function*(all: ReadonlyArray<ServerPool.Server>, options: Partial<Clients.Options> = {}) {
    const servers = yield* ServerPool.make(all, { waitTimeout: patient.wait })
    const clients = yield* Clients.make({ servers, introductionWait: patient.wait, ...options })
    const begin = (talk?: Options) => new Talk(clients.begin, talk)
    const client = (talk?: Options) =>
      Effect.promise(async () => {
        const one = begin(talk)
        await one.initialize()
        return one
      })
    return { servers, clients, begin, client }
  }
)
