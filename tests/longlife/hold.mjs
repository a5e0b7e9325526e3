/**
 * Holds exchanges open that are silent for as long as it is told, past the limits of Node's own client (300 s), and prints what
 * became of each, as JSON: the stream from the server to us, a slow JSON answer, a slow answer in an event stream; and the slow
 * JSON answer to the bare official Client for comparison.
 *
 *     node tests/longlife/hold.mjs [--seconds 330]
 */
import { Backend } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Logger, LogLevel, Stream } from "effect"
import { parseArgs } from "node:util"
import * as fixture from "./fixture.mjs"

const { values } = parseArgs({ options: { seconds: { type: "string", default: "330" } } })
const millis = Number(values.seconds) * 1000
const timeout = millis + 30_000

const supervise = (/** @type {string} */ url) =>
  Backend.make("test", { connector: HttpConnector.make({ url }), keepalive: { method: "none" } }).pipe(
    Effect.tap((backend) => backend.firstOutcome)
  )

/** Nothing is sent either way; then a notification has to arrive on the stream that was there at the start. */
const stream = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(
    Effect.promise(fixture.start),
    (server) => Effect.promise(server.stop)
  )
  const backend = yield* supervise(server.url)
  const arrival = yield* Effect.fork(
    Stream.runHead(Stream.filter(backend.notifications, ({ method }) => method === "notifications/message"))
  )
  yield* Effect.sleep(millis)
  const { gets, streams } = yield* Effect.promise(() => server.tell("notify"))
  const arrived = yield* Effect.timeoutOption(arrival, 5000)
  const { generation } = yield* backend.status
  return { opened: gets, open: streams, arrived: arrived._tag === "Some", generation }
})

/** @param {boolean} streamed */
const answer = (streamed) =>
  Effect.gen(function*() {
    const server = yield* Effect.acquireRelease(
      Effect.promise(fixture.start),
      (server) => Effect.promise(server.stop)
    )
    const backend = yield* supervise(server.url)
    const since = performance.now()
    const result = yield* Effect.either(
      backend.callTool({ name: "late", arguments: { millis, streamed } }, { timeout })
    )
    const seconds = Math.round((performance.now() - since) / 100) / 10
    const { generation } = yield* backend.status
    return { answered: result._tag === "Right", seconds, generation }
  })

const bare = Effect.gen(function*() {
  const server = yield* Effect.acquireRelease(
    Effect.promise(fixture.start),
    (server) => Effect.promise(server.stop)
  )
  return yield* Effect.promise(async () => {
    const client = new Client({ name: "bare", version: "1.0.0" })
    await client.connect(/** @type {any} */ (new StreamableHTTPClientTransport(new URL(server.url))))
    const since = performance.now()
    const error = await client.callTool({ name: "late", arguments: { millis } }, undefined, { timeout }).then(
      () => undefined,
      (error) => `${error.message}${error.cause?.code === undefined ? "" : ` (${error.cause.code})`}`
    )
    const seconds = Math.round((performance.now() - since) / 100) / 10
    await client.close()
    return { answered: error === undefined, seconds, error }
  })
})

const report = await Effect.runPromise(
  Effect.all({
    stream: Effect.scoped(stream),
    json: Effect.scoped(answer(false)),
    events: Effect.scoped(answer(true)),
    bare: Effect.scoped(bare)
  }, { concurrency: "unbounded" }).pipe(Logger.withMinimumLogLevel(LogLevel.Error))
)
console.log(JSON.stringify(report))
