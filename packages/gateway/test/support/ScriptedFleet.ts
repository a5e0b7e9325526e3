import type { CallError, Status } from "@mcp-lifeline/core"
import type { Backend, Fleet } from "@mcp-lifeline/core"
import { Live, RemoteError } from "@mcp-lifeline/core"
import type { CallToolResult, Prompt, Resource, ResourceTemplate, Tool } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Stream, SubscriptionRef } from "effect"

/** A call as the endpoint made it. */
export interface Call {
  readonly name: string
  readonly arguments?: Record<string, unknown> | undefined
  readonly options: Backend.CallOptions
}

/** What the fleet does with a call. */
export type Answer = (call: Call) => Effect.Effect<CallToolResult, CallError>

const entries = <A>(list: ReadonlyArray<A>, key: (value: A) => string): Map<string, Fleet.Entry<A>> =>
  new Map(list.map((value) => [key(value), { backend: "b", original: key(value), stale: false, value }]))

/** A catalogue with these lists. */
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

/** A tool without arguments. */
export const tool = (name: string): Tool => ({ name, inputSchema: { type: "object" } })

/** A fleet whose catalogue and answers the test gives; it has no backends. */
export const make = (first: Fleet.FleetCatalog, answer: Answer, ready: Effect.Effect<void> = Effect.void) =>
  Effect.gen(function*() {
    const current = yield* SubscriptionRef.make(first)
    const statuses: Readonly<Record<string, Status>> = {}
    const unknown = (method: string) =>
      Effect.fail(new RemoteError({ backend: "", method, code: -32_602, message: `Unknown: ${method}` }))
    const fleet: Fleet.Fleet = {
      backends: Effect.succeed([]),
      backend: () => Effect.dieMessage("not scripted"),
      backendChanges: () => Stream.empty,
      status: Live.make(Effect.succeed(statuses), Stream.empty),
      events: Stream.empty,
      catalog: Live.make(SubscriptionRef.get(current), current.changes),
      differences: Stream.empty,
      ready,
      callTool: (params, options = {}) => answer({ ...params, options }),
      getPrompt: ({ name }) =>
        name === "greet"
          ? Effect.succeed({ messages: [{ role: "user" as const, content: { type: "text" as const, text: "hi" } }] })
          : unknown("prompts/get"),
      readResource: ({ uri }) =>
        uri === "test://one" ? Effect.succeed({ contents: [{ uri, text: "one" }] }) : unknown("resources/read"),
      complete: ({ argument }) => Effect.succeed({ completion: { values: [`${argument.value}!`] } }),
      route: () => Effect.dieMessage("not scripted"),
      apply: () => Effect.dieMessage("not scripted")
    }
    return { fleet, publish: (next: Fleet.FleetCatalog) => SubscriptionRef.set(current, next) }
  })
