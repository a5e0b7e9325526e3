import { Sending } from "@mcp-lifeline/core"
import type { ServerNotification } from "@mcp-lifeline/core"
import { Effect, Fiber } from "effect"
import { everything } from "../../testing/test/support/Built.js"
import { taking } from "../../testing/test/support/taking.js"
import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { connect, session } from "./support.js"

const options = { command: process.execPath, args: [everything, "stdio"] }
const timeout = 20_000

describe("with a server that nobody here wrote", () => {
  test.live("[S1] asks what can be asked, and closes without a grace", function*() {
    const { left, value } = yield* session({ ...options, stdinGrace: "10 minutes" }, (connection) =>
      Effect.all({
        ping: Sending.ask(connection, "ping", undefined, { timeout }),
        tools: Sending.ask(connection, "tools/list", {}, { timeout }),
        prompts: Sending.ask(connection, "prompts/list", {}, { timeout }),
        resources: Sending.ask(connection, "resources/list", {}, { timeout }),
        templates: Sending.ask(connection, "resources/templates/list", {}, { timeout }),
        echo: Sending.ask(connection, "tools/call", { name: "echo", arguments: { message: "hi" } }, { timeout }),
        level: Sending.ask(connection, "logging/setLevel", { level: "error" }, { timeout }),
        info: Effect.succeed(connection.serverInfo)
      }, { concurrency: "unbounded" }))
    assert.include(value.info.name, "everything")
    assert.isAbove(value.tools.tools.length, 3)
    assert.isAbove(value.prompts.prompts.length, 0)
    assert.isAbove(value.resources.resources.length, 0)
    assert.isAbove(value.templates.resourceTemplates.length, 0)
    assert.deepStrictEqual(value.echo.content, [{ type: "text", text: "Echo: hi" }])
    assert.deepStrictEqual(left, [])
  })

  test.scopedLive("[C4] a long call is cancelled and the session lives on, its progress reported", function*() {
    const got: Array<ServerNotification> = []
    const connection = yield* connect(options, {
      report: taking("Notification", ({ notification }) => got.push(notification))
    })
    const { tools } = yield* Sending.ask(connection, "tools/list", {}, { timeout })
    const long = tools.find((tool) => /long.?running/i.test(tool.name))
    assert.isDefined(long)
    const progress = yield* Effect.async<number>((resume) => {
      const fiber = Effect.runFork(
        Sending.ask(connection, "tools/call", { name: long?.name ?? "", arguments: { duration: 60, steps: 600 } }, {
          timeout: 60_000,
          ...Sending.progressTo((step) => resume(Effect.as(Fiber.interrupt(fiber), step.progress)))
        })
      )
    })
    assert.isAbove(progress, 0)
    const echo = yield* Sending.ask(connection, "tools/call", { name: "echo", arguments: { message: "hi" } }, {
      timeout
    })
    assert.deepStrictEqual(echo.content, [{ type: "text", text: "Echo: hi" }])
  })
})
