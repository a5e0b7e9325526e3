import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { createTaskSessionFromClient, resultFromTaskOutcome } from "@modelcontextprotocol/ext-tasks/client"
import { Effect, type Scope } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gateway } from "../../../testing/test/support/Built.js"
import { folder as makeFolder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import { opened } from "../support/TestClient.js"
import { assert, describe, test } from "../support/vitest.js"

const script = fileURLToPath(new URL("../../../testing/test/support/taskServer.mjs", import.meta.url))
const requestTimeoutMs = 60_000

type Open = (args: ReadonlyArray<string>) => Effect.Effect<
  { readonly client: Client; readonly prefix: string },
  never,
  Scope.Scope
>

const connected = (transport: StdioClientTransport | StreamableHTTPClientTransport) =>
  opened(async () => {
    const client = new Client({ name: "test", version: "1" })
    await client.connect(transport, { timeout: requestTimeoutMs })
    return client
  }, (client) => client.close())

const doors: Readonly<Record<string, Open>> = {
  wrap: Effect.fnUntraced(function*(args) {
    const state = yield* makeFolder
    const client = yield* connected(
      new StdioClientTransport({
        command: process.execPath,
        args: [gateway, "wrap", "--", process.execPath, ...args],
        env: { ...process.env as Record<string, string>, MCP_LIFELINE_STATE: state },
        stderr: "ignore"
      })
    )
    return { client, prefix: "" }
  }),
  serve: Effect.fnUntraced(function*(args) {
    const { base } = yield* Gateway.serveHere({ o: { command: process.execPath, args } })
    yield* Gateway.untilStatus(base, Gateway.isConnected, "o")
    const client = yield* connected(new StreamableHTTPClientTransport(new URL(`${base}/mcp`)))
    return { client, prefix: "o__" }
  })
}

const setup = Effect.fnUntraced(function*(open: Open, store: "kept" | "bound", duration: number) {
  const folder = yield* makeFolder
  const { client, prefix } = yield* open([script, "stdio", store, folder, String(duration)])
  const effects = (tool: string): ReadonlyArray<number> =>
    readFileSync(join(folder, "effects"), "utf8").split("\n").flatMap((line) => {
      const [name, pid] = line.split(" ")
      return name === tool ? [Number(pid)] : []
    })
  const session = () => createTaskSessionFromClient(client, { endpointId: "tasks" })
  return { prefix, effects, session }
})

const textOf = (result: object): unknown => (result as { readonly content: ReadonlyArray<any> }).content[0].text

describe.concurrent("sessions of the official client for tasks", () => {
  for (const [door, open] of Object.entries(doors)) {
    test.scopedLive(`[C17:real] ${door}: tools that require a task, may have one, and have none; one is cancelled`, function*() {
      const { effects, prefix, session: make } = yield* setup(open, "bound", 300)
      yield* Effect.promise(async () => {
        const session = make()
        const run = async (name: string, preference: "allow" | "prefer") => {
          const execution = await session.callTool(prefix + name, {}, { task: { preference }, requestTimeoutMs })
          const { lastTask, outcome } = await execution.settle()
          return [execution.kind, textOf(resultFromTaskOutcome(outcome)), lastTask?.status]
        }
        assert.deepEqual(await run("long", "prefer"), ["task", "done", "completed"])
        // Behind Lifeline such a tool does without a task, too.
        assert.deepEqual(await run("long", "allow"), ["immediate", "done", undefined])
        assert.deepEqual(await run("either", "prefer"), ["task", "done", "completed"])
        assert.deepEqual(await run("either", "allow"), ["immediate", "done", undefined])
        assert.deepEqual(await run("plain", "prefer"), ["immediate", "plain", undefined])
        assert.deepEqual(["long", "either", "plain"].map((tool) => effects(tool).length), [2, 2, 1])
        await session.close()
      })
      // One that is not done before it is cancelled, however busy the machine is.
      const slow = yield* setup(open, "bound", 600_000)
      yield* Effect.promise(async () => {
        const session = slow.session()
        const execution = await session.callTool(`${slow.prefix}long`, {}, { task: { preference: "require" } })
        await execution.cancel()
        assert.strictEqual((await execution.settle()).outcome.status, "cancelled")
        await session.close()
      })
    })

    for (const store of ["kept", "bound"] as const) {
      const fate = store === "kept" ? "known" : "unknown"
      test.scopedLive(`[C17:real] ${door}: the server is killed, and a new session resumes the task (${store}), which is ${fate}`, function*() {
        const { effects, prefix, session } = yield* setup(open, store, 1000)
        yield* Effect.promise(async () => {
          const first = session()
          const execution = await first.callTool(`${prefix}long`, {}, { task: { preference: "require" } })
          if (execution.kind !== "task") throw new Error("no task")
          let kept = ""
          await execution.handoff((reference) => void (kept = JSON.stringify(reference)))
          // A session that is closed before that cancels the task.
          await execution.result()
          await first.close()
          process.kill(effects("long")[0]!, "SIGKILL")
          const second = session()
          const resumed = second.resumeTask(JSON.parse(kept), { requestTimeoutMs })
          if (store === "kept") {
            const { outcome } = await (await resumed).settle()
            assert.strictEqual(textOf(resultFromTaskOutcome(outcome)), "done")
          } else {
            const error = await resumed.then(() => undefined, (error) => error)
            assert.deepInclude(error, { code: -32_602 })
            assert.match(error.message, /not found/i)
          }
          assert.strictEqual(effects("long").length, 1)
          await second.close()
        })
      })
    }
  }
})
