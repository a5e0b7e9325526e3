/** A backend: one supervised MCP server. You use the same object for all connections to it. */
import { type Config, Context, Effect, Layer, type Scope } from "effect"
import type { ConfigError } from "effect/ConfigError"
import type { Backend } from "./backend/Backend.js"
import { startBackend } from "./backend/start.js"
import type { InvalidOptions } from "./Errors.js"
import { type BackendOptions, provided } from "./options/BackendOptions.js"

export type { Backend, HealthCheck } from "./backend/Backend.js"
export type { BackendOptions } from "./options/BackendOptions.js"
export type { CallOptions } from "./options/CallOptions.js"
export type { Session } from "./options/Session.js"

/**
 * Makes a backend that lives as long as the scope. It starts to connect at once, unless it is lazy or disabled.
 *
 * When the scope closes, waiting calls fail with BackendUnavailable, and calls whose request was sent with ResultUnknown. Closing
 * takes at most a few times `timeouts.close`.
 */
export const make = <R = never>(
  id: string,
  options: BackendOptions<R>
): Effect.Effect<Backend, InvalidOptions, R | Scope.Scope> =>
  Effect.flatMap(provided(options), (complete) => startBackend(id, complete, {}))

/** A service tag whose service is one backend. */
export interface TagClass<Self, Id extends string>
  extends Context.TagClass<Self, `@mcp-lifeline/core/Backend/${Id}`, Backend>
{
  /** The backend. It starts to connect in the background when the layer is built, and closes with the layer's scope. */
  readonly layer: <R = never>(options: BackendOptions<R>) => Layer.Layer<Self, InvalidOptions, Exclude<R, Scope.Scope>>
  /** The same with options that are read from the configuration. */
  readonly layerConfig: <R = never>(
    options: Config.Config<BackendOptions<R>>
  ) => Layer.Layer<Self, ConfigError | InvalidOptions, Exclude<R, Scope.Scope>>
}

/**
 * A service tag for one backend, with its layers. The tag's key is `@mcp-lifeline/core/Backend/<id>`, so it does not conflict with another
 * service of the program that has the same short name.
 *
 * @example
 * import { Backend } from "@mcp-lifeline/core"
 * import { MemoryConnector } from "@mcp-lifeline/protocol"
 * import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
 * import { Effect } from "effect"
 *
 * class Docs extends Backend.Tag("docs")<Docs>() {}
 *
 * const DocsLive = Docs.layer({
 *   connector: MemoryConnector.make({ server: () => new McpServer({ name: "docs", version: "1.0.0" }) }),
 *   keepalive: { interval: "1 minute" }
 * })
 *
 * export const program = Effect.gen(function*() {
 *   const docs = yield* Docs
 *   return yield* docs.callTool({ name: "search", arguments: { query: "backoff" } })
 * }).pipe(Effect.provide(DocsLive))
 */
export const Tag = <const Id extends string>(id: Id) => <Self>(): TagClass<Self, Id> => {
  const tag = Context.Tag(`@mcp-lifeline/core/Backend/${id}` as const)<Self, Backend>()
  return Object.assign(tag, {
    layer: <R = never>(options: BackendOptions<R>) => Layer.scoped(tag, make(id, options)),
    layerConfig: <R = never>(options: Config.Config<BackendOptions<R>>) =>
      Layer.scoped(tag, Effect.flatMap(options, (decoded) => make(id, decoded)))
  })
}
