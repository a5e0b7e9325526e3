/** For the language models of `@effect/ai`, which only this module needs. */
import * as Tool from "@effect/ai/Tool"
import * as Toolkit from "@effect/ai/Toolkit"
import type { CallToolResult, Tool as McpTool } from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, Predicate, Schema } from "effect"
import type { Backend } from "./backend/Backend.js"
import type { CallError } from "./Errors.js"
import type { Fleet } from "./Fleet.js"
import type { CallOptions } from "./options/CallOptions.js"
import { argumentsForm, failureText, resultText } from "./text.js"

/** A model reads all of it. */
export class ToolFailed extends Schema.TaggedError<ToolFailed>()("ToolFailed", {
  tool: Schema.String,
  /** `ToolError`: the tool says so. `InvalidArguments`: the model gave no object. Otherwise the tag of the call's error. */
  reason: Schema.Literal(
    "ToolError",
    "InvalidArguments",
    "SessionExpired",
    "ConnectionLost",
    "BackendUnavailable",
    "RequestTimeout",
    "ResultUnknown",
    "RemoteError",
    "ProtocolError"
  ),
  /** From the tool, or the call's error. */
  message: Schema.String
}) {}

const Result = Schema.declare((value: unknown): value is CallToolResult =>
  Predicate.isRecord(value) && !(value instanceof ToolFailed)
)

/** A model reads its text; programs get the whole. */
export const ToolResult: Schema.Schema<CallToolResult, string> = Schema.transform(Schema.String, Result, {
  strict: true,
  decode: (text): CallToolResult => ({ content: [{ type: "text", text }] }),
  encode: resultText
})

export interface ServerTool<Mode extends Tool.FailureMode> extends
  Tool.Tool<string, {
    readonly parameters: Schema.Struct<{ readonly [name: string]: typeof Schema.Unknown }>
    readonly success: typeof ToolResult
    readonly failure: typeof ToolFailed
    readonly failureMode: Mode
  }>
{}

export type ServerTools<Mode extends Tool.FailureMode> = Record<string, ServerTool<Mode>>

export interface ToolkitOptions<Mode extends Tool.FailureMode = "return"> {
  /** `return` gives a failure to the model, which can try something else; `error` fails the request. Default `return`. */
  readonly failureMode?: Mode | undefined
  /** Of each call, such as its `timeout`. */
  readonly call?: CallOptions | undefined
}

export interface Made<Mode extends Tool.FailureMode> {
  readonly toolkit: Toolkit.Toolkit<ServerTools<Mode>>
  readonly handlers: Context.Context<Tool.Handler<string>>
}

/** Missing hints have the same defaults on both sides. */
const annotationsOf = ({ annotations: hints, title = hints?.title }: McpTool): Context.Context<never> => {
  let all: Context.Context<never> = Context.empty()
  if (title !== undefined) all = Context.add(all, Tool.Title, title)
  if (hints?.readOnlyHint !== undefined) all = Context.add(all, Tool.Readonly, hints.readOnlyHint)
  if (hints?.destructiveHint !== undefined) all = Context.add(all, Tool.Destructive, hints.destructiveHint)
  if (hints?.idempotentHint !== undefined) all = Context.add(all, Tool.Idempotent, hints.idempotentHint)
  if (hints?.openWorldHint !== undefined) all = Context.add(all, Tool.OpenWorld, hints.openWorldHint)
  return all
}

const toolOf = <Mode extends Tool.FailureMode>(tool: McpTool, failureMode: Mode): ServerTool<Mode> =>
  Tool.make(tool.name, { description: tool.description, success: ToolResult, failure: ToolFailed, failureMode })
    // The server checks the arguments; the model sees the server's own schema.
    .setParameters(Schema.Unknown.annotations({ jsonSchema: tool.inputSchema }) as never)
    .annotateContext(annotationsOf(tool)) as unknown as ServerTool<Mode>

const toolsOf = (source: Backend | Fleet): Effect.Effect<ReadonlyArray<McpTool>, CallError> =>
  "backends" in source
    ? Effect.map(source.catalog, ({ tools }) => Array.from(tools.values(), ({ value }) => value))
    : Effect.map(
      Effect.flatMap(source.catalog, (known) => known === undefined ? source.refresh : Effect.succeed(known)),
      ({ tools }) => tools
    )

/** As they are now. Asks the server, like a call, only if its catalogue is not known yet; a fleet gives what is known. */
export const make = <Mode extends Tool.FailureMode = "return">(
  source: Backend | Fleet,
  { call, failureMode = "return" as Mode }: ToolkitOptions<Mode> = {}
): Effect.Effect<Made<Mode>, CallError> =>
  Effect.gen(function*() {
    const tools = yield* toolsOf(source)
    const toolkit = Toolkit.make(...tools.map((tool) => toolOf(tool, failureMode))) as unknown as Made<Mode>["toolkit"]
    const handler = (name: string) => (given: unknown) => {
      const failed = (reason: ToolFailed["reason"], message: string) => new ToolFailed({ tool: name, reason, message })
      const args = given ?? {}
      if (!Predicate.isRecord(args)) return failed("InvalidArguments", argumentsForm)
      return source.callTool({ name, arguments: args }, call).pipe(
        Effect.mapError(({ _tag, message, plainMessage = message }) => failed(_tag, plainMessage)),
        Effect.filterOrFail(
          ({ isError }) => isError !== true,
          (result) => failed("ToolError", failureText(result))
        )
      )
    }
    const handlers = yield* toolkit.toContext(Object.fromEntries(tools.map(({ name }) => [name, handler(name)])))
    return { toolkit, handlers }
  })

/**
 * The tools as they are now: run it for each request. A call of a tool that is gone fails, and says so.
 *
 * @example
 * import { LanguageModel } from "@effect/ai"
 * import { Backend } from "@mcp-lifeline/core"
 * import { toolkit } from "@mcp-lifeline/core/toolkit"
 * import { Effect } from "effect"
 *
 * class Docs extends Backend.Tag("docs")<Docs>() {}
 *
 * export const program = Effect.gen(function*() {
 *   const docs = yield* Docs
 *   return yield* LanguageModel.generateText({ prompt: "What is new?", toolkit: yield* toolkit(docs) })
 * })
 */
export const toolkit = <Mode extends Tool.FailureMode = "return">(
  source: Backend | Fleet,
  options?: ToolkitOptions<Mode>
): Effect.Effect<Toolkit.WithHandler<ServerTools<Mode>>, CallError> =>
  Effect.flatMap(make(source, options), ({ handlers, toolkit }) => Effect.provide(toolkit, handlers))
