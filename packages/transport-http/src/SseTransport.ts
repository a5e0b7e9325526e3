/**
 * The older HTTP+SSE transport (protocol revision 2024-11-05) as an `AdapterTransport`: one stream from the server, whose
 * first event names the address that messages are posted to. The stream is the session; when it ends, so does that.
 */
import type { ConnectError, ConnectOptions, Loss } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import { type Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonRpc, Oversized } from "@mcp-lifeline/protocol"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, type Fiber } from "effect"
import { discard, mediaType } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import * as EventStream from "./EventStream.js"
import { describe } from "./FailureText.js"
import { Fibers, settlePromise } from "./Fibers.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure } from "./HttpFailure.js"
import { AnswerFailure, CutFailure, namesLostSession } from "./HttpFailure.js"
import { toConnectError, toRequestError } from "./Outcome.js"
import * as Wire from "./Wire.js"

/** What a transport is made from. */
export interface Options {
  readonly client: HttpClient
  readonly url: URL
  /** The address for people, without userinfo and query. */
  readonly target: string
  /** The longest message that is taken, in bytes. */
  readonly maxMessageBytes: Bytes
  /** Runs a request beside one that has no answer. Default: none is run. */
  readonly beside?: ConnectOptions["beside"]
}

/** The POST of one request. */
interface Post {
  readonly dispatch: Dispatch
  readonly fiber: Fiber.RuntimeFiber<void, ConnectError | RequestError>
}

/** Makes a transport that is not connected yet. `start` ends when the server has named its address. */
export const make = (options: Options): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside, client, maxMessageBytes, target, url } = options
    const runtime = yield* Effect.runtime<never>()
    const fibers = new Fibers(runtime)

    const endpoint = yield* Deferred.make<URL, HttpFailure>()
    let address: URL | undefined
    let initialized = false
    let protocolVersion: string | undefined
    let lost: Loss | undefined
    let closing: Promise<void> | undefined
    /** Requests that the server has not accepted yet. */
    const posts = new Map<RequestId, Post>()

    let warned = false
    const dropped = (message: Oversized.Oversized): void => {
      if (!warned) fibers.fork(Effect.logWarning(`${target}: ${Oversized.warning(message, maxMessageBytes)}`))
      warned = true
      Oversized.answer(transport, message, maxMessageBytes)
    }

    const lose = (loss: Loss): void => {
      if (lost !== undefined || closing !== undefined) return
      lost = loss
      transport.onlost?.(loss)
    }

    const over = (fate: RequestError["fate"]): RequestError =>
      new RequestError({ fate, reason: "lost", message: lost?.message ?? `${target}: the connection is closed` })

    const headers = (): Record<string, string> =>
      protocolVersion === undefined ? {} : { "mcp-protocol-version": protocolVersion }

    const name = (data: string): void => {
      if (address !== undefined) return
      const to = parseUrl(data, url)
      if (to?.origin === url.origin) {
        address = to
        Deferred.unsafeDone(endpoint, Effect.succeed(to))
      } else {
        const detail = `the address to post to that the server names is ${
          to === undefined ? "not valid" : `of another origin (${to.origin})`
        }: correct this at the server`
        Deferred.unsafeDone(endpoint, Effect.fail(new AnswerFailure({ detail })))
      }
    }

    const cutText = (): string =>
      address === undefined
        ? "the server ended the stream before it named an address to post to"
        : "the stream from the server, which is the session, has ended"

    const stream: Effect.Effect<never, HttpFailure> = client.exchange(
      { method: "GET", url, headers: { accept: "text/event-stream" }, prompt: true, hedge: beside && { beside } },
      (answer) => {
        if (mediaType(answer) !== "text/event-stream") {
          discard(answer.body)
          const detail = `the answer to GET is not an event stream but ${
            mediaType(answer) || "of no type"
          }: is this the address of an MCP endpoint of the older HTTP+SSE?`
          return Effect.fail(new AnswerFailure({ detail }))
        }
        return EventStream.read(answer, { lastEventId: undefined, retry: undefined }, {
          onEvent: (event) => {
            if (event.event === "endpoint") return name(event.data)
            if (Wire.isMessage(event)) Wire.receive(transport, target, event.data)
          },
          onDropped: dropped,
          complete: () => false,
          drained: () => transport.drained?.(),
          maxBytes: maxMessageBytes,
          arrivals: client.arrivals
        })
      }
    ).pipe(
      Effect.flatMap((end) => Effect.fail(new CutFailure({ detail: cutText(), cause: end.cause })))
    )

    const listen = stream.pipe(
      Effect.catchAll((failure) =>
        Effect.sync(() => {
          Deferred.unsafeDone(endpoint, Effect.fail(failure))
          if (address !== undefined) {
            lose({ kind: "closed", message: `${target}: ${describe(failure)}`, cause: failure })
          }
        })
      )
    )

    const settle = (failure: HttpFailure, isRequest: boolean): RequestError => {
      if (failure._tag === "StatusFailure" && isRequest && namesLostSession(failure)) {
        const { retryAfter } = failure
        lose({ kind: "session", message: `${target}: ${describe(failure)}`, retryAfter, cause: failure })
        return toRequestError(failure, target, ["rejected", "session"])
      }
      if (failure._tag === "NetworkFailure" && failure.kind === "refused") {
        lose({ kind: "closed", message: `${target}: ${describe(failure)}`, cause: failure })
        return toRequestError(failure, target, ["notSent", "lost"])
      }
      return toRequestError(failure, target)
    }

    const post = (
      message: JSONRPCMessage,
      to: URL,
      dispatch: Dispatch
    ): Effect.Effect<void, ConnectError | RequestError> => {
      const isRequest = JsonRpc.isRequest(message)
      return client.exchange({
        method: "POST",
        url: to,
        dispatch,
        id: isRequest ? message.id : undefined,
        prompt: isRequest && message.method === "ping",
        answerless: !isRequest,
        inSession: initialized,
        headers: { ...headers(), "content-type": "application/json" },
        body: ExactJson.stringify(message)
      }, (answer) => Effect.sync(() => discard(answer.body))).pipe(
        Effect.mapError((failure) => initialized ? settle(failure, isRequest) : toConnectError(failure, target))
      )
    }

    const send = (message: JSONRPCMessage): Promise<void> => {
      if (lost !== undefined || closing !== undefined || address === undefined) return Promise.reject(over("notSent"))
      const dispatch = new Dispatch()
      const posting = fibers.fork(post(message, address, dispatch))
      const id = JsonRpc.isRequest(message) ? message.id : undefined
      if (id !== undefined) posts.set(id, { dispatch, fiber: posting })
      return new Promise((resolve, reject) => {
        posting.addObserver((exit) => {
          if (id !== undefined) posts.delete(id)
          else if ("method" in message && message.method === "notifications/cancelled") {
            // Nobody waits for the server to accept it any more.
            interrupt((message.params as { readonly requestId?: RequestId } | undefined)?.requestId)
          }
          settlePromise(exit, resolve, reject, () => over(dispatch.isDone ? "unknown" : "notSent"))
        })
      })
    }

    const interrupt = (id: RequestId | undefined): void => {
      const fiber = id === undefined ? undefined : posts.get(id)?.fiber
      fiber?.unsafeInterruptAsFork(fiber.id())
    }

    const withdraw = (id: RequestId): boolean => {
      if (posts.get(id)?.dispatch.withdraw() !== true) return false
      interrupt(id)
      return true
    }

    const shutdown = fibers.interruptAll.pipe(
      Effect.zipRight(client.destroy),
      Effect.ensuring(Effect.sync(() => transport.onclose?.()))
    )

    const transport: AdapterTransport = {
      peer: { url: target },
      stateful: true,
      setProtocolVersion: (version) => {
        protocolVersion = version
        initialized = true
      },
      start: () => {
        fibers.fork(listen)
        const named = Effect.mapError(Deferred.await(endpoint), (failure) => toConnectError(failure, target))
        return new Promise((resolve, reject) => {
          fibers.fork(Effect.asVoid(named)).addObserver((exit) =>
            settlePromise(exit, resolve, reject, () => over("notSent"))
          )
        })
      },
      send,
      withdraw,
      close: () => closing ??= fibers.runPromise(shutdown)
    }
    return transport
  })
