import type * as Facade from "@mcp-lifeline/client"
import {
  Backend,
  type BackendUnavailable,
  type CallError,
  type CommandError,
  Fleet,
  type InvalidOptions,
  type LifelineError,
  type Live,
  type RemoteError
} from "@mcp-lifeline/effect4"
import { type ServerTools, type ToolFailed, toolkit, type ToolkitOptions } from "@mcp-lifeline/effect4/toolkit"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { type Cause, Config, Context, Effect, type Layer, type Scope, type Stream } from "effect"
import { type AiError, LanguageModel, type Toolkit } from "effect/ai"
import { assert, describe, expectTypeOf, it } from "vitest"

class Docs extends Backend.Service("docs")<Docs>() {}
class Model extends Context.Service<Model, { readonly says: string }>()("test/Model") {}

const server = { command: "docs-server" } as const

describe("types", () => {
  it("[N1:types] a backend is a service: a program says which it needs, and its layer gives it", () => {
    const calling = Effect.flatMap(Docs, (docs) => docs.callTool({ name: "search" }))
    expectTypeOf(calling).toEqualTypeOf<Effect.Effect<Mcp.CallToolResult, CallError, Docs>>()
    expectTypeOf(Docs.layer(server)).toEqualTypeOf<Layer.Layer<Docs, InvalidOptions>>()
    expectTypeOf(Docs.layerConfig(Config.succeed(server)))
      .toEqualTypeOf<Layer.Layer<Docs, Config.ConfigError | InvalidOptions>>()
    expectTypeOf(Backend.make("docs", server))
      .toEqualTypeOf<Effect.Effect<Backend.Backend, InvalidOptions, Scope.Scope>>()
    expectTypeOf(Effect.provide(calling, Docs.layer(server)))
      .toEqualTypeOf<Effect.Effect<Mcp.CallToolResult, CallError | InvalidOptions>>()
    expectTypeOf(Fleet.layer({ mcpServers: { docs: server } })).toEqualTypeOf<
      Layer.Layer<Fleet.Fleet, InvalidOptions>
    >()
    expectTypeOf(calling).not.toExtend<Effect.Effect<unknown, CallError>>()
  })

  it("[N1:types] services of handlers and onConnected are requirements of the layer", () => {
    const sampling = () =>
      Effect.map(Model, ({ says }) => ({
        role: "assistant" as const,
        model: "a",
        content: { type: "text" as const, text: says }
      }))
    expectTypeOf(Docs.layer(server, { handlers: { sampling } }))
      .toEqualTypeOf<Layer.Layer<Docs, InvalidOptions, Model>>()
    expectTypeOf(Docs.layer(server, { onConnected: () => Effect.asVoid(Model) }))
      .toEqualTypeOf<Layer.Layer<Docs, InvalidOptions, Model>>()
    // A handler with a scope of the layer needs no other.
    expectTypeOf(Docs.layer(server, { onConnected: () => Effect.addFinalizer(() => Effect.void) }))
      .toEqualTypeOf<Layer.Layer<Docs, InvalidOptions>>()
    // @ts-expect-error an answer that the protocol does not have
    const wrong = Docs.layer(server, { handlers: { sampling: () => Effect.succeed("hello") } })
    assert.isDefined(wrong)
  })

  it("[N1:types] errors are tagged, each tag can be caught, and none of them is one of Effect's", () => {
    expectTypeOf<LifelineError["_tag"]>().toEqualTypeOf<
      Exclude<Facade.LifelineError["_tag"], "ConfigError" | "UnauthorizedError"> | "InvalidOptions"
    >()
    expectTypeOf<LifelineError>().toExtend<Cause.YieldableError>()
    expectTypeOf<CommandError["_tag"]>().toEqualTypeOf<"BackendUnavailable" | "ConnectError">()
    expectTypeOf<RemoteError["code"]>().toEqualTypeOf<number>()
    expectTypeOf<BackendUnavailable["state"]>().toEqualTypeOf<Facade.BackendUnavailable["state"]>()
    const ping = Effect.flatMap(Docs, (docs) => docs.ping())
    expectTypeOf(Effect.catchTag(ping, "ResultUnknown", ({ method }) => Effect.succeed(method)))
      .toEqualTypeOf<Effect.Effect<string | void, Exclude<CallError, { readonly _tag: "ResultUnknown" }>, Docs>>()
    // @ts-expect-error not an error of a call
    const wrong = Effect.catchTag(ping, "InvalidOptions", () => Effect.void)
    assert.isDefined(wrong)
  })

  it("[N1:types] what changes is a value and a stream, and options are those of the facade but what an effect replaces", () => {
    expectTypeOf<Backend.Backend["status"]>().toEqualTypeOf<Live<Facade.Status>>()
    expectTypeOf<Backend.Backend["events"]>().toEqualTypeOf<Stream.Stream<Facade.Event>>()
    expectTypeOf<Fleet.Fleet["status"]["changes"]>().toEqualTypeOf<Stream.Stream<Facade.FleetStatus>>()
    expectTypeOf<Exclude<keyof Facade.CommonOptions, keyof Backend.BackendOptions>>().toEqualTypeOf<"signal">()
    expectTypeOf<Exclude<keyof Facade.CallOptions, keyof Backend.CallOptions>>().toEqualTypeOf<"signal">()
    expectTypeOf<keyof Backend.Handlers>().toEqualTypeOf<keyof Facade.ServerRequestHandlers>()
    // @ts-expect-error interrupting takes the place of a signal
    const signal: Backend.CallOptions = { signal: AbortSignal.abort() }
    // @ts-expect-error no such unit
    const unit: Backend.BackendOptions = { keepalive: { interval: "5 minuets" } }
    assert.isDefined([signal, unit])
  })

  it("[N1:types] a model's request that has tools fails with what fails it, and no more", () => {
    expectTypeOf(toolkit<"return">)
      .returns.toEqualTypeOf<Effect.Effect<Toolkit.WithHandler<ServerTools<"return">>, CallError>>()
    const fails = Effect.gen(function*() {
      const tools = yield* toolkit(yield* Docs, { failureMode: "error" })
      return yield* LanguageModel.generateText({ prompt: "What is new?", toolkit: tools })
    })
    expectTypeOf<Effect.Error<typeof fails>>().toEqualTypeOf<CallError | ToolFailed | AiError.AiError>()
    const goesOn = Effect.gen(function*() {
      const tools = yield* toolkit(yield* Docs)
      return (yield* LanguageModel.generateText({ prompt: "What is new?", toolkit: tools })).toolResults[0]?.result
    })
    expectTypeOf<Effect.Error<typeof goesOn>>().toEqualTypeOf<CallError | AiError.AiError>()
    // @ts-expect-error no such mode
    const mode: ToolkitOptions = { failureMode: "retry" }
    assert.isDefined(mode)
  })
})
