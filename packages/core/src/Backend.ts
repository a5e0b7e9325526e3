import { type Config, Context, Effect, Layer, type Scope } from "effect"
import type { ConfigError } from "effect/ConfigError"
import type { Backend } from "./backend/Backend.js"
import { startBackend } from "./backend/start.js"
import type { InvalidOptions } from "./Errors.js"
import { type BackendOptions, provided } from "./options/BackendOptions.js"

export type { Backend, HealthCheck } from "./backend/Backend.js"
export type { BackendOptions, Found, KeepaliveOptions } from "./options/BackendOptions.js"
export type { CallOptions, RuntimeLayer, Session } from "./options/CallOptions.js"

/**
 * Makes a backend that lives as long as the scope. It starts to connect at once, unless it is lazy or disabled.
 *
 * When the scope closes, waiting calls fail with BackendUnavailable, sent ones with ResultUnknown, within a few times `timeouts.close`.
 */
export const make = <R = never>(
  id: string,
  options: BackendOptions<R>
): Effect.Effect<Backend, InvalidOptions, R | Scope.Scope> =>
  Effect.flatMap(provided(options), (complete) => startBackend(id, complete, {}))

export interface TagClass<Self, Id extends string>
  extends Context.TagClass<Self, `@mcp-lifeline/core/Backend/${Id}`, Backend>
{
  /** Starts to connect when the layer is built, and closes with the layer's scope. */
  readonly layer: <R = never>(options: BackendOptions<R>) => Layer.Layer<Self, InvalidOptions, Exclude<R, Scope.Scope>>
  /** With options from the configuration. */
  readonly layerConfig: <R = never>(
    options: Config.Config<BackendOptions<R>>
  ) => Layer.Layer<Self, ConfigError | InvalidOptions, Exclude<R, Scope.Scope>>
}

/**
 * A service tag for one backend, with its layers. Its key, `@mcp-lifeline/core/Backend/<id>`, conflicts with no other service of the program.
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
