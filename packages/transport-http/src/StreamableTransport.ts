/**
 * Streamable HTTP (protocol revisions 2025-03-26 to 2025-11-25) as an `AdapterTransport`.
 *
 * A transport of our own, and not the official SDK's with a `fetch` of ours, because what has to be known of a failure is
 * where the SDK's transport keeps no books: which request waits on which response stream (so that a cut stream fails its own
 * request and no other), what became of a request before it failed, and where each stream is to be resumed. Its reconnect
 * counter, its one AbortSignal for everything, its close without DELETE and its timers would each have had to be overridden
 * by private members, and would have come back with each release. It implements the SDK's `Transport`, validates with
 * the SDK's schemas and logs in with the SDK's OAuth; the event stream is parsed by the parser that the SDK uses.
 */
import type { ConnectOptions, Loss, Peer } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { ConnectError } from "@mcp-lifeline/core"
import { type Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import type { AdapterTransport, TransportSession } from "@mcp-lifeline/protocol"
import { JsonRpc, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber } from "effect"
import { identity } from "effect/Function"
import type { Answer } from "./Answer.js"
import { discard, header, mediaType } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import type { End, Position, Reader } from "./EventStream.js"
import * as EventStream from "./EventStream.js"
import { describe } from "./FailureText.js"
import { Fibers, settlePromise } from "./Fibers.js"
import type { Copy, Hedge } from "./Hedge.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure, StatusFailure } from "./HttpFailure.js"
import { AnswerFailure, namesLostSession } from "./HttpFailure.js"
import { HttpSession, type Known, positionOf } from "./HttpSession.js"
import { isAnswer, toConnectError, toRequestError } from "./Outcome.js"
import * as Reply from "./Reply.js"
import type { Exchange } from "./ResponseStream.js"
import * as ResponseStream from "./ResponseStream.js"
import * as ServerStream from "./ServerStream.js"
import * as Wire from "./Wire.js"

/** What a transport is made from. */
export interface Options {
  readonly client: HttpClient
  readonly url: URL
  /** The address for people, without userinfo and query. */
  readonly target: string
  /** A client for the end of a session that has outlived this transport. */
  readonly makeClient: Effect.Effect<HttpClient>
  /** Milliseconds for the DELETE at close. */
  readonly closeTimeout: number
  /** The longest message that is taken, in bytes. */
  readonly maxMessageBytes: Bytes
  /** Runs a request beside one that has no answer. Default: none is run. */
  readonly beside?: ConnectOptions["beside"]
}

/** Makes a transport that is not connected yet. Its `close` ends the session and frees everything. */
export const make = (options: Options): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside, client, maxMessageBytes, target, url } = options
    const runtime = yield* Effect.runtime<never>()
    const fibers = new Fibers(runtime)
    const exchanges = new Map<RequestId, Exchange>()
    const session = new HttpSession()
    let serverStream: Fiber.RuntimeFiber<void> | undefined
    let lost: Loss | undefined
    let closing: Promise<void> | undefined
    let serverPosition: Position = { lastEventId: undefined, retry: undefined }

    let asked = 0
    let warned = false
    const dropped = (message: Oversized.Oversized): void => {
      if (!warned) fibers.fork(Effect.logWarning(`${target}: ${Oversized.warning(message, maxMessageBytes)}`))
      warned = true
      Oversized.answer(transport, message, maxMessageBytes)
    }

    const lose = (loss: Loss): void => {
      if (lost !== undefined || closing !== undefined) return
      lost = loss
      if (serverStream !== undefined) serverStream.unsafeInterruptAsFork(serverStream.id())
      transport.onlost?.(loss)
    }

    /** Takes what came, in the answer to a request or on the stream from the server. */
    const receive = (text: string, exchange?: Exchange): void => {
      if (!session.isSuspended) Wire.receive(transport, target, text, exchanges, exchange?.id)
    }

    const reader = (exchange?: Exchange): Reader => ({
      onEvent: (event) => {
        if (Wire.isMessage(event)) receive(event.data, exchange)
      },
      onDropped: (message) => {
        if (message.isResponse) Wire.isAnswered(exchanges, message.id)
        dropped(message)
      },
      complete: () => exchange?.answered === true,
      lingering: client.lingering,
      drained: () => transport.drained?.(),
      maxBytes: maxMessageBytes,
      arrivals: client.arrivals
    })

    /** Opens a stream at a position: that of an exchange, or the one from the server. */
    const openStream = (
      position: Position,
      maxSilence: number | undefined,
      exchange?: Exchange,
      opened: Effect.Effect<unknown> = Effect.void
    ): Effect.Effect<End, HttpFailure> =>
      client.exchange({
        method: "GET",
        url,
        inSession: session.id !== undefined,
        mayBeForgotten: session.mayBeForgotten,
        prompt: exchange === undefined,
        headers: {
          ...session.headers,
          accept: "text/event-stream",
          ...(position.lastEventId === undefined ? {} : { "last-event-id": position.lastEventId })
        }
      }, (answer): Effect.Effect<End, HttpFailure> => {
        if (mediaType(answer) === "text/event-stream") {
          const read = EventStream.read(answer, position, {
            ...reader(exchange),
            maxSilence
          })
          return Effect.zipRight(opened, read)
        }
        discard(answer.body)
        return Effect.fail(
          new AnswerFailure({ detail: `the answer to GET is not an event stream but ${Reply.typeOf(answer)}` })
        )
      })

    /** Asks in the session itself: some servers know no stream, and answer that there is nothing. */
    const isForgotten: Effect.Effect<boolean> = Effect.suspend(() => {
      const id = `stream-${++asked}`
      return client.exchange({
        method: "POST",
        url,
        id,
        inSession: session.id !== undefined,
        mayBeForgotten: session.mayBeForgotten,
        prompt: true,
        headers: {
          ...session.headers,
          "content-type": "application/json",
          accept: "application/json, text/event-stream"
        },
        body: JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })
      }, (answer) => Effect.sync(() => discard(answer.body)))
    }).pipe(
      Effect.match({
        onSuccess: () => false,
        onFailure: (failure) => failure._tag === "StatusFailure" && namesLostSession(failure)
      }),
      Effect.timeoutTo({ duration: "10 seconds", onSuccess: identity, onTimeout: () => false })
    )

    const keepServerStream = (isOffered: boolean): Effect.Effect<void> =>
      ServerStream.keep({
        open: (position, maxSilence, opened) => openStream(position, maxSilence, undefined, opened),
        onHearing: (hears) => transport.onhearing?.(hears),
        isForgotten,
        isOffered,
        target,
        position: serverPosition
      }).pipe(
        Effect.map((loss) => {
          serverStream = undefined
          if (loss !== undefined) lose(loss)
        })
      )

    const sessionLost = (failure: StatusFailure): void =>
      lose({
        kind: "session",
        message: `${target}: ${describe(failure)}`,
        retryAfter: failure.retryAfter,
        cause: failure
      })

    const serverGone = (failure: HttpFailure): void =>
      lose({ kind: "closed", message: `${target}: ${describe(failure)}`, cause: failure })

    const forgotten = (failure: StatusFailure): RequestError => toRequestError(failure, target, ["rejected", "session"])

    /** What a failure to send means, before a session is up. A borrowed one may be forgotten, which is no loss of ours. */
    const connectFailure = (failure: HttpFailure): ConnectError | RequestError =>
      failure._tag === "StatusFailure" && session.isBorrowed && namesLostSession(failure)
        ? forgotten(failure)
        : toConnectError(failure, target)

    /** What a failure to send means, once a session is up. Declares the loss before it is reported. */
    const settle = (failure: HttpFailure, exchange: Exchange | undefined): RequestError => {
      if (failure._tag === "StatusFailure" && failure.status === 401) session.refused()
      // A notification is refused for reasons of its own.
      if (failure._tag === "StatusFailure" && exchange !== undefined && namesLostSession(failure)) {
        sessionLost(failure)
        return forgotten(failure)
      }
      if (failure._tag === "NetworkFailure" && failure.kind === "refused") {
        serverGone(failure)
        return toRequestError(failure, target, ["notSent", "lost"])
      }
      return toRequestError(failure, target)
    }

    const resumeStream = (exchange: Exchange, cut: End): Effect.Effect<void, RequestError> =>
      ResponseStream.resume(exchange, cut, {
        open: (maxSilence) => openStream(exchange, maxSilence, exchange),
        target,
        isForgotten,
        onLost: sessionLost,
        onGone: serverGone
      })

    /** Reads the answer to a POST. Succeeds with how the stream was cut when it is to be resumed. */
    const readAnswer = (
      answer: Answer,
      exchange: Exchange | undefined,
      isInitialize: boolean
    ): Effect.Effect<End | undefined, HttpFailure> => {
      if (isInitialize && !session.begin(header(answer, "mcp-session-id"))) {
        discard(answer.body)
        return Effect.fail(
          new AnswerFailure({
            detail:
              "the server gave a session id with characters that the protocol does not allow (it allows visible ASCII)"
          })
        )
      }
      if (exchange === undefined) {
        discard(answer.body)
        return Effect.succeed(undefined)
      }
      if (!isInitialize) session.answered()
      // Some servers accept a request and answer it on the stream from the server.
      if (answer.status === 202 && serverStream !== undefined && !Reply.hasMessages(answer)) {
        discard(answer.body)
        return Effect.succeed(undefined)
      }
      const read = Reply.read(answer, exchange, reader(exchange), (text) => receive(text, exchange))
      return Effect.filterOrFail(
        read,
        (end) => end === undefined || (exchange.lastEventId !== undefined && !isInitialize),
        Reply.cut
      )
    }

    const post = (
      message: JSONRPCMessage,
      body: string,
      exchange: Exchange | undefined
    ): Effect.Effect<void, ConnectError | RequestError> =>
      Effect.suspend(() => {
        const method = "method" in message ? message.method : undefined
        const connecting = session.isConnecting
        return client.exchange({
          method: "POST",
          url,
          id: exchange?.id,
          inSession: session.id !== undefined,
          mayBeForgotten: session.mayBeForgotten,
          prompt: method === "ping",
          answerless: exchange === undefined,
          hedge: connecting ? hedgeOf(method) : undefined,
          dispatch: exchange?.dispatch,
          headers: Object.assign(session.headers, {
            "content-type": "application/json",
            accept: "application/json, text/event-stream"
          }),
          body
        }, (answer) => readAnswer(answer, exchange, method === "initialize")).pipe(
          Effect.catchAll((failure): Effect.Effect<undefined, ConnectError | RequestError> => {
            if (exchange?.answered === true) return Effect.succeed(undefined)
            if (connecting && exchange !== undefined && isAnswer(failure)) {
              const error = { ...failure.error, message: failure.detail }
              Wire.deliver(transport, { jsonrpc: "2.0", id: exchange.id, error }, exchanges)
              return Effect.succeed(undefined)
            }
            return Effect.fail(connecting ? connectFailure(failure) : settle(failure, exchange))
          }),
          Effect.flatMap((cut) =>
            exchange === undefined || cut === undefined ? Effect.void : resumeStream(exchange, cut)
          )
        )
      })

    const over = (fate: RequestError["fate"], cause?: unknown): RequestError =>
      new RequestError({
        fate,
        reason: "lost",
        message: lost?.message ?? `${target}: the connection is closed`,
        cause
      })

    const send = (message: JSONRPCMessage): Promise<void> => {
      if (lost !== undefined || closing !== undefined) return Promise.reject(over("notSent"))
      const body = ExactJson.stringify(message)
      const exchange: Exchange | undefined = JsonRpc.isRequest(message)
        ? {
          id: message.id,
          dispatch: new Dispatch(),
          fiber: { current: undefined },
          answered: false,
          lastEventId: undefined,
          retry: undefined
        }
        : undefined
      if (exchange !== undefined) exchanges.set(exchange.id, exchange)
      return new Promise((resolve, reject) => {
        const fiber = fibers.fork(post(message, body, exchange))
        if (exchange !== undefined) exchange.fiber.current = fiber
        fiber.addObserver((exit) => {
          if (exchange !== undefined) exchanges.delete(exchange.id)
          after(message, Exit.isSuccess(exit))
          // What a suspended session has not answered waits for whoever goes on with it.
          if (exchange !== undefined && session.isSuspended) return resolve()
          settlePromise(exit, resolve, reject, (cause) =>
            over(exchange?.dispatch.isDone === false ? "notSent" : "unknown", cause))
        })
      })
    }

    const openServerStream = (isOffered: boolean): void => {
      serverStream = fibers.fork(keepServerStream(isOffered))
    }

    /** What follows when a notification of ours has been sent, or could not be. */
    const after = (message: JSONRPCMessage, sent: boolean): void => {
      if (!("method" in message) || closing !== undefined) {
        return
      }
      if (message.method === "notifications/initialized" && sent && lost === undefined) {
        openServerStream(false)
      }
      if (message.method === "notifications/cancelled") {
        // The server will not answer it any more, and may leave its stream open.
        const id = (message.params as { readonly requestId?: RequestId } | undefined)?.requestId
        if (id !== undefined) {
          interrupt(exchanges.get(id))
        }
      }
    }

    const interrupt = (exchange: Exchange | undefined): void => {
      const fiber = exchange?.fiber.current
      fiber?.unsafeInterruptAsFork(fiber.id())
    }

    const withdraw = (id: RequestId): boolean => {
      const exchange = exchanges.get(id)
      if (exchange?.dispatch.withdraw() !== true) {
        return false
      }
      interrupt(exchange)
      return true
    }

    const endSession = (client: HttpClient, headers = session.headers): Effect.Effect<void> =>
      client.exchange(
        { method: "DELETE", url, headers, mayBeForgotten: true, prompt: true },
        (answer) => {
          discard(answer.body)
          return Effect.void
        }
      ).pipe(
        Effect.timeout(options.closeTimeout),
        Effect.catchAll((failure) =>
          Effect.logDebug(`${target}: the session was not ended`, failure._tag)
        )
      )

    /** Ends the session that a server makes although another answer has been taken, where it says so in time. */
    const endLoser = (loser: Copy): void =>
      void fibers.fork(Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* Effect.exit(restore(Effect.timeoutOption(Fiber.await(loser), options.closeTimeout)))
          const exit = yield* Fiber.interrupt(loser)
          if (Exit.isFailure(exit)) return
          discard(exit.value.body)
          const id = header(exit.value, "mcp-session-id")
          if (id !== undefined && id !== session.id) yield* endSession(client, { "mcp-session-id": id })
        })
      ))

    /** A server that serves one client refuses a second `initialize`: what refuses one says nothing of those before it. */
    const isRefusal = ({ status }: Answer): boolean => status >= 300

    const hedgeOf = (method: string | undefined): Hedge | undefined => {
      if (beside === undefined || method !== "initialize") return undefined
      return { beside, mayBeOurs: isRefusal, onLoser: endLoser }
    }

    const isOurs = (): boolean => session.isOurs && lost?.kind !== "session"

    const suspend = (): TransportSession | undefined => {
      if (!isOurs() || closing !== undefined) return undefined
      const waiting = [...exchanges.values()].filter((exchange) =>
        !exchange.answered && exchange.lastEventId !== undefined
      )
      const knows = session.suspend(serverPosition, waiting, client.cookies)
      return knows && {
        knows,
        answerable: new Set(waiting.map(({ id }) => id)),
        end: Effect.scoped(
          Effect.flatMap(Effect.acquireRelease(options.makeClient, (client) => client.destroy), (other) => {
            other.cookies?.goOnWith(client.cookies)
            return endSession(other)
          })
        )
      }
    }

    const goOn = (isWaiting: (id: RequestId) => boolean): void => {
      const known = session.goOn()
      if (known === undefined) return
      serverPosition = positionOf(known.serverStream)
      openServerStream(true)
      for (const { id, ...position } of known.exchanges) {
        if (!isWaiting(id)) continue
        const exchange: Exchange = {
          id,
          dispatch: Dispatch.done(),
          fiber: { current: undefined },
          answered: false,
          ...position
        }
        exchanges.set(id, exchange)
        const fiber = fibers.fork(resumeStream(exchange, { cause: undefined }))
        exchange.fiber.current = fiber
        fiber.addObserver((exit) => {
          exchanges.delete(id)
          if (session.isSuspended || Exit.isSuccess(exit) || exit.cause._tag !== "Fail") return
          transport.onfailed?.(id, exit.cause.error)
        })
      }
    }

    const shutdown = Effect.suspend(() => isOurs() ? endSession(client) : Effect.void).pipe(
      Effect.zipRight(fibers.interruptAll),
      Effect.zipRight(client.destroy),
      Effect.ensuring(Effect.sync(() => transport.onclose?.()))
    )

    const transport: AdapterTransport = {
      peer: { url: target } satisfies Peer,
      get stateful() {
        return session.id !== undefined
      },
      get sessionId() {
        return session.isInitialized ? session.id : undefined
      },
      setProtocolVersion: (version) => session.initialized(version),
      start: () => Promise.resolve(),
      suspend,
      borrow: ({ knows }) => {
        const known = knows as Known
        session.borrow(known)
        client.cookies?.goOnWith(known.cookies)
      },
      goOn,
      send,
      withdraw,
      close: () => closing ??= fibers.runPromise(shutdown)
    }
    return transport
  })
