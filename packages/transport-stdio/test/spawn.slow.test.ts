import { assert, describe, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { eventually, livingIn, temporary, until } from "./support.js"

describe("a process that cannot be started", () => {
  it.live("[S6] one that runs and waits: the attempt ends in its time, with what it wrote", () =>
    Effect.gen(function*() {
      const prompt = join(yield* temporary, "prompt.mjs")
      writeFileSync(
        prompt,
        `process.stdout.write("one\\ntwo\\nProceed? (y) "); process.stderr.write("Ok to proceed? (y) "); setInterval(() => {}, 1000)`
      )
      const backend = yield* Backend.make("docs", {
        // What does not serve is not given time to end by itself.
        connector: StdioConnector.make({
          command: process.execPath,
          args: [prompt],
          stdinGrace: "4 minutes",
          startLimit: 0
        }),
        // Long enough for a busy machine to start the program.
        timeouts: { connect: "30 seconds", close: "5 minutes" },
        reconnect: { maxAttempts: 1 }
      })
      const { lastError } = yield* until(backend, (status) => status.lastError !== undefined)
      const [, pid = ""] = /\(pid (\d+)\)/.exec(lastError ?? "") ?? []
      assert.strictEqual(
        lastError,
        `no connection within 30000 ms (timeouts.connect): "${process.execPath} ${prompt}" runs (pid ${pid}) but has not `
          + `answered initialize; 3 lines on stdout were not JSON-RPC, first "one", last "Proceed? (y)"; stderr: Ok to proceed? (y): check that `
          + "command and args start an MCP server over stdio; if it is only slow to start, raise startLimit"
      )
      yield* eventually(() => livingIn(Number(pid)).length === 0)
    }).pipe(Effect.scoped))
})
