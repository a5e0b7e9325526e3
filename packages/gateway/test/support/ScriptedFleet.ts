import type { CallError, Status } from "@mcp-lifeline/core"
import type { Backend, Fleet } from "@mcp-lifeline/core"
import { Live, RemoteError } from "@mcp-lifeline/core"
import type { CallToolResult, Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream, SubscriptionRef } from "effect"

export interface Call {
  readonly name: string
  readonly arguments?: Record<string, unknown> | undefined
  readonly options: Backend.CallOptions
}

export type Answer = (call: Call) => Effect.Effect<CallToolResult, CallError>

const entries = <A>(list: ReadonlyArray<A>, key: (value: A) => string): Map<string, Fleet.Entry<A>> =>
  new Map(list.map((value) => [key(value), { backend: "b", original: key(value), stale: false, value }]))

export const catalog = (revision: number, lists: {
  readonly tools?: ReadonlyArray<Tool>
  readonly prompts?: ReadonlyArray<Prompt>
  readonly resources?: ReadonlyArray<Resource>
  readonly resourceTemplates?: ReadonlyArray<ResourceTemplate>
}): Fleet.FleetCatalog => ({
  revision,
  tools: entries(lists.tools ?? [], (tool) => tool.name),
  prompts: entries(lists.prompts ?? [], (prompt) => prompt.name),
  resources: entries(lists.resources ?? [], (resource) => resource.uri),
  resourceTemplates: entries(lists.resourceTemplates ?? [], (template) => template.uriTemplate),
  problems: []
})

export const tool = (name: string): Tool => ({ name, inputSchema: { type: "object" } })

/** With what `@mcp-lifeline/core/internal` asks of a fleet. */
interface Scripted extends Fleet.Fleet {
  readonly find: (kind: Fleet.Routed, name: string) => Fleet.Route | undefined
  readonly viewOf: () => Scripted
  readonly existing: () => { readonly backends: ReadonlyArray<string> }
}

/** A fleet whose catalogue and answers the test gives. It has one backend, to which every name leads once it is ready. */
export const make = Effect.fnUntraced(function*(
  first: Fleet.FleetCatalog,
  answer: Answer,
  ready: Effect.Effect<void> = Effect.void,
  complete: (value: string) => object = (value) => ({ completion: { values: [`${value}!`] } })
) {
  const current = yield* SubscriptionRef.make(first)
  const statuses: Readonly<Record<string, Status>> = {}
  const unknown = (method: string) =>
    Effect.fail(new RemoteError({ backend: "", method, code: -32_602, message: `Unknown: ${method}` }))
  const request = (method: string, params: any, options: Backend.CallOptions = {}): Effect.Effect<any, CallError> => {
    const greeting = { messages: [{ role: "user", content: { type: "text", text: "hi" } }] }
    const read = { contents: [{ uri: params.uri, text: "one" }] }
    const answers: Readonly<Record<string, () => Effect.Effect<any, CallError>>> = {
      "tools/call": () => answer({ ...params, options }),
      "prompts/get": () => params.name === "greet" ? Effect.succeed(greeting) : unknown(method),
      "resources/read": () => params.uri === "test://one" ? Effect.succeed(read) : unknown(method),
      "completion/complete": () => Effect.succeed(complete(params.argument.value))
    }
    return answers[method]?.() ?? Effect.dieMessage(`not scripted: ${method}`)
  }
  const notScripted = () => Effect.dieMessage("not scripted")
  const backend = {
    id: "b",
    request,
    start: (
      method: string,
      params: unknown,
      options: Backend.CallOptions | undefined,
      next: (rest: Effect.Effect<unknown, CallError>) => void
    ) => {
      next(request(method, params, options))
      return { cancel: () => "unknown", doubt: () => undefined }
    }
  } as Partial<Backend.Backend> as Backend.Backend
  let isReady = false
  const fleet: Scripted = {
    backends: Effect.succeed([]),
    backend: notScripted,
    backendChanges: () => Stream.empty,
    status: Live.make(Effect.succeed(statuses), Stream.empty),
    events: Stream.empty,
    catalog: Live.make(SubscriptionRef.get(current), current.changes),
    differences: Stream.empty,
    ready,
    callTool: notScripted,
    getPrompt: notScripted,
    readResource: notScripted,
    complete: notScripted,
    find: (kind, name) =>
      isReady || Effect.runSync(SubscriptionRef.get(current))[kind].has(name) ? { backend, original: name } : undefined,
    route: (_, name) =>
      Effect.map(ready, () => {
        isReady = true
        return { backend, original: name }
      }),
    viewOf: () => fleet,
    existing: () => ({ backends: [] }),
    apply: notScripted
  }
  return { fleet, publish: (next: Fleet.FleetCatalog) => SubscriptionRef.set(current, next) }
})
