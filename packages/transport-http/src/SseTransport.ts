/**
 * The older HTTP+SSE transport (protocol revision 2024-11-05): one stream from the server, whose first event names the
 * address for POSTs. The session ends with the stream.
 */
import type { ConnectError, RequestError } from "@mcp-lifeline/core"
import { ExactJson } from "@mcp-lifeline/core/text"
import type { AdapterTransport } from "@mcp-lifeline/protocol"
import { JsonRpc } from "@mcp-lifeline/protocol"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect } from "effect"
import { ignore, mediaType, refuse } from "./Answer.js"
import { Dispatch } from "./Dispatch.js"
import * as EventStream from "./EventStream.js"
import type { HttpFailure } from "./HttpFailure.js"
import { AnswerFailure, CutFailure, namesLostSession } from "./HttpFailure.js"
import { toConnectError, toRequestError } from "./Outcome.js"
import { cancelledBy, type Options, type Post, Posts } from "./Posts.js"
import * as Reply from "./Reply.js"
import * as Wire from "./Wire.js"

/** `start` resolves when the server has named its address. `onOpen`: called when the stream is open. */
export const make = (
  options: Options & { readonly onOpen?: (() => void) | undefined }
): Effect.Effect<AdapterTransport> =>
  Effect.gen(function*() {
    const { beside, client, maxMessageBytes, target, url } = options
    const runtime = yield* Effect.runtime<never>()

    const endpoint = yield* Deferred.make<URL, HttpFailure>()
    let address: URL | undefined
    let initialized = false
    let protocolVersion: string | undefined
    const posts = new Posts(runtime, options, () => transport)

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
          const what = `the answer to GET is not an event stream but ${Reply.typeOf(answer)}`
          return refuse(answer, `${what}: is this the address of an MCP endpoint of the older HTTP+SSE?`)
        }
        options.onOpen?.()
        return EventStream.read(answer, { lastEventId: undefined, retry: undefined }, {
          onEvent: (event) => {
            if (event.event === "endpoint") return name(event.data)
            return Wire.isMessage(event) ? Wire.read(transport, target, event.data) : undefined
          },
          onDropped: (message) => posts.dropped(message),
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
          if (address !== undefined) posts.lose("closed", failure)
        })
      )
    )

    const settle = (failure: HttpFailure, isRequest: boolean): RequestError => {
      if (!isRequest || !namesLostSession(failure)) return posts.gone(failure) ?? toRequestError(failure, target)
      posts.lose("session", failure)
      return toRequestError(failure, target, ["rejected", "session"])
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
      }, ignore).pipe(
        Effect.mapError((failure) => initialized ? settle(failure, isRequest) : toConnectError(failure, target))
      )
    }

    const send = (message: JSONRPCMessage): Promise<void> => {
      if (posts.isOver || address === undefined) return Promise.reject(posts.over("notSent"))
      const dispatch = new Dispatch()
      const work = post(message, address, dispatch)
      const sent: Post = { dispatch, fiber: undefined }
      if (JsonRpc.isRequest(message)) return posts.ask(message.id, work, sent)
      return posts.send(work, sent, () => {
        // The server need not accept it any more.
        posts.interrupt(cancelledBy(message))
        return false
      })
    }

    const transport: AdapterTransport = {
      peer: { url: target },
      stateful: true,
      setProtocolVersion: (version) => {
        protocolVersion = version
        initialized = true
      },
      start: () => {
        posts.fork(listen)
        const named = Effect.mapError(Deferred.await(endpoint), (failure) => toConnectError(failure, target))
        return posts.send(Effect.asVoid(named), { dispatch: new Dispatch(), fiber: undefined })
      },
      send,
      withdraw: (id) => posts.withdraw(id),
      close: () => posts.close()
    }
    return transport
  })
