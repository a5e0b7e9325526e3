/**
 * A host of the protocol without sessions (2026-07-28) as one with a session: what it says of itself in each request becomes one
 * `initialize`, and what a session would bring by itself goes to the streams that ask for it.
 *
 * What the server asks (elicitation, sampling, roots) is given to the host in place of the result of the call that it came during,
 * and the answers come with that call, made again.
 */
import { Era, Initialize, type Introduction, JsonRpc } from "@mcp-lifeline/protocol"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId
} from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { randomUUID } from "node:crypto"
import { keys, metaOf, passedOn } from "../hop.js"
import { Subscriptions } from "./Subscriptions.js"

/** The session that the host is given. */
export interface Session {
  readonly receive: (message: JSONRPCMessage) => void
  /** What is known of the server for a client that says `params` in `initialize`. Starts nothing. */
  readonly introduce: (params: unknown) => Promise<Introduction>
}

const unsupportedVersion = -32_022
const missingCapability = -32_021

/** Requests during which the server may ask for something. */
const mayWait: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"])
/** Results that a client may keep for a time that they name. */
const mayBeKept: ReadonlySet<string> = new Set([
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "resources/read"
])
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
  (message.method === "server/discover" || metaOf(message.params)[keys.protocolVersion] !== undefined)

/** Calls of which the host has been asked for something. */
const maxParked = 1000

/** A request of the host, under the id that it has in the session. */
interface Call {
  /** The host's own; undefined while the host has been asked for something. */
  host: RequestId | undefined
  readonly method: string
  readonly capabilities: Readonly<Record<string, unknown>>
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

/** Translates between a host without a session and a bridge. */
export class StatelessHost {
  readonly #session: Session
  readonly #write: (message: JSONRPCMessage) => void
  readonly #name: string
  readonly #calls = new Map<number, Call>()
  readonly #parked = new Map<string, Parked>()
  readonly #subscriptions = new Subscriptions()
  /** Answers to what this asks by itself, by id. */
  readonly #own = new Map<RequestId, (response: JSONRPCResponse) => void>()
  #subscribed: ReadonlySet<string> = new Set()
  #level: unknown
  #lastId = 0
  #hasBegun = false

  constructor(name: string, session: Session, write: (message: JSONRPCMessage) => void) {
    this.#name = name
    this.#session = session
    this.#write = write
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
    else if (message.method === "notifications/cancelled") return // Questions are cancelled with the call they came during.
    else this.#notified(message)
  }

  // --- from the host

  #request(request: JSONRPCRequest): void {
    const { id, method, params } = request
    const meta = metaOf(params)
    const version = meta[keys.protocolVersion]
    if (version !== Era.statelessVersion) {
      return this.#refuse(id, unsupportedVersion, "Unsupported protocol version", {
        supported: [Era.statelessVersion],
        requested: version
      })
    }
    if (ofSessions.has(method)) return this.#refuse(id, JsonRpc.methodNotFound, "Method not found")
    if (method === "server/discover") return this.#discover(id, meta)
    this.#begin(meta)
    if (method === "subscriptions/listen") return this.#listen(id, params)
    const state = params?.["requestState"]
    if (Predicate.isString(state) && params?.["inputResponses"] !== undefined) return this.#goOn(request, state)
    this.#setLevel(meta[keys.logLevel])
    const call = ++this.#lastId
    const capabilities = meta[keys.clientCapabilities]
    this.#calls.set(call, {
      host: id,
      method,
      capabilities: Predicate.isRecord(capabilities) ? capabilities : {},
      answer: undefined
    })
    const passed = passedOn(params ?? {})
    this.#session.receive({ jsonrpc: "2.0", id: call, method, ...(params === undefined ? {} : { params: passed }) })
  }

  /** A host that only wants to know what there is starts no server. */
  #discover(id: RequestId, meta: Readonly<Record<string, unknown>>): void {
    this.#session.introduce(clientOf(meta)).then(({ capabilities, instructions, serverInfo }) =>
      this.#write({
        jsonrpc: "2.0",
        id,
        result: {
          resultType: "complete",
          supportedVersions: [Era.statelessVersion],
          capabilities,
          ...(instructions === undefined ? {} : { instructions }),
          ttlMs: 0,
          cacheScope: "private",
          _meta: { [keys.serverInfo]: serverInfo }
        }
      })
    )
  }

  /** Begins the session with what the first request says of its client. */
  #begin(meta: Readonly<Record<string, unknown>>): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#ask("initialize", clientOf(meta))
    this.#session.receive({ jsonrpc: "2.0", method: "notifications/initialized" })
  }

  #notification({ method, params }: JSONRPCNotification): boolean {
    if (method !== "notifications/cancelled") return false
    const id = params?.["requestId"] as RequestId
    if (this.#subscriptions.close(id)) {
      this.#subscribe()
      return true
    }
    for (const [call, { host }] of this.#calls) {
      if (host !== id) continue
      this.#calls.delete(call)
      this.#session.receive({ jsonrpc: "2.0", method, params: { ...params, requestId: call } })
      return true
    }
    return false
  }

  #listen(id: RequestId, params: unknown): void {
    const opened = this.#subscriptions.open(id, params)
    if ("code" in opened) return this.#refuse(id, opened.code, opened.message)
    this.#write(opened.acknowledged)
    this.#subscribe()
  }

  /** Has the session subscribe to what streams listen to, and to nothing else. */
  #subscribe(): void {
    const wanted = this.#subscriptions.uris
    const before = this.#subscribed
    this.#subscribed = wanted
    for (const uri of wanted) if (!before.has(uri)) this.#ask("resources/subscribe", { uri })
    for (const uri of before) if (!wanted.has(uri)) this.#ask("resources/unsubscribe", { uri })
  }

  #setLevel(level: unknown): void {
    if (level === undefined || level === this.#level) return
    this.#level = level
    this.#ask("logging/setLevel", { level })
  }

  /** The host gives what the server has asked for, and waits for the result of the call again. */
  #goOn({ id, params }: JSONRPCRequest, state: string): void {
    const parked = this.#parked.get(state)
    const call = parked && this.#calls.get(parked.call)
    if (parked === undefined || call === undefined) {
      return this.#refuse(id, JsonRpc.invalidParams, "requestState is not known: the call is over, make it anew")
    }
    this.#parked.delete(state)
    call.host = id
    if (call.answer !== undefined) return this.#answered(call.answer)
    const responses = params?.["inputResponses"]
    for (const question of parked.questions) {
      const result = Predicate.isRecord(responses) ? responses[String(question)] : undefined
      this.#session.receive(
        Predicate.isRecord(result)
          ? { jsonrpc: "2.0", id: question, result }
          : {
            jsonrpc: "2.0",
            id: question,
            error: { code: JsonRpc.invalidRequest, message: "the client gave no answer" }
          }
      )
    }
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
    this.#write(
      "result" in response
        ? { jsonrpc: "2.0", id: call.host, result: completed(call.method, response.result) }
        : { ...response, id: call.host }
    )
  }

  /** The server asks for something: the host is told in place of the result of the latest call that may wait for it. */
  #asked({ id, method, params }: JSONRPCRequest): void {
    const decline = (code: number, message: string): void =>
      this.#session.receive({ jsonrpc: "2.0", id, error: { code, message } })
    const capability = capabilityOf[method]
    if (capability === undefined) return decline(JsonRpc.methodNotFound, "Method not found")
    const waiting = [...this.#calls].findLast(([, { host, method }]) => host !== undefined && mayWait.has(method))
    if (waiting === undefined) {
      return decline(
        JsonRpc.invalidRequest,
        `the client of ${this.#name} speaks ${Era.statelessVersion}, in which a server asks during a call only`
      )
    }
    const [number, call] = waiting
    if (call.capabilities[capability] === undefined) {
      return decline(missingCapability, `the client does not support ${capability}`)
    }
    const requestState = randomUUID()
    this.#makeRoom()
    this.#parked.set(requestState, { call: number, questions: new Set([id]) })
    const host = call.host as RequestId
    call.host = undefined
    this.#write({
      jsonrpc: "2.0",
      id: host,
      result: {
        resultType: "input_required",
        inputRequests: { [String(id)]: { method, ...(params === undefined ? {} : { params }) } },
        requestState
      }
    })
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

  #notified(notification: JSONRPCNotification): void {
    const copies = this.#subscriptions.copies(notification)
    if (copies !== undefined) return copies.forEach((copy) => this.#write(copy))
    // Log messages come to those who have asked for them.
    if (notification.method !== "notifications/message" || this.#level !== undefined) this.#write(notification)
  }

  #refuse(id: RequestId, code: number, message: string, data?: unknown): void {
    this.#write({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } })
  }
}

/** Who the client is, as `initialize` says it. */
const clientOf = (meta: Readonly<Record<string, unknown>>) => ({
  protocolVersion: Initialize.latestVersion,
  clientInfo: meta[keys.clientInfo] ?? { name: "unnamed", version: "unknown" },
  capabilities: meta[keys.clientCapabilities] ?? {}
})

/** A result as this era has it. */
const completed = (method: string, result: Readonly<Record<string, unknown>>) => ({
  ...(mayBeKept.has(method) ? { ttlMs: 0, cacheScope: "private" } : {}),
  ...passedOn(result),
  resultType: "complete"
})
