/** At the owner of a server, another replica is a client with a session, whose results nobody decodes. */
import type { Backend, CallError, ServerNotification } from "@mcp-lifeline/core"
import type { Client, Conversation } from "@mcp-lifeline/http-server/Conversation"
import {
  type Answer,
  type ClientRequest,
  Initialize,
  type Introduction,
  JsonRpc,
  JsonRpcError,
  ListChanges,
  Relay
} from "@mcp-lifeline/protocol"
import { heightOf, isLevel, type Level } from "@mcp-lifeline/protocol/Level"
import { defaultLevel, type LogLevels } from "@mcp-lifeline/protocol/LogLevels"
import type { Subscriber, Subscriptions } from "@mcp-lifeline/protocol/Subscriptions"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import { type Cause, Effect, Exit, type Fiber, FiberId, Predicate } from "effect"
import * as HopError from "./HopError.js"
import { going } from "./OwnerConnection.js"

export interface Served {
  readonly name: string
  readonly backend: () => Backend.Backend
  /** undefined before the server's first connection. */
  readonly introduction: () => Introduction | undefined
}

export interface Shared extends Served {
  readonly levels: LogLevels
  readonly subscriptions: Subscriptions
  readonly fork: <A, E>(work: Effect.Effect<A, E>) => Fiber.RuntimeFiber<A, E>
  readonly onClose: (one: ServerConversation) => void
}

export const hasLeft = "the replica gives the server to others"

const introducing = (introduction: Introduction): Answer => {
  const { instructions, protocolVersion, serverInfo } = introduction
  const version = Initialize.versions.includes(protocolVersion) ? protocolVersion : Initialize.latestVersion
  const capabilities = ListChanges.announcing(introduction.capabilities)
  return {
    result: {
      protocolVersion: version,
      capabilities,
      serverInfo,
      ...(instructions === undefined ? {} : { instructions })
    }
  }
}

export class ServerConversation implements Conversation, Subscriber {
  readonly #shared: Shared
  readonly #client: Client
  readonly #relay: Relay
  #level: Level = defaultLevel
  #closing: Promise<void> | undefined

  constructor(shared: Shared, client: Client) {
    this.#shared = shared
    this.#client = client
    this.#relay = new Relay(
      shared.name,
      { onmessage: (message: JSONRPCMessage) => "method" in message ? client.write(message) : undefined },
      { holds: true }
    )
  }

  request(request: ClientRequest): void {
    if (this.#closing !== undefined) return request.answer({ error: JsonRpcError.interrupted(hasLeft, "notSent") })
    const { levels, name, subscriptions } = this.#shared
    const params = request.params ?? {}
    switch (request.method) {
      case "initialize":
        return this.#initialize(request)
      case "ping":
        return request.answer({ result: {} })
      case "logging/setLevel":
        if (!isLevel(params["level"])) return request.refuse(JsonRpc.invalidParams, "level is not a level")
        this.#level = params["level"]
        levels.setLevel(this, this.#level)
        return request.answer({ result: {} })
      case "resources/subscribe":
      case "resources/unsubscribe": {
        const { uri } = params
        if (!Predicate.isString(uri)) return request.refuse(JsonRpc.invalidParams, "uri is not a text")
        if (request.method === "resources/subscribe") {
          return this.#after(
            request,
            subscriptions.subscribe(this, { backend: this.#shared.backend(), original: uri }, uri),
            () => ({ result: {} })
          )
        }
        subscriptions.unsubscribe(this, name, uri)
        return request.answer({ result: {} })
      }
      default:
        return this.#relay.forward(this.#target, request, {
          isBounded: true,
          answered: (answer) => request.answer(HopError.escaped(answer))
        })
    }
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (!("method" in message)) return this.#relay.answered(message)
    if (message.method === "notifications/initialized") this.#relay.initialized()
  }

  introduce(): Promise<Introduction> {
    const known = this.#shared.introduction()
    return known === undefined
      ? Promise.reject(new Error(`${this.#shared.name} has not been connected`))
      : Promise.resolve(known)
  }

  close(why: string): Promise<void> {
    return this.#closing ??= this.#close(why)
  }

  async #close(why: string): Promise<void> {
    const { levels, onClose, subscriptions } = this.#shared
    onClose(this)
    levels.leave(this)
    subscriptions.leave(this)
    await this.#client.requests.interrupt(why)
    this.#relay.end()
  }

  notified(notification: ServerNotification): void {
    const { method, params } = notification
    // The former go to subscribers, and of the latter the replica knows more.
    if (method === "notifications/resources/updated" || method === going) return
    if (method === "notifications/message" && heightOf(params?.["level"]) < heightOf(this.#level)) return
    this.#relay.pass(notification)
  }

  goes(): void {
    this.#client.write({ jsonrpc: "2.0", method: going })
  }

  updated(_server: string, params: Readonly<Record<string, unknown>>): void {
    this.#relay.pass({ method: "notifications/resources/updated", params })
  }

  get #target() {
    const { backend, fork } = this.#shared
    return { fork, backend, use: <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>) => f(backend()) }
  }

  /** Waits for a server that was never connected. */
  #initialize(request: ClientRequest): void {
    const { backend, introduction, name } = this.#shared
    const known = introduction()
    if (known !== undefined) return request.answer(introducing(known))
    // An error is an answer, too: a server need not know `ping`.
    const connected = Effect.catchIf(backend().ping(), () => introduction() !== undefined, () => Effect.void)
    const introduced = (): Answer => {
      const made = introduction()
      return made === undefined
        ? { error: { code: JsonRpc.internalError, message: `${name} has not been connected` } }
        : introducing(made)
    }
    this.#after(request, connected, introduced)
  }

  #after<A, E>(request: ClientRequest, work: Effect.Effect<A, E>, answer: (value: A) => Answer): void {
    const fiber = this.#shared.fork(work)
    request.work = {
      stop: () => {
        fiber.unsafeInterruptAsFork(FiberId.none)
        return "notSent"
      }
    }
    fiber.addObserver((exit) => {
      if (request.isOver) return
      request.answer(
        Exit.isSuccess(exit)
          ? answer(exit.value)
          : HopError.escaped({ error: JsonRpcError.fromCause(exit.cause as Cause.Cause<CallError>, hasLeft) })
      )
    })
  }
}
