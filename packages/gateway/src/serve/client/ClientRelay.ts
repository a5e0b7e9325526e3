/**
 * The messages between one client and the servers: which requests are not answered yet, what they are answered with, and what
 * servers say by themselves.
 */
import type { Backend, CallError, ServerNotification } from "@mcp-lifeline/core"
import { JsonRpcError as Failure, type Receiver, Relay } from "@mcp-lifeline/protocol"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCResponse,
  RequestId,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Either, Exit, FiberId, Option, Runtime } from "effect"
import * as Translation from "../../eras/translation.js"
import type { Client } from "../../http/Conversation.js"
import * as Advice from "../../wrap/Advice.js"
import * as JsonRpcError from "../JsonRpcError.js"
import { isReadable, unreadableResult } from "../readable.js"
import { type OpenRequest, OpenRequests, type Passed } from "./OpenRequests.js"
import type { Surroundings } from "./Surroundings.js"

/** Messages that are kept for a client that has not said yet that it is initialized. */
const backlog = 1000

/** Hands on messages between one client and the servers. */
export class ClientRelay {
  readonly #surroundings: Surroundings
  readonly #client: Client
  readonly #open: OpenRequests
  readonly #relay: Relay
  /** What waits for the client's `notifications/initialized`; `undefined` once it has come. */
  #held: Array<() => void> | undefined = []
  /** The server that says what is being delivered. */
  #speaker: string | undefined

  constructor(surroundings: Surroundings, client: Client) {
    this.#surroundings = surroundings
    this.#client = client
    this.#open = new OpenRequests(surroundings.underWay, surroundings.operations)
    this.#relay = new Relay(
      "the gateway",
      {
        onmessage: (message: JSONRPCMessage) => this.#toClient(message),
        onerror: (error) => surroundings.failed(Cause.die(error))
      },
      (deliver) => this.#whenInitialized(deliver),
      (settle) => settle(),
      (cause) => {
        if (Cause.isDie(cause)) surroundings.failed(cause)
        return JsonRpcError.fromCause(cause)
      }
    )
  }

  /** The requests of the client that are not answered yet. */
  get open(): OpenRequests {
    return this.#open
  }

  // --- to the client

  /** Answers a request. */
  answer(id: RequestId, result: Result): void {
    this.#open.take(id, undefined, () => this.#client.write({ jsonrpc: "2.0", id, result }))
  }

  /** Answers a request with a result that is encoded. */
  answerText(id: RequestId, result: string): void {
    this.#open.take(id, undefined, () => this.#client.writeResult(id, result))
  }

  /** Answers a request with an error. */
  fail(id: RequestId, error: JsonRpcError.JsonRpcError): void {
    this.#open.take(id, String(error.code), () => this.write({ jsonrpc: "2.0", id, error }))
  }

  /** Gives the client a message that is about no request. */
  write(message: JSONRPCMessage): void {
    this.#client.write(message)
  }

  /** The client can be sent what servers say by themselves. */
  initialized(): void {
    const held = this.#held
    this.#held = undefined
    for (const deliver of held ?? []) deliver()
  }

  /** Passes on what a server says, which is readable; or the gateway, where it names none. */
  pass(notification: ServerNotification, server?: string): void {
    this.#during(server, () => this.#relay.pass(notification))
  }

  /** Has the client answer what a server asks. */
  ask(server: string, request: Parameters<Receiver["asked"]>[0], signal: AbortSignal): Promise<Result> {
    return isReadable(request.params)
      ? this.#during(server, () => this.#relay.ask(request, signal))
      : Promise.reject(new Error(`${request.method} is nested too deeply to be passed on to the client`))
  }

  // --- from the client

  /**
   * Goes on with a request when an effect has ended; where that fails, it is answered so. `fate`: what is known of the request meanwhile; by
   * default, no server has seen it.
   */
  after<A>(
    id: RequestId,
    effect: Effect.Effect<A, unknown>,
    then: (value: A) => void,
    fate: "notSent" | "unknown" = "notSent"
  ): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    const fiber = Runtime.runFork(this.#surroundings.runtime)(effect)
    open.cancel = () => {
      fiber.unsafeInterruptAsFork(FiberId.none)
      return fate
    }
    fiber.addObserver((exit) => {
      if (this.#open.get(id) !== open) return
      open.cancel = undefined
      if (Exit.isSuccess(exit)) return this.guard(id, () => then(exit.value))
      if (Cause.isDie(exit.cause)) this.#surroundings.failed(exit.cause)
      const failure = Option.getOrUndefined(Cause.failureOption(exit.cause)) as CallError | undefined
      if (failure === undefined) return this.fail(id, JsonRpcError.fromCause(exit.cause as never))
      this.#failed(id, failure.backend, Failure.fromCallError(failure))
    })
  }

  /** Does what belongs to a request: where that breaks, the request is answered so, and nothing else is touched. */
  guard(id: RequestId, step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.#surroundings.failed(Cause.die(defect))
      this.fail(id, JsonRpcError.fault)
    }
  }

  /** Passes a request on to a server. */
  send(id: RequestId, backend: Backend.Backend, passed: Passed): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    const { method, params } = passed
    open.backend = backend
    open.passed = passed
    const { login, runtime, servers } = this.#surroundings
    const target = { runtime, backend: () => backend, use: use(backend) }
    const isBounded = servers.hasTimeout(backend.id)
    const request = { jsonrpc: "2.0", id, method, params: open.operation.passedOn(params) } as const
    this.#relay.forward(target, request, isBounded, login(backend.id) !== undefined)
  }

  /** The client has cancelled a request. */
  cancel(notification: JSONRPCNotification): void {
    const id = notification.params?.["requestId"] as RequestId
    // The protocol forbids to cancel `initialize`.
    if (this.#open.get(id)?.method === "initialize") return
    this.#open.take(id, "cancelled")?.cancel?.()
    this.#relay.cancel(notification)
  }

  /** The client has answered what a server has asked. */
  answered(response: JSONRPCResponse): void {
    this.#relay.answered(response)
  }

  /** Cancels all requests that are not answered yet, and answers them: that `why`, and what is known of them. Ends when that is done. */
  interrupt(why: string): Promise<void> {
    for (const id of this.#open.ids) {
      const fate = this.#open.get(id)?.cancel?.()
      if (fate !== undefined) this.fail(id, Failure.interrupted(why, fate))
    }
    this.#relay.interrupt(why)
    return this.#relay.settled
  }

  /** Says nothing more. */
  end(): void {
    this.#relay.end()
  }

  // --- from the relay

  #during<A>(server: string | undefined, step: () => A): A {
    this.#speaker = server
    try {
      return step()
    } finally {
      this.#speaker = undefined
    }
  }

  #whenInitialized(deliver: () => void): void {
    if (this.#held === undefined) return deliver()
    this.#held.push(deliver)
    if (this.#held.length > backlog) this.#held.shift()
  }

  #toClient(message: JSONRPCMessage): void {
    if (!("method" in message)) return this.#response(message)
    if (message.method === "notifications/progress") return this.#progress(message as JSONRPCNotification)
    const about = this.#speaker === undefined ? undefined : this.#open.latestTo(this.#speaker)
    this.#client.write(message, about)
  }

  #progress(message: JSONRPCNotification): void {
    const { message: text, progress, progressToken, total } = message.params ?? {}
    const about = this.#open.ofToken(progressToken)
    if (isReadable(message.params)) return this.#client.write(message, about)
    const params = { progressToken, progress, total, message: text } as JSONRPCNotification["params"]
    this.#client.write({ ...message, params: params as never }, about)
  }

  /** A server without sessions asks in place of its result: a client with a session is asked there, and the request goes on with the answers. */
  #question(id: RequestId, open: OpenRequest, result: Readonly<Record<string, unknown>>): void {
    const { backend, method, passed } = open
    if (backend === undefined || passed === undefined) return this.fail(id, JsonRpcError.fault)
    const failed = (message: string): void =>
      this.fail(id, { code: Failure.ourCode, message, data: { fate: "answered" } })
    this.after(
      id,
      Effect.promise(() => import("@mcp-lifeline/protocol/InputRequests")),
      ({ answer, maxRounds, relayed }) => {
        if (open.rounds++ === maxRounds) {
          return failed(`${backend.id} has asked ${maxRounds} times for input before it answers ${method}`)
        }
        const ask = relayed((question, signal) => this.ask(backend.id, question, signal))
        this.after(id, Effect.either(answer(method, result, ask)), (given) => {
          if (Either.isLeft(given)) return failed(given.left.message)
          this.send(id, backend, { ...passed, params: { ...passed.params, ...given.right } })
        }, "unknown")
      }
    )
  }

  #response(response: JSONRPCResponse): void {
    const id = response.id as RequestId
    const open = this.#open.get(id)
    if (open === undefined) return
    if ("result" in response) {
      const { result } = response
      if (!isReadable(result)) return this.fail(id, unreadableResult(open.method))
      if (Translation.isQuestion(result) && this.#client.isStateless !== true) return this.#question(id, open, result)
      return this.answer(id, (open.passed?.arrived(result) ?? result) as Result)
    }
    const { backend } = open
    const { error } = response
    if (backend === undefined) this.fail(id, error)
    else this.#failed(id, backend.id, error)
  }

  /** Answers a request with the error of a server, or with why that could not be asked. */
  #failed(id: RequestId, server: string, error: JsonRpcError.JsonRpcError): void {
    const login = this.#surroundings.login(server)
    this.fail(id, Advice.advised(server, error, login, "serve"))
  }
}

const use =
  (backend: Backend.Backend) =>
  <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>): Effect.Effect<A, unknown> => f(backend)
