import { assert, describe, it } from "@effect/vitest"
import type { ServerNotification } from "@mcp-lifeline/core"
import { SdkConnection } from "@mcp-lifeline/protocol"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { Effect, Fiber, Logger } from "effect"
import { taking } from "../../testing/test/support/taking.js"
import * as Environment from "../src/Environment.js"
import { StdioTransport } from "../src/StdioTransport.js"
import { call, connect, connectOptions, lossOf, server, transportOptions } from "./support.js"

const warnings = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel._tag === "Warning") lines.push(String(message))
  })
  return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
}

describe("what comes on stdout", () => {
  it.live("[S4] lines that are no JSON-RPC are skipped, counted and logged once a connection", () => {
    const { layer, lines } = warnings()
    return Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect(server({ noise: true }))
        const noise = ["Debugger attached.", '{"jsonrpc":"1.0","id":0}', "{broken", "", "42"]
        assert.strictEqual(yield* call(connection, "noise", { lines: noise }), "after the noise")
        assert.lengthOf(lines, 1)
        assert.include(lines[0], "Welcome!")
      }))
      // Four lines at the start, of which one is a list of two, and four more; the empty ones are not counted.
      assert.deepStrictEqual(lines.slice(1), ["9 lines on stdout were not JSON-RPC"])
    }).pipe(Effect.provide(layer))
  })

  it.live("[S4] an answer that is too long fails only its own request, wherever its id stands", () => {
    const { layer, lines } = warnings()
    return Effect.scoped(Effect.gen(function*() {
      const connection = yield* connect(server({}, { maxMessageBytes: 10_000 }))
      for (const id of ["first", "middle", "last"]) {
        const [long, short] = yield* Effect.all([
          Effect.flip(call(connection, "long", { id, bytes: 3_000_000 })),
          call(connection, "echo", { text: "fine" })
        ], { concurrency: "unbounded" })
        assert.deepInclude(long, { fate: "answered", reason: "protocol" })
        assert.include(long.message, "maxMessageBytes (10000)")
        assert.strictEqual(short, "fine")
      }
      assert.strictEqual((yield* call(connection, "long", { id: "last", bytes: 1_000 })).length > 1_000, true)
      assert.lengthOf(lines, 1)
    })).pipe(Effect.provide(layer))
  })

  it.live("[S4] a notification or a request of the server that is too long ends no request of ours", () => {
    const { layer } = warnings()
    return Effect.scoped(Effect.gen(function*() {
      const connection = yield* connect(server({}, { maxMessageBytes: 10_000 }))
      assert.strictEqual(yield* call(connection, "longNotification", { bytes: 50_000 }), "sent")
      const refusal = yield* call(connection, "longRequest", { bytes: 50_000 })
      assert.include(refusal, "maxMessageBytes")
    })).pipe(Effect.provide(layer))
  })

  for (const [kind, begin] of [["noise", "x"], ["a message", '{"jsonrpc":"2.0","id":1,"result":"']] as const) {
    it.scopedLive(`[S4] a line that has no end, of ${kind}, loses the connection, which says so`, () =>
      Effect.gen(function*() {
        const transport = new StdioTransport({
          ...StdioFaultServer.command(),
          env: Environment.make({}, process.env, process.platform),
          ...transportOptions,
          stdinGrace: 100
        })
        const connection = yield* SdkConnection.connect(transport, connectOptions)
        const loss = yield* Effect.fork(lossOf(connection))
        const error = yield* Effect.flip(call(connection, "endless", { begin }))
        assert.deepInclude(error, { fate: "unknown", reason: "lost" })
        assert.include((yield* Fiber.join(loss)).message, "wrote a line of more than 4000000 bytes to stdout")
      }))
  }

  it.live("[S4] a message that comes byte by byte is read as one", () =>
    Effect.scoped(Effect.gen(function*() {
      const connection = yield* connect(server())
      assert.strictEqual(yield* call(connection, "pieces", { text: "schön 🧵" }), "schön 🧵")
    })))

  it.live("[S4] several messages in one are taken apart", () =>
    Effect.scoped(Effect.gen(function*() {
      const got: Array<ServerNotification> = []
      const connection = yield* connect(server(), {
        report: taking("Notification", ({ notification }) => got.push(notification))
      })
      assert.strictEqual(yield* call(connection, "batch"), "batched")
      assert.deepStrictEqual(got.map((notification) => notification.method), ["notifications/tools/list_changed"])
    })))
})
