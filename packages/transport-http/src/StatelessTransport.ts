/**
 * Streamable HTTP of the protocol without sessions (2026-07-28) as an `AdapterTransport`: each request is one POST, and nothing
 * connects one with another. Closing its response cancels a request.
 */
import type { ConnectOptions, Loss } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { ConnectError } from "@mcp-lifeline/core"
import { type Bytes, ExactJson } from "@mcp-lifeline/core/internal"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonRpc, Oversized } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, type Fiber } from "effect"
import { discard } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import type { Reader } from "./EventStream.js"
import { describe } from "./FailureText.js"
import { Fibers, settlePromise } from "./Fibers.js"
import type { HttpClient } from "./HttpClient.js"
import type { HttpFailure } from "./HttpFailure.js"
import { isAnswer, toConnectError, toRequestError, toStatelessError } from "./Outcome.js"
import type { ParameterHeaders } from "./ParameterHeaders.js"
import * as Reply from "./Reply.js"
import * as RequestHeaders from "./RequestHeaders.js"
import * as Wire from "./Wire.js"

export { ParameterHeaders } from "./ParameterHeaders.js"

/** What a transport is made from. */
export interface Options {
  readonly client: HttpClient
  readonly url: URL
  /** The address for people, without userinfo and query. */
  readonly target: string
  /** The longest message that is taken, in bytes. */
  readonly maxMessageBytes: Bytes
  readonly parameters: ParameterHeaders
  /** Runs a request beside one that has no answer. Default: none is run. */
  readonly beside?: ConnectOptions["beside"]
}

/** Whether a message opens the stream of changes. What compresses that may hold its events back. */
const isListen = (message: JSONRPCMessage): boolean => "method" in message && message.method === "subscriptions/listen"

/** Whether a request does not wait behind others. */
const isPrompt = (message: JSONRPCRequest): boolean => message.method === "server/discover" || isListen(message)

type Failure = ConnectError | RequestError

/** A request that is out. */
interface Exchange {
  readonly dispatch: Dispatch
  fiber: Fiber.RuntimeFiber<void, Failure> | undefined
  answered: boolean
}

/** Makes a transport that is not connected yet. Its `close` frees everything. */
export const make = (options: Options): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside, client, maxMessageBytes, parameters, target, url } = options
    const runtime = yield* Effect.runtime<never>()
    const fibers = new Fibers(runtime)
    const exchanges = new Map<RequestId, Exchange>()
    let protocolVersion: string | undefined
    let lost: Loss | undefined
    let closing: Promise<void> | undefined

    let warned = false
    const dropped = (message: Oversized.Oversized): void => {
      if (!warned) fibers.fork(Effect.logWarning(`${target}: ${Oversized.warning(message, maxMessageBytes)}`))
      warned = true
      if (message.isResponse) Oversized.answer(transport, message, maxMessageBytes)
    }

    /** Takes what came in the answer to a request. */
    const receive = (text: string, id: RequestId): void => Wire.receive(transport, target, text, exchanges, id)

    const reader = (exchange: Exchange, id: RequestId): Reader => ({
      onEvent: (event) => {
        if (Wire.isMessage(event)) receive(event.data, id)
      },
      onDropped: (message) => {
        if (message.isResponse) exchange.answered = true
        dropped(message)
      },
      onComment: () => transport.onbeat?.(id),
      complete: () => exchange.answered,
      lingering: client.lingering,
      drained: () => transport.drained?.(),
      maxBytes: maxMessageBytes,
      arrivals: client.arrivals
    })

    /** What a failure means once there is a connection. One that was refused is declared lost before the request is. */
    const settle = (failure: HttpFailure): RequestError => {
      if (failure._tag !== "NetworkFailure" || failure.kind !== "refused") return toStatelessError(failure, target)
      if (lost === undefined && closing === undefined) {
        lost = { kind: "closed", message: `${target}: ${describe(failure)}`, cause: failure }
        transport.onlost?.(lost)
      }
      return toRequestError(failure, target, ["notSent", "lost"])
    }

    const headersOf = (message: JSONRPCMessage): Record<string, string> => ({
      ...RequestHeaders.of(message),
      ...parameters.of(message),
      ...(isListen(message) ? { "accept-encoding": "identity" } : {}),
      "content-type": "application/json",
      accept: "application/json, text/event-stream"
    })

    const ask = (message: JSONRPCRequest, body: string, exchange: Exchange): Effect.Effect<void, Failure> =>
      Effect.suspend(() =>
        client.exchange(
          {
            method: "POST",
            url,
            prompt: isPrompt(message),
            asksEra: message.method === "server/discover",
            hedge: beside !== undefined && protocolVersion === undefined ? { beside } : undefined,
            dispatch: exchange.dispatch,
            headers: headersOf(message),
            body
          },
          (answer) =>
            Effect.filterOrFail(
              Reply.read(
                answer,
                { lastEventId: undefined, retry: undefined },
                reader(exchange, message.id),
                (text) => receive(text, message.id)
              ),
              (end) => end === undefined,
              Reply.cut
            )
        )
      ).pipe(
        Effect.asVoid,
        Effect.catchAll((failure): Effect.Effect<void, Failure> => {
          if (exchange.answered) return Effect.void
          if (protocolVersion !== undefined) return Effect.fail(settle(failure))
          if (!isAnswer(failure)) return Effect.fail(toConnectError(failure, target))
          const error = { ...failure.error, message: failure.detail }
          Wire.deliver(transport, { jsonrpc: "2.0", id: message.id, error }, exchanges)
          return Effect.void
        })
      )

    const tell = (message: JSONRPCMessage, body: string): Effect.Effect<void, Failure> =>
      client.exchange(
        { method: "POST", url, answerless: true, headers: headersOf(message), body },
        (answer) => Effect.sync(() => discard(answer.body))
      ).pipe(Effect.mapError(settle))

    const over = (fate: RequestError["fate"], cause?: unknown): RequestError =>
      new RequestError({
        fate,
        reason: "lost",
        message: lost?.message ?? `${target}: the connection is closed`,
        cause
      })

    const interrupt = (exchange: Exchange | undefined): void => {
      const fiber = exchange?.fiber
      fiber?.unsafeInterruptAsFork(fiber.id())
    }

    const withdraw = (id: RequestId): boolean => {
      const exchange = exchanges.get(id)
      if (exchange?.dispatch.withdraw() !== true) return false
      interrupt(exchange)
      return true
    }

    /** Answers are never sent: the server asks nothing in this protocol. */
    const send = (message: JSONRPCMessage): Promise<void> => {
      if (lost !== undefined || closing !== undefined) return Promise.reject(over("notSent"))
      if ("method" in message && message.method === "notifications/cancelled") {
        const requestId = (message.params as { readonly requestId?: RequestId } | undefined)?.requestId
        if (requestId !== undefined) interrupt(exchanges.get(requestId))
        return Promise.resolve()
      }
      const body = ExactJson.stringify(message)
      const exchange: Exchange = { dispatch: new Dispatch(), fiber: undefined, answered: false }
      const id = JsonRpc.isRequest(message) ? message.id : undefined
      if (id !== undefined) exchanges.set(id, exchange)
      return new Promise((resolve, reject) => {
        const fiber = fibers.fork(JsonRpc.isRequest(message) ? ask(message, body, exchange) : tell(message, body))
        exchange.fiber = fiber
        fiber.addObserver((exit) => {
          if (id !== undefined) exchanges.delete(id)
          settlePromise(exit, resolve, reject, (cause) => over(exchange.dispatch.isDone ? "unknown" : "notSent", cause))
        })
      })
    }

    const shutdown = fibers.interruptAll.pipe(
      Effect.zipRight(client.destroy),
      Effect.ensuring(Effect.sync(() => transport.onclose?.()))
    )

    const transport: AdapterTransport = {
      peer: { url: target },
      stateful: false,
      setProtocolVersion: (version) => {
        protocolVersion = version
      },
      start: () => Promise.resolve(),
      send,
      withdraw,
      close: () => closing ??= fibers.runPromise(shutdown)
    }
    return transport
  })
