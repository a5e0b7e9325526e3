// A Layer for each runtime: what a session needs beside its calls. Run it with `pnpm --filter ./scratchpad runtime`.
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Console, Effect, Layer, TestClock, TestContext } from "effect"

const watched = ({ generation, request }: Backend.Session) =>
  Layer.scopedDiscard(Effect.gen(function*() {
    yield* Effect.acquireRelease(Console.log("watch", generation), () => Console.log("unwatch", generation))
    yield* Effect.orDie(request("resources/subscribe", { uri: "file:///inbox" }))
  }))

const program = Effect.gen(function*() {
  const connector = ScriptedConnector.make()
  yield* Backend.make("server", { connector, runtime: watched })
  yield* TestClock.adjust("1 second")
  connector.current.lose()
  yield* TestClock.adjust("1 second")
})
await Effect.runPromise(Effect.scoped(Effect.provide(program, TestContext.TestContext)))
