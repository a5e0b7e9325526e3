// A server that ceases to answer, on a clock that the program moves. Run it with `pnpm --filter ./scratchpad keepalive`.
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Console, Effect, Random, TestClock, TestContext } from "effect"

const connector = ScriptedConnector.make()

const program = Effect.gen(function*() {
  const server = yield* Backend.make("server", { connector, keepalive: { interval: "1 minute" } })
  yield* TestClock.adjust("1 minute") // heartbeats are answered
  connector.respond = () => ({ answer: "never" })
  yield* TestClock.adjust("55 seconds") // three are not
  connector.respond = undefined
  yield* TestClock.adjust("5 seconds")
  const { generation, lastError, state } = yield* server.status
  yield* Console.log(state, generation, lastError)
})
const drawn = Effect.withRandom(program, Random.fixed([0.5])) // the jitter
await Effect.runPromise(Effect.scoped(Effect.provide(drawn, TestContext.TestContext)))
console.log(connector.ledger.faults) // what was not closed, or closed twice
