import { McpConfig } from "@mcp-lifeline/config"
import { Named } from "@mcp-lifeline/protocol"
import { Effect, Redacted } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import * as AccessInUse from "../../src/access/AccessInUse.js"
import * as GatewayAuthentication from "../../src/access/GatewayAuthentication.js"
import * as Gateway from "../../src/http-api/Gateway.js"
import * as Record from "../../src/http-api/Record.js"
import { authOf } from "./Issuer.js"
import { opened } from "./TestClient.js"

export interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: any
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string; readonly data?: any }
}

const headerText = (name: string): string =>
  /^[\x21-\x7e]+$/.test(name) ? name : `=?base64?${Buffer.from(name).toString("base64")}?=`

/** A token as tests write it, as long as one has to be. */
export const full = (token: string): string => token.padEnd(16, "~")

/** Access as a file has it; the token of each client is its name with `-token`. */
export const loaded = (
  clients: Readonly<Record<string, object>>,
  groups?: object
): Effect.Effect<AccessInUse.Loaded> => {
  const named = Object.fromEntries(
    Object.entries(clients).map(([name, rules]) => [name, { token: full(`${name}-token`), ...rules }])
  )
  const { problems, value } = McpConfig.readAccess({ clients: named, groups }, { variables: {} })
  if (value === undefined) throw new Error(JSON.stringify(problems))
  const problem = (key: ReadonlyArray<string | number>, message: string) => ({
    file: "mcp.json",
    line: 1,
    key: key.join("."),
    message
  })
  return Effect.orDie(AccessInUse.load({ ...value, problem }, "/", [Redacted.make(full("operator"))]))
}

export const audience = "https://team.example/mcp"

const none: AccessInUse.Loaded = { rules: undefined, clients: [] }

/** Its own token is `operator`. `issuer`: whose access tokens it accepts, too. `isOpen`: it needs none as long as it has no clients with names. */
export const team = Effect.fnUntraced(function*(
  all: ReadonlyArray<ServerPool.Server>,
  clients: Readonly<Record<string, object>>,
  options: Partial<Endpoint.Options> & {
    readonly groups?: object
    readonly isOpen?: boolean
    readonly issuer?: string
  } = {},
  pool: ServerPool.Options = {}
) {
  const { groups, isOpen = false, issuer, ...others } = options
  const access = yield* AccessInUse.make(isOpen ? none : yield* loaded(clients, groups), () => Effect.void)
  const record = yield* Record.make()
  const servers = yield* ServerPool.make(all, { waitTimeout: "2 minutes", telemetry: record.telemetry, ...pool })
  yield* record.follow(servers.shared.fleet)
  const { authentication } = yield* Effect.orDie(GatewayAuthentication.make({
    tokens: () => [Redacted.make(full("operator"))],
    isNeeded: !isOpen,
    clients: access,
    auth: issuer === undefined ? undefined : () => authOf({ issuers: [issuer], audiences: [audience] }),
    place: { host: "127.0.0.1" }
  }))
  const bound = yield* Endpoint.bind({ host: "127.0.0.1", port: 0, authentication })
  const { url } = yield* Endpoint.serve({
    ...bound,
    servers,
    about: { ...yield* Gateway.about(servers), record, config: "/secret/mcp.json" },
    introductionWait: "2 minutes",
    drain: 0,
    rules: access.control,
    ...others
  })
  if (options.introductionWait === undefined) yield* servers.shared.fleet.ready
  const change = (clients: Readonly<Record<string, object>>, groups?: object) =>
    Effect.flatMap(loaded(clients, groups), access.use)
  return { access, base: new URL(url).origin, change, record, servers, url }
})

const accept = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }
const stateless = "2026-07-28"

const readMessages = async (response: Response, take: (message: Message) => void): Promise<void> => {
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) {
    const text = await response.text()
    if (text.startsWith("{")) take(JSON.parse(text) as Message)
    return
  }
  let rest = ""
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream() as never)) {
    const lines = (rest + String(chunk)).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line.startsWith("data: {")) take(JSON.parse(line.slice(6)) as Message)
  }
}

export interface Answered {
  readonly status: number
  readonly said: ReadonlyArray<Message>
  readonly answer: Message | undefined
}

export class HttpTalk {
  readonly #url: string
  token: string
  readonly #isStateless: boolean
  readonly #name: string
  readonly #answers: ((message: Message) => object) | undefined
  session: string | undefined
  introduced: any
  readonly heard: Array<Message> = []
  readonly #streams: Array<AbortController> = []
  readonly #waiting = new Set<() => void>()
  /** The requests that are under way, by their ids. */
  readonly #open = new Map<string | number, AbortController>()
  #last = 0

  /** `answers`: the results of requests for its user (elicitation). Without it, it can ask nobody. */
  constructor(
    url: string,
    token: string,
    { answers, isStateless = false, name = "same" }: {
      readonly answers?: (message: Message) => object
      readonly isStateless?: boolean
      readonly name?: string
    } = {}
  ) {
    this.#answers = answers
    this.#url = url
    this.token = token
    this.#isStateless = isStateless
    this.#name = name
  }

  get #headers(): Readonly<Record<string, string>> {
    return {
      ...accept,
      Authorization: `Bearer ${full(this.token)}`,
      ...(this.session === undefined ? {} : { "Mcp-Session-Id": this.session, "MCP-Protocol-Version": "2025-11-25" })
    }
  }

  #post(message: Message, signal?: AbortSignal): Promise<Response> {
    const { method = "", params } = message
    const key = Named.keyOf(method)
    const name = key === undefined ? undefined : params?.[key]
    const own = this.#isStateless
      ? {
        "MCP-Protocol-Version": stateless,
        "Mcp-Method": method,
        ...(name === undefined ? {} : { "Mcp-Name": headerText(name) })
      }
      : {}
    const body = this.#isStateless
      ? {
        ...message,
        params: {
          ...params,
          _meta: {
            "io.modelcontextprotocol/protocolVersion": stateless,
            "io.modelcontextprotocol/clientInfo": { name: this.#name, version: "1" },
            "io.modelcontextprotocol/clientCapabilities": { extensions: { "io.modelcontextprotocol/tasks": {} } },
            "io.modelcontextprotocol/logLevel": "debug",
            ...params?._meta
          }
        }
      }
      : message
    return fetch(this.#url, {
      method: "POST",
      headers: { ...this.#headers, ...own },
      body: JSON.stringify({ jsonrpc: "2.0", ...body }),
      ...(signal === undefined ? {} : { signal })
    })
  }

  async ask(method: string, params?: object, id: string | number = ++this.#last): Promise<Answered> {
    const controller = new AbortController()
    this.#open.set(id, controller)
    const response = await this.#post({ id, method, ...(params === undefined ? {} : { params }) }, controller.signal)
    const said: Array<Message> = []
    await readMessages(response, (message) => {
      said.push(message)
      if (message.method !== undefined) this.#hear(message)
    })
    this.#open.delete(id)
    this.session ??= response.headers.get("mcp-session-id") ?? undefined
    const answer = said.find((one) => one.method === undefined)
    return { status: response.status, said: said.filter((one) => one !== answer), answer }
  }

  async result(method: string, params?: object, id?: string | number): Promise<any> {
    const { answer, status } = await this.ask(method, params, id)
    if (answer?.result === undefined) throw new Error(`${method}: ${status} ${JSON.stringify(answer)}`)
    return answer.result
  }

  async error(method: string, params?: object): Promise<any> {
    const { answer, status } = await this.ask(method, params)
    if (answer?.error === undefined) throw new Error(`${method}: ${status} ${JSON.stringify(answer)}`)
    return answer.error
  }

  async call(name: string, args: object = {}, meta: object = {}): Promise<string> {
    return (await this.result("tools/call", { name, arguments: args, _meta: meta })).content[0].text
  }

  async begin(): Promise<any> {
    if (this.#isStateless) return this.result("server/discover")
    const result = await this.result("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: this.#answers === undefined ? {} : { elicitation: {} },
      clientInfo: { name: this.#name, version: "1" }
    })
    await this.#post({ method: "notifications/initialized" })
    return result
  }

  /** Opens the stream of what nobody asks for. `uris`: the resources to subscribe to. Ends when it is open. */
  async listen(uris: ReadonlyArray<string> = []): Promise<void> {
    const controller = new AbortController()
    this.#streams.push(controller)
    const response = this.#isStateless
      ? await this.#post({
        id: "listen",
        method: "subscriptions/listen",
        params: {
          notifications: {
            toolsListChanged: true,
            promptsListChanged: true,
            resourcesListChanged: true,
            resourceSubscriptions: uris
          }
        }
      }, controller.signal)
      : await fetch(this.#url, { headers: this.#headers, signal: controller.signal })
    void readMessages(response, (message) => this.#hear(message)).catch(() => undefined)
      .then(() => this.#hear({ method: "the stream has ended" }))
    if (this.#isStateless) await this.until("notifications/subscriptions/acknowledged")
    else for (const uri of uris) await this.result("resources/subscribe", { uri })
  }

  /** Gives a request up, in the way of its era: what was asked for it ends without an answer, or fails. */
  async cancel(id: string | number): Promise<void> {
    if (this.#isStateless) return this.#open.get(id)?.abort()
    await this.#post({ method: "notifications/cancelled", params: { requestId: id } })
  }

  until(method: string, count = 1): Promise<ReadonlyArray<Message>> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = this.heard.filter((one) => one.method === method)
        if (found.length < count) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  #hear(message: Message): void {
    this.heard.push(message)
    if (message.id !== undefined && this.#answers !== undefined) {
      void this.#post({ id: message.id, result: this.#answers(message) })
    }
    for (const wake of this.#waiting) wake()
  }

  async tools(): Promise<ReadonlyArray<string>> {
    const { tools } = await this.result("tools/list")
    return (tools as ReadonlyArray<{ readonly name: string }>).map(({ name }) => name)
      .filter((name) => name !== "lifeline__status")
  }

  close(): void {
    for (const one of this.#streams) one.abort()
  }
}

export const talking = (url: string, token: string, options?: ConstructorParameters<typeof HttpTalk>[2]) =>
  opened(async () => {
    const talk = new HttpTalk(url, token, options)
    talk.introduced = await talk.begin()
    return talk
  }, async (talk) => talk.close())

export const api = (base: string, token: string | undefined, path: string, method = "GET", body?: object) =>
  Effect.promise(async () => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${full(token)}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text.startsWith("{") ? JSON.parse(text) as any : text as any
    }
  })

export type ApiEvent = { readonly event: string; readonly data: any }

export const eventsIn = (text: string): ReadonlyArray<ApiEvent> =>
  [...text.matchAll(/^event: (\w+)\ndata: (.*)\n\n/gm)].map(([, event = "", data = ""]) => ({
    event,
    data: JSON.parse(data)
  }))

/** What the API has said since the stream of its events began. Goes on until that is enough. */
export const readEvents = async (
  base: string,
  headers: Record<string, string>,
  isEnough: (text: string) => boolean,
  signal: AbortSignal
): Promise<{ readonly text: string; readonly type: string | null }> => {
  const response = await fetch(`${base}/api/events`, { headers, signal })
  let text = ""
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream() as never)) {
    text += String(chunk)
    if (isEnough(text)) break
  }
  return { text, type: response.headers.get("content-type") }
}

export const eventsUntil = (base: string, token: string, isEnough: (text: string) => boolean): Effect.Effect<string> =>
  Effect.promise(async (signal) => {
    const { text } = await readEvents(base, { Authorization: `Bearer ${full(token)}` }, isEnough, signal)
    return text
  })
