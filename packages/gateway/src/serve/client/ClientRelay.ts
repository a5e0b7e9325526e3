/**
 * The messages between one client and the servers: requests on their way to a server and back, and what servers say by themselves.
 */
import type { Backend, CallError, ServerNotification } from "@mcp-lifeline/core"
import type { Client } from "@mcp-lifeline/http-server/Conversation"
import * as Translation from "@mcp-lifeline/http-server/translation"
import {
  type Answer,
  type ClientRequest,
  Held,
  JsonRpcError as Failure,
  type Receiver,
  Relay
} from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCResponse, Result } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Either, Exit, FiberId, Option, Runtime } from "effect"
import * as Advice from "../../wrap/Advice.js"
import * as JsonRpcError from "../JsonRpcError.js"
import { isReadable, unreadableResult } from "../readable.js"
import type { GatewayContext } from "./GatewayContext.js"

/** What a server is asked for a request of the client. */
export interface Passed {
  readonly params: Readonly<Record<string, unknown>>
  /** Makes of the server's result what the client is given. */
  readonly arrived: (result: Record<string, unknown>) => Record<string, unknown>
}

/** Hands on messages between one client and the servers. */
export class ClientRelay {
  readonly #context: GatewayContext
  readonly #client: Client
  readonly #relay: Relay
  readonly #held = new Held()
  /** The server that says what is being delivered. */
  #speaker: string | undefined

  constructor(context: GatewayContext, client: Client) {
    this.#context = context
    this.#client = client
    this.#relay = new Relay(
      "the gateway",
      {
        onmessage: (message: JSONRPCMessage) => this.#toClient(message),
        onerror: (error) => context.failed(Cause.die(error))
      },
      {
        whenReady: this.#held.whenInitialized,
        errorOf: (cause) => {
          if (Cause.isDie(cause)) context.failed(cause)
          return JsonRpcError.fromCause(cause)
        }
      }
    )
  }

  // --- to the client

  /** The client can be sent what servers say by themselves. */
  initialized(): void {
    this.#held.release()
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
    request: ClientRequest,
    effect: Effect.Effect<A, unknown>,
    then: (value: A) => void,
    fate: "notSent" | "unknown" = "notSent"
  ): void {
    const fiber = Runtime.runFork(this.#context.runtime)(effect)
    request.work = {
      stop: () => {
        fiber.unsafeInterruptAsFork(FiberId.none)
        return fate
      }
    }
    fiber.addObserver((exit) => {
      if (request.isOver) return
      request.work = undefined
      if (Exit.isSuccess(exit)) return this.guard(request, () => then(exit.value))
      if (Cause.isDie(exit.cause)) this.#context.failed(exit.cause)
      const failure = Option.getOrUndefined(Cause.failureOption(exit.cause)) as CallError | undefined
      if (failure === undefined) return request.answer({ error: JsonRpcError.fromCause(exit.cause as never) })
      this.#failed(request, failure.backend, Failure.fromCallError(failure))
    })
  }

  /** Does what belongs to a request: where that breaks, the request is answered so, and nothing else is touched. */
  guard(request: ClientRequest, step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.#context.failed(Cause.die(defect))
      request.answer({ error: JsonRpcError.fault })
    }
  }

  /** Passes a request on to a server. `rounds`: how often that has asked the client before it answers. */
  send(request: ClientRequest, backend: Backend.Backend, passed: Passed, rounds = 0): void {
    const { login, runtime, servers } = this.#context
    request.backend = backend
    this.#relay.forward({ runtime, backend: () => backend, use: use(backend) }, request, {
      params: request.traced?.(passed.params) ?? passed.params,
      isBounded: servers.hasTimeout(backend.id),
      failFast: login(backend.id) !== undefined,
      answered: (answer) => this.#answered(request, backend, passed, rounds, answer)
    })
  }

  /** The client has answered what a server has asked. */
  answered(response: JSONRPCResponse): void {
    this.#relay.answered(response)
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

  #toClient(message: JSONRPCMessage): void {
    if (!("method" in message)) return
    const speaker = this.#speaker
    const about = speaker === undefined
      ? undefined
      : this.#client.requests.latest(({ backend }) => backend?.id === speaker)
    if (about === undefined) this.#client.write(message)
    else about.say(message)
  }

  #answered(request: ClientRequest, backend: Backend.Backend, passed: Passed, rounds: number, answer: Answer): void {
    if ("error" in answer) return this.#failed(request, backend.id, answer.error)
    if ("resultText" in answer) return request.answer(answer)
    const { result } = answer
    if (!isReadable(result)) return request.answer({ error: unreadableResult(request.method) })
    if (!Translation.isQuestion(result) || this.#client.isStateless === true) {
      return request.answer({ result: passed.arrived(result) as Result })
    }
    this.#question(request, backend, passed, rounds, result)
  }

  /** A server without sessions asks in place of its result: a client with a session is asked there, and the request goes on with the answers. */
  #question(request: ClientRequest, backend: Backend.Backend, passed: Passed, rounds: number, result: Result): void {
    const { method } = request
    const failed = (message: string): void =>
      request.answer({ error: { code: Failure.ourCode, message, data: { fate: "answered" } } })
    this.after(
      request,
      Effect.promise(() => import("@mcp-lifeline/protocol/InputRequests")),
      ({ answer, maxRounds, relayed }) => {
        if (rounds === maxRounds) {
          return failed(`${backend.id} has asked ${maxRounds} times for input before it answers ${method}`)
        }
        const ask = relayed((question, signal) => this.ask(backend.id, question, signal))
        this.after(request, Effect.either(answer(method, result, ask)), (given) => {
          if (Either.isLeft(given)) return failed(given.left.message)
          this.send(request, backend, { ...passed, params: { ...passed.params, ...given.right } }, rounds + 1)
        }, "unknown")
      },
      "unknown"
    )
  }

  /** Answers a request with the error of a server, or with why that could not be asked. */
  #failed(request: ClientRequest, server: string, error: JsonRpcError.JsonRpcError): void {
    const login = this.#context.login(server)
    request.answer({ error: Advice.advised(server, error, login, "serve") })
  }
}

const use =
  (backend: Backend.Backend) =>
  <A, E>(f: (backend: Backend.Backend) => Effect.Effect<A, E>): Effect.Effect<A, unknown> => f(backend)
