/**
 * An Effect program over a backend that is given to it as a layer.
 *
 * Run it with `npx --yes pnpm@10.34.8 --filter @mcp-lifeline/examples run effect-layer`, after
 * `npx --yes pnpm@10.34.8 build`.
 */
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"

class Everything extends Backend.Tag("everything")<Everything>() {}

const EverythingLive = Everything.layer({
  connector: StdioConnector.make({ command: "npx", args: ["-y", "@modelcontextprotocol/server-everything"] }),
  keepalive: { interval: "1 minute" },
  timeouts: { wait: "1 minute" } // npx may have to download the server before the first call
})

const program = Effect.gen(function*() {
  const everything = yield* Everything
  const { content } = yield* everything.callTool({ name: "echo", arguments: { message: "hello" } })
  const { generation, state } = yield* everything.status
  yield* Effect.sync(() => console.log(content, state, generation))
})

await Effect.runPromise(Effect.provide(program, EverythingLive))
