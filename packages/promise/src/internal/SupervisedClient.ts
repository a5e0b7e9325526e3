/**
 * The official Client over a relay to a backend of the core.
 *
 * The official Client validates, dispatches requests to handlers, remembers lists and manages tasks. Here, the backend sends requests and
 * makes the handshakes, and one transport lasts as long as the client.
 */
import type { Method } from "@mcp-lifeline/core"
import { Handle } from "@mcp-lifeline/core/internal"
import type { Incoming, Introduction } from "@mcp-lifeline/protocol"
import { ListChanges } from "@mcp-lifeline/protocol"
import { isList, type ListMethod } from "@mcp-lifeline/protocol/listMethods"
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
import type { Status } from "../Status.js"
import { ClientTransport } from "./ClientTransport.js"
import * as CoreOptions from "./CoreOptions.js"
import { closed } from "./Failure.js"
import { capabilityOf, HandlerRegistry } from "./HandlerRegistry.js"
import * as OfficialClient from "./OfficialClient.js"
import * as Runner from "./Runner.js"
import { ServerSupervision } from "./ServerSupervision.js"
import type { BackendSource } from "./ServerSupervision.js"

export interface Identity {
  readonly clientInfo: Implementation
  readonly capabilities: ClientCapabilities
  readonly handlers: ServerRequestHandlers | undefined
  readonly official: OfficialOptions
}

type Handler = Parameters<SdkClient["setRequestHandler"]>

export class SupervisedClient extends SdkClient {
  readonly name: string
  readonly keepalive: KeepaliveControl
  readonly supervision: ServerSupervision
  readonly #start: ReturnType<typeof Runner.starter>
  readonly #isStrict: boolean
  readonly #transport: ClientTransport
  readonly #handlers: HandlerRegistry
  /** With which the program has read lists. */
  readonly #listSchemas = new Map<ListMethod, unknown>()

  constructor(source: BackendSource, incoming: Incoming, identity: Identity) {
    super(identity.clientInfo, { ...identity.official, capabilities: identity.capabilities } as ClientOptions)
    OfficialClient.check(this, identity.official.listChanged !== undefined)
    this.name = source.name
    this.supervision = new ServerSupervision(source)
    this.#start = Runner.starter(source.runtime)
    this.#isStrict = identity.official.enforceStrictCapabilities === true
    this.keepalive = this.supervision.keepalive
    this.#handlers = new HandlerRegistry(identity.capabilities)
    this.#defineOnerror()
    const { elicitation, roots, sampling } = identity.handlers ?? {}
    if (sampling) this.setRequestHandler(CreateMessageRequestSchema, ({ params }, extra) => sampling(params, extra))
    if (elicitation) this.setRequestHandler(ElicitRequestSchema, ({ params }, extra) => elicitation(params, extra))
    if (roots) this.setRequestHandler(ListRootsRequestSchema, (_, extra) => roots(extra))
    this.#transport = new ClientTransport(source)
    // The session id makes the official Client skip the handshake: it is connected when the constructor returns.
    void super.connect(this.#transport).then(() => {
      this.#transport.isAttached = true
    })
    if (incoming.introduction !== undefined) this.#introduced(incoming.introduction)
    const announcing = ListChanges.announce(
      source,
      this.#transport.relay,
      () => this.getServerCapabilities(),
      (method) => this.#listSchemas.get(method)
    )
    announcing.heard({ announced: [], unannounced: incoming.unannounced })
    incoming.receiver = {
      ...announcing,
      asked: async (request, signal) => {
        await this.#handlers.waitFor(request.method, signal)
        return this.#transport.relay.ask(request, signal)
      },
      introduced: (introduction) => this.#introduced(introduction)
    }
  }

  /** The public type's calls take more options. */
  get asClient(): Client {
    return this as unknown as Client
  }

  get status(): Status {
    return this.supervision.status
  }

  override connect(_transport: Transport): Promise<void> {
    return Promise.reject(
      new Error(
        `${this.name}: this client has its server, and keeps it; for another call connect() of @mcp-lifeline/client`
      )
    )
  }

  override close(): Promise<void> {
    return this.supervision.close(() => this.#transport.end())
  }

  /** After something else has closed the backend. */
  ended(): Promise<void> {
    return this.supervision.ended(() => this.#transport.end())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * The backend waits, retries, limits the time and decodes. The official Client queues requests of a server's task until the server fetches
   * them.
   */
  override request<T extends AnySchema>(
    request: ClientRequest,
    resultSchema: T,
    options?: RequestOptions
  ): Promise<SchemaOutput<T>> {
    if (options?.relatedTask !== undefined) return super.request(request, resultSchema, options)
    const { isClosing, name, source } = this.supervision
    const core = CoreOptions.make(name, options, resultSchema)
    if (core instanceof Error) return Promise.reject(core)
    if (isClosing) return Promise.reject(closed(name))
    const { method, params } = request
    const refusal = this.#isStrict ? this.#refusal(method, options) : undefined
    if (refusal !== undefined) return Promise.reject(refusal)
    if (isList(method)) this.#listSchemas.set(method, resultSchema)
    const result = this.#start<unknown>((next) => {
      const backend = source.backend()
      if (backend !== undefined) return Handle.start(backend, method as Method, params as never, core, next).cancel
      next(source.use((backend) => backend.request(method as Method, params as never, core)))
      return constVoid
    }, options)
    const { listings } = this.#transport.relay
    return (isList(method) ? result.then((page) => listings.result(method, params, page)) : result) as Promise<
      SchemaOutput<T>
    >
  }

  override setRequestHandler(...args: Handler): void {
    super.setRequestHandler(...args)
    // The official constructor sets a handler before the fields of this class exist.
    if (#handlers in this) this.#handlers.add(getMethodLiteral(args[0]))
  }

  override removeRequestHandler(method: string): void {
    super.removeRequestHandler(method)
    this.#handlers.remove(method)
  }

  #introduced(introduction: Introduction): undefined {
    this.#transport.session = introduction.sessionId
    OfficialClient.introduce(this, introduction)
  }

  /** Unknown before the first connection. */
  protected override assertCapabilityForMethod(method: ClientRequest["method"]): void {
    if (this.getServerCapabilities() !== undefined) super.assertCapabilityForMethod(method)
  }

  protected override assertRequestHandlerCapability(method: string): void {
    try {
      super.assertRequestHandlerCapability(method)
    } catch (cause) {
      const capability = capabilityOf(method)
      const remedy = `declare it when connecting: connect(server, { capabilities: { ${capability}: {} } })`
      throw new ConfigError({
        backend: this.name,
        field: `capabilities.${capability}`,
        message: `${this.name}: ${cause instanceof Error ? cause.message : String(cause)}: ${remedy}`,
        cause
      })
    }
  }

  /** `enforceStrictCapabilities`. */
  #refusal(method: string, options: RequestOptions | undefined): unknown {
    try {
      this.assertCapabilityForMethod(method as ClientRequest["method"])
      if (options?.task !== undefined) this.assertTaskCapability(method)
      return undefined
    } catch (error) {
      return error
    }
  }

  /** Subscribes to errors only when `onerror` is first set: most programs do not set it. */
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
        this.supervision.onError((error) => current?.(error))
      }
    })
  }
}

const forwarded = [
  "statusChanges",
  "on",
  "reconnect",
  "enable",
  "disable",
  "disconnect",
  "refresh",
  "approveTools",
  "isHealthy",
  "healthCheck"
] as const satisfies ReadonlyArray<keyof ServerSupervision>

for (const name of forwarded) {
  const value = function(this: SupervisedClient, ...args: ReadonlyArray<unknown>): unknown {
    return Reflect.apply(this.supervision[name], this.supervision, args)
  }
  Object.defineProperty(SupervisedClient.prototype, name, { value, writable: true, configurable: true })
}

// If the backend runs the tool's task, nothing is refused.
OfficialClient.decideTasks(SupervisedClient.prototype, ({ supervision }, own, name) => {
  const backend = supervision.source.backend()
  return backend !== undefined && !Handle.runsTasks(backend) && own(name)
})
