/**
 * Tools of a backend or fleet for the language models of `effect/ai`, which is `unstable`: it may change with every minor version of Effect
 * 4, and this module with it.
 */
import { argumentsForm, blockText, failureText, resultText } from "@mcp-lifeline/client/within"
import type * as Mcp from "@modelcontextprotocol/sdk/types.js"
import { Context, Effect, type JsonSchema, Predicate, Schema } from "effect"
import { Prompt, Tool, Toolkit } from "effect/ai"
import type { Backend, CallOptions } from "./BackendClient.js"
import type { CallError } from "./Errors.js"
import type { Fleet } from "./Fleet.js"

/** Why a tool has no result. A model reads all of it. */
export class ToolFailed extends Schema.Error<ToolFailed>("@mcp-lifeline/effect4/ToolFailed")({
  _tag: Schema.tag("ToolFailed"),
  tool: Schema.String,
  /** `ToolError`: the tool says so. `InvalidArguments`: the model gave no object. Otherwise the tag of the call's error. */
  reason: Schema.Literals([
    "ToolError",
    "InvalidArguments",
    "SessionExpired",
    "ConnectionLost",
    "BackendUnavailable",
    "RequestTimeout",
    "ResultUnknown",
    "RemoteError",
    "ProtocolError"
  ]),
  /** From the tool or the call's error. */
  message: Schema.String
}) {}

/** A model reads its text and sees its files; programs get the whole. */
export const ToolResult: Schema.declare<Mcp.CallToolResult> = Schema.declare((value): value is Mcp.CallToolResult =>
  Predicate.isObject(value) && !(value instanceof ToolFailed)
)

export interface ServerTool<Mode extends Tool.FailureMode> extends
  Tool.Dynamic<string, {
    readonly parameters: JsonSchema.JsonSchema
    readonly success: typeof ToolResult
    readonly failure: typeof ToolFailed
    readonly failureMode: Mode
  }>
{}

/** By name. */
export type ServerTools<Mode extends Tool.FailureMode> = Record<string, ServerTool<Mode>>

export interface ToolkitOptions<Mode extends Tool.FailureMode = "return"> {
  /** `return` gives a failure to the model, which can try something else; `error` fails the request. Default `return`. */
  readonly failureMode?: Mode | undefined
  /** Which tools a person has to approve before they run. Default: none. */
  readonly needsApproval?: ((tool: Mcp.Tool) => boolean) | undefined
  /** For each call, such as `timeout`. */
  readonly call?: CallOptions | undefined
}

export interface Made<Mode extends Tool.FailureMode> {
  readonly toolkit: Toolkit.Toolkit<ServerTools<Mode>>
  readonly handlers: Context.Context<Tool.Handler<string>>
}

/** Texts, images and sounds. */
const modelOutput = (result: Mcp.CallToolResult): ReadonlyArray<Prompt.ToolModelOutputPart> =>
  (result.content ?? []).length === 0
    ? [Prompt.textPart({ text: resultText(result) })]
    : result.content.map((block) =>
      block.type === "image" || block.type === "audio"
        ? Prompt.filePart({ mediaType: block.mimeType, data: block.data })
        : Prompt.textPart({ text: blockText(block) })
    )

/** Missing hints have the same defaults on both sides. */
const annotationsOf = ({ annotations: hints, title = hints?.title }: Mcp.Tool): Context.Context<never> => {
  // Servers' schemas do not keep to the strict form that some providers enforce.
  let all: Context.Context<never> = Context.make(Tool.Strict, false)
  if (title !== undefined) all = Context.add(all, Tool.Title, title)
  if (hints?.readOnlyHint !== undefined) all = Context.add(all, Tool.Readonly, hints.readOnlyHint)
  if (hints?.destructiveHint !== undefined) all = Context.add(all, Tool.Destructive, hints.destructiveHint)
  if (hints?.idempotentHint !== undefined) all = Context.add(all, Tool.Idempotent, hints.idempotentHint)
  if (hints?.openWorldHint !== undefined) all = Context.add(all, Tool.OpenWorld, hints.openWorldHint)
  return all
}

const toolOf = <Mode extends Tool.FailureMode>(
  tool: Mcp.Tool,
  { failureMode, needsApproval }: ToolkitOptions<Mode>
): ServerTool<Mode> =>
  Tool.dynamic(tool.name, {
    description: tool.description,
    // The model sees the server's schema; the server checks the arguments.
    parameters: tool.inputSchema as JsonSchema.JsonSchema,
    success: ToolResult,
    failure: ToolFailed,
    failureMode: failureMode ?? "return",
    needsApproval: needsApproval?.(tool),
    toModelOutput: modelOutput
  }).annotateMerge(annotationsOf(tool)) as unknown as ServerTool<Mode>

const toolsOf = (source: Backend | Fleet): Effect.Effect<ReadonlyArray<Mcp.Tool>, CallError> =>
  Effect.gen(function*() {
    if ("id" in source && (yield* source.catalog.get) === undefined) yield* source.refresh
    return (yield* source.catalog.get)?.tools ?? []
  })

/**
 * The current tools, for programs that merge them with their own. Asks the server only if its catalogue is unknown, and waits like a call; a
 * fleet gives its catalogue.
 */
export const make = <Mode extends Tool.FailureMode = "return">(
  source: Backend | Fleet,
  options: ToolkitOptions<Mode> = {}
): Effect.Effect<Made<Mode>, CallError> =>
  Effect.gen(function*() {
    const tools = yield* toolsOf(source)
    const toolkit = Toolkit.make(...tools.map((tool) => toolOf(tool, options))) as unknown as Made<Mode>["toolkit"]
    const handler = (name: string) => (given: unknown) => {
      const failed = (reason: ToolFailed["reason"], message: string) => new ToolFailed({ tool: name, reason, message })
      const args = given ?? {}
      if (!Predicate.isObject(args)) {
        return Effect.fail(failed("InvalidArguments", argumentsForm))
      }
      return source.callTool({ name, arguments: args as Record<string, unknown> }, options.call).pipe(
        Effect.mapError(({ _tag, message }) => failed(_tag, message)),
        Effect.filterOrFail(
          ({ isError }) => isError !== true,
          (result) => failed("ToolError", failureText(result))
        )
      )
    }
    const handlers = yield* toolkit.toHandlers(Object.fromEntries(tools.map(({ name }) => [name, handler(name)])))
    return { toolkit, handlers }
  })

/**
 * The current tools for a language model. Run it for each request, so that they are up to date. Calls of removed tools fail, and the failure
 * says so.
 *
 * @example
 * import { Backend } from "@mcp-lifeline/effect4"
 * import { toolkit } from "@mcp-lifeline/effect4/toolkit"
 * import { Effect } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * class Docs extends Backend.Service("docs")<Docs>() {}
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
