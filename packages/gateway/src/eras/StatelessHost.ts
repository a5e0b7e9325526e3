/**
 * A host of the protocol without sessions (2026-07-28) as one with a session: what it says of itself in each request becomes one
 * `initialize`, and what a session would bring by itself goes to the streams that ask for it.
 *
 * What the server asks (elicitation, sampling, roots) is given to the host in place of the result of the call that it came during,
 * and the answers come with that call, made again.
 */
import { Era, type Introduction, JsonRpc, Meta } from "@mcp-lifeline/protocol"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { randomUUID } from "node:crypto"
import { heightOf } from "../Level.js"
import * as Envelope from "./Envelope.js"
import { Subscriptions } from "./Subscriptions.js"
import * as Translation from "./translation.js"

/**
 * The session that the host is given. It takes from each request what the client can do, and may give what a server without sessions asks
 * in place of a result, with a state of that server's.
 */
export interface Session {
  readonly receive: (message: JSONRPCMessage) => void
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

/** Whether a message is of a host without a session. */
export const isStateless = (message: JSONRPCMessage): boolean =>
  "method" in message &&
  (message.method === "server/discover" || Meta.of(message.params)[Meta.keys.protocolVersion] !== undefined)

/** How the states begin that are ours, and no server's. */
const ours = "mcp-lifeline:"

/** The state under which a call of ours waits for its host, where that is what a response says. */
export const parkedUnder = (response: JSONRPCResponse): string | undefined => {
  const state = "result" in response && Translation.isQuestion(response.result)
    ? response.result["requestState"]
    : undefined
  return Predicate.isString(state) && state.startsWith(ours) ? state : undefined
}

/** Calls of which the host has been asked for something. */
const maxParked = 1000

/** A request of the host, under the id that it has in the session. */
interface Call {
  /** The host's own; undefined while the host has been asked for something. */
  host: RequestId | undefined
  /** The same while the host has been asked for something, too. */
  last: RequestId
  readonly method: string
  /** Of the resource that it asks for. */
  readonly uri: unknown
  /** What the host says of itself in the request that waits now. */
  envelope: Envelope.Envelope
  /** What the server asks, and the host has not been given yet. */
  readonly questions: Map<RequestId, JSONRPCRequest>
  /** The answer, where it came while the host had been asked for something. */
  answer: JSONRPCResponse | undefined
}

/** Questions of the server that a host has been given: the call they came during, and what they are. */
interface Parked {
  readonly call: number
  readonly questions: ReadonlySet<RequestId>
}

/** What a capability of the client is called for each thing that servers ask. */
const capabilityOf: Readonly<Record<string, string>> = {
  "elicitation/create": "elicitation",
  "sampling/createMessage": "sampling",
  "roots/list": "roots"
}

/** For whom a `StatelessHost` translates. */
export interface Options {
  /** The server, for people. */
  readonly name: string
  readonly session: Session
  /** Is told, too, during which request of the host a message is said, as far as that is known. */
  readonly write: (message: JSONRPCMessage, about?: RequestId) => void
  /**
   * Whether requests of several hosts come here, which nobody can tell apart: what the server asks is given to nobody then, unless only
   * one call waits. Default false.
   */
  readonly isShared?: boolean | undefined
}

/** Translates between a host without a session and a bridge. */
export class StatelessHost {
  readonly #session: Session
  readonly #write: Options["write"]
  readonly #name: string
  readonly #isShared: boolean
  readonly #calls = new Map<number, Call>()
  readonly #parked = new Map<string, Parked>()
  readonly #subscriptions = new Subscriptions({
    ask: (method, params, answered) => this.#ask(method, params, answered),
    write: (message, stream) => this.#write(message, stream)
  })
  /** Answers to what this asks by itself, by id. */
  readonly #own = new Map<RequestId, (response: JSONRPCResponse) => void>()
  #level: unknown
  #lastId = 0
  #hasBegun = false
  /** What the server has, once the session has begun; `undefined` before, and where that was refused. */
  #offered: Promise<ServerCapabilities> | undefined

  constructor({ isShared = false, name, session, write }: Options) {
    this.#name = name
    this.#session = session
    this.#write = write
    this.#isShared = isShared
  }

  /** Takes a message of the host; says whether it is for this. */
  receive(message: JSONRPCMessage): boolean {
    if (!("method" in message)) return false
    if (!("id" in message)) return this.#notification(message)
    if (!isStateless(message)) return false
    this.#request(message)
    return true
  }

  /** Takes a message of the session. */
  deliver(message: JSONRPCMessage): void {
    if (!("method" in message)) this.#answered(message)
    else if ("id" in message) this.#asked(message)
    else if (message.method === "notifications/cancelled") this.#withdrawn(message.params?.["requestId"] as RequestId)
    else this.#notified(message)
  }

  /** Ends the streams of changes. */
  end(): void {
    this.#subscriptions.end()
  }

  // --- from the host

  #request(request: JSONRPCRequest): void {
    const { id, method, params } = request
    const envelope = Envelope.read(params)
    if ("code" in envelope) return this.#refuse(id, envelope)
    if (ofSessions.has(method)) return this.#refuse(id, { code: JsonRpc.methodNotFound, message: "Method not found" })
    if (method === "server/discover") return this.#discover(id, envelope)
    if (method === "subscriptions/listen") {
      const offered = this.#offered ?? this.#begin(envelope)
      const refusal = offered instanceof Promise ? this.#subscriptions.open(id, params, offered) : offered
      return refusal && this.#refuse(id, refusal)
    }
    // Where the session was refused, a call finds out by itself whether there is a server now.
    if (!this.#hasBegun) void this.#begin(envelope)
    const state = params?.["requestState"]
    if (Predicate.isString(state) && state.startsWith(ours)) return this.#goOn(request, state, envelope)
    this.#setLevel(envelope.logLevel)
    const call = ++this.#lastId
    this.#calls.set(call, {
      host: id,
      last: id,
      method,
      uri: params?.["uri"],
      envelope,
      questions: new Map(),
      answer: undefined
    })
    this.#session.receive({
      jsonrpc: "2.0",
      id: call,
      method,
      ...(params === undefined
        ? {}
        : { params: Translation.renamed(params, call) })
    })
  }

  /** A host that only wants to know what there is starts no server. */
  #discover(id: RequestId, envelope: Envelope.Envelope): void {
    void this.#session.introduce(Translation.clientOf(envelope)).then(({ capabilities, instructions, serverInfo }) =>
      this.#reply(id, {
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
      this.#ask("initialize", Translation.clientOf(envelope), (response) => {
        if ("result" in response) return resolve(response.result["capabilities"] as ServerCapabilities)
        refusal = response.error
        this.#offered = undefined
        this.#subscriptions.end(refusal)
        if (isFirst) this.#failAll(refusal)
      })
    )
    if (refusal === undefined) this.#offered = offered
    this.#session.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    return refusal ?? offered
  }

  /** There is no server, and will be none. */
  #failAll(error: Envelope.Refusal): void {
    for (const [call, { host }] of this.#calls) {
      this.#calls.delete(call)
      if (host !== undefined) this.#refuse(host, error)
    }
  }

  #notification({ method, params }: JSONRPCNotification): boolean {
    if (method !== "notifications/cancelled") return false
    const id = params?.["requestId"] as RequestId
    if (this.#subscriptions.close(id)) return true
    for (const [number, call] of this.#calls) {
      if (call.last !== id) continue
      this.#calls.delete(number)
      this.#session.receive({ jsonrpc: "2.0", method, params: { ...params, requestId: number } })
      this.#declineAll(call)
      for (const [state, parked] of this.#parked) if (parked.call === number) this.#parked.delete(state)
      return true
    }
    return false
  }

  #setLevel(level: unknown): void {
    if (level === undefined || level === this.#level) return
    this.#level = level
    this.#ask("logging/setLevel", { level })
  }

  /** The host gives what the server has asked for, and waits for the result of the call again. */
  #goOn({ id, params }: JSONRPCRequest, state: string, envelope: Envelope.Envelope): void {
    const parked = this.#parked.get(state)
    const call = parked && this.#calls.get(parked.call)
    if (parked === undefined || call === undefined) {
      return this.#refuse(id, {
        code: JsonRpc.invalidParams,
        message: "unknown requestState: the call is over; make it again"
      })
    }
    this.#parked.delete(state)
    call.host = id
    call.last = id
    call.envelope = envelope
    if (call.answer !== undefined) return this.#answered(call.answer)
    const responses = params?.["inputResponses"]
    for (const question of parked.questions) {
      const result = Predicate.isRecord(responses) ? responses[String(question)] : undefined
      if (Predicate.isRecord(result)) this.#session.receive({ jsonrpc: "2.0", id: question, result })
      else this.#decline(question, JsonRpc.invalidRequest, "the client gave no answer")
    }
    // What the server has asked meanwhile.
    this.#put(parked.call, call)
  }

  /** Asks the session for something by itself. */
  #ask(
    method: string,
    params: Readonly<Record<string, unknown>>,
    answered: (response: JSONRPCResponse) => void = () => undefined
  ): void {
    const id = ++this.#lastId
    this.#own.set(id, answered)
    this.#session.receive({ jsonrpc: "2.0", id, method, params })
  }

  // --- from the session

  #answered(response: JSONRPCResponse): void {
    const id = Number(response.id)
    const own = this.#own.get(id)
    this.#own.delete(id)
    if (own !== undefined) return own(response)
    const call = this.#calls.get(id)
    if (call === undefined) return
    if (call.host === undefined) return void (call.answer = response)
    this.#calls.delete(id)
    this.#declineAll(call)
    if ("result" in response) this.#reply(call.host, Translation.completed(call.method, response.result))
    else this.#refuse(call.host, Translation.failed(call, response.error))
  }

  /**
   * The server asks for something, and does not say during which call: the host is told in place of the result of the latest call that
   * may wait for it. Where that call may be another host's, the server is told so instead.
   */
  #asked(request: JSONRPCRequest): void {
    const { id, method } = request
    const capability = capabilityOf[method]
    if (capability === undefined) return this.#decline(id, JsonRpc.methodNotFound, "Method not found")
    const waiting = [...this.#calls].filter(([, { answer, method }]) => answer === undefined && mayWait.has(method))
    const found = waiting.findLast(([, { host }]) => host !== undefined) ?? waiting.at(-1)
    if (found === undefined) {
      return this.#decline(
        id,
        JsonRpc.invalidRequest,
        `the client of ${this.#name} speaks ${Era.statelessVersion}, in which a server asks during a call only`
      )
    }
    if (this.#isShared && waiting.length > 1) {
      return this.#decline(
        id,
        JsonRpc.invalidRequest,
        `${waiting.length} calls are under way, which may be those of several clients of ${this.#name}, and it is not known during which of them ` +
          `${method} was sent: it is shown to nobody. Make the call while no other one is under way`
      )
    }
    const [number, call] = found
    if (call.envelope.capabilities[capability] === undefined) {
      return this.#decline(id, Era.missingCapability, `the client does not support ${capability}`)
    }
    call.questions.set(id, request)
    // What the server asks at once, the host is given at once.
    setImmediate(() => this.#put(number, call))
  }

  /** Gives the host what the server asks during a call, where it waits for its result. */
  #put(number: number, call: Call): void {
    const { host, questions } = call
    if (host === undefined || questions.size === 0 || this.#calls.get(number) !== call) return
    const requestState = `${ours}${randomUUID()}`
    this.#makeRoom()
    this.#parked.set(requestState, { call: number, questions: new Set(questions.keys()) })
    const inputRequests = Object.fromEntries(
      [...questions.values()].map(({ id, method, params }) => [
        String(id),
        { method, ...(params === undefined ? {} : { params }) }
      ])
    )
    questions.clear()
    call.host = undefined
    this.#reply(host, { resultType: "input_required", inputRequests, requestState })
  }

  #decline(id: RequestId, code: number, message: string): void {
    this.#session.receive({ jsonrpc: "2.0", id, error: { code, message } })
  }

  /** The call is over: nobody is asked any more what came during it. */
  #declineAll({ questions }: Call): void {
    for (const id of questions.keys()) this.#decline(id, JsonRpc.invalidRequest, "the call is over")
  }

  /** A host that was asked for something and never came back is not waited for without end. */
  #makeRoom(): void {
    const [oldest] = this.#parked
    if (oldest === undefined || this.#parked.size < maxParked) return
    const [state, { call }] = oldest
    this.#parked.delete(state)
    this.#calls.delete(call)
    this.#session.receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: call } })
  }

  /** The server does not want to know any more. What the host has been given stays until it comes back. */
  #withdrawn(question: RequestId): void {
    for (const { questions } of this.#calls.values()) questions.delete(question)
  }

  #notified(notification: JSONRPCNotification): void {
    const { method, params } = notification
    if (method === "notifications/progress") return this.#progressed(params)
    if (this.#subscriptions.notified(notification)) return
    const waiting = [...this.#calls.values()].filter(({ host }) => host !== undefined)
    if (method !== "notifications/message") return this.#write(notification, waiting.at(-1)?.last)
    // Log messages belong to the requests that have asked for them.
    const height = heightOf(params?.["level"])
    const wanting = waiting.findLast(({ envelope: { level } }) => level !== undefined && level <= height)
    if (wanting !== undefined) this.#write(notification, wanting.last)
  }

  /** Progress is told under the token of the request that waits now. */
  #progressed(params: JSONRPCNotification["params"]): void {
    const call = this.#calls.get(Number(params?.["progressToken"]))
    const progressToken = call?.host === undefined ? undefined : call.envelope.progressToken
    if (progressToken === undefined) return
    const told = { jsonrpc: "2.0", method: "notifications/progress", params: { ...params, progressToken } } as const
    this.#write(told as JSONRPCNotification, call?.last)
  }

  #reply(id: RequestId, result: Readonly<Record<string, unknown>>): void {
    this.#write({ jsonrpc: "2.0", id, result }, id)
  }

  #refuse(id: RequestId, { code, data, message }: Envelope.Refusal): void {
    this.#write({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } }, id)
  }
}
