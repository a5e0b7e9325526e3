/**
 * An MCP server over Streamable HTTP on 127.0.0.1 that fails on demand and remembers what it saw: real sockets, real sessions,
 * for tests of programs that have to live with servers as they are.
 */
import type { ServerCapabilities, Tool as Listed } from "@modelcontextprotocol/sdk/types.js"
import { Effect, type Scope } from "effect"
import { randomUUID } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { event, fault, is, type Message, type Reply, result, type Seen, sse, text, type Turn } from "./HttpExchange.js"
import type { HttpFault } from "./HttpFault.js"

/** What a tool is given. */
export interface Call {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly arguments: Record<string, any>
  readonly session: string | undefined
  /** Reports progress, where the client asked for it and answers are event streams. */
  readonly progress: (progress: number, total?: number) => void
}

/** A tool of the server. */
export interface Tool extends Partial<Omit<Listed, "name">> {
  /** Gives the result of a call, or rejects with what becomes a JSON-RPC error. Default: echoes `message`. */
  readonly run?: ((call: Call) => unknown) | undefined
}

/** A call that was carried out. */
export interface Applied {
  readonly tool: string
  readonly arguments: Call["arguments"]
  readonly session: string | undefined
  /** In milliseconds of `performance.now()`. */
  readonly at: number
}

/** How the server is. Each field can be changed while it runs; what is left out is the friendliest. */
export interface Options {
  /** Gives sessions, and refuses requests without one. Default true. */
  readonly stateful?: boolean | undefined
  /** How a request of an unknown session is answered: 404, or 400 with a body that names the session. Default 404. */
  readonly lostSession?: 404 | 400 | undefined
  /** A session without a request for so many milliseconds ends; open streams do not count. Default: never. */
  readonly idleTtl?: number | undefined
  /** Answers requests as event streams rather than as JSON. Default false. */
  readonly streaming?: boolean | undefined
  /** Offers the stream to clients (GET); otherwise 405. Default true. */
  readonly offersStream?: boolean | undefined
  /** Knows `ping`; otherwise answers -32601. Default true. */
  readonly pings?: boolean | undefined
  /** `tools/list` never ends: each page leads to another with one more tool. Default false. */
  readonly endless?: boolean | undefined
  /** By name. Default: `echo`, which answers with its `message`. */
  readonly tools?: Readonly<Record<string, Tool>> | undefined
  /** Default: tools with list changes. */
  readonly capabilities?: ServerCapabilities | undefined
  /** Serves TLS with this certificate and key (PEM). Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** A fault that is in force. */
interface Rule {
  readonly concerns: (turn: Turn) => boolean
  readonly fault: HttpFault
  left: number
}

/** A session that lives. */
interface Session {
  timer: ReturnType<typeof setTimeout> | undefined
}

/** The server. Make it with `make` or `open`. */
export class HttpFaultServer implements AsyncDisposable {
  /** Everything that came, in order. */
  readonly seen: Array<Seen> = []
  /** Calls of tools that were carried out, in order: what a client must not cause twice. */
  readonly applied: Array<Applied> = []
  /** Sessions that live. Removing one loses it. */
  readonly sessions = new Set<string>()
  /** Sessions that ended because they idled, in order. */
  readonly expired: Array<string> = []
  /** Streams to clients (GET) that are open, oldest first. */
  readonly streams = new Set<Http.ServerResponse>()
  /** Sockets that are open. */
  readonly sockets = new Set<Socket>()
  /** Answers in place of the server when it returns true. */
  hook: ((turn: Turn) => boolean | undefined) | undefined
  stateful: boolean
  lostSession: 404 | 400
  idleTtl: number | undefined
  streaming: boolean
  offersStream: boolean
  pings: boolean
  endless: boolean
  capabilities: ServerCapabilities
  readonly tools: Map<string, Tool>
  readonly #node: Http.Server | Https.Server
  readonly #scheme: string
  readonly #rules: Array<Rule> = []
  readonly #idle = new Map<string, Session>()
  readonly #sessionOf = new WeakMap<Http.ServerResponse, string | undefined>()
  readonly #waiting = new Set<() => void>()
  #port = 0

  constructor(options: Options = {}) {
    this.stateful = options.stateful ?? true
    this.lostSession = options.lostSession ?? 404
    this.idleTtl = options.idleTtl
    this.streaming = options.streaming ?? false
    this.offersStream = options.offersStream ?? true
    this.pings = options.pings ?? true
    this.endless = options.endless ?? false
    this.capabilities = options.capabilities ?? { tools: { listChanged: true } }
    this.tools = new Map(Object.entries(options.tools ?? { echo: {} }))
    this.#scheme = options.tls === undefined ? "http" : "https"
    const onRequest: Http.RequestListener = (request, response) => void this.#take(request, response).catch(() => {})
    this.#node = options.tls === undefined ? Http.createServer(onRequest) : Https.createServer(options.tls, onRequest)
    this.#node.on("connection", (socket: Socket) => {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.sockets.delete(socket)
        this.#look()
      })
    })
  }

  /** The address of the endpoint; the same after a restart. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/mcp`
  }

  get port(): number {
    return this.#port
  }

  // --- what it saw

  /** How many requests of a kind came: an HTTP method, an MCP method, or `tool:<name>`. */
  count(kind: string): number {
    return this.requests(kind).length
  }

  /** The requests of a kind, in order. */
  requests(kind: string): ReadonlyArray<Seen> {
    return this.seen.filter((one) => is(one, kind))
  }

  /**
   * Resolves as soon as the condition holds. It is looked at after each request, each call of a tool, and each end of a
   * session, socket or stream.
   */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  // --- what it does wrong

  /**
   * Fails requests from now on: those of a kind (as in `count`) or those that a test picks, the next `times` of them (default:
   * all). An earlier fault wins over a later one. Gives what takes the fault away.
   */
  fail(which: string | ((turn: Turn) => boolean), how: HttpFault, times = Number.POSITIVE_INFINITY): () => void {
    const rule: Rule = {
      concerns: typeof which === "string" ? (turn) => is(turn, which) : which,
      fault: how,
      left: times
    }
    this.#rules.push(rule)
    return () => {
      rule.left = 0
    }
  }

  /** Takes every fault away. Requests that hang already stay so. */
  heal(): void {
    this.#rules.length = 0
  }

  /** Forgets every session, or one: its next request is refused. Open streams stay open. */
  loseSessions(id?: string): void {
    for (const one of id === undefined ? [...this.sessions] : [id]) this.#forget(one)
    this.#look()
  }

  /** Cuts the streams to clients (GET). */
  dropStreams(): void {
    for (const stream of this.streams) stream.socket?.destroy()
  }

  /** Stops listening and destroys every socket: connections are refused. Sessions stay known. */
  stop(): Promise<void> {
    for (const id of this.#idle.keys()) this.#touch(id, undefined)
    return new Promise((resolve) => {
      this.#node.close(() => resolve())
      for (const socket of this.sockets) socket.destroy()
    })
  }

  /** Listens, again on the same port. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#node.once("error", reject)
      this.#node.listen(this.#port, "127.0.0.1", () => {
        this.#node.off("error", reject)
        this.#port = (this.#node.address() as AddressInfo).port
        resolve()
      })
    })
  }

  /** Ends and begins again on the same port, as a process would: every socket is cut and every session forgotten. */
  async restart(): Promise<void> {
    await this.stop()
    this.loseSessions()
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#node.listening) await this.stop()
  }

  // --- what it says of its own accord

  /** Sends a notification on every stream that is open. */
  notify(method: string, params?: Record<string, unknown>): void {
    for (const stream of this.streams) stream.write(event({ jsonrpc: "2.0", method, params }))
  }

  // --- answers

  async #take(request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString("utf8")
    const message = body.startsWith("{") ? JSON.parse(body) as Message : undefined
    const session = request.headers["mcp-session-id"]
    const turn: Turn = {
      http: request.method ?? "",
      url: request.url ?? "",
      rpc: message?.method,
      tool: message?.method === "tools/call" ? String(message.params?.["name"]) : undefined,
      session: typeof session === "string" ? session : undefined,
      headers: request.headers,
      message,
      at: performance.now(),
      response,
      socket: request.socket
    }
    this.seen.push(turn)
    const done = this.#handle(turn)
    this.#look()
    await done
    this.#look()
  }

  async #handle(turn: Turn): Promise<void> {
    if (this.hook?.(turn) === true) return
    const rule = this.#rules.find((one) => one.left > 0 && one.concerns(turn))
    if (rule !== undefined) {
      rule.left--
      return rule.fault(turn, () => this.#answer(turn, undefined))
    }
    if (turn.http === "GET" && this.offersStream && !this.#isLost(turn)) return this.#stream(turn)
    const { response } = turn
    const live = this.streaming && turn.message?.id !== undefined
      ? (text: string) => {
        if (!response.headersSent) sse(response)
        response.write(text)
      }
      : undefined
    const { body, headers, status } = await this.#answer(turn, live)
    if (response.headersSent) response.end(body)
    else fault(response, status, headers, body)
  }

  #stream({ response, session }: Turn): void {
    if (session !== undefined) this.#touch(session, this.idleTtl)
    this.#sessionOf.set(response, session)
    this.streams.add(sse(response))
    response.on("close", () => {
      this.streams.delete(response)
      this.#look()
    })
  }

  #isLost({ message, session }: Turn): boolean {
    return this.stateful && message?.method !== "initialize" && (session === undefined || !this.sessions.has(session))
  }

  /** Does what is asked and gives the answer; `live` takes what belongs before the response in an event stream. */
  async #answer(turn: Turn, live: ((event: string) => void) | undefined): Promise<Reply> {
    const { http, message, session } = turn
    if (http === "OPTIONS") return { status: 204, headers: { allow: "GET, POST, DELETE, OPTIONS" }, body: "" }
    if (this.#isLost(turn)) return this.#lost()
    if (session !== undefined && this.stateful) this.#touch(session, this.idleTtl)
    if (http === "DELETE") {
      this.#forget(session ?? "")
      for (const stream of this.streams) if (this.#sessionOf.get(stream) === session) stream.end()
      return { status: 200, headers: {}, body: "" }
    }
    if (http !== "POST" || message === undefined) return { status: 405, headers: {}, body: "" }
    if (message.id === undefined || message.method === undefined) return { status: 202, headers: {}, body: "" }
    const headers: Record<string, string> = {}
    if (message.method === "initialize" && this.stateful) {
      const id = randomUUID()
      this.sessions.add(id)
      this.#touch(id, this.idleTtl)
      headers["mcp-session-id"] = id
    }
    let before = ""
    const value = await this.#respond(turn, message, live ?? ((text) => void (before += text)))
    return this.streaming
      ? {
        status: 200,
        headers: { ...headers, "content-type": "text/event-stream", "cache-control": "no-cache" },
        body: before + event(value)
      }
      : { status: 200, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(value) }
  }

  #lost(): Reply {
    const said = this.lostSession === 404
      ? { code: -32001, message: "Session not found" }
      : { code: -32000, message: "Bad Request: No valid session ID provided" }
    return {
      status: this.lostSession,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", error: said, id: null })
    }
  }

  async #respond({ session }: Turn, message: Message, live: (event: string) => void): Promise<unknown> {
    const error = (code: number, text: string) => ({ jsonrpc: "2.0", id: message.id, error: { code, message: text } })
    switch (message.method) {
      case "initialize":
        return result(message, {
          protocolVersion: message.params?.["protocolVersion"],
          capabilities: this.capabilities,
          serverInfo: { name: "test", version: "1.0.0" }
        })
      case "ping":
        return this.pings ? result(message, {}) : error(-32601, "Method not found")
      case "tools/list":
        return result(message, this.#page(message.params?.["cursor"]))
      case "tools/call": {
        const name = String(message.params?.["name"])
        const tool = this.tools.get(name)
        if (tool === undefined) return error(-32602, `Unknown tool: ${name}`)
        const given = message.params?.["arguments"] ?? {}
        const progressToken = message.params?.["_meta"]?.progressToken
        this.applied.push({ tool: name, arguments: given, session, at: performance.now() })
        this.#look()
        const progress = (progress: number, total?: number) => {
          if (progressToken === undefined) return
          live(event({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken, progress, total } }))
        }
        try {
          return result(message, await (tool.run ?? echo)({ arguments: given, session, progress }))
        } catch (cause) {
          return error(-32603, cause instanceof Error ? cause.message : String(cause))
        }
      }
      case "resources/list":
        return result(message, { resources: [] })
      case "resources/templates/list":
        return result(message, { resourceTemplates: [] })
      case "prompts/list":
        return result(message, { prompts: [] })
      default:
        return result(message, {})
    }
  }

  #page(cursor: unknown): unknown {
    const page = Number(cursor ?? 0)
    const tools = page > 0 ? [] : [...this.tools].map(([name, { run: _, ...rest }]) => listed(name, rest))
    return this.endless
      ? { tools: [...tools, listed(`endless_${page}`)], nextCursor: String(page + 1) }
      : { tools }
  }

  // --- sessions

  /** Begins a session's idle time anew, or without a limit ends it. */
  #touch(id: string, limit: number | undefined): void {
    const session = this.#idle.get(id) ?? { timer: undefined }
    clearTimeout(session.timer)
    if (limit === undefined) return void this.#idle.delete(id)
    session.timer = setTimeout(() => {
      this.expired.push(id)
      this.#forget(id)
      for (const stream of this.streams) if (this.#sessionOf.get(stream) === id) stream.end()
      this.#look()
    }, limit)
    session.timer.unref()
    this.#idle.set(id, session)
  }

  #forget(id: string): void {
    this.#touch(id, undefined)
    this.sessions.delete(id)
  }

  #look(): void {
    for (const check of [...this.#waiting]) check()
  }
}

/** Starts a server on a port that the system chooses; it ends with the scope. */
export const make = (options?: Options): Effect.Effect<HttpFaultServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => open(options)),
    (server) => Effect.promise(() => server[Symbol.asyncDispose]())
  )

/**
 * The same without Effect.
 *
 * @example
 * import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
 *
 * const server = await HttpFaultServer.open({ tools: { add: { run: () => ({ content: [] }) } } })
 * server.fail("tool:add", HttpFault.status(503, { retryAfter: 1 }), 1)
 * // point a client at server.url, call the tool, and then ask what the server saw
 * console.log(server.count("tool:add"), server.applied.length)
 * await server[Symbol.asyncDispose]()
 */
export const open = async (options?: Options): Promise<HttpFaultServer> => {
  const server = new HttpFaultServer(options)
  await server.start()
  return server
}

const listed = (name: string, rest: Partial<Listed> = {}) => ({ inputSchema: { type: "object" }, ...rest, name })

const echo = ({ arguments: given }: Call): unknown => text(String(given["message"] ?? ""))
