/**
 * Makes one backend, makes it call or reconnect many times, and prints what the process held before and after, as JSON.
 *
 *     node tests/longlife/life.mjs memory|http|stdio calls|reconnects [--count 10000] [--warmup 3000]
 *
 * Reconnects come about in every way: on command, by a lost session, by a restarted server, by a crash.
 */
import { Backend } from "@mcp-lifeline/core"
import { MemoryConnector } from "@mcp-lifeline/protocol"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Effect, Logger, LogLevel } from "effect"
import { parseArgs } from "node:util"
import * as fixture from "./fixture.mjs"
import * as measure from "./measure.mjs"

const { positionals: [transport = "", what = ""], values } = parseArgs({
  allowPositionals: true,
  options: { count: { type: "string", default: "10000" }, warmup: { type: "string", default: "3000" } }
})
const count = Number(values.count)
const warmup = Number(values.warmup)

/** @typedef {import("@mcp-lifeline/core").Connector} Connector */
/** @typedef {(backend: Backend.Backend) => Effect.Effect<unknown, unknown>} Act */
/** @typedef {{ connector: Connector, call: Act, ends: ReadonlyArray<Effect.Effect<unknown, unknown> | Act>, stop: () => Promise<unknown> }} Subject */

/** @type {Act} */
const echo = (backend) =>
  backend.callTool({ name: "echo", arguments: { message: "hi", text: "hi" } }, { idempotent: true })

/** @type {Record<string, () => Promise<Subject>>} */
const subjects = {
  memory: async () => {
    /** @type {McpServer | undefined} */
    let current
    const server = () => {
      current = new McpServer({ name: "test", version: "1.0.0" })
      current.registerTool("echo", {}, () => ({ content: [{ type: "text", text: "hi" }] }))
      return current
    }
    return {
      connector: MemoryConnector.make({ server }),
      call: echo,
      ends: [(backend) => backend.reconnect, () => Effect.promise(async () => current?.close())],
      stop: async () => {}
    }
  },
  http: async () => {
    const server = await fixture.start()
    return {
      connector: HttpConnector.make({ url: server.url }),
      call: echo,
      ends: [
        (backend) => backend.reconnect,
        () => Effect.promise(() => server.tell("forget")),
        () => Effect.promise(() => server.tell("restart")),
        (backend) => Effect.all([backend.reconnect, echo(backend)], { concurrency: 2 })
      ],
      stop: server.stop
    }
  },
  stdio: async () => ({
    connector: StdioConnector.make(StdioFaultServer.command()),
    call: echo,
    ends: [
      (backend) => backend.reconnect,
      (backend) => Effect.ignore(backend.callTool({ name: "exit", arguments: { code: 1 } }))
    ],
    stop: async () => {}
  })
}

const subject = await subjects[transport]?.()
if (subject === undefined) throw new Error(`no transport ${transport}`)

/** Idle sockets are kept for 4 s. */
const calm = transport === "http" ? 5000 : 300
const resources = () => measure.resources(calm)

/** @type {Array<string>} */
const warnings = []
process.on("warning", (warning) => warnings.push(String(warning)))

/** @type {(backend: Backend.Backend, times: number) => Effect.Effect<void, unknown>} */
const calls = (backend, times) =>
  Effect.forEach(Array.from({ length: times }), () => subject.call(backend), { concurrency: 8, discard: true })

/** Ends the connection and waits for the next, one way after the other. @type {(backend: Backend.Backend, times: number) => Effect.Effect<void, unknown>} */
const reconnects = (backend, times) =>
  Effect.gen(function*() {
    for (let index = 0; index < times; index++) {
      const { generation } = yield* backend.status
      const end = subject.ends[index % subject.ends.length]
      yield* typeof end === "function" ? end(backend) : Effect.void
      // A lost connection may be noticed by this very call, or be replaced before it.
      while ((yield* backend.status).generation === generation) yield* subject.call(backend)
      yield* subject.call(backend)
    }
  })

const act = what === "calls" ? calls : reconnects

// Node opens it for who asks first, as undici does when the first connection loads it, and keeps it open.
void process.stderr
const outside = await measure.resources(300)
const report = await Effect.runPromise(
  Effect.scoped(Effect.gen(function*() {
    const backend = yield* Backend.make("test", {
      connector: subject.connector,
      // Attempts follow each other at once, and every connection counts as stable.
      reconnect: { initialDelay: 1, maxDelay: 1, demandInterval: 1, stableAfter: 0 }
    })
    yield* backend.firstOutcome
    const hold = Effect.gen(function*() {
      yield* subject.call(backend)
      return { resources: yield* Effect.promise(resources), heap: yield* Effect.promise(measure.heap) }
    })
    yield* act(backend, warmup)
    const before = yield* hold
    const first = yield* backend.status
    const since = performance.now()
    yield* act(backend, count)
    const seconds = (performance.now() - since) / 1000
    const last = yield* backend.status
    const after = yield* hold
    return { before, after, seconds, generations: (last.generation ?? 0) - (first.generation ?? 0) }
  })).pipe(Logger.withMinimumLogLevel(LogLevel.Error))
)
const closed = await resources()
await subject.stop()
const growth = (report.after.heap - report.before.heap) / report.before.heap
console.log(JSON.stringify({ transport, what, count, growth, ...report, outside, closed, warnings }))
