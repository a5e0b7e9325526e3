/** Run by Node.js for Windows: starts the servers of a file, calls each, and writes what came of it to another. */
import { Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"

const [input = "", output = ""] = process.argv.slice(2)
const all = JSON.parse(readFileSync(input, "utf8")) as ReadonlyArray<StdioConnector.Options>

const run = Effect.forEach(all, (options) =>
  Effect.gen(function*() {
    const connection = yield* StdioConnector.make({ ...options, protocol: "2025" }).connect({
      report: () => {}
    })
    const result = yield* Sending.ask(connection, "tools/call", { name: "arguments", arguments: {} }, {
      timeout: 60_000
    })
    return JSON.parse((result.content[0] as { readonly text: string }).text) as unknown
  }).pipe(
    Effect.scoped,
    Effect.catchAll((error) => Effect.succeed(error.message)),
    Effect.timeoutTo({ duration: "100 seconds", onSuccess: (answer) => answer, onTimeout: () => "no answer" })
  ))

void Effect.runPromise(run).then((answers) => {
  writeFileSync(output, JSON.stringify(answers))
  process.exit()
})
