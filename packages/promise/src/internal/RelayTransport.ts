/**
 * The transport that stands between a client of any kind and a backend: what the client sends is asked of the backend, and
 * what the server sends is passed to the client.
 */
import type { Backend, Method, ServerNotification } from "@mcp-lifeline/core"
import { ConnectError as CoreConnectError } from "@mcp-lifeline/core"
import type { SdkConnection } from "@mcp-lifeline/protocol"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type {
  InitializeRequest,
  InitializeResult,
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode, InitializeRequestParamsSchema, ResultSchema } from "@modelcontextprotocol/sdk/types.js"
import type { Fiber } from "effect"
import { Effect, Exit, FiberId, Runtime } from "effect"
import { ConfigError, ConnectError } from "../Errors.js"
import type { Server, TransportOptions } from "../Options.js"
import type { SupervisedTransport, Supervision } from "../Transport.js"
import type { Opened } from "./Connect.js"
import * as Connect from "./Connect.js"
import { closed } from "./Failure.js"
import * as Feed from "./Feed.js"
import type { JsonRpcError } from "./JsonRpc.js"
import * as JsonRpc from "./JsonRpc.js"
import { ListChanges } from "./ListChanges.js"
import type { Prepared } from "./Servers.js"
import * as Servers from "./Servers.js"

/** Requests that may take as long as the client likes: what they do is not ours to judge. */
const hasOwnTime = (method: string): boolean => method === "tools/call" || method === "tasks/result"

/** Notifications that are kept for a client that has not said yet that it is initialized. */
const backlog = 1000

/** A request of the client that is not answered yet. */
interface Call {
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** Why the client has cancelled it. */
  reason: unknown
}

/** A request of the server that the client has not answered yet. */
interface Asked {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

type Introduction = Pick<InitializeResult, "capabilities" | "instructions" | "protocolVersion" | "serverInfo">

const incompatible = (backend: string, version: string, agreed: string): CoreConnectError =>
  new CoreConnectError({
    backend,
    reason: "incompatible",
    incurable: true,
    message:
      `${backend} came back with protocol version ${version}, but its client had agreed on ${agreed}: connect the client again`
  })

/** A transport whose server is supervised from `initialize` to `close`. */
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
  #opened: Opened | undefined
  /** What the server said in the handshake of the latest connection. */
  #introduction: Introduction | undefined
  /** The protocol version that the client was told. */
  #agreed: string | undefined
  /** The server came back with another protocol version. */
  #changed: ConnectError | undefined
  /** What waits for the client's `notifications/initialized`; `undefined` once it has come. */
  #held: Array<() => void> | undefined = []
  readonly #calls = new Map<RequestId, Call>()
  readonly #asked = new Map<RequestId, Asked>()
  #asks = 0
  #closing: Promise<void> | undefined
  #ended = false

  constructor(server: Server, options: TransportOptions) {
    const { name, prepared } = Servers.prepareOne("supervisedTransport", server, options)
    this.#name = name
    this.#options = options
    this.#prepared = prepared
    if (Connect.policyOf(this.#name, this.#prepared).lifecycle.disabled) {
      throw new ConfigError({
        backend: this.#name,
        field: "lifecycle.disabled",
        message:
          `${this.#name}: a transport cannot be made for a server that is disabled (lifecycle.disabled): enable it, or make no transport for it`
      })
    }
  }

  get supervision(): Supervision | undefined {
    return this.#opened?.client
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
    if (!("method" in message)) this.#answered(message)
    else if (!("id" in message)) this.#notification(message)
    else if (message.method === "initialize") return this.#initialize(message.id, message.params)
    else this.#request(message)
    return Promise.resolve()
  }

  setProtocolVersion(): void {
    // It was agreed on here.
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Requests in flight are answered before the end. */
  async #close(): Promise<void> {
    this.#aborting.abort(closed(this.#name))
    await this.#opening
    await this.#opened?.client.close()
    for (const { reject } of this.#asked.values()) reject(closed(this.#name))
    this.#asked.clear()
    this.#ended = true
    this.onclose?.()
  }

  // --- from the client

  #request({ id, method, params }: JSONRPCRequest): void {
    const opened = this.#opened
    if (opened === undefined) {
      return method === "ping"
        ? this.#reply({ jsonrpc: "2.0", id, result: {} })
        : this.#refuse(id, { code: ErrorCode.InvalidRequest, message: "the first request must be initialize" })
    }
    const progressToken = params?._meta?.progressToken
    const call: Call = { fiber: undefined, reason: undefined }
    this.#calls.set(id, call)
    const fiber = Runtime.runFork(opened.runtime)(opened.backend.request(method as Method, params as never, {
      resultSchema: ResultSchema,
      cancelReason: () => call.reason,
      ...(hasOwnTime(method) && this.#prepared.options.timeouts?.request === undefined ? { timeout: Infinity } : {}),
      ...(progressToken === undefined ? {} : {
        resetTimeoutOnProgress: true,
        onprogress: (progress) => {
          if (this.#calls.get(id) !== call) return
          this.#deliver({
            jsonrpc: "2.0",
            method: "notifications/progress",
            params: { ...progress, progressToken }
          })
        }
      })
    }))
    call.fiber = fiber
    fiber.addObserver((exit) => {
      if (this.#calls.get(id) !== call) return // cancelled
      this.#calls.delete(id)
      if (Exit.isSuccess(exit)) this.#reply({ jsonrpc: "2.0", id, result: exit.value as Result })
      else this.#refuse(id, JsonRpc.fromCause(exit.cause as never))
    })
  }

  #notification({ method, params }: JSONRPCNotification): void {
    switch (method) {
      case "notifications/initialized": {
        const held = this.#held
        this.#held = undefined
        for (const deliver of held ?? []) deliver()
        return
      }
      case "notifications/cancelled": {
        const id = params?.["requestId"] as RequestId
        const call = this.#calls.get(id)
        if (call === undefined) return
        this.#calls.delete(id)
        call.reason = params?.["reason"]
        return call.fiber?.unsafeInterruptAsFork(FiberId.none)
      }
      default: {
        const opened = this.#opened
        // What changes while the server is down, it asks for when it is back.
        if (opened?.client.status.state !== "Connected") return
        Runtime.runFork(opened.runtime)(
          Effect.catchAllCause(
            opened.backend.notify(method, params),
            (cause) => Effect.logDebug(`${method} was not sent`, cause)
          )
        )
      }
    }
  }

  /** The client has answered a request of the server. */
  #answered(response: JSONRPCResponse): void {
    const { id } = response
    if (id === undefined) return
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    if ("result" in response) asked?.resolve(response.result)
    else asked?.reject(Object.assign(new Error(response.error.message), response.error))
  }

  /** Is rejected where a person has to log in, as the official transports are: the client is then rejected with that error. */
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
        if (JsonRpc.isUnauthorized(error)) login = error
        else if (this.#closing === undefined) this.#refuse(id, JsonRpc.fromConnectFailure(error))
      }
    )
    await this.#opening
    if (login !== undefined) throw login
  }

  async #open(client: InitializeRequest["params"]): Promise<InitializeResult> {
    const prepared = { ...this.#prepared, options: this.#backendOptions(client) }
    const opened = await Connect.open(this.#name, prepared, { ...this.#options, signal: this.#aborting.signal })
    const introduction = this.#introduction
    if (introduction === undefined) {
      await opened.client.close()
      throw new Error(`${this.#name}: connected, but the answer to initialize is missing`)
    }
    this.#opened = opened
    this.#agreed = introduction.protocolVersion
    const result = { ...introduction, capabilities: JsonRpc.announcing(introduction.capabilities) }
    const lists = new ListChanges(result.capabilities, opened.client.status.generation)
    Feed.start(opened.runtime, opened.backend.catalog.changes)({
      push: (snapshot) => {
        for (const method of lists.next(snapshot)) this.#pass({ method })
      },
      end: () => undefined
    })
    opened.client.on("event", (event) => {
      if (event._tag === "AttemptFailed" && this.#changed !== undefined) this.#endChanged(opened, this.#changed)
      else if (event._tag === "StateChanged" && event.to === "PermanentlyFailed") {
        this.onerror?.(Connect.whyNot(opened.client.status, prepared))
      }
    })
    return result
  }

  /** What the backend is made of: in the client's name, and connected now, because the client asks for it. */
  #backendOptions({ capabilities, clientInfo, protocolVersion }: InitializeRequest["params"]): Backend.BackendOptions {
    const { connector, lifecycle, ...options } = this.#prepared.options
    return {
      ...options,
      lifecycle: { ...lifecycle, lazy: false },
      clientInfo,
      capabilities,
      handlers: undefined,
      connector: {
        ...connector,
        connect: (connectOptions) => {
          const relayed: SdkConnection.Options = {
            ...connectOptions,
            onNotification: (notification) => {
              connectOptions.onNotification(notification)
              this.#pass(notification)
            },
            relay: {
              protocolVersion: this.#agreed ?? protocolVersion,
              request: (request, signal) => this.#ask(request, signal)
            }
          }
          return Effect.flatMap(connector.connect(relayed), (connection) => {
            const { capabilities, instructions, protocolVersion: version, serverInfo } = connection
            if (this.#agreed !== undefined && version !== this.#agreed) {
              const error = incompatible(this.#name, version, this.#agreed)
              this.#changed = new ConnectError(error)
              return Effect.fail(error)
            }
            this.#introduction = {
              capabilities,
              protocolVersion: version,
              serverInfo,
              ...(instructions === undefined ? {} : { instructions })
            }
            return Effect.succeed(connection)
          })
        }
      }
    }
  }

  /** Another version cannot be told to the client any more. A connection that was to be replaced, and has stayed, can go on. */
  #endChanged({ client }: Opened, error: ConnectError): void {
    this.#changed = undefined
    if (client.status.state === "Connected") return
    this.onerror?.(error)
    this.close().catch((cause: Error) => this.onerror?.(cause)) // what `onclose` threw
  }

  // --- from the server

  /** Asks the client something for the server. */
  #ask(
    { method, params }: { readonly method: string; readonly params?: Record<string, unknown> | undefined },
    signal: AbortSignal
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (signal.aborted || this.#ended) return reject(closed(this.#name))
      const id = ++this.#asks
      let told = false
      const abort = (): void => {
        if (!this.#asked.delete(id)) return
        reject(closed(this.#name))
        if (!told) return
        const reason = typeof signal.reason === "string" ? { reason: signal.reason } : {}
        this.#pass({ method: "notifications/cancelled", params: { requestId: id, ...reason } })
      }
      signal.addEventListener("abort", abort, { once: true })
      this.#asked.set(id, {
        resolve: (result) => {
          signal.removeEventListener("abort", abort)
          resolve(result)
        },
        reject: (error) => {
          signal.removeEventListener("abort", abort)
          reject(error)
        }
      })
      this.#whenInitialized(() => {
        if (!this.#asked.has(id)) return
        told = true
        this.#deliver(params === undefined ? { jsonrpc: "2.0", id, method } : { jsonrpc: "2.0", id, method, params })
      })
    })
  }

  #pass({ method, params }: ServerNotification): void {
    this.#whenInitialized(() =>
      this.#deliver(params === undefined ? { jsonrpc: "2.0", method } : { jsonrpc: "2.0", method, params })
    )
  }

  #whenInitialized(deliver: () => void): void {
    if (this.#held === undefined) return deliver()
    this.#held.push(deliver)
    if (this.#held.length > backlog) this.#held.shift()
  }

  // --- to the client

  #refuse(id: RequestId, error: JsonRpcError): void {
    this.#reply({ jsonrpc: "2.0", id, error })
  }

  /** Never in the middle of the client's `send`. */
  #reply(response: JSONRPCResponse): void {
    queueMicrotask(() => this.#deliver(response))
  }

  #deliver(message: JSONRPCMessage): void {
    if (this.#ended) return
    try {
      this.onmessage?.(message)
    } catch (error) {
      this.onerror?.(error instanceof Error ? error : new Error(String(error)))
    }
  }
}
