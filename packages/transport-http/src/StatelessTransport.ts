/** Streamable HTTP without sessions (2026-07-28): each request is one independent POST. Closing its response cancels it. */
import type { ConnectError, RequestError } from "@mcp-lifeline/core"
import { ExactJson } from "@mcp-lifeline/core/text"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonRpc } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { ignore } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import type { Reader } from "./EventStream.js"
import type { HttpFailure } from "./HttpFailure.js"
import { isAnswer, toConnectError, toStatelessError } from "./Outcome.js"
import type { ParameterHeaders } from "./ParameterHeaders.js"
import { cancelledBy, type Options as CommonOptions, type Post, Posts } from "./Posts.js"
import * as Reply from "./Reply.js"
import * as RequestHeaders from "./RequestHeaders.js"
import * as Wire from "./Wire.js"

export { ParameterHeaders } from "./ParameterHeaders.js"

export interface Options extends CommonOptions {
  readonly parameters: ParameterHeaders
}

/** The stream of changes. Compression may hold its events back. */
const isListen = (message: JSONRPCMessage): boolean => "method" in message && message.method === "subscriptions/listen"

const isPrompt = (message: JSONRPCRequest): boolean => message.method === "server/discover" || isListen(message)

type Failure = ConnectError | RequestError

interface Exchange extends Post {
  answered: boolean
}

export const make = (options: Options): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside, client, maxMessageBytes, parameters, target, url } = options
    const runtime = yield* Effect.runtime<never>()
    const posts = new Posts<Exchange>(runtime, options, () => transport)
    const exchanges = posts.requests
    let protocolVersion: string | undefined

    const receive = (text: string, id: RequestId): () => void => Wire.read(transport, target, text, exchanges, id)

    const reader = (exchange: Exchange, id: RequestId): Reader => ({
      onEvent: (event) => Wire.isMessage(event) ? receive(event.data, id) : undefined,
      onDropped: (message) => {
        if (message.isResponse) exchange.answered = true
        // Nothing of the server is answered.
        posts.dropped(message.isResponse ? message : { ...message, id: undefined })
      },
      onComment: () => transport.onbeat?.(id),
      complete: () => exchange.answered,
      drained: () => transport.drained?.(),
      maxBytes: maxMessageBytes,
      arrivals: client.arrivals
    })

    const settle = (failure: HttpFailure): RequestError => posts.gone(failure) ?? toStatelessError(failure, target)

    const headersOf = (message: JSONRPCMessage): Record<string, string> => ({
      ...RequestHeaders.of(message),
      ...parameters.of(message),
      ...(isListen(message) ? { "accept-encoding": "identity" } : {}),
      ...RequestHeaders.json
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
      client.exchange({ method: "POST", url, answerless: true, headers: headersOf(message), body }, ignore).pipe(
        Effect.mapError(settle)
      )

    /** Answers are never sent: the server asks nothing in this protocol. */
    const send = (message: JSONRPCMessage): Promise<void> => {
      if (posts.isOver) return Promise.reject(posts.over("notSent"))
      if ("method" in message && message.method === "notifications/cancelled") {
        posts.interrupt(cancelledBy(message))
        return Promise.resolve()
      }
      const body = ExactJson.stringify(message)
      const exchange: Exchange = { dispatch: new Dispatch(), fiber: undefined, answered: false }
      return JsonRpc.isRequest(message)
        ? posts.ask(message.id, ask(message, body, exchange), exchange)
        : posts.send(tell(message, body), exchange)
    }

    const transport: AdapterTransport = {
      peer: { url: target },
      stateful: false,
      setProtocolVersion: (version) => {
        protocolVersion = version
      },
      start: () => Promise.resolve(),
      send,
      withdraw: (id) => posts.withdraw(id),
      close: () => posts.close()
    }
    return transport
  })
