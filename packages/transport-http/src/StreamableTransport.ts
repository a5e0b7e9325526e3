/** Streamable HTTP of revisions 2025-03-26 to 2025-11-25. */
import type { ConnectError, Peer, RequestError } from "@mcp-lifeline/core"
import { ExactJson } from "@mcp-lifeline/core/text"
import type { AdapterTransport, TransportSession } from "@mcp-lifeline/protocol"
import { JsonRpc } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Exit, Fiber } from "effect"
import { identity } from "effect/Function"
import type { Answer } from "./Answer.js"
import { discard, header, ignore, mediaType, refuse } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import type { End, Position, Reader } from "./EventStream.js"
import * as EventStream from "./EventStream.js"
import type { Copy, Hedge } from "./Hedge.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure } from "./HttpFailure.js"
import { namesLostSession } from "./HttpFailure.js"
import { HttpSession, type Known, positionOf } from "./HttpSession.js"
import { isAnswer, toConnectError, toRequestError } from "./Outcome.js"
import { cancelledBy, type Options as CommonOptions, Posts } from "./Posts.js"
import * as Reply from "./Reply.js"
import * as RequestHeaders from "./RequestHeaders.js"
import type { Exchange } from "./ResponseStream.js"
import * as ResponseStream from "./ResponseStream.js"
import * as ServerStream from "./ServerStream.js"
import * as Wire from "./Wire.js"

export interface Options extends CommonOptions {
  /** For ending a session that has outlived this transport. */
  readonly makeClient: Effect.Effect<HttpClient>
  /** Milliseconds for DELETE at close. */
  readonly closeTimeout: number
  /** Milliseconds for the answer to an `initialize`. */
  readonly startLimit: number
  /** Whether the server's stream takes its only worker; of all its sessions. */
  readonly worker: { isSingle: boolean }
}

/** Milliseconds without an answer that close the stream, and then to wait for one. */
const [workerSilence, workerAnswer] = [3000, 1000]

const singleWorker =
  "the server answers nothing while its stream is open, so that it stays closed: lists are read from time to time"

/** `close` ends the session and frees everything. */
export const make = (options: Options): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside = () => Effect.succeedNone, client, maxMessageBytes, target, url } = options
    const runtime = yield* Effect.runtime<never>()
    const posts = new Posts<Exchange>(
      runtime,
      options,
      () => transport,
      () => serverStream?.unsafeInterruptAsFork(serverStream.id())
    )
    const exchanges = posts.requests
    const session = new HttpSession()
    let serverStream: Fiber.RuntimeFiber<void> | undefined
    let serverPosition: Position = { lastEventId: undefined, retry: undefined }

    let asked = 0
    let answers = 0
    let isStreamOpen = false
    let isWorkerKnown = false
    let workerWatch: Fiber.RuntimeFiber<void> | undefined

    const receive = (text: string, exchange?: Exchange): () => void => {
      const hand = Wire.read(transport, target, text, exchanges, exchange?.id)
      return () => {
        if (!session.isSuspended) hand()
      }
    }

    const reader = (exchange?: Exchange): Reader => ({
      onEvent: (event) => Wire.isMessage(event) ? receive(event.data, exchange) : undefined,
      onDropped: (message) => {
        if (message.isResponse) Wire.isAnswered(exchanges, message.id)
        posts.dropped(message)
      },
      complete: () => exchange?.answered === true,
      drained: () => transport.drained?.(),
      maxBytes: maxMessageBytes,
      arrivals: client.arrivals
    })

    /** `exchange`: for its response; without one, the server's stream. */
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
          return Effect.zipRight(opened, EventStream.read(answer, position, { ...reader(exchange), maxSilence }))
        }
        return refuse(answer, `the answer to GET is not an event stream but ${Reply.typeOf(answer)}`)
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
        headers: { ...session.headers, ...RequestHeaders.json },
        body: JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })
      }, ignore)
    }).pipe(
      Effect.match({ onSuccess: () => false, onFailure: namesLostSession }),
      Effect.timeoutTo({ duration: "10 seconds", onSuccess: identity, onTimeout: () => false })
    )

    const keepServerStream = (isOffered: boolean): Effect.Effect<void> =>
      ServerStream.keep({
        open: (position, maxSilence, opened) => {
          isStreamOpen = false
          const open = Effect.sync(() => (isStreamOpen = true))
          return openStream(position, maxSilence, undefined, Effect.zipRight(open, opened))
        },
        onHearing: (hears) => transport.onhearing?.(hears),
        isForgotten,
        isOffered,
        target,
        position: serverPosition
      }).pipe(
        Effect.map((loss) => {
          serverStream = undefined
          if (loss !== undefined) posts.declare(loss)
        })
      )

    const forgotten = (failure: HttpFailure): RequestError => toRequestError(failure, target, ["rejected", "session"])

    /** A forgotten borrowed session is no loss of ours. */
    const connectFailure = (failure: HttpFailure): ConnectError | RequestError =>
      session.isBorrowed && namesLostSession(failure)
        ? forgotten(failure)
        : toConnectError(failure, target)

    /** Declares a loss before it is reported. */
    const settle = (failure: HttpFailure, exchange: Exchange | undefined): RequestError => {
      if (failure._tag === "StatusFailure" && failure.status === 401) session.refused()
      if (exchange !== undefined && namesLostSession(failure)) {
        posts.lose("session", failure)
        return forgotten(failure)
      }
      return posts.gone(failure) ?? toRequestError(failure, target)
    }

    const resumeStream = (exchange: Exchange, cut: End): Effect.Effect<void, RequestError> =>
      ResponseStream.resume(exchange, cut, {
        open: (maxSilence) => openStream(exchange, maxSilence, exchange),
        target,
        isForgotten,
        onLost: (failure) => posts.lose("session", failure),
        onGone: (failure) => posts.lose("closed", failure)
      })

    /** Succeeds with the cut if the stream is to be resumed. */
    const readAnswer = (
      answer: Answer,
      exchange: Exchange | undefined,
      isInitialize: boolean
    ): Effect.Effect<End | undefined, HttpFailure> => {
      if (isInitialize && !session.begin(header(answer, "mcp-session-id"))) {
        return refuse(
          answer,
          "the server gave a session id with characters that the protocol does not allow (it allows visible ASCII)"
        )
      }
      if (exchange === undefined) return ignore(answer)
      if (!isInitialize) session.answered()
      answers++
      // Some servers accept a request with 202 and answer on the server's stream.
      if (answer.status === 202 && serverStream !== undefined && !Reply.hasMessages(answer)) return ignore(answer)
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
      dispatch: Dispatch,
      exchange: Exchange | undefined
    ): Effect.Effect<void, ConnectError | RequestError> =>
      Effect.suspend(() => {
        const method = "method" in message ? message.method : undefined
        const connecting = session.isConnecting
        const isBeside = isStreamOpen
        return client.exchange({
          method: "POST",
          url,
          id: exchange?.id,
          inSession: session.id !== undefined,
          mayBeForgotten: session.mayBeForgotten,
          prompt: method === "ping",
          answerless: exchange === undefined,
          hedge: connecting ? hedgeOf(method) : undefined,
          dispatch,
          headers: Object.assign(session.headers, RequestHeaders.json),
          body
        }, (answer) => {
          isWorkerKnown ||= isBeside && exchange !== undefined
          return readAnswer(answer, exchange, method === "initialize")
        }).pipe(
          Effect.catchAll((failure): Effect.Effect<undefined, ConnectError | RequestError> => {
            if (exchange?.answered === true) return Effect.succeed(undefined)
            if (connecting && exchange !== undefined && isAnswer(failure)) {
              const error = { ...failure.error, message: failure.detail }
              Wire.deliver(transport, { jsonrpc: "2.0", id: exchange.id, error }, exchanges)
              return Effect.succeed(undefined)
            }
            // A notification may be refused for its own reasons: the session is asked.
            if (method === "notifications/initialized" && namesLostSession(failure)) {
              return Effect.as(Effect.whenEffect(Effect.fail(forgotten(failure)), isForgotten), undefined)
            }
            return Effect.fail(connecting ? connectFailure(failure) : settle(failure, exchange))
          }),
          Effect.flatMap((cut) =>
            exchange === undefined || cut === undefined ? Effect.void : resumeStream(exchange, cut)
          )
        )
      })

    const send = (message: JSONRPCMessage): Promise<void> => {
      if (posts.isOver) return Promise.reject(posts.over("notSent"))
      const body = ExactJson.stringify(message)
      const dispatch = new Dispatch()
      if (JsonRpc.isRequest(message)) {
        const { id } = message
        if (!isWorkerKnown && serverStream !== undefined) workerWatch ??= posts.fork(watchWorker)
        const exchange: Exchange = { id, dispatch, fiber: undefined, answered: false, ...positionOf() }
        // Requests of a suspended session wait for whoever resumes it.
        const work = post(message, body, dispatch, exchange)
        const asked = message.method === "initialize" ? Effect.zipRight(endRefused, work) : work
        return posts.ask(id, asked, exchange, () => session.isSuspended)
      }
      return posts.send(post(message, body, dispatch, undefined), { dispatch, fiber: undefined }, (isSent) => {
        if (!posts.isClosing) after(message, isSent)
        return false
      })
    }

    const openServerStream = (isOffered: boolean): void => {
      if (options.worker.isSingle) transport.onhearing?.(false)
      else serverStream = posts.fork(keepServerStream(isOffered))
    }

    /** Once in a session: if answers come only when the stream is closed, it stays closed. */
    const watchWorker = Effect.gen(function*() {
      let before: number
      do {
        before = answers
        yield* Effect.sleep(workerSilence)
      } while (answers !== before && !isWorkerKnown)
      workerWatch = undefined
      const stream = serverStream
      const isAwaited = [...exchanges.values()].some(({ answered }) => !answered)
      if (isWorkerKnown || !isAwaited || stream === undefined) return
      isWorkerKnown = true
      serverStream = undefined
      yield* Fiber.interrupt(stream)
      yield* Effect.sleep(workerAnswer)
      options.worker.isSingle = answers !== before
      openServerStream(true)
      if (answers !== before) yield* Effect.logWarning(`${target}: ${singleWorker}`)
    })

    const after = (message: JSONRPCMessage, sent: boolean): void => {
      if ("method" in message && message.method === "notifications/initialized" && sent && !posts.isOver) {
        openServerStream(false)
      }
      // The server will not answer it, and may leave its stream open.
      posts.interrupt(cancelledBy(message))
    }

    const endSession = (client: HttpClient, headers = session.headers): Effect.Effect<void> =>
      client.exchange(
        { method: "DELETE", url, headers, inSession: true, mayBeForgotten: true, prompt: true },
        ignore
      ).pipe(
        Effect.timeout(options.closeTimeout),
        Effect.catchAll((failure) => Effect.logDebug(`${target}: the session was not ended`, failure._tag))
      )

    /** A server may begin a session with its refusal of `initialize`. */
    const endRefused = Effect.suspend(() =>
      isOurs() && !session.isInitialized ? Effect.map(endSession(client), () => session.begin(undefined)) : Effect.void
    )

    /** Ends the session of an `initialize` whose answer comes too late. */
    const endLoser = (loser: Copy): void =>
      posts.forkEnd(Effect.uninterruptibleMask((restore) =>
        Effect.gen(function*() {
          yield* Effect.exit(restore(Effect.timeoutOption(Fiber.await(loser), options.startLimit)))
          const exit = yield* Fiber.interrupt(loser)
          if (Exit.isFailure(exit)) return
          discard(exit.value.body)
          const id = header(exit.value, "mcp-session-id")
          if (id !== undefined && id !== session.id) yield* endSession(client, { "mcp-session-id": id })
        })
      ))

    /** A server for one client refuses a second `initialize`: that says nothing of the first. */
    const isRefusal = ({ status }: Answer): boolean => status >= 300

    const hedgeOf = (method: string | undefined): Hedge | undefined =>
      method === "initialize" ? { beside, mayBeOurs: isRefusal, onLoser: endLoser } : undefined

    const isOurs = (): boolean => session.isOurs && posts.lost?.kind !== "session"

    const suspend = (): TransportSession | undefined => {
      if (!isOurs() || posts.isClosing) return undefined
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
        const exchange: Exchange = { id, dispatch: Dispatch.done(), fiber: undefined, answered: false, ...position }
        exchanges.set(id, exchange)
        const fiber = exchange.fiber = posts.fork(resumeStream(exchange, { cause: undefined }))
        fiber.addObserver((exit) => {
          exchanges.delete(id)
          if (session.isSuspended || Exit.isSuccess(exit) || exit.cause._tag !== "Fail") return
          transport.onfailed?.(id, exit.cause.error)
        })
      }
    }

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
      withdraw: (id) => posts.withdraw(id),
      close: () => posts.close(Effect.suspend(() => isOurs() ? endSession(client) : Effect.void), options.closeTimeout)
    }
    return transport
  })
