/**
 * The tools of a backend or a fleet for the language models of `effect/ai`. That module is `unstable`: it may change with every minor version of
 * Effect 4, and this one with it.
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
  /** The tool's name. */
  tool: Schema.String,
  /** `ToolError`: the tool itself says so. `InvalidArguments`: the model gave no object. Otherwise the tag of the call's error. */
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
  /** What the tool, or the call's error, says. */
  message: Schema.String
}) {}

/** A tool's result. A model reads its text and sees its files; programs get the whole. */
export const ToolResult: Schema.declare<Mcp.CallToolResult> = Schema.declare((value): value is Mcp.CallToolResult =>
  Predicate.isObject(value) && !(value instanceof ToolFailed)
)

/** A tool of a server. */
export interface ServerTool<Mode extends Tool.FailureMode> extends
  Tool.Dynamic<string, {
    readonly parameters: JsonSchema.JsonSchema
    readonly success: typeof ToolResult
    readonly failure: typeof ToolFailed
    readonly failureMode: Mode
  }>
{}

/** The tools of servers, by name. */
export type ServerTools<Mode extends Tool.FailureMode> = Record<string, ServerTool<Mode>>

/** How models use tools. */
export interface ToolkitOptions<Mode extends Tool.FailureMode = "return"> {
  /** What becomes of a failure: `return` gives it to the model, which can try something else; `error` fails the request. Default `return`. */
  readonly failureMode?: Mode | undefined
  /** Which tools a person has to approve before they run. Default: none. */
  readonly needsApproval?: ((tool: Mcp.Tool) => boolean) | undefined
  /** Options of each call, such as its `timeout`. */
  readonly call?: CallOptions | undefined
}

/** Tools, and handlers that call them. */
export interface Made<Mode extends Tool.FailureMode> {
  readonly toolkit: Toolkit.Toolkit<ServerTools<Mode>>
  readonly handlers: Context.Context<Tool.Handler<string>>
}

/** What a model sees of a result: texts, images and sounds. */
const modelOutput = (result: Mcp.CallToolResult): ReadonlyArray<Prompt.ToolModelOutputPart> =>
  (result.content ?? []).length === 0
    ? [Prompt.textPart({ text: resultText(result) })]
    : result.content.map((block) =>
      block.type === "image" || block.type === "audio"
        ? Prompt.filePart({ mediaType: block.mimeType, data: block.data })
        : Prompt.textPart({ text: blockText(block) })
    )

/** The server's hints. Those that it does not give have the same defaults on both sides. */
const annotationsOf = ({ annotations: hints, title = hints?.title }: Mcp.Tool): Context.Context<never> => {
  // Schemas of servers do not keep to the strict form that some providers can enforce.
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
    // The server checks the arguments; the model sees the server's own schema.
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
 * The tools as they are now, for programs that merge them with their own. Asks the server only if its catalogue is not known yet, and waits for
 * it like a call; a fleet gives what its catalogue has.
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
 * The tools for a language model, as they are now. Run it for each request, so that the model has the tools that the server has by then. A call of
 * a tool that the server has no more fails, and the failure says so.
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
