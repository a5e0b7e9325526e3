import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { call, connect, server } from "./support.js"

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
        assert.include(long.message, "10000 bytes (maxMessageBytes)")
        assert.strictEqual(short, "fine")
      }
      assert.strictEqual((yield* call(connection, "long", { id: "last", bytes: 1_000 })).length > 1_000, true)
      assert.lengthOf(lines, 1)
    })).pipe(Effect.provide(layer))
  })
})
