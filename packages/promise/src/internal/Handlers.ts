/**
 * Handlers of requests that servers make, as the core's Effects.
 *
 * The table belongs to the client and not to a connection, so that a handler serves every later generation.
 */
import type { ServerNotification, ServerRequestHandlers as CoreHandlers } from "@mcp-lifeline/core"
import { ServerRequest } from "@mcp-lifeline/protocol"
import { getMethodLiteral, parseWithCompat } from "@modelcontextprotocol/sdk/server/zod-json-schema-compat.js"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Client } from "../Client.js"
import { ConfigError } from "../Errors.js"
import type { CommonOptions } from "../Options.js"

type Schema = Parameters<Client["setRequestHandler"]>[0]
type Extra = Parameters<Parameters<Client["setRequestHandler"]>[1]>[1]
type Handler = (request: unknown, extra: Extra) => unknown

/** How a handler can talk to the server that asks. */
export type Peer = Pick<Client, "request" | "notification">

/** How long a request waits for a handler that was declared but is not there yet, in milliseconds. */
const patience = 1000

const capabilityOf = {
  "sampling/createMessage": "sampling",
  "elicitation/create": "elicitation",
  "roots/list": "roots"
} as const

type Method = keyof typeof capabilityOf

const isMethod = (method: string): method is Method => Object.hasOwn(capabilityOf, method)

/** The handlers of one client. */
export class Handlers {
  readonly #backend: string
  readonly #capabilities: ClientCapabilities
  readonly #table = new Map<string, Handler>()
  readonly #waiting = new Set<() => void>()
  #requests = 0
  #peer: (() => Peer) | undefined
  /** Called for each notification of the server, in the step in which it comes. Must not throw. */
  onNotification: ((notification: ServerNotification) => void) | undefined

  constructor(backend: string, options: CommonOptions) {
    this.#backend = backend
    const { elicitation, roots, sampling } = options.handlers ?? {}
    this.#capabilities = {
      ...(sampling === undefined ? {} : { sampling: {} }),
      ...(elicitation === undefined ? {} : { elicitation: { form: {} } }),
      ...(roots === undefined ? {} : { roots: {} }),
      ...options.capabilities
    }
    if (sampling) this.#table.set("sampling/createMessage", ({ params }: any, extra) => sampling(params, extra))
    if (elicitation) this.#table.set("elicitation/create", ({ params }: any, extra) => elicitation(params, extra))
    if (roots) this.#table.set("roots/list", (_, extra) => roots(extra))
  }

  /** Gives handlers the way back to the server. */
  attach(peer: () => Peer): void {
    this.#peer = peer
  }

  /** What the core is given: an Effect for each capability that was declared. */
  get core(): CoreHandlers {
    const answer = (method: Method) => (params?: unknown) => this.#answer(method, params)
    const declared = (method: Method) => this.#capabilities[capabilityOf[method]] !== undefined
    return {
      ...(declared("sampling/createMessage") ? { sampling: answer("sampling/createMessage") } : {}),
      ...(declared("elicitation/create") ? { elicitation: answer("elicitation/create") } : {}),
      ...(declared("roots/list") ? { roots: answer("roots/list")() } : {})
    }
  }

  set(schema: Schema, handler: Handler): void {
    const method = getMethodLiteral(schema)
    if (!isMethod(method)) {
      throw new ConfigError({
        backend: this.#backend,
        field: "setRequestHandler",
        message:
          `${this.#backend}: no handler can be set for ${method}; the requests of a server that can be handled are ${
            Object.keys(capabilityOf).join(", ")
          }`
      })
    }
    const capability = capabilityOf[method]
    if (this.#capabilities[capability] === undefined) {
      throw new ConfigError({
        backend: this.#backend,
        field: `capabilities.${capability}`,
        message: `${this.#backend}: a handler for ${method} needs the capability to be declared when connecting: ` +
          `connect(server, { capabilities: { ${capability}: {} } })`
      })
    }
    this.#table.set(method, (request, extra) => handler(parseWithCompat(schema, request), extra))
    for (const wake of this.#waiting) wake()
  }

  delete(method: string): void {
    this.#table.delete(method)
  }

  /** What a handler throws is for the adapter to answer with: an McpError keeps its code. */
  #answer(method: Method, params: unknown): Effect.Effect<any, unknown> {
    return Effect.flatMap(ServerRequest, (asked) =>
      Effect.tryPromise(async (interrupted) => {
        // Effect's own signal does not know the server's reason.
        const signal = asked?.signal ?? interrupted
        const handler = this.#table.get(method) ?? await this.#arrival(method, signal)
        const peer = this.#peer
        if (handler === undefined || peer === undefined) {
          throw new McpError(ErrorCode.MethodNotFound, "Method not found")
        }
        const meta = (params as { readonly _meta?: Extra["_meta"] } | undefined)?._meta
        return await handler({ method, params }, {
          signal,
          requestId: this.#requests++,
          sendRequest: (request, schema, options) => peer().request(request, schema, options),
          sendNotification: (notification) => peer().notification(notification),
          ...(meta === undefined ? {} : { _meta: meta })
        })
      })).pipe(Effect.mapError(({ error }) => error))
  }

  /** The handler, once it is set; `undefined` when it was not in time. */
  #arrival(method: Method, signal: AbortSignal): Promise<Handler | undefined> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener("abort", done)
        this.#waiting.delete(look)
        resolve(this.#table.get(method))
      }
      const look = (): void => {
        if (this.#table.has(method)) done()
      }
      const timer = setTimeout(done, patience)
      signal.addEventListener("abort", done, { once: true })
      this.#waiting.add(look)
    })
  }
}
