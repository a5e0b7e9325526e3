/**
 * A host of the protocol without sessions (2026-07-28) as one with a session: what it says of itself in each request becomes one
 * `initialize`, and what a session would bring by itself goes to the streams that ask for it.
 *
 * What the server asks (elicitation, sampling, roots) is given to the host in place of the result of the call that it came during,
 * and the answers come with that call, made again.
 */
import {
  type Answer,
  type ClientRequest,
  ClientRequests,
  Era,
  type Introduction,
  JsonRpc,
  JsonRpcError,
  Meta,
  responseOf,
  workOf
} from "@mcp-lifeline/protocol"
import { heightOf } from "@mcp-lifeline/protocol/Level"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { constVoid } from "effect/Function"
import { randomUUID } from "node:crypto"
import { ChangeStreams } from "./ChangeStreams.js"
import * as Envelope from "./Envelope.js"
import { type CallHandlers, StatelessCall } from "./StatelessCall.js"
import * as Translation from "./translation.js"

/**
 * The session that the host is given. It takes from each request what the client can do, and may give what a server without sessions asks
 * in place of a result, with a state of that server's.
 */
export interface ServerSession {
  readonly request: (request: ClientRequest) => void
  readonly receive: (message: JSONRPCNotification | JSONRPCResponse) => void
  /** What is known of the server for a client that says `params` in `initialize`. Starts nothing. */
  readonly introduce: (params: unknown) => Promise<Introduction>
}

/** Requests during which the server may ask for something. */
const mayWait: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])
/** What a session has and single requests have not. */
const ofSessions: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe"
])

/** Whether a request is of a host without a session. */
export const isStateless = (
  { method, params }: { readonly method: string; readonly params?: unknown }
): boolean => method === "server/discover" || Meta.of(params)[Meta.keys.protocolVersion] !== undefined

/** How the states begin that are ours, and no server's. */
const ours = "mcp-lifeline:"

/** Calls of which the host has been asked for something, and how long they wait for it to come back, in milliseconds. */
const maxParked = 1000
const parkedFor = 10 * 60 * 1000

/** Questions of the server that a host has been given: the call they came during, and what they are. */
interface Parked {
  readonly call: StatelessCall
  /** The id of the request that was answered with them. */
  readonly askedBy: RequestId
  readonly questions: ReadonlySet<RequestId>
  /** When it began to wait, by `performance.now`. */
  readonly at: number
}

/** What a capability of the client is called for each thing that servers ask. */
const capabilityOf: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots"
}

/** For whom a `StatelessClient` translates. */
export interface Options {
  /** The server, for people. */
  readonly name: string
  readonly session: ServerSession
  /**
   * Whether requests of several hosts come here, which nobody can tell apart: what the server asks is given to nobody then, unless only
   * one call waits. Default false.
   */
  readonly isShared?: boolean | undefined
}

/** Translates between a host without a session and a bridge. */
export class StatelessClient {
  readonly #session: ServerSession
  readonly #name: string
  readonly #isShared: boolean
  /** What the session is asked, which stands for the requests of the host. */
  readonly requests = new ClientRequests()
  /** Those of the host that are not over, by what the session is asked for them. */
  readonly #calls = new Map<StatelessCall, ClientRequest>()
  readonly #parked = new Map<string, Parked>()
  readonly #changeStreams = new ChangeStreams((method, params, answered) => this.#ask(method, params, answered))
  readonly #callHandlers: CallHandlers = {
    say: (call, message) =>
      message.method === "notifications/progress" ? this.#progressed(call, message) : this.deliver(message),
    answered: (call, answer) => this.#answered(call, answer),
    cancelled: (call) => this.#end(call)
  }
  #level: unknown
  #lastId = 0
  #hasBegun = false
  /** What the server has, once the session has begun; `undefined` before, and where that was refused. */
  #offered: Promise<ServerCapabilities> | undefined

  constructor({ isShared = false, name, session }: Options) {
    this.#name = name
    this.#session = session
    this.#isShared = isShared
  }

  /** Whether no call is under way, and no stream is open. */
  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#changeStreams.size === 0
  }

  /** The state under which the last call waits for the host to come back with answers; `undefined` if none waits. */
  get waitsUnder(): string | undefined {
    return [...this.#parked.keys()].at(-1)
  }

  /** Takes a message of the session that is no answer. */
  deliver(message: JSONRPCNotification | JSONRPCRequest): void {
    if ("id" in message) this.#asked(message)
    else if (message.method === "notifications/cancelled") this.#withdrawn(message.params?.["requestId"] as RequestId)
    else this.#notified(message)
  }

  /** Called now and then: ends calls whose host did not come back. */
  tick(): void {
    const now = performance.now()
    for (const { at, call } of [...this.#parked.values()]) if (now - at > parkedFor) this.#giveUp(call)
  }

  /** Ends the streams of changes. */
  end(): void {
    this.#changeStreams.end()
  }

  // --- from the host

  /** Takes a request of the host. */
  request(request: ClientRequest): void {
    const { method, params } = request
    const envelope = Envelope.read(params)
    if ("code" in envelope) return refuse(request, envelope)
    if (ofSessions.has(method)) return refuse(request, { code: JsonRpc.methodNotFound, message: "Method not found" })
    if (method === "server/discover") return this.#discover(request, envelope)
    if (method === "subscriptions/listen") {
      const offered = this.#offered ?? this.#begin(envelope)
      const refusal = offered instanceof Promise ? this.#changeStreams.open(request, offered) : offered
      return refusal && refuse(request, refusal)
    }
    // Where the session was refused, a call finds out by itself whether there is a server now.
    if (!this.#hasBegun) void this.#begin(envelope)
    const state = params?.["requestState"]
    if (Predicate.isString(state) && state.startsWith(ours)) return this.#goOn(request, state, envelope)
    this.#setLevel(envelope.logLevel)
    const call = new StatelessCall(request, envelope, this.#callHandlers)
    const id = ++this.#lastId
    const passed = params === undefined ? {} : { params: Translation.forwardedParams(params, id) }
    const inner = this.requests.openFor(request, { jsonrpc: "2.0", id, method, ...passed }, call)
    this.#calls.set(call, inner)
    this.#session.request(inner)
  }

  /** The host does not want to come back to a call any more: of its request, it was asked something. */
  cancel(id: RequestId, reason?: unknown): void {
    for (const { askedBy, call } of [...this.#parked.values()]) if (askedBy === id) this.#giveUp(call, reason)
  }

  /** A host that only wants to know what there is starts no server. */
  #discover(request: ClientRequest, envelope: Envelope.Envelope): void {
    void this.#session.introduce(Translation.initializeParams(envelope)).then((
      { capabilities, instructions, serverInfo }
    ) =>
      reply(request, {
        resultType: "complete",
        supportedVersions: [Era.statelessVersion],
        capabilities,
        ...(instructions === undefined ? {} : { instructions }),
        ttlMs: 0,
        cacheScope: "private",
        _meta: { [Meta.keys.serverInfo]: serverInfo }
      })
    )
  }

  /** Begins the session with what a request says of its client: the first one, or a stream of changes after the session was refused. */
  #begin(envelope: Envelope.Envelope): Promise<ServerCapabilities> | Envelope.Refusal {
    const isFirst = !this.#hasBegun
    this.#hasBegun = true
    let refusal: Envelope.Refusal | undefined
    const offered = new Promise<ServerCapabilities>((resolve) =>
      this.#ask("initialize", Translation.initializeParams(envelope), (response) => {
        if ("result" in response) return resolve(response.result["capabilities"] as ServerCapabilities)
        refusal = response.error
        this.#offered = undefined
        this.#changeStreams.end(refusal)
        // Whoever interrupts it interrupts the calls, too, and each says what is known of it.
        if (isFirst && !JsonRpcError.isOurs(refusal)) this.#failAll(refusal)
      })
    )
    if (refusal === undefined) this.#offered = offered
    this.#session.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    return refusal ?? offered
  }

  /** There is no server, and will be none. */
  #failAll(error: Envelope.Refusal): void {
    for (const inner of [...this.#calls.values()]) inner.answer({ error })
  }

  #setLevel(level: unknown): void {
    if (level === undefined || level === this.#level) return
    this.#level = level
    this.#ask("logging/setLevel", { level })
  }

  /** The host gives what the server has asked for, and waits for the result of the call again. */
  #goOn(request: ClientRequest, state: string, envelope: Envelope.Envelope): void {
    const parked = this.#parked.get(state)
    const inner = parked && this.#calls.get(parked.call)
    if (parked === undefined || inner === undefined) {
      return refuse(request, {
        code: JsonRpc.invalidParams,
        message: "unknown requestState: the call is over; make it again"
      })
    }
    const { call, questions } = parked
    this.#parked.delete(state)
    call.waiting = request
    call.envelope = envelope
    request.work = workOf(inner)
    if (call.early !== undefined) return this.#answered(call, call.early)
    const responses = request.params?.["inputResponses"]
    for (const question of questions) {
      const result = Predicate.isRecord(responses) ? responses[String(question)] : undefined
      if (Predicate.isRecord(result)) this.#session.receive({ jsonrpc: "2.0", id: question, result })
      else this.#decline(question, JsonRpc.invalidRequest, "the client gave no answer")
    }
    // What the server has asked meanwhile.
    this.#put(call)
  }

  /** Asks the session for something by itself. */
  #ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    answered: (response: JSONRPCResponse) => void = constVoid
  ): void {
    const message: JSONRPCRequest = { jsonrpc: "2.0", id: ++this.#lastId, method, params }
    this.#session.request(this.requests.open(message, {
      say: (_, message) => this.deliver(message),
      answer: ({ id }, answer) => answered(responseOf(id, answer))
    }))
  }

  // --- from the session

  #answered(call: StatelessCall, answer: Answer): void {
    const { waiting } = call
    if (waiting === undefined) return void (call.early = answer)
    this.#end(call)
    const response = responseOf(waiting.id, answer)
    if ("result" in response) reply(waiting, Translation.completeResult(call.method, response.result))
    else refuse(waiting, Translation.translateError(call, response.error))
  }

  /**
   * The server asks for something, and does not say during which call: the host is told in place of the result of the latest call that
   * may wait for it. Where that call may be another host's, the server is told so instead.
   */
  #asked(request: JSONRPCRequest): void {
    const { id, method } = request
    const capability = capabilityOf[method]
    if (capability === undefined) return this.#decline(id, JsonRpc.methodNotFound, "Method not found")
    const calls = [...this.#calls.keys()].filter(({ early, method }) => early === undefined && mayWait.has(method))
    const call = calls.findLast(({ waiting }) => waiting !== undefined) ?? calls.at(-1)
    if (call === undefined) {
      return this.#decline(
        id,
        JsonRpc.invalidRequest,
        `the client of ${this.#name} speaks ${Era.statelessVersion}, in which a server asks during a call only`
      )
    }
    if (this.#isShared && calls.length > 1) {
      return this.#decline(
        id,
        JsonRpc.invalidRequest,
        `${calls.length} calls are under way, which may be those of several clients of ${this.#name}, and it is not known during which of them ` +
          `${method} was sent: it is shown to nobody. Make the call while no other one is under way`
      )
    }
    if (call.envelope.capabilities[capability] === undefined) {
      return this.#decline(id, Era.missingCapability, `the client does not support ${capability}`)
    }
    call.questions.set(id, request)
    // What the server asks at once, the host is given at once.
    setImmediate(() => this.#put(call))
  }

  /** Gives the host what the server asks during a call, where it waits for its result. */
  #put(call: StatelessCall): void {
    const { questions, waiting } = call
    if (waiting === undefined || questions.size === 0 || !this.#calls.has(call)) return
    const requestState = `${ours}${randomUUID()}`
    this.#makeRoom()
    this.#parked.set(requestState, {
      call,
      askedBy: waiting.id,
      questions: new Set(questions.keys()),
      at: performance.now()
    })
    const inputRequests = Object.fromEntries(
      [...questions.values()].map(({ id, method, params }) => [
        String(id),
        { method, ...(params === undefined ? {} : { params }) }
      ])
    )
    questions.clear()
    call.waiting = undefined
    reply(waiting, { resultType: "input_required", inputRequests, requestState })
  }

  #decline(id: RequestId, code: number, message: string): void {
    this.#session.receive({ jsonrpc: "2.0", id, error: { code, message } })
  }

  /** A call is over: nobody is asked any more what came during it, and nobody can come back to it. */
  #end(call: StatelessCall): void {
    this.#calls.delete(call)
    const open = [...call.questions.keys()]
    for (const [state, parked] of this.#parked) {
      if (parked.call === call && this.#parked.delete(state)) open.push(...parked.questions)
    }
    for (const id of open) this.#decline(id, JsonRpc.invalidRequest, "the call is over")
  }

  /** A host that was asked for something and never came back is not waited for without end. */
  #makeRoom(): void {
    const [oldest] = this.#parked.values()
    if (oldest === undefined || this.#parked.size < maxParked) return
    this.#giveUp(oldest.call)
  }

  /** Nobody comes back to a call, which may have its answer already. */
  #giveUp(call: StatelessCall, reason?: unknown): void {
    const inner = this.#calls.get(call)
    this.#end(call)
    inner?.cancel(reason)
  }

  /** The server does not want to know any more. What the host has been given stays until it comes back. */
  #withdrawn(question: RequestId): void {
    for (const { questions } of this.#calls.keys()) questions.delete(question)
  }

  #notified(notification: JSONRPCNotification): void {
    const { method, params } = notification
    if (this.#changeStreams.notified(notification)) return
    // Progress during a call comes from the call; what comes after that, of a task, has nobody any more who asked for it.
    if (method === "notifications/progress") return
    const calls = [...this.#calls.keys()].filter(({ waiting }) => waiting !== undefined)
    if (method !== "notifications/message") return calls.at(-1)?.waiting?.say(notification)
    // Log messages belong to the requests that have asked for them.
    const height = heightOf(params?.["level"])
    calls.findLast(({ envelope: { level } }) => level !== undefined && level <= height)?.waiting?.say(notification)
  }

  /** Progress is told under the token of the request that waits now. */
  #progressed(
    { envelope: { progressToken }, waiting }: StatelessCall,
    { params }: JSONRPCNotification | JSONRPCRequest
  ): void {
    if (waiting === undefined || progressToken === undefined) return
    const message = { jsonrpc: "2.0", method: "notifications/progress", params: { ...params, progressToken } }
    waiting.say(message as JSONRPCNotification)
  }
}

const reply = (request: ClientRequest, result: Readonly<Record<string, unknown>>): void => request.answer({ result })

const refuse = (request: ClientRequest, { code, data, message }: Envelope.Refusal): void =>
  request.answer({ error: { code, message, ...(data === undefined ? {} : { data }) } })
