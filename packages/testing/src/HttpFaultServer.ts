/** A real MCP server over Streamable HTTP on 127.0.0.1 that fails on command and records what it received. */
import { Effect, type Scope } from "effect"
import { PCGRandom } from "effect/Utils"
import { randomUUID } from "node:crypto"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Socket } from "node:net"
import { event, fault, is, type Message, type Reply, type Seen, sse, type Turn } from "./HttpExchange.js"
import type { HttpFault } from "./HttpFault.js"
import { HttpSessions } from "./HttpSessions.js"
import { Conditions } from "./internal/Conditions.js"
import { listening } from "./internal/listening.js"
import * as McpAnswers from "./McpAnswers.js"
import * as ReservedPort from "./ReservedPort.js"

export type { Applied, Call, Tool } from "./McpAnswers.js"

/** Each option except `port`, `tls` and `replicas` can be changed through the field of the same name. By default nothing fails. */
export interface Options extends McpAnswers.Options {
  /** Whether it refuses requests without a session. Default true; for 2026 false. */
  readonly stateful?: boolean | undefined
  /** The answer to a request of an unknown session. Default 404. */
  readonly lostSession?: LostSession | undefined
  /** Each replica knows only its own sessions. A request reaches a random one, determined by the seed. Default: one. */
  readonly replicas?: { readonly count: number; readonly seed: number } | undefined
  /** Milliseconds without a request after which a session ends; open streams do not count. Default: never. */
  readonly idleTtl?: number | undefined
  /** Whether it answers with event streams instead of JSON. Default false. */
  readonly streaming?: boolean | undefined
  /** Whether it offers the stream to clients (GET), instead of 405. Default true; for 2026 false. */
  readonly offersStream?: boolean | undefined
  /** A port that the caller holds, as with `ReservedPort`. Default: its own. */
  readonly port?: number | undefined
  /** TLS certificate and key (PEM). Default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

/** As the specification says (404), or as some servers do. */
export type LostSession = 404 | 400 | {
  readonly status: number
  /** Of a JSON-RPC error; without it, the body is plain text. */
  readonly code?: number | undefined
  readonly message?: string | undefined
  readonly headers?: Record<string, string> | undefined
  /** Whether it still answers pings. Default false. */
  readonly pings?: boolean | undefined
}

interface Rule {
  readonly concerns: (turn: Turn) => boolean
  readonly fault: HttpFault
  left: number
}

/** Make it with `make` or `open`. */
export class HttpFaultServer extends McpAnswers.McpAnswers implements AsyncDisposable {
  /** All requests, in order. */
  readonly seen: Array<Seen> = []
  /** Live ones by id, and expired ones. */
  readonly sessions: HttpSessions
  /** Open streams to clients (GET), oldest first, with the session id of each. */
  readonly streams = new Map<Http.ServerResponse, string | undefined>()
  /** Open sockets. */
  readonly sockets = new Set<Socket>()
  /** For faults without an `HttpFault`: may answer instead of the server, and then returns true. */
  hook: ((turn: Turn) => boolean | undefined) | undefined
  stateful: boolean
  lostSession: LostSession
  idleTtl: number | undefined
  streaming: boolean
  offersStream: boolean
  readonly #node: Http.Server | Https.Server
  readonly #scheme: string
  readonly #replicas: number
  readonly #random: PCGRandom
  readonly #rules: Array<Rule> = []
  readonly #conditions = new Conditions()
  #reserved: ReservedPort.ReservedPort | undefined
  readonly #given: number | undefined
  #port = 0

  constructor(options: Options = {}) {
    super(options)
    this.#given = options.port
    const isStateless = this.era === "2026"
    this.stateful = options.stateful ?? !isStateless
    this.lostSession = options.lostSession ?? 404
    this.idleTtl = options.idleTtl
    this.streaming = options.streaming ?? false
    this.offersStream = options.offersStream ?? !isStateless
    this.sessions = new HttpSessions((id) => {
      this.#endStreams(id)
      this.#conditions.check()
    })
    this.#replicas = options.replicas?.count ?? 1
    this.#random = new PCGRandom(options.replicas?.seed ?? 0)
    this.#scheme = options.tls === undefined ? "http" : "https"
    const onRequest: Http.RequestListener = (request, response) => void this.#take(request, response).catch(() => {})
    this.#node = options.tls === undefined ? Http.createServer(onRequest) : Https.createServer(options.tls, onRequest)
    // Sockets that nobody closes stay visible: clients keep them as long as the server says.
    this.#node.keepAliveTimeout = 600_000
    this.#node.on("connection", (socket: Socket) => {
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        this.sockets.delete(socket)
        this.#conditions.check()
      })
    })
  }

  /** Of the endpoint; the same after a restart. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}/mcp`
  }

  get port(): number {
    return this.#port
  }

  /** How many requests of a kind arrived: an HTTP method, an MCP method, or `tool:<name>`. */
  count(kind: string): number {
    return this.requests(kind).length
  }

  /** In order. */
  requests(kind: string): ReadonlyArray<Seen> {
    return this.seen.filter((one) => is(one, kind))
  }

  /** Resolves once the condition is true. Checked after each request, answer, tool call, and end of a session, socket or stream. */
  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition)
  }

  /**
   * Fails the next `times` requests (default: all) of a kind (as in `count`), or that a predicate picks. Earlier faults take precedence.
   * Returns a function that removes the fault.
   */
  fail(which: string | ((seen: Seen) => boolean), how: HttpFault, times = Number.POSITIVE_INFINITY): () => void {
    const concerns = typeof which === "string" ? (turn: Turn) => is(turn, which) : which
    const rule: Rule = { concerns, fault: how, left: times }
    this.#rules.push(rule)
    return () => {
      rule.left = 0
    }
  }

  /** Removes every fault. Hanging requests keep hanging. */
  heal(): void {
    this.#rules.length = 0
  }

  /** Cuts the streams to clients (GET). */
  dropStreams(): void {
    for (const stream of this.streams.keys()) stream.socket?.destroy()
  }

  /** Refuses connections and destroys every socket. Sessions stay known. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#node.close(() => resolve())
      for (const socket of this.sockets) socket.destroy()
    })
  }

  /** Refuses new connections and closes idle ones. Answers and streams in progress continue. */
  refuse(): void {
    this.#node.close()
  }

  /** Listens, always on the same port, which stays reserved. */
  async start(): Promise<void> {
    if (this.#given === undefined) this.#reserved ??= await ReservedPort.open()
    this.#port = this.#given ?? this.#reserved?.port ?? 0
    await listening(this.#node, this.#port)
  }

  /** Restarts on the same port, like a process: cuts every socket, forgets every session. */
  async restart(): Promise<void> {
    await this.stop()
    this.sessions.clear()
    await this.start()
  }

  /** Ends the server. Does nothing if it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#node.listening) await this.stop()
    for (const socket of this.sockets) socket.destroy()
    this.sessions.clear()
    await this.#reserved?.[Symbol.asyncDispose]()
    this.#reserved = undefined
  }

  /** On every open stream to a client. */
  notify(method: string, params?: Record<string, unknown>): void {
    for (const stream of this.streams.keys()) stream.write(event({ jsonrpc: "2.0", method, params }))
  }

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
      body,
      replica: this.#random.integer(this.#replicas),
      at: performance.now(),
      response,
      socket: request.socket
    }
    this.seen.push(turn)
    const handled = this.#handle(turn)
    this.#conditions.check()
    await handled
    this.#conditions.check()
  }

  async #handle(turn: Turn): Promise<void> {
    if (this.hook?.(turn) === true) return
    const { http, message, response, session } = turn
    const rule = this.#rules.find((one) => one.left > 0 && one.concerns(turn))
    if (rule !== undefined) {
      rule.left--
      return rule.fault(turn, () => this.#answer(turn, undefined))
    }
    if (http === "GET" && this.offersStream && !this.#isLost(turn)) {
      if (session !== undefined) this.sessions.use(session, this.idleTtl)
      this.streams.set(sse(response), session)
      response.on("close", () => {
        this.streams.delete(response)
        this.#conditions.check()
      })
      return
    }
    const live = this.streaming && message?.id !== undefined
      ? (text: string) => {
        if (!response.headersSent) sse(response)
        response.write(text)
      }
      : undefined
    const { body, headers, status } = await this.#answer(turn, live)
    if (response.headersSent) response.end(body)
    else fault(response, status, headers, body)
  }

  #isLost({ http, message, replica, session }: Turn): boolean {
    const pings = typeof this.lostSession === "object" && this.lostSession.pings === true
    return this.stateful && http !== "OPTIONS" && message?.method !== "initialize" &&
      !(pings && message?.method === "ping") &&
      (session === undefined || this.sessions.get(session)?.replica !== replica)
  }

  /** `live` takes what precedes the response in an event stream. */
  async #answer(turn: Turn, live: ((event: string) => void) | undefined): Promise<Reply> {
    const { http, message, session } = turn
    const empty = (status: number): Reply => ({ status, headers: {}, body: "" })
    if (this.#isLost(turn)) return refusal(this.lostSession, message)
    if (session !== undefined) this.sessions.use(session, this.idleTtl)
    if (http === "OPTIONS") return { ...empty(204), headers: { allow: "GET, POST, DELETE, OPTIONS" } }
    if (http === "DELETE") {
      this.sessions.delete(session ?? "")
      this.#endStreams(session)
      return empty(200)
    }
    if (http !== "POST" || message === undefined) return empty(405)
    if (message.id === undefined || message.method === undefined) return empty(202)
    const fresh = message.method === "initialize" && this.stateful
      ? this.sessions.open(randomUUID(), turn.replica)
      : undefined
    if (fresh !== undefined) this.sessions.use(fresh.id, this.idleTtl)
    let before = ""
    const value = await this.respond(
      message,
      fresh ?? this.sessions.get(session ?? ""),
      live ?? ((text) => {
        before += text
      })
    )
    const headers: Record<string, string> = fresh === undefined ? {} : { "mcp-session-id": fresh.id }
    const status = this.era === "2026" ? statuses[value.error?.code ?? 0] ?? 200 : 200
    return this.streaming && status === 200
      ? { status, headers: { ...headers, "content-type": "text/event-stream" }, body: before + event(value) }
      : { status, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(value) }
  }

  #endStreams(session: string | undefined): void {
    for (const [stream, of] of this.streams) if (of === session) stream.end()
  }

  protected override onApplied(): void {
    this.#conditions.check()
  }
}

/** By error code, in 2026. */
const statuses: Readonly<Record<number, number>> = { [-32022]: 400, [-32601]: 404 }

const dialects = {
  404: { status: 404, code: -32001, message: "Session not found" },
  400: { status: 400, code: -32000, message: "Bad Request: No valid session ID provided" }
}

const refusal = (lost: LostSession, asked: Message | undefined): Reply => {
  const dialect = typeof lost === "object" ? lost : dialects[lost]
  const { code, headers, message = "", status } = { headers: {}, ...dialect }
  if (code === undefined) return { status, headers: { "content-type": "text/plain", ...headers }, body: message }
  if (status === 200 && asked?.id === undefined) return { status: 202, headers: { ...headers }, body: "" }
  const id = status === 200 ? asked?.id : null
  const body = JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id })
  return { status, headers: { "content-type": "application/json", ...headers }, body }
}

/** On its own port; ends with the scope. */
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
