/**
 * The facade's client: the official Client over a relay to a backend of the core.
 *
 * The official Client does what it does: it decodes, validates, dispatches to handlers and knows tasks. What is changed here is
 * how a request is sent (options of supervision go with it), what it fails with (our errors), and how it begins and ends: its
 * transport is there from the first to the last, and the handshakes are the backend's.
 */
import { Cancellation, ResultSchemas } from "@mcp-lifeline/protocol"
import { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js"
import type { ClientOptions } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema, SchemaOutput } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import { getMethodLiteral } from "@modelcontextprotocol/sdk/server/zod-json-schema-compat.js"
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import type { ClientCapabilities, ClientRequest, Implementation } from "@modelcontextprotocol/sdk/types.js"
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  McpError
} from "@modelcontextprotocol/sdk/types.js"
import type { Client, ClientEvents, HealthCheck, KeepaliveControl } from "../Client.js"
import { ConfigError, ProtocolError } from "../Errors.js"
import type { CallOptions, ServerRequestHandlers, SignalOptions } from "../Options.js"
import type { Status } from "../Status.js"
import * as Aborts from "./Aborts.js"
import * as Arrivals from "./Arrivals.js"
import { Carried, ClientTransport } from "./ClientTransport.js"
import * as CoreOptions from "./CoreOptions.js"
import { closed } from "./Failure.js"
import type { Incoming, Introduction } from "./Incoming.js"
import * as ListChanges from "./ListChanges.js"
import { Supervised } from "./Supervised.js"
import type { Source } from "./Supervised.js"

/** Who the client is and what it does for servers. */
export interface Identity {
  readonly clientInfo: Implementation
  readonly capabilities: ClientCapabilities
  readonly handlers: ServerRequestHandlers | undefined
  /** Options of the official Client. */
  readonly official: Omit<ClientOptions, "capabilities"> | undefined
}

/** What the official Client keeps of the handshake, which is not its own here, and learns in no other way. */
interface Handshake {
  _serverCapabilities: unknown
  _serverVersion: unknown
  _instructions: unknown
  _pendingListChangedConfig: object | undefined
  _setupListChangedHandlers: (config: object) => void
}

type Handler = Parameters<SdkClient["setRequestHandler"]>

/** The backend says when the time is over. */
const noTimeout = 2_147_483_647

/** A client whose backend lives as long as its source. */
export class SupervisedClient extends SdkClient {
  readonly name: string
  readonly keepalive: KeepaliveControl
  /** What is seen of the server, and done with it. */
  readonly supervised: Supervised
  readonly #transport: ClientTransport
  readonly #arrivals: Arrivals.Arrivals

  constructor(source: Source, incoming: Incoming, identity: Identity) {
    super(identity.clientInfo, { ...identity.official, capabilities: identity.capabilities })
    this.name = source.name
    this.supervised = new Supervised(source, () => this.#transport.relay.settled)
    this.keepalive = this.supervised.keepalive
    this.#arrivals = new Arrivals.Arrivals(identity.capabilities)
    this.#defineOnerror()
    const { elicitation, roots, sampling } = identity.handlers ?? {}
    if (sampling) this.setRequestHandler(CreateMessageRequestSchema, ({ params }, extra) => sampling(params, extra))
    if (elicitation) this.setRequestHandler(ElicitRequestSchema, ({ params }, extra) => elicitation(params, extra))
    if (roots) this.setRequestHandler(ListRootsRequestSchema, (_, extra) => roots(extra))
    this.#transport = new ClientTransport(source)
    // It has an id of a session, so that there is no handshake; and is there when this returns.
    void super.connect(this.#transport).then(() => {
      this.#transport.isAttached = true
    })
    if (incoming.introduction !== undefined) this.#introduced(incoming.introduction)
    ListChanges.announce(source, this.#transport.relay, () => {
      const { prompts, resources, tools } = this.getServerCapabilities() ?? {}
      return { tools: tools?.listChanged, prompts: prompts?.listChanged, resources: resources?.listChanged }
    })
    incoming.receiver = {
      notified: (notification) => this.#transport.relay.pass(notification),
      asked: async (request, signal) => {
        await this.#arrivals.wait(request.method, signal)
        return this.#transport.relay.ask(request, signal)
      },
      introduced: (introduction) => this.#introduced(introduction)
    }
  }

  /** This, as users see it: options of a call may have more than the official Client's. */
  get asClient(): Client {
    return this as unknown as Client
  }

  get status(): Status {
    return this.supervised.status
  }

  statusChanges(options?: SignalOptions): AsyncIterableIterator<Status> {
    return this.supervised.statusChanges(options)
  }

  on<E extends keyof ClientEvents>(event: E, listener: (value: ClientEvents[E]) => void): () => void {
    return this.supervised.on(event, listener)
  }

  reconnect(options?: SignalOptions): Promise<void> {
    return this.supervised.reconnect(options)
  }

  enable(options?: SignalOptions): Promise<void> {
    return this.supervised.enable(options)
  }

  disable(options?: SignalOptions): Promise<void> {
    return this.supervised.disable(options)
  }

  disconnect(options?: SignalOptions): Promise<void> {
    return this.supervised.disconnect(options)
  }

  refresh(options?: SignalOptions): Promise<void> {
    return this.supervised.refresh(options)
  }

  healthCheck(options?: SignalOptions): Promise<HealthCheck> {
    return this.supervised.healthCheck(options)
  }

  override connect(_transport: Transport): Promise<void> {
    return Promise.reject(
      new Error(
        `${this.name}: this client has its server, and keeps it; for another call connect() of @mcp-lifeline/client`
      )
    )
  }

  override close(): Promise<void> {
    return this.supervised.close(() => this.#transport.end())
  }

  /** Ends what listens, where the backend was closed by somebody else. */
  ended(): Promise<void> {
    return this.supervised.ended(() => this.#transport.end())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The official request, bounded and cancelled by the backend, with the errors of the facade. */
  override request<T extends AnySchema>(
    request: ClientRequest,
    resultSchema: T,
    options?: RequestOptions
  ): Promise<SchemaOutput<T>> {
    const { backend, error, sdk, signal } = this.#optionsOf(resultSchema, options)
    if (error !== undefined) return Promise.reject(error)
    const cancellation = signal === undefined ? undefined : new Cancellation()
    const abort = (): void => cancellation?.abort(signal?.reason)
    if (signal !== undefined) Aborts.add(signal, abort)
    const result = this.#transport.sending(
      backend,
      () => super.request(request, resultSchema, cancellation ? { ...sdk, signal: cancellation.signal } : sdk)
    )
    if (signal === undefined) return result.catch((error: unknown) => this.#fail(error, request.method))
    return result.then(
      (value) => {
        Aborts.remove(signal, abort)
        return value
      },
      (error: unknown) => {
        Aborts.remove(signal, abort)
        if (signal.aborted) throw signal.reason
        return this.#fail(error, request.method)
      }
    )
  }

  override setRequestHandler(...args: Handler): void {
    super.setRequestHandler(...args)
    // The official constructor sets one of its own before there is anything here.
    if (#arrivals in this) this.#arrivals.add(getMethodLiteral(args[0]))
  }

  override removeRequestHandler(method: string): void {
    super.removeRequestHandler(method)
    this.#arrivals.remove(method)
  }

  #introduced({ capabilities, instructions, serverInfo, sessionId }: Introduction): undefined {
    this.#transport.session = sessionId
    const handshake = this as unknown as Handshake
    handshake._serverCapabilities = capabilities
    handshake._serverVersion = serverInfo
    handshake._instructions = instructions
    const { _pendingListChangedConfig: listChanged } = handshake
    handshake._pendingListChangedConfig = undefined
    if (listChanged !== undefined) handshake._setupListChangedHandlers(listChanged)
  }

  /** Before the first connection nobody knows what the server can do. */
  protected override assertCapabilityForMethod(method: ClientRequest["method"]): void {
    if (this.getServerCapabilities() !== undefined) super.assertCapabilityForMethod(method)
  }

  protected override assertRequestHandlerCapability(method: string): void {
    try {
      super.assertRequestHandlerCapability(method)
    } catch (cause) {
      const capability = Arrivals.capabilityOf(method)
      const remedy = `declare it when connecting: connect(server, { capabilities: { ${capability}: {} } })`
      throw new ConfigError({
        backend: this.name,
        field: `capabilities.${capability}`,
        message: `${this.name}: ${cause instanceof Error ? cause.message : String(cause)}: ${remedy}`,
        cause
      })
    }
  }

  /** What the official Client is to look at, and what the backend. */
  #optionsOf(resultSchema: unknown, options: RequestOptions | undefined): {
    readonly backend: ReturnType<typeof CoreOptions.split>
    readonly error?: unknown
    readonly sdk: RequestOptions
    readonly signal: AbortSignal | undefined
  } {
    const backend = CoreOptions.split(options as CallOptions | undefined)
    const signal = options?.signal
    const wrong = ResultSchemas.wrong(resultSchema) ?? CoreOptions.wrong(this.name, options as CallOptions | undefined)
    if (wrong !== undefined) return { backend, error: wrong, sdk: plain, signal }
    if (signal?.aborted === true) return { backend, error: signal.reason, sdk: plain, signal }
    if (this.supervised.isClosing) return { backend, error: closed(this.name), sdk: plain, signal }
    if (options?.task === undefined && options?.relatedTask === undefined) return { backend, sdk: plain, signal }
    const { relatedTask, task } = options
    const sdk = {
      ...plain,
      ...(task === undefined ? {} : { task }),
      ...(relatedTask === undefined ? {} : { relatedTask })
    }
    return { backend, sdk, signal }
  }

  #fail(error: unknown, method: string): never {
    if (error instanceof McpError && error.data instanceof Carried) throw error.data.error
    if (!(error instanceof Error) || !("issues" in error)) throw error
    const message = `${this.name}: the answer to ${method} does not fit the schema: ${error.message}`
    throw new ProtocolError({ backend: this.name, method, message, cause: error })
  }

  /** Listens from when it is first set: most programs do not set it. */
  #defineOnerror(): void {
    let current: ((error: Error) => void) | undefined
    let isListening = false
    Object.defineProperty(this, "onerror", {
      configurable: true,
      get: () => current,
      set: (listener: typeof current) => {
        current = listener
        if (listener === undefined || isListening) return
        isListening = true
        this.supervised.onError((error) => current?.(error))
      }
    })
  }
}

const plain: RequestOptions = { timeout: noTimeout }
