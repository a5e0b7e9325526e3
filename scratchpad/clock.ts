// What the core does in an outage of a minute, on a clock that the program moves. Run it with `pnpm --filter ./scratchpad clock`.
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Console, Effect, Layer, Stream, TestClock, TestContext } from "effect"

class Server extends Backend.Tag("server")<Server>() {}

const connector = ScriptedConnector.make()

const program = Effect.gen(function*() {
  const server = yield* Server
  yield* Effect.fork(Stream.runForEach(server.events, (event) => Console.log(event._tag)))
  yield* TestClock.adjust("1 minute")
  connector.otherwise = { connect: "fail" }
  connector.current.lose()
  yield* TestClock.adjust("1 minute")
  connector.otherwise = {}
  yield* TestClock.adjust("1 minute")
  yield* Console.log(yield* server.callTool({ name: "echo" }), connector.ledger.attempts)
})
const live = Layer.provideMerge(Server.layer({ connector }), TestContext.TestContext)
await Effect.runPromise(Effect.provide(program, live))
