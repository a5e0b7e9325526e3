import { Backend, Fleet } from "@mcp-lifeline/effect4"
import { make, ToolFailed, toolkit, type ToolkitOptions } from "@mcp-lifeline/effect4/toolkit"
import { ScriptedConnector, StdioFaultServer } from "@mcp-lifeline/testing"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, type Scope, Stream } from "effect"
import { Chat, LanguageModel, type Prompt, type Response, Tool, Toolkit } from "effect/ai"
import { assert, describe, it } from "vitest"

type Turn = string | { readonly name: string; readonly params?: unknown }

const model = (...turns: ReadonlyArray<Turn>) => {
  const [offered, told]: [Array<ReadonlyArray<Tool.Any>>, Array<Prompt.Prompt>] = [[], []]
  const next = (): ReadonlyArray<Response.PartEncoded> => {
    const turn = turns[offered.length - 1] ?? assert.fail("asked once too often")
    return typeof turn === "string"
      ? [{ type: "text", text: turn }]
      : [{ type: "tool-call", id: `call ${offered.length}`, name: turn.name, params: turn.params ?? {} }]
  }
  const service = LanguageModel.make({
    generateText: ({ prompt, tools }) =>
      Effect.sync(() => {
        offered.push(tools)
        told.push(prompt)
        const usage = { inputTokens: {}, outputTokens: {} }
        return [...next(), { type: "finish", reason: "stop", usage }]
      }),
    streamText: () => Stream.empty
  })
  return { offered, told, given: Effect.provideServiceEffect(LanguageModel.LanguageModel, service) }
}

const run = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(test))

const inMemory = (prepare: (server: McpServer) => void) => {
  const server = new McpServer({ name: "docs", version: "1.0.0" })
  prepare(server)
  const transport = async () => {
    const [here, there] = InMemoryTransport.createLinkedPair()
    await server.connect(there)
    return here
  }
  return { server, transport }
}

const content = [{ type: "text" as const, text: "found" }]

describe("the tools of a backend for language models", () => {
  it("[N1:real] are called before and after a kill, and the model is told what failed", async () => {
    const { given, told } = model({ name: "pid" }, { name: "pid" }, { name: "whoami" }, "nobody")
    await run(given(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", StdioFaultServer.command())
      const chat = yield* Chat.empty
      const ask = Effect.gen(function*() {
        const { text, toolResults } = yield* chat.generateText({ prompt: "go on", toolkit: yield* toolkit(docs) })
        return { text, result: toolResults[0] }
      })
      const pid = Effect.map(
        ask,
        ({ result }) => Number((result?.result as CallToolResult | undefined)?.content[0]?.["text" as "type"])
      )
      const before = yield* pid
      assert.strictEqual(before, (yield* docs.status.get).peer?.pid)
      process.kill(before, "SIGKILL")
      yield* Stream.runDrain(
        Stream.takeUntil(docs.status.changes, ({ generation, state }) => state === "Connected" && generation === 2)
      )
      assert.notStrictEqual(yield* pid, before)
      const { result } = yield* ask
      assert.isTrue(result?.isFailure)
      assert.instanceOf(result?.result, ToolFailed)
      const failure = { _tag: "ToolFailed", tool: "whoami", reason: "ToolError", message: "nobody is logged in" }
      assert.deepEqual(result?.encodedResult, failure)
      assert.strictEqual((yield* ask).text, "nobody")
      const last = told.at(-1)?.content.flatMap(({ role, content }) => role === "tool" ? content : [])
      assert.deepInclude(last?.at(-1), { name: "whoami", isFailure: true, result: failure })
      assert.deepInclude(last?.[0], { name: "pid", isFailure: false })
    })))
  })

  it("[N1] are those of the time of each request, with the server's schemas and hints, and results a model sees", async () => {
    const data = "iVBORw0KGgo="
    const { server, transport } = inMemory((server) =>
      server.registerTool(
        "draw",
        { title: "Draw", annotations: { readOnlyHint: true, destructiveHint: false } },
        () => ({
          content: [{ type: "image", mimeType: "image/png", data }, ...content]
        })
      )
    )
    const { given, offered } = model({ name: "draw" }, { name: "added" })
    await run(given(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { transport })
      const ask = Effect.flatMap(toolkit(docs), (toolkit) => LanguageModel.generateText({ prompt: "draw", toolkit }))
      const [drawn] = (yield* ask).toolResults
      assert.deepEqual(drawn?.modelOutput?.map((part) => part.type === "file" ? part.data : part.text), [data, "found"])
      server.registerTool(
        "added",
        { description: "New", annotations: { idempotentHint: true, openWorldHint: false } },
        () => ({
          content: [],
          structuredContent: { some: "value" }
        })
      )
      yield* Stream.runDrain(Stream.takeUntil(docs.catalog.changes, (all) => all?.tools.length === 2))
      const [added] = (yield* ask).toolResults
      assert.deepInclude(added?.modelOutput?.[0], { text: '{"some":"value"}' })
      const hints = (tool: Tool.Any | undefined) =>
        [Tool.Readonly, Tool.Destructive, Tool.Idempotent, Tool.OpenWorld, Tool.Strict].map((one) =>
          Context.get(tool?.annotations ?? Context.empty(), one as typeof Tool.Readonly)
        )
      assert.deepEqual(offered.map((tools) => tools.map(({ name }) => name)), [["draw"], ["draw", "added"]])
      const [draw, other] = offered[1] ?? []
      assert.deepEqual(hints(draw), [true, false, false, true, false])
      assert.deepEqual(hints(other), [false, true, true, false, false])
      assert.strictEqual(Context.get(draw?.annotations as Context.Context<Tool.Title>, Tool.Title), "Draw")
      assert.strictEqual(other?.description, "New")
      assert.deepInclude(Tool.getJsonSchema(draw!), { type: "object" })
    })))
  })

  it("[N1:unit] have each hint that the server gives, and no other", async () => {
    const hints = [
      ["readOnlyHint", Tool.Readonly],
      ["destructiveHint", Tool.Destructive],
      ["idempotentHint", Tool.Idempotent],
      ["openWorldHint", Tool.OpenWorld]
    ] as const
    const single = hints.flatMap(([hint]) =>
      [true, false].map((value) => [`${hint}-${value}`, { [hint]: value }] as const)
    )
    const all = [0b0101, 0b1010, 0b0011, 0b1100].map((bits) =>
      [`all-${bits}`, Object.fromEntries(hints.map(([hint], index) => [hint, (bits >> index & 1) === 1]))] as const
    )
    const given = [...single, ...all]
    const { transport } = inMemory((server) => {
      for (const [name, annotations] of given) server.registerTool(name, { annotations }, () => ({ content }))
    })
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { transport })
      const { tools } = (yield* make(docs)).toolkit
      for (const [name, annotations] of given) {
        const told = hints.map(([hint, key]) => {
          const found = Context.getOption(tools[name]?.annotations as never, key as typeof Tool.Readonly)
          return [
            hint,
            found._tag === "Some" && tools[name]?.annotations.mapUnsafe.has(key.key) ? found.value : undefined
          ]
        })
        assert.deepEqual(told, hints.map(([hint]) => [hint, (annotations as Record<string, boolean>)[hint]]), name)
      }
    }))
  })

  it("[N1] fail the request where the program wants it, and wait for approval where it says so", async () => {
    const { transport } = inMemory((server) => {
      server.registerTool("find", {}, () => ({ content }))
      server.registerTool("fail", {}, () => ({ content: [], isError: true }))
      server.registerTool("hang", {}, () => new Promise<never>(() => undefined))
    })
    await run(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { transport })
      const ask = <Mode extends Tool.FailureMode = "return">(turn: Turn, options?: ToolkitOptions<Mode>) =>
        model(turn).given(
          Effect.flatMap(toolkit(docs, options), (toolkit) => LanguageModel.generateText({ prompt: "go", toolkit }))
        )
      const failed = yield* Effect.flip(ask({ name: "fail" }, { failureMode: "error" }))
      assert.deepInclude({ ...failed }, { _tag: "ToolFailed", tool: "fail", reason: "ToolError" })
      assert.include(failed.message, "does not say why")
      const [wrong] = (yield* ask({ name: "find", params: ["a list"] })).toolResults
      assert.deepInclude(wrong?.encodedResult, { reason: "InvalidArguments" })
      const [late] = (yield* ask({ name: "hang" }, { call: { timeout: "10 millis" } })).toolResults
      assert.deepInclude(late?.encodedResult, { tool: "hang", reason: "RequestTimeout" })
      const { content: parts } = yield* ask({ name: "find" }, { needsApproval: ({ name }) => name === "find" })
      assert.include(parts.map(({ type }) => type), "tool-approval-request")
      yield* docs.disable
      const off = yield* Effect.flip(toolkit(docs))
      assert.deepInclude({ ...off }, { _tag: "BackendUnavailable", state: "Disabled" })
    }))
  })

  it("[N1] of a fleet have full names, and merge with those of a program", async () => {
    const Own = Toolkit.make(Tool.make("own"))
    const { given } = model({ name: "docs__search" }, { name: "own" })
    await run(given(
      Effect.gen(function*() {
        const docs = ScriptedConnector.make()
        docs.offer = { ...docs.offer, tools: [{ name: "search", inputSchema: { type: "object" } }] }
        const fleet = yield* Fleet.make({
          mcpServers: { docs: { connector: docs }, down: { command: "/no/such/program" } }
        })
        yield* fleet.ready
        const made = yield* make(fleet)
        const both = Effect.provide(Toolkit.merge(Own, made.toolkit), made.handlers)
        const ask = LanguageModel.generateText({ prompt: "search", toolkit: both })
        const [found] = (yield* ask).toolResults
        assert.deepInclude(found, { name: "docs__search", isFailure: false })
        const [own] = (yield* ask).toolResults
        assert.deepInclude(own, { name: "own", isFailure: false })
      }).pipe(Effect.provide(Own.toLayer({ own: () => Effect.void })))
    ))
  })
})
