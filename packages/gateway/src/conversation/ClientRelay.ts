/**
 * The messages between one client and its servers: what the client says, in the order in which it came; its requests on their way to a
 * server and back; and what servers say by themselves.
 */
import type { Backend, CallError, ServerNotification } from "@mcp-lifeline/core"
import type { Client } from "@mcp-lifeline/http-server/Conversation"
import * as Translation from "@mcp-lifeline/http-server/translation"
import {
  type Answer,
  ClientRequest,
  type Forwarded,
  JsonRpc,
  JsonRpcError as Failure,
  Meta,
  type Receiver,
  Relay
} from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCResponse, Result } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Either, Exit, FiberId, Option } from "effect"
import type { Fibers } from "../Fibers.js"
import * as Advice from "./Advice.js"
import { fault, fromCause, isReadable, type JsonRpcError, unreadableResult } from "./errors.js"
import type { Handler } from "./Handler.js"

/** What a client says. */
type Said = ClientRequest | JSONRPCNotification | JSONRPCResponse

/** What a server is asked for a request of the client. */
export interface Passed extends Pick<Forwarded, "failFast" | "isBounded" | "params"> {
  readonly backend: Backend.Backend
  /** Makes of the server's result what the client is given. Default: the client is given the result. */
  readonly arrived?: (result: Result) => Result
  /** What the client is given in place of an error, if there is anything. */
  readonly instead?: (error: JsonRpcError) => Result | undefined
}

/** Where a request goes; the effect finds that out. Nothing where the request is answered otherwise. */
export type Resolved = Passed | Effect.Effect<Passed, CallError> | undefined

/** Between whom messages are handed on. */
export interface Options {
  /** Whom the client speaks to, for people. */
  readonly name: string
  readonly client: Pick<Client, "isStateless" | "write"> & Partial<Pick<Client, "requests">>
  readonly fork: Fibers["fork"]
  /** Takes the requests of the client. */
  readonly handle: Handler
  /** Passes a notification of the client on. Says whether a server is sent it. */
  readonly tell: (notification: JSONRPCNotification) => boolean
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login: (server: string) => string | undefined
  /** Where calls come in now, for advice about those that fail. */
  readonly door: () => Advice.Door
}

/** Returns the same object if it has no type: to copy it takes longer than all else here. */
const withoutType = (result: Result): Result => {
  if (result["resultType"] === undefined) return result
  const { resultType: _, ...rest } = result
  return rest
}

/** Hands on messages between one client and its servers. */
export class ClientRelay {
  readonly #options: Options
  readonly #relay: Relay
  /** What came after a notification that is just being sent. */
  #behind: Array<Said> | undefined
  /** The server that says what is being delivered. */
  #speaker: string | undefined

  constructor(options: Options) {
    this.#options = options
    this.#relay = new Relay(
      options.name,
      {
        onmessage: (message: JSONRPCMessage) => this.#toClient(message),
        onerror: (error) => this.#failed(Cause.die(error))
      },
      {
        holds: true,
        errorOf: (cause) => {
          if (Cause.isDie(cause)) this.#failed(cause)
          return fromCause(cause)
        }
      }
    )
  }

  // --- from the client

  /** Takes a message of the client. A notification is sent some steps later than a request is: what comes after it waits. */
  receive(message: Said): void {
    if (this.#behind !== undefined) return void this.#behind.push(message)
    if (message instanceof ClientRequest) {
      // It may have been cancelled meanwhile.
      if (!message.isOver) this.guard(message, () => this.#options.handle(message))
    } else if (!("method" in message)) this.#answeredBy(message)
    else if (message.method === "notifications/initialized") this.initialized()
    else if (isReadable(message.params) && this.#options.tell(message)) this.#hold()
  }

  #hold(): void {
    this.#behind = []
    setImmediate(() => {
      const behind = this.#behind ?? []
      this.#behind = undefined
      for (const message of behind) this.receive(message)
    })
  }

  /** The client has answered what a server has asked. */
  #answeredBy(response: JSONRPCResponse): void {
    if (isReadable(response)) return this.#relay.answered(response)
    const error = { code: JsonRpc.internalError, message: "the client's answer is nested too deeply to be passed on" }
    this.#relay.answered({ jsonrpc: "2.0", id: response.id, error })
  }

  /** The client can be sent what servers say by themselves. */
  initialized(): void {
    this.#relay.initialized()
  }

  /** Does what belongs to a request: where that breaks, the request is answered so, and nothing else is touched. */
  guard(request: ClientRequest, step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.#failed(Cause.die(defect))
      request.answer({ error: fault })
    }
  }

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
    const fiber = this.#options.fork(effect)
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
      if (Cause.isDie(exit.cause)) this.#failed(exit.cause)
      const failure = Option.getOrUndefined(Cause.failureOption(exit.cause)) as CallError | undefined
      request.answer({
        error: failure === undefined
          ? fromCause(exit.cause as Cause.Cause<never>)
          : this.#advised(failure.backend, Failure.fromCallError(failure))
      })
    })
  }

  /** The last handler: passes a request on to the server that `resolve` finds. It needs no fiber where that is known, and connected. */
  toServer(resolve: (request: ClientRequest) => Resolved): Handler {
    return (request) => {
      const resolved = resolve(request)
      if (Effect.isEffect(resolved)) this.after(request, resolved, (passed) => this.#send(request, passed, 0))
      else if (resolved !== undefined) this.#send(request, resolved, 0)
    }
  }

  /** `rounds`: how often the server has asked the client before it answers. */
  #send(request: ClientRequest, passed: Passed, rounds: number): void {
    const { backend, failFast, isBounded, params } = passed
    request.backend = backend
    this.#relay.forward({ fork: this.#options.fork, backend: () => backend, use: (f) => f(backend) }, request, {
      params: params === undefined ? params : request.traced?.(params) ?? params,
      isBounded,
      failFast,
      answered: (answer) => this.guard(request, () => this.#answered(request, passed, rounds, answer))
    })
  }

  // --- to the client

  /** Passes on what a server says, if it is readable; or the gateway, where it names none. */
  pass(notification: ServerNotification, server?: string): void {
    if (isReadable(notification.params)) this.#during(server, () => this.#relay.pass(notification))
  }

  /** Has the client answer what a server asks. */
  ask(server: string, request: Parameters<Receiver["asked"]>[0], signal: AbortSignal): Promise<Result> {
    return isReadable(request.params)
      ? this.#during(server, () => this.#relay.ask(request, signal))
      : Promise.reject(new Error(`${request.method} is nested too deeply to be passed on to the client`))
  }

  /** Says nothing more. */
  end(): void {
    this.#relay.end()
  }

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
    const { requests, write } = this.#options.client
    const speaker = this.#speaker
    const about = speaker === undefined ? undefined : requests?.latest(({ backend }) => backend?.id === speaker)
    if (about === undefined) write(message)
    else about.say(message)
  }

  #answered(request: ClientRequest, passed: Passed, rounds: number, answer: Answer): void {
    if ("resultText" in answer) return request.answer(answer)
    if ("error" in answer) {
      const instead = passed.instead?.(answer.error)
      if (instead !== undefined) return request.answer({ result: instead })
      return request.answer({ error: this.#advised(passed.backend.id, answer.error) })
    }
    if (!isReadable(answer.result)) return request.answer({ error: unreadableResult(request.method) })
    const result = Meta.passedOn(answer.result)
    if (!Translation.isInputRequired(result)) {
      const said = withoutType(result)
      return request.answer({ result: passed.arrived?.(said) ?? said })
    }
    if (this.#options.client.isStateless === true) request.answer({ result })
    else this.#question(request, passed, rounds, answer.result)
  }

  /** A server without sessions asks in place of its result: a client with a session is asked there, and the request goes on with the answers. */
  #question(request: ClientRequest, passed: Passed, rounds: number, result: Result): void {
    const { method } = request
    const server = passed.backend.id
    const failed = (message: string): void =>
      request.answer({ error: { code: Failure.ourCode, message, data: { fate: "answered" } } })
    this.after(
      request,
      Effect.promise(() => import("@mcp-lifeline/protocol/InputRequests")),
      ({ answer, maxRounds, relayed }) => {
        if (rounds === maxRounds) {
          return failed(`${server} has asked ${maxRounds} times for input before it answers ${method}`)
        }
        const ask = relayed((question, signal) => this.ask(server, question, signal))
        this.after(request, Effect.either(answer(method, result, ask)), (given) => {
          if (Either.isLeft(given)) return failed(given.left.message)
          this.#send(request, { ...passed, params: { ...passed.params, ...given.right } }, rounds + 1)
        }, "unknown")
      },
      "unknown"
    )
  }

  /** The error of a server, or why that could not be asked. */
  #advised(server: string, error: JsonRpcError): JsonRpcError {
    const { door, login } = this.#options
    return Advice.advised(server, error, login(server), door())
  }

  #failed(cause: Cause.Cause<unknown>): void {
    this.#options.fork(Effect.logError("a request failed inside the gateway", cause))
  }
}
