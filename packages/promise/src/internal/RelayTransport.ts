/** The backend is made when the client sends `initialize`, with the client's name and capabilities. */
import { ConnectError as CoreConnectError } from "@mcp-lifeline/core"
import type { Introduction, JsonRpcError, Responder } from "@mcp-lifeline/protocol"
import { ClientRequests, deliver, ListChanges, ObjectResults, Relay } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  InitializeRequest,
  InitializeResult,
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId
} from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode, InitializeRequestParamsSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { ConfigError, ConnectError } from "../Errors.js"
import type { Server, TransportOptions } from "../Options.js"
import type { SupervisedTransport, Supervision } from "../Transport.js"
import { closed } from "./Failure.js"
import * as InitializeFailure from "./InitializeFailure.js"
import { notConnectedError, open, policyOf } from "./open.js"
import type { Prepared } from "./Servers.js"
import * as Servers from "./Servers.js"
import { ServerSupervision } from "./ServerSupervision.js"

const incompatible = (backend: string, version: string, agreed: string): CoreConnectError =>
  new CoreConnectError({
    backend,
    reason: "incompatible",
    permanent: true,
    message:
      `${backend} came back with protocol version ${version}, but its client had agreed on ${agreed}: connect the client again`
  })

export class RelayTransport implements SupervisedTransport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport["onmessage"]>
  readonly #name: string
  readonly #options: TransportOptions
  readonly #prepared: Prepared
  readonly #aborting = new AbortController()
  #started = false
  #opening: Promise<void> | undefined
  readonly #relay: Relay
  /** For a client of a revision before 2026-07-28. */
  readonly #responder: Responder
  readonly #requests = new ClientRequests()
  #opened: ServerSupervision | undefined
  #announcing: ListChanges.Announcing | undefined
  /** From the answer to `initialize`. */
  #agreed: string | undefined
  /** The server has come back with another protocol version. */
  #changed: ConnectError | undefined
  #closing: Promise<void> | undefined
  #ended = false

  constructor(server: Server, options: TransportOptions) {
    const { name, prepared } = Servers.prepareOne("supervisedTransport", server, options)
    this.#name = name
    this.#options = options
    this.#prepared = prepared
    this.#relay = new Relay(name, this, { holds: true })
    const { answer, say } = this.#relay.responder
    this.#responder = { say, answer: (request, given) => answer(request, ObjectResults.answer(request, given)) }
    if (policyOf(this.#name, this.#prepared).lifecycle.disabled) {
      throw new ConfigError({
        backend: this.#name,
        field: "lifecycle.disabled",
        message:
          `${this.#name}: a transport cannot be made for a server that is disabled (lifecycle.disabled): enable it, or make no transport for it`
      })
    }
  }

  get supervision(): Supervision | undefined {
    return this.#opened
  }

  /** Undefined until `initialize` is answered: the official Client skips it if there is a session id. */
  get sessionId(): string | undefined {
    return this.#opened === undefined ? undefined : this.#prepared.incoming.introduction?.sessionId
  }

  start(): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed(this.#name))
    if (this.#started) return Promise.reject(new Error(`${this.#name}: the transport was started before`))
    this.#started = true
    return Promise.resolve()
  }

  send(message: JSONRPCMessage): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed(this.#name))
    if (!this.#started) return Promise.reject(new Error(`${this.#name}: the transport was not started`))
    if (!("method" in message)) this.#relay.answered(message)
    else if (!("id" in message)) this.#notification(message)
    else if (message.method === "initialize") return this.#initialize(message.id, message.params)
    else this.#request(message)
    return Promise.resolve()
  }

  setProtocolVersion(): void {
    // The version is known from `initialize`.
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Then waits until all requests in flight are answered. */
  async #close(): Promise<void> {
    this.#aborting.abort(closed(this.#name))
    await this.#opening
    await this.#opened?.close(() => undefined)
    await this.#requests.settled
    this.#relay.end()
    this.#ended = true
    this.onclose?.()
  }

  #request(request: JSONRPCRequest): void {
    const { id, method } = request
    const source = this.#opened?.source
    if (source !== undefined) {
      this.#relay.forward(source, this.#requests.open(request, this.#responder), {
        isBounded: this.#prepared.options.timeouts?.request !== undefined
      })
    } else if (method === "ping") this.#reply({ jsonrpc: "2.0", id, result: {} })
    else if (method === "server/discover") {
      this.#refuse(id, {
        code: ErrorCode.MethodNotFound,
        message: "Lifeline speaks only revisions before 2026-07-28 with this client: send initialize"
      })
    } else this.#refuse(id, { code: ErrorCode.InvalidRequest, message: "the first request must be initialize" })
  }

  #notification(notification: JSONRPCNotification): void {
    switch (notification.method) {
      case "notifications/initialized":
        return this.#relay.initialized()
      case "notifications/cancelled":
        return void this.#requests.cancel(notification)
      default: {
        const opened = this.#opened
        // Dropped while the server is down: after a reconnect, it asks for what it needs.
        if (opened?.status.state !== "Connected") return
        const { method, params } = notification
        const { fork, use } = opened.source
        fork(
          Effect.catchAllCause(
            use((backend) => backend.notify(method, params)),
            (cause) => Effect.logDebug(`${method} was not sent`, cause)
          )
        )
      }
    }
  }

  /** Rejects if a person has to log in, like the official transports: then the client's `connect` rejects with this. */
  async #initialize(id: RequestId, params: unknown): Promise<void> {
    if (!InitializeRequestParamsSchema.safeParse(params).success) {
      return this.#refuse(id, { code: ErrorCode.InvalidParams, message: "not an initialize request" })
    }
    if (this.#opening !== undefined) {
      return this.#refuse(id, {
        code: ErrorCode.InvalidRequest,
        message: "initialize was sent before; a transport takes it once"
      })
    }
    let login: unknown
    this.#opening = this.#open(params as InitializeRequest["params"]).then(
      (result) => this.#reply({ jsonrpc: "2.0", id, result }),
      (error: unknown) => {
        this.#opening = undefined
        if (InitializeFailure.isUnauthorized(error)) login = error
        else if (this.#closing === undefined) this.#refuse(id, InitializeFailure.toJsonRpc(error))
      }
    )
    await this.#opening
    if (login !== undefined) throw login
  }

  async #open({ capabilities, clientInfo, protocolVersion }: InitializeRequest["params"]): Promise<InitializeResult> {
    const { incoming, options } = this.#prepared
    incoming.protocolVersion = protocolVersion
    const relay = this.#relay
    incoming.receiver = {
      notified: (notification) => {
        if (this.#announcing === undefined) relay.pass(notification)
        else this.#announcing.notified(notification)
      },
      heard: (hearing) => this.#announcing?.heard(hearing),
      asked: (request, signal) => relay.ask(request, signal),
      introduced: (introduction) => this.#accept(introduction)
    }
    const prepared = {
      ...this.#prepared,
      // Not lazy: `initialize` waits for the connection.
      options: { ...options, lifecycle: { ...options.lifecycle, lazy: false }, capabilities, clientInfo }
    }
    const signal = this.#aborting.signal
    const opened = await open(
      this.#name,
      prepared,
      { ...this.#options, signal },
      (source) => new ServerSupervision(source)
    )
    const { introduction } = incoming
    if (introduction === undefined) {
      await opened.close(() => undefined)
      throw new Error(`${this.#name}: connected, but the answer to initialize is missing`)
    }
    this.#opened = opened
    this.#agreed = incoming.protocolVersion = introduction.protocolVersion
    const announced = ListChanges.announcing(introduction.capabilities)
    this.#announcing = ListChanges.announce(opened.source, relay, () => announced)
    this.#announcing.heard({ announced: [], unannounced: incoming.unannounced })
    opened.on("event", (event) => {
      if (event._tag === "AttemptFailed" && this.#changed !== undefined) this.#endChanged(opened, this.#changed)
      else if (event._tag === "StateChanged" && event.to === "PermanentlyFailed") {
        this.onerror?.(notConnectedError(opened.status, prepared))
      }
    })
    const { instructions, protocolVersion: agreed, serverInfo } = introduction
    return {
      capabilities: announced,
      protocolVersion: agreed,
      serverInfo,
      ...(instructions === undefined ? {} : { instructions })
    }
  }

  /** The client cannot change its protocol version. */
  #accept({ protocolVersion }: Introduction): CoreConnectError | undefined {
    if (this.#agreed === undefined || protocolVersion === this.#agreed) return undefined
    const error = incompatible(this.#name, protocolVersion, this.#agreed)
    this.#changed = new ConnectError(error)
    return error
  }

  /** Unless the old connection, which was to be replaced, still works. */
  #endChanged({ status }: ServerSupervision, error: ConnectError): void {
    this.#changed = undefined
    if (status.state === "Connected") return
    this.onerror?.(error)
    this.close().catch((cause: Error) => this.onerror?.(cause)) // an error that `onclose` has thrown
  }

  #refuse(id: RequestId, error: JsonRpcError.JsonRpcError): void {
    this.#reply({ jsonrpc: "2.0", id, error })
  }

  /** After `send` has returned. */
  #reply(response: JSONRPCResponse): void {
    queueMicrotask(() => this.#deliver(response))
  }

  #deliver(message: JSONRPCMessage): void {
    if (!this.#ended) deliver(this, message)
  }
}
