// Heartbeats by a schedule of one's own: close together at first. Run it with `pnpm --filter ./scratchpad schedule`.
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Console, Effect, Schedule, TestClock, TestContext } from "effect"

const schedule = Schedule.exponential("5 seconds").pipe(
  Schedule.either(Schedule.spaced("1 minute")),
  Schedule.tapInput(({ answeredAt, failures }: Backend.Found) => Console.log({ answeredAt, failures }))
)

const program = Effect.gen(function*() {
  const connector = ScriptedConnector.make()
  yield* Backend.make("server", { connector, keepalive: { schedule } })
  yield* TestClock.adjust("5 minutes")
  yield* Console.log(connector.ledger.sent("ping"))
})
await Effect.runPromise(Effect.scoped(Effect.provide(program, TestContext.TestContext)))
