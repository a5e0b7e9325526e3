import * as Chat from "@effect/ai/Chat"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import { assert, describe, it } from "@effect/vitest"
import { Backend, Fleet } from "@mcp-lifeline/core"
import { make, ToolFailed, toolkit } from "@mcp-lifeline/core/toolkit"
import { ScriptedConnector, StdioFaultServer } from "@mcp-lifeline/testing"
import { Context, Effect, Stream } from "effect"
import { StdioConnector } from "../../transport-stdio/src/index.js"

type Turn = string | { readonly name: string; readonly params?: unknown }

const model = (...turns: ReadonlyArray<Turn>) => {
  const [offered, told]: [Array<ReadonlyArray<Tool.Any>>, Array<string>] = [[], []]
  const next = (): Response.PartEncoded => {
    const turn = turns[offered.length - 1] ?? assert.fail("asked once too often")
    return typeof turn === "string"
      ? { type: "text", text: turn }
      : { type: "tool-call", id: `call ${offered.length}`, name: turn.name, params: turn.params ?? {} }
  }
  const service = LanguageModel.make({
    generateText: ({ prompt, tools }) =>
      Effect.sync(() => {
        offered.push(tools)
        told.push(JSON.stringify(prompt.content))
        const usage = { inputTokens: undefined, outputTokens: undefined, totalTokens: undefined }
        return [next(), { type: "finish", reason: "stop", usage }]
      }),
    streamText: () => Stream.empty
  })
  return { offered, told, given: Effect.provideServiceEffect(LanguageModel.LanguageModel, service) }
}

const image = { type: "image" as const, mimeType: "image/png", data: "iVBORw0KGgo=" }

const scripted = () => {
  const connector = ScriptedConnector.make()
  connector.offer = {
    ...connector.offer,
    tools: [
      {
        name: "draw",
        title: "Draw",
        description: "Draws",
        inputSchema: { type: "object", properties: { what: { type: "string" } }, required: ["what"] },
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
      },
      { name: "plain", inputSchema: { type: "object" } }
    ]
  }
  connector.respond = (method, params) =>
    method !== "tools/call"
      ? undefined
      : (params as { readonly name: string }).name === "plain"
      ? { answer: "result", result: { content: [], isError: true } }
      : { answer: "result", result: { content: [image, { type: "text", text: "a cat" }] } }
  return connector
}

describe("the tools of a backend for language models", () => {
  it.scopedLive("[N1:real] are called before and after a kill, and the model is told what failed", () => {
    const { given, told } = model({ name: "pid" }, { name: "pid" }, { name: "whoami" }, "nobody")
    return given(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { connector: StdioConnector.make(StdioFaultServer.command()) })
      const chat = yield* Chat.empty
      const ask = Effect.gen(function*() {
        const { text, toolResults } = yield* chat.generateText({ prompt: "go on", toolkit: yield* toolkit(docs) })
        return { text, result: toolResults[0] }
      })
      const pid = Effect.map(ask, ({ result }) => Number(result?.encodedResult))
      const before = yield* pid
      assert.strictEqual(before, (yield* docs.status).peer?.pid)
      process.kill(before, "SIGKILL")
      yield* Stream.runDrain(
        Stream.takeUntil(
          docs.status.changes,
          ({ generation, state }) => state === "Connected" && generation === 2
        )
      )
      assert.notStrictEqual(yield* pid, before)
      const { result } = yield* ask
      assert.isTrue(result?.isFailure)
      assert.instanceOf(result?.result, ToolFailed)
      const failure = { _tag: "ToolFailed", tool: "whoami", reason: "ToolError", message: "nobody is logged in" }
      assert.deepEqual(result?.encodedResult as unknown, failure)
      assert.strictEqual((yield* ask).text, "nobody")
      assert.include(told.at(-1), "nobody is logged in")
    }))
  })

  it.scoped("[N1] have the server's schemas and hints, and results as a model reads them", () => {
    const { given, offered } = model({ name: "draw", params: { what: "a cat" } }, { name: "draw", params: ["a list"] })
    return given(Effect.gen(function*() {
      const docs = yield* Backend.make("docs", { connector: scripted() })
      const ask = Effect.flatMap(toolkit(docs), (toolkit) => LanguageModel.generateText({ prompt: "draw", toolkit }))
      const [drawn] = (yield* ask).toolResults
      assert.strictEqual(drawn?.encodedResult, "[image/png omitted]\na cat")
      assert.deepInclude(drawn?.result, { content: [image, { type: "text", text: "a cat" }] })
      const [wrong] = (yield* ask).toolResults
      assert.deepInclude(wrong?.encodedResult, { reason: "InvalidArguments" })
      const [draw, plain] = offered[0] ?? []
      const hints = (tool: Tool.Any | undefined) =>
        [Tool.Readonly, Tool.Destructive, Tool.Idempotent, Tool.OpenWorld].map((one) =>
          Context.get(tool?.annotations ?? Context.empty(), one as typeof Tool.Readonly)
        )
      assert.deepEqual(hints(draw), [true, false, true, false])
      assert.deepEqual(hints(plain), [false, true, false, true])
      assert.strictEqual(draw?.description, "Draws")
      assert.deepInclude(Tool.getJsonSchema(draw as never), {
        properties: { what: { type: "string" } },
        required: ["what"]
      })
    }))
  })

  it.scoped("[N1] of a fleet have full names, merge with those of a program, and fail the request where it wants that", () => {
    const Own = Toolkit.make(Tool.make("own"))
    const { given } = model({ name: "own" }, { name: "docs__plain" })
    return given(Effect.gen(function*() {
      const fleet = yield* Fleet.make({ backends: { docs: { connector: scripted() } } })
      yield* fleet.ready
      const made = yield* make(fleet)
      const both = Effect.provide(Toolkit.merge(Own, made.toolkit), made.handlers)
      const [own] = (yield* LanguageModel.generateText({ prompt: "go", toolkit: both })).toolResults
      assert.deepInclude(own, { name: "own", isFailure: false })
      const strict = yield* toolkit(fleet, { failureMode: "error" })
      const failed = yield* Effect.flip(LanguageModel.generateText({ prompt: "go", toolkit: strict }))
      assert.deepInclude({ ...failed }, { _tag: "ToolFailed", tool: "docs__plain", reason: "ToolError" })
      assert.include(failed.message, "does not say why")
    })).pipe(Effect.provide(Own.toLayer({ own: () => Effect.void })))
  })
})
