/**
 * `/api/events`: the status and the log as server-sent events. A slow reader misses events, but uses no more memory than others.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Arrival from "@mcp-lifeline/http-server/Arrival"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import { Shares } from "@mcp-lifeline/protocol"
import { Chunk, Effect, Stream } from "effect"
import type { IncomingMessage } from "node:http"
import type * as EventLog from "../log/EventLog.js"
import type { GatewayStatus, StatusUpdate } from "./GatewayStatus.js"
import type { Operations } from "./Operations.js"

const statusInterval = "250 millis"

/** How long all readers share one computed status. */
const statusLifetime = "100 millis"

const keepaliveInterval = "15 seconds"

/** Streams open at once. One caller, or one address where callers are not known, may have half of them. */
const maxReaders = 200

const event = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`

/** Leaves out histories that the reader already has: they are long, and most changes concern one server. */
const withoutKnown = (): (status: GatewayStatus) => StatusUpdate => {
  let known = new Map<string, GatewayStatus["servers"][number]["history"]>()
  return ({ servers, ...rest }) => {
    const before = known
    known = new Map(servers.map(({ history, name }) => [name, history]))
    return {
      ...rest,
      servers: servers.map(({ history, ...server }) =>
        before.get(server.name) === history ? server : { ...server, history }
      )
    }
  }
}

export interface View {
  readonly status: (status: GatewayStatus) => Effect.Effect<GatewayStatus>
  /** `undefined`: it is not for this reader. */
  readonly line: (line: EventLog.Entry) => EventLog.Entry | undefined
}

/** `viewOf`: what a reader sees; `undefined` if everything, which is computed once for all such readers. */
export const make = (
  { follow, lines, statusNow }: Pick<Operations, "follow" | "lines" | "statusNow">,
  viewOf: (request: IncomingMessage) => () => View | undefined
): Effect.Effect<
  Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>
> =>
  Effect.gen(function*() {
    const status = yield* Effect.cachedWithTTL(
      Effect.map(statusNow, (value) => ({ value, text: JSON.stringify(value) })),
      statusLifetime
    )
    const readers = new Shares(maxReaders)

    const statuses = (view: () => View | undefined) =>
      Stream.suspend(() => {
        const update = withoutKnown()
        return Stream.tick(statusInterval).pipe(
          Stream.mapEffect(() => status),
          Stream.mapEffect((all) => {
            const seen = view()
            return seen === undefined
              ? Effect.succeed(all)
              : Effect.map(seen.status(all.value), (value) => ({ value, text: JSON.stringify(value) }))
          }),
          Stream.changesWith((one, other) => one.text === other.text),
          Stream.bufferChunks({ capacity: 1, strategy: "sliding" }),
          // After the buffer, which drops what the reader is too slow for: only what is sent counts as known.
          Stream.map(({ value }) => event("status", JSON.stringify(update(value))))
        )
      })
    const events = (view: () => View | undefined) =>
      lines.pipe(
        Stream.map((entry) => {
          const seen = view()
          return seen === undefined ? entry : seen.line(entry)
        }),
        Stream.filter((entry) => entry !== undefined),
        Stream.map((entry) => event("event", JSON.stringify(entry)))
      )
    const alive = Stream.map(Stream.drop(Stream.tick(keepaliveInterval), 1), () => ": alive\n\n")

    const all = (view: () => View | undefined) =>
      Stream.mergeAll([statuses(view), events(view), alive], { concurrency: "unbounded", bufferSize: 1 })
    const texts = (view: () => View | undefined) =>
      Stream.unwrapScoped(Effect.as(follow, all(view))).pipe(
        Stream.mapChunks((chunk) => Chunk.of(Chunk.join(chunk, ""))),
        Stream.encodeText
      )
    return Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
      const incoming = NodeHttpServerRequest.toIncomingMessage(request)
      const { subject } = Caller.of(incoming)
      const [reader, place] = subject === ""
        ? [Arrival.of(incoming).address, "from this address"]
        : [`caller ${subject}`, "for this caller"]
      if (!readers.take(reader)) {
        const message = `${readers.heldBy(reader)} streams of events are open ${place} already; close one`
        return HttpServerResponse.unsafeJson({ error: { code: "too_many", message } }, { status: 503 })
      }
      NodeHttpServerRequest.toServerResponse(request).once("close", () => readers.release(reader))
      return HttpServerResponse.stream(texts(viewOf(incoming)), {
        contentType: "text/event-stream",
        headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
      })
    })
  })
