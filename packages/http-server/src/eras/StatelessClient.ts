/**
 * Makes a client without a session (2026-07-28) look like one with a session. A request of the server (elicitation, sampling, roots) becomes
 * the result of the call during which it arrives; the client answers by repeating that call.
 */
import { Bytes, ExactJson, JsonValue } from "@mcp-lifeline/core/text"
import {
  type Answer,
  type ClientRequest,
  ClientRequests,
  Era,
  type Holding,
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
import { ChangeStreams } from "./ChangeStreams.js"
import * as Envelope from "./Envelope.js"
import { isOwnState, ParkedCalls, parkedTime } from "./ParkedCalls.js"
import { early, type Park, parking } from "./parkedLimits.js"
import { StatelessCall } from "./StatelessCall.js"
import * as Translation from "./translation.js"

/**
 * Reads the client's capabilities from each request. A result may be a request for input of a server without sessions, with that server's
 * `requestState`.
 */
export interface ServerSession {
  readonly request: (request: ClientRequest) => void
  readonly receive: (message: JSONRPCNotification | JSONRPCResponse) => void
  readonly introduce: (params: unknown) => Promise<Introduction | string>
}

const mayAskForInput: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])
const sessionMethods: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe"
])

export interface Options {
  readonly name: string
  readonly session: ServerSession
  /**
   * Whether the requests may be of several clients that look the same. Then a question is refused unless only one call waits, so that no
   * client gets another's. Default false.
   */
  readonly isShared?: boolean | undefined
  /** Who shares limits, and where its calls wait for input. Default: it shares with none. */
  readonly owner?: string | undefined
  readonly park?: Park | undefined
}

export class StatelessClient {
  readonly #session: ServerSession
  readonly #name: string
  readonly #isShared: boolean
  readonly requests = new ClientRequests()
  readonly #calls = new Map<StatelessCall, ClientRequest>()
  readonly #parked: ParkedCalls
  readonly #sharer: unknown
  readonly #roomForEarly: Holding
  readonly #changeStreams = new ChangeStreams((method, params, answered) =>
    this.#requestFromSession(method, params, answered)
  )
  #level: unknown
  #lastId = 0
  #hasInitialized = false
  /** `undefined` before `initialize`, and after it was refused. */
  #capabilities: Promise<ServerCapabilities> | undefined

  constructor({ isShared = false, name, owner, park = parking()(""), session }: Options) {
    this.#name = name
    this.#session = session
    this.#isShared = isShared
    this.#sharer = owner ?? this
    this.#roomForEarly = early.holderOf(this.#sharer)
    this.#parked = new ParkedCalls(park, (call) => this.#abandon(call))
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#changeStreams.size === 0
  }

  get parkedCalls(): number {
    return this.#parked.size
  }

  deliver(message: JSONRPCNotification | JSONRPCRequest): void {
    if ("id" in message) this.#onServerRequest(message)
    else if (message.method === "notifications/cancelled") {
      this.#onServerCancelled(message.params?.["requestId"] as RequestId)
    } else this.#onNotification(message)
  }

  tick(): void {
    const due = performance.now() - parkedTime
    for (const call of this.#parked.where(({ parkedAt }) => parkedAt < due)) this.#abandon(call)
  }

  /** Also forgets calls whose clients have not come back. */
  end(): void {
    this.#changeStreams.end()
    this.#roomForEarly.close()
    this.#parked.leave()
    for (const call of this.#calls.keys()) call.takeQuestions()
  }

  request(request: ClientRequest): void {
    const { method, params } = request
    const envelope = Envelope.read(params)
    if ("code" in envelope) return refuse(request, envelope)
    if (sessionMethods.has(method)) {
      return refuse(request, { code: JsonRpc.methodNotFound, message: "Method not found" })
    }
    if (method === "server/discover") return this.#discover(request, envelope)
    if (method === "subscriptions/listen") {
      const capabilities = this.#capabilities ?? this.#initialize(envelope)
      const refusal = capabilities instanceof Promise ? this.#changeStreams.open(request, capabilities) : capabilities
      return refusal && refuse(request, refusal)
    }
    // If `initialize` was refused, the call itself finds out whether the server works now.
    if (!this.#hasInitialized) void this.#initialize(envelope)
    const state = Envelope.stateOf(params)
    if (isOwnState(state)) return this.#resume(request, state, envelope)
    this.#setLevel(envelope.logLevel)
    const call = new StatelessCall(request, envelope, this.#sharer)
    const id = ++this.#lastId
    const forwarded = params === undefined ? {} : { params: Translation.forwardedParams(params, id) }
    const sessionRequest = this.requests.openFor(request, { jsonrpc: "2.0", id, method, ...forwarded }, {
      say: (_, message) => {
        if ("id" in message) this.#onServerRequest(message, call)
        else if (message.method === "notifications/progress") this.#forwardProgress(call, message)
        else this.deliver(message)
      },
      answer: (_, answer) => this.#onAnswer(call, answer),
      cancelled: () => this.#end(call)
    })
    this.#calls.set(call, sessionRequest)
    this.#session.request(sessionRequest)
  }

  /** Cancels calls that wait for input because of this request; open requests are cancelled through `ClientRequest`. */
  cancel(id: RequestId, reason?: unknown): void {
    for (const call of this.#parked.where(({ askedBy }) => askedBy === id)) this.#abandon(call, reason)
  }

  /** Clients take an error for a server with sessions, and send `initialize`. */
  #discover(request: ClientRequest, envelope: Envelope.Envelope): void {
    void this.#session.introduce(Translation.initializeParams(envelope)).then((introduction) => {
      if (typeof introduction === "string") {
        return refuse(request, { code: JsonRpc.methodNotFound, message: introduction })
      }
      const { capabilities, instructions, serverInfo } = introduction
      reply(request, {
        resultType: "complete",
        supportedVersions: [Era.statelessVersion],
        // Without sessions, tasks are an extension.
        capabilities: { ...capabilities, tasks: undefined },
        ...(instructions === undefined ? {} : { instructions }),
        ttlMs: 0,
        cacheScope: "private",
        _meta: { [Meta.keys.serverInfo]: serverInfo }
      })
    })
  }

  /** For the first request, or for a stream of changes after a refusal. */
  #initialize(envelope: Envelope.Envelope): Promise<ServerCapabilities> | Envelope.ErrorObject {
    const isFirst = !this.#hasInitialized
    this.#hasInitialized = true
    let refusal: Envelope.ErrorObject | undefined
    const capabilities = new Promise<ServerCapabilities>((resolve) =>
      this.#requestFromSession("initialize", Translation.initializeParams(envelope), (response) => {
        if ("result" in response) return resolve(response.result["capabilities"] as ServerCapabilities)
        refusal = response.error
        this.#capabilities = undefined
        this.#changeStreams.end(refusal)
        // If we refused it, each call is interrupted as well and gets an error with its own fate.
        if (isFirst && !JsonRpcError.isOurs(refusal)) this.#failAll(refusal)
      })
    )
    if (refusal === undefined) this.#capabilities = capabilities
    this.#session.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
    return refusal ?? capabilities
  }

  #failAll(error: Envelope.ErrorObject): void {
    for (const sessionRequest of [...this.#calls.values()]) sessionRequest.answer({ error })
  }

  #setLevel(level: unknown): void {
    if (level === undefined || level === this.#level) return
    this.#level = level
    this.#requestFromSession("logging/setLevel", { level })
  }

  #resume(request: ClientRequest, state: string, envelope: Envelope.Envelope): void {
    const parked = this.#parked.get(state)
    const sessionRequest = parked && this.#calls.get(parked.call)
    if (parked === undefined || sessionRequest === undefined) {
      return refuse(request, {
        code: JsonRpc.invalidParams,
        message: "unknown requestState: the call is over; make it again"
      })
    }
    const { call, questions } = parked
    this.#parked.take(state)
    call.waiting = request
    call.envelope = envelope
    request.work = workOf(sessionRequest)
    if (call.earlyAnswer !== undefined) return this.#onAnswer(call, call.earlyAnswer)
    const responses = request.params?.["inputResponses"]
    for (const question of questions) {
      const result = Predicate.isRecord(responses) ? responses[String(question)] : undefined
      if (Predicate.isRecord(result)) this.#session.receive({ jsonrpc: "2.0", id: question, result })
      else this.#decline(question, JsonRpc.invalidRequest, "the client gave no answer")
    }
    // The server may have asked more meanwhile.
    this.#askClient(call)
  }

  #requestFromSession(
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

  #onAnswer(call: StatelessCall, answer: Answer): void {
    const { waiting } = call
    if (waiting === undefined) return this.#keepEarly(call, answer)
    this.#end(call)
    const response = responseOf(waiting.id, answer)
    if ("result" in response) reply(waiting, Translation.completeResult(call.method, response.result))
    else waiting.answer({ error: Translation.translateError(call, response.error) })
  }

  #keepEarly(call: StatelessCall, answer: Answer): void {
    const bytes = "resultText" in answer ? Bytes(answer.resultText.length) : JsonValue.sizeOf(answer)
    if (this.#roomForEarly.take(bytes) === undefined) {
      call.earlyAnswer = answer
      call.earlyBytes = bytes
    } else {
      const message =
        "the answer came while the client was asked for input, and was too long to be kept: the request was carried out"
      call.earlyAnswer = {
        error: { code: JsonRpcError.ourCode, message, data: { tag: "Interrupted", fate: "unknown" } }
      }
    }
  }

  /**
   * A server does not say during which call it asks: assumes the latest that may ask for input, and refuses if that may be another client's.
   * `about`: a call of the server that asks, if known.
   */
  #onServerRequest(request: JSONRPCRequest, about?: StatelessCall): void {
    const { id, method } = request
    const capability = Envelope.capabilityFor[method]
    if (capability === undefined) return this.#decline(id, JsonRpc.methodNotFound, "Method not found")
    const server = about && this.#calls.get(about)?.backend?.id
    const calls = Array.from(this.#calls).flatMap(([call, { backend }]) =>
      call.earlyAnswer === undefined && mayAskForInput.has(call.method)
        && (server === undefined || backend?.id === server)
        ? [call]
        : []
    )
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
    if (!call.ask(request)) {
      const message =
        `too many questions, or too long ones, wait until the client of ${this.#name} comes back; ask again later`
      return this.#decline(id, JsonRpcError.ourCode, message)
    }
    // Collects all that the server asks in this turn of the event loop.
    setImmediate(() => this.#askClient(call))
  }

  #askClient(call: StatelessCall): void {
    const { waiting } = call
    if (waiting === undefined || !this.#calls.has(call)) return
    const questions = call.takeQuestions()
    if (questions.length === 0) return
    const requestState = this.#parked.park(call, waiting.id, new Set(questions.map(({ id }) => id)))
    const inputRequests = Object.fromEntries(
      questions.map(({ id, method, params }) => [
        String(id),
        { method, ...(params === undefined ? {} : { params }) }
      ])
    )
    call.waiting = undefined
    reply(waiting, { resultType: "input_required", inputRequests, requestState })
  }

  #decline(id: RequestId, code: number, message: string): void {
    this.#session.receive({ jsonrpc: "2.0", id, error: { code, message } })
  }

  #end(call: StatelessCall): void {
    if (this.#calls.delete(call) && call.earlyBytes > 0) this.#roomForEarly.release(call.earlyBytes)
    for (const id of [...call.takeQuestions().map(({ id }) => id), ...this.#parked.forget(call)]) {
      this.#decline(id, JsonRpc.invalidRequest, "the call is over")
    }
  }

  /** The client does not come back to it. It may have its answer already. */
  #abandon(call: StatelessCall, reason?: unknown): void {
    const sessionRequest = this.#calls.get(call)
    this.#end(call)
    sessionRequest?.cancel(reason)
  }

  /** One that the client was already sent stays until the client comes back. */
  #onServerCancelled(question: RequestId): void {
    for (const call of this.#calls.keys()) call.withdraw(question)
  }

  #onNotification(notification: JSONRPCNotification): void {
    const { method, params } = notification
    if (this.#changeStreams.forward(notification)) return
    // Progress of a call arrives through the call; this is that of a task, for which no request is open.
    if (method === "notifications/progress") return
    const calls = [...this.#calls.keys()].filter(({ waiting }) => waiting !== undefined)
    if (method !== "notifications/message") return calls.at(-1)?.waiting?.say(notification)
    const height = heightOf(params?.["level"])
    calls.findLast(({ envelope: { level } }) => level !== undefined && level <= height)?.waiting?.say(notification)
  }

  #forwardProgress(
    { envelope: { progressToken }, waiting }: StatelessCall,
    { params }: JSONRPCNotification | JSONRPCRequest
  ): void {
    if (waiting === undefined || progressToken === undefined) return
    const message = {
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: ExactJson.copied(params, { ...params, progressToken })
    }
    waiting.say(message as JSONRPCNotification)
  }
}

const reply = (request: ClientRequest, result: Readonly<Record<string, unknown>>): void => request.answer({ result })

const refuse = (request: ClientRequest, { code, data, message }: Envelope.ErrorObject): void =>
  request.answer({ error: { code, message, ...(data === undefined ? {} : { data }) } })
