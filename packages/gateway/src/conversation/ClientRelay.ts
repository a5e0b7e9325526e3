/**
 * Messages of the client are handled in the order in which they arrive.
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
import * as ObjectResults from "@mcp-lifeline/protocol/ObjectResults"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCResponse, Result } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, Either, Exit, FiberId, Option, Predicate } from "effect"
import type { Fibers } from "../text/Fibers.js"
import * as Advice from "./Advice.js"
import {
  type Checked,
  fault,
  fromCause,
  invalidParams,
  isReadable,
  type JsonRpcError,
  unreadableResult
} from "./errors.js"
import type { Handler } from "./Handler.js"

type ClientMessage = ClientRequest | JSONRPCNotification | JSONRPCResponse

export interface UpstreamRequest extends Pick<Forwarded, "failFast" | "isBounded" | "params"> {
  readonly backend: Backend.Backend
  /** Default: no conversion. */
  readonly resultForClient?: (result: Result) => Result
  /** For a client without a session: converts what the server asks it in place of the result. Default: no conversion. */
  readonly questionForClient?: (result: Result) => Result
  /** In place of an error of the server, if any. */
  readonly resultForError?: (error: JsonRpcError) => Result | undefined
}

/** An Either needs no fiber. */
export type Resolved = Either.Either<UpstreamRequest, CallError> | Effect.Effect<UpstreamRequest, CallError>

export interface Options {
  /** For error messages. */
  readonly name: string
  readonly client: Pick<Client, "isStateless" | "write"> & Partial<Pick<Client, "requests">>
  readonly fork: Fibers["fork"]
  readonly handle: Handler
  /** Returns whether there is a server to send it to. */
  readonly notifyServers: (notification: JSONRPCNotification) => boolean
  /** What the user has to do now to sign in; `undefined` if nothing. */
  readonly login: (server: string) => string | undefined
  /** As the sender of the request may read it. Default: as it is. */
  readonly shown?: (request: ClientRequest, error: JsonRpcError) => JsonRpcError
  /** Where the user can do something at once about a call that failed: makes it again, or answers with another error. Default: nothing. */
  readonly loggedIn?: (
    request: ClientRequest,
    server: string,
    error: JsonRpcError
  ) => Effect.Effect<"again" | JsonRpcError | undefined> | undefined
  readonly door: () => Advice.Door
}

/** Keeps that of a task. Returns the same object if it has none: a copy is slow. */
const withoutType = (result: Result): Result => {
  if (result["resultType"] === undefined || result["resultType"] === "task") return result
  const { resultType: _, ...rest } = result
  return rest
}

/** How often a call follows a server that is closed before it could be sent. */
const mostMoves = 3

/** Its server is closed for good. */
const isClosed = (error: JsonRpcError): boolean =>
  Failure.isOurs(error) && Predicate.isRecord(error.data) && error.data["tag"] === "BackendUnavailable" &&
  error.data["state"] === "Closed"

export class ClientRelay {
  readonly #options: Options
  readonly #relay: Relay
  #queued: Array<ClientMessage> | undefined
  #sender: string | undefined

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
    this.#relay.watchLists(options.fork)
  }

  /** Sending a notification takes more steps than sending a request, so later messages wait for it. */
  receive(message: ClientMessage): void {
    if (this.#queued !== undefined) return void this.#queued.push(message)
    if (message instanceof ClientRequest) {
      // The client may have cancelled it in the meantime.
      if (!message.isOver) this.guard(message, () => this.#options.handle(message))
    } else if (!("method" in message)) this.#answeredBy(message)
    else if (message.method === "notifications/initialized") this.initialized()
    else if (isReadable(message.params) && this.#options.notifyServers(message)) this.#holdMessages()
  }

  #holdMessages(): void {
    this.#queued = []
    setImmediate(() => {
      const queued = this.#queued ?? []
      this.#queued = undefined
      for (const message of queued) this.receive(message)
    })
  }

  #answeredBy(response: JSONRPCResponse): void {
    if (isReadable(response)) return this.#relay.answered(response)
    const error = { code: JsonRpc.internalError, message: "the client's answer is nested too deeply to be passed on" }
    this.#relay.answered({ jsonrpc: "2.0", id: response.id, error })
  }

  initialized(): void {
    this.#relay.initialized()
  }

  /** If the step throws, only its request gets an error. */
  guard(request: ClientRequest, step: () => void): void {
    try {
      step()
    } catch (defect) {
      this.#failed(Cause.die(defect))
      request.answer({ error: fault })
    }
  }

  /** If the effect fails, the request gets the error. `fate`: whether a server may have received it meanwhile; by default, none has. */
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
          : this.#advised(request, failure.backend, Failure.fromCallError(failure))
      })
    })
  }

  refuseParams(request: ClientRequest, method: Checked): void {
    this.after(
      request,
      Effect.promise(() => invalidParams(method, request.params)),
      (error) => request.answer({ error })
    )
  }

  /** `resolve`: again after a login, or when its server was closed meanwhile. */
  send(request: ClientRequest, resolve: () => Resolved, moves = 0, closed?: JsonRpcError): void {
    const moved = moves < mostMoves ? (error: JsonRpcError) => this.send(request, resolve, moves + 1, error) : undefined
    const settle = (found: Either.Either<UpstreamRequest, CallError>): void => {
      if (Either.isRight(found)) return this.#send(request, found.right, 0, moved)
      const error = Failure.fromCallError(found.left)
      if (moved !== undefined && isClosed(error)) return moved(error)
      // Where nobody has the name any more, the closed server says more.
      const said = found.left._tag === "RemoteError" ? closed ?? error : error
      this.#refused(request, found.left.backend, said, () => this.send(request, resolve, moves))
    }
    const found = resolve()
    if (Either.isEither(found)) settle(found)
    else this.after(request, Effect.either(found), settle)
  }

  /**
   * `rounds`: how often the server has requested input. `moved`: makes the call anew after its server was closed: it may have another place now.
   */
  #send(
    request: ClientRequest,
    upstream: UpstreamRequest,
    rounds: number,
    moved?: (error: JsonRpcError) => void
  ): void {
    const { backend, failFast, isBounded, params } = upstream
    request.backend = backend
    this.#relay.forward({ fork: this.#options.fork, backend: () => backend, use: (f) => f(backend) }, request, {
      params: params === undefined ? params : request.traced?.(params) ?? params,
      isBounded,
      failFast,
      answered: (answer) =>
        this.guard(request, () =>
          moved !== undefined && "error" in answer && isClosed(answer.error)
            ? moved(answer.error)
            : this.#answered(request, upstream, rounds, answer))
    })
  }

  /** `server`: `undefined` for the gateway. Drops what is nested too deeply. */
  pass(notification: ServerNotification, server?: string): void {
    if (isReadable(notification.params)) this.#during(server, () => this.#relay.pass(notification))
  }

  ask(server: string, request: Parameters<Receiver["asked"]>[0], signal: AbortSignal): Promise<Result> {
    return isReadable(request.params)
      ? this.#during(server, () => this.#relay.ask(request, signal))
      : Promise.reject(new Error(`${request.method} is nested too deeply to be passed on to the client`))
  }

  end(): void {
    this.#relay.end()
  }

  #during<A>(server: string | undefined, step: () => A): A {
    this.#sender = server
    try {
      return step()
    } finally {
      this.#sender = undefined
    }
  }

  #toClient(message: JSONRPCMessage): void {
    if (!("method" in message)) return
    const { requests, write } = this.#options.client
    const sender = this.#sender
    const about = sender === undefined ? undefined : requests?.latest(({ backend }) => backend?.id === sender)
    if (about === undefined) write(message)
    else about.say(message)
  }

  answer(request: ClientRequest, result: Result): void {
    const { isStateless } = this.#options.client
    request.answer({ result: isStateless === true ? result : ObjectResults.result(request.method, result) })
  }

  #answered(request: ClientRequest, upstream: UpstreamRequest, rounds: number, answer: Answer): void {
    if ("resultText" in answer) return request.answer(answer)
    if ("error" in answer) {
      const replacement = upstream.resultForError?.(answer.error)
      if (replacement !== undefined) return this.answer(request, replacement)
      return this.#refused(
        request,
        upstream.backend.id,
        answer.error,
        () => this.#send(request, upstream, rounds)
      )
    }
    if (!isReadable(answer.result)) return request.answer({ error: unreadableResult(request.method) })
    const result = Meta.passedOn(answer.result)
    if (!Translation.isInputRequired(result)) {
      const plain = withoutType(result)
      return this.answer(request, upstream.resultForClient?.(plain) ?? plain)
    }
    if (this.#options.client.isStateless === true) {
      return request.answer({ result: upstream.questionForClient?.(result) ?? result })
    }
    this.#question(request, upstream, rounds, answer.result)
  }

  /** A server without sessions requests input in place of a result: asks a client with a session, and repeats the call. */
  #question(request: ClientRequest, upstream: UpstreamRequest, rounds: number, result: Result): void {
    const { method } = request
    const server = upstream.backend.id
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
        this.after(request, Effect.either(answer(method, result, ask)), (input) => {
          if (Either.isLeft(input)) return failed(input.left.message)
          this.#send(request, { ...upstream, params: { ...upstream.params, ...input.right } }, rounds + 1)
        }, "unknown")
      },
      "unknown"
    )
  }

  /** `again`: makes the call once more. */
  #refused(request: ClientRequest, server: string, error: JsonRpcError, again: () => void): void {
    const login = this.#options.loggedIn?.(request, server, error)
    if (login === undefined) return request.answer({ error: this.#advised(request, server, error) })
    this.after(request, login, (outcome) => {
      if (outcome === "again") again()
      else request.answer({ error: outcome ?? this.#advised(request, server, error) })
    })
  }

  #advised(request: ClientRequest, server: string, error: JsonRpcError): JsonRpcError {
    const { door, login, shown } = this.#options
    // Advice is added after that: it may have an address that is for this user.
    const known = shown === undefined ? error : shown(request, error)
    return Advice.advised(server, known, login(server), door())
  }

  #failed(cause: Cause.Cause<unknown>): void {
    this.#options.fork(Effect.logError("a request failed inside the gateway", cause))
  }
}
