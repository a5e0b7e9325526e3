/**
 * The facade's client: the official Client over a relay to a backend of the core.
 *
 * The official Client does what it does: it validates, dispatches to handlers, keeps what lists say and knows tasks. What is
 * changed here is how a request is sent (by the backend, with its options and its errors), and how it begins and ends: its
 * transport is there from the first to the last, and the handshakes are the backend's.
 */
import type { Method } from "@mcp-lifeline/core"
import { start } from "@mcp-lifeline/core/internal"
import type { Status } from "@mcp-lifeline/core/types"
import type { Incoming, Introduction } from "@mcp-lifeline/protocol"
import { ListChanges } from "@mcp-lifeline/protocol"
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
  ListRootsRequestSchema
} from "@modelcontextprotocol/sdk/types.js"
import { constVoid } from "effect/Function"
import type { Client, KeepaliveControl } from "../Client.js"
import { ConfigError } from "../Errors.js"
import type { OfficialOptions, ServerRequestHandlers } from "../Options.js"
import * as Arrivals from "./Arrivals.js"
import { ClientTransport } from "./ClientTransport.js"
import * as CoreOptions from "./CoreOptions.js"
import { closed } from "./Failure.js"
import * as Run from "./Run.js"
import { Supervised } from "./Supervised.js"
import type { Source } from "./Supervised.js"

/** Who the client is and what it does for servers. */
export interface Identity {
  readonly clientInfo: Implementation
  readonly capabilities: ClientCapabilities
  readonly handlers: ServerRequestHandlers | undefined
  readonly official: OfficialOptions
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

/** A client whose backend lives as long as its source. */
export class SupervisedClient extends SdkClient {
  readonly name: string
  readonly keepalive: KeepaliveControl
  /** What is seen of the server, and done with it. */
  readonly supervised: Supervised
  readonly #started: ReturnType<typeof Run.starting>
  readonly #isStrict: boolean
  readonly #transport: ClientTransport
  readonly #arrivals: Arrivals.Arrivals

  constructor(source: Source, incoming: Incoming, identity: Identity) {
    super(identity.clientInfo, { ...identity.official, capabilities: identity.capabilities } as ClientOptions)
    this.name = source.name
    this.supervised = new Supervised(source)
    this.#started = Run.starting(source.runtime)
    this.#isStrict = identity.official.enforceStrictCapabilities === true
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
    ListChanges.announce(source, this.#transport.relay, () => this.getServerCapabilities())
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

  /**
   * Asks the backend, which waits, sends again, bounds the time and decodes. What belongs to a task of the server goes where the
   * official Client keeps it, to be fetched by the server.
   */
  override request<T extends AnySchema>(
    request: ClientRequest,
    resultSchema: T,
    options?: RequestOptions
  ): Promise<SchemaOutput<T>> {
    if (options?.relatedTask !== undefined) return super.request(request, resultSchema, options)
    const { isClosing, name, source } = this.supervised
    const core = CoreOptions.make(name, options, resultSchema)
    if (core instanceof Error) return Promise.reject(core)
    if (isClosing) return Promise.reject(closed(name))
    const { method, params } = request
    const refusal = this.#isStrict ? this.#refusal(method, options) : undefined
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#transport.relay.methods.add(method)
    const result = this.#started<unknown>((next) => {
      const backend = source.backend()
      if (backend !== undefined) return start(backend, method as Method, params as never, core, next)
      next(source.use((backend) => backend.request(method as Method, params as never, core)))
      return constVoid
    }, options)
    return result as Promise<SchemaOutput<T>>
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

  /** What the server cannot do by its own word (`enforceStrictCapabilities`). */
  #refusal(method: string, options: RequestOptions | undefined): unknown {
    try {
      this.assertCapabilityForMethod(method as ClientRequest["method"])
      if (options?.task !== undefined) this.assertTaskCapability(method)
      return undefined
    } catch (error) {
      return error
    }
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

/** What a client has of its supervision as it is. */
const forwarded = [
  "statusChanges",
  "on",
  "reconnect",
  "enable",
  "disable",
  "disconnect",
  "refresh",
  "healthCheck"
] as const satisfies ReadonlyArray<keyof Supervised>

for (const name of forwarded) {
  const value = function(this: SupervisedClient, ...args: ReadonlyArray<unknown>): unknown {
    return Reflect.apply(this.supervised[name], this.supervised, args)
  }
  Object.defineProperty(SupervisedClient.prototype, name, { value, writable: true, configurable: true })
}
