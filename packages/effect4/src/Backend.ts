import type * as Facade from "@mcp-lifeline/client"
import { connectAll } from "@mcp-lifeline/client"
import { type Config, Context, Effect, Layer, type Scope } from "effect"
import { type Backend, fromClient } from "./BackendClient.js"
import type { InvalidOptions } from "./Errors.js"
import { type BackendOptions, lend } from "./Options.js"

export type { Backend, CallOptions, HealthCheck } from "./BackendClient.js"
export type { BackendOptions, Handlers } from "./Options.js"
export type { Session } from "./Session.js"

/**
 * Makes a backend that lives as long as the scope. It starts to connect at once, unless it is lazy or disabled; this does not wait.
 *
 * When the scope closes, waiting calls fail with BackendUnavailable, and sent ones with ResultUnknown. Closing waits until processes and
 * sessions have ended, at most a few times `timeouts.close`.
 */
export const make = <R = never>(
  id: string,
  server: Facade.Server,
  options: BackendOptions<R> = {}
): Effect.Effect<Backend, InvalidOptions, R | Scope.Scope> =>
  Effect.map(
    // A fleet of one: `connect` would wait for the first connection, and fail without one.
    lend(options, (given) =>
      connectAll({ mcpServers: { [id]: server } }, { variables: false, ...given, prefix: "", waitTimeout: 0 })),
    ({ closed, fleet }) =>
      fromClient(fleet.client(id), closed)
  )

export interface ServiceClass<Self, Id extends string>
  extends Context.ServiceClass<Self, `@mcp-lifeline/effect4/Backend/${Id}`, Backend>
{
  /** Starts to connect in the background when the layer is built, and closes with its scope. */
  readonly layer: <R = never>(
    server: Facade.Server,
    options?: BackendOptions<R>
  ) => Layer.Layer<Self, InvalidOptions, Exclude<R, Scope.Scope>>
  /** With a server from the configuration. */
  readonly layerConfig: <R = never>(
    server: Config.Config<Facade.Server>,
    options?: BackendOptions<R>
  ) => Layer.Layer<Self, Config.ConfigError | InvalidOptions, Exclude<R, Scope.Scope>>
}

/**
 * A service key for one backend, with its layers.
 *
 * @example
 * import { Backend } from "@mcp-lifeline/effect4"
 * import { Effect } from "effect"
 *
 * class Docs extends Backend.Service("docs")<Docs>() {}
 *
 * const DocsLive = Docs.layer({ url: "http://127.0.0.1:3001/mcp", keepalive: { interval: "1 minute" } })
 *
 * export const program = Effect.gen(function*() {
 *   const docs = yield* Docs
 *   return yield* docs.callTool({ name: "search", arguments: { query: "backoff" } })
 * }).pipe(Effect.provide(DocsLive))
 */
export const Service = <const Id extends string>(id: Id) => <Self>(): ServiceClass<Self, Id> => {
  const key = Context.Service<Self, Backend>()(`@mcp-lifeline/effect4/Backend/${id}` as const)
  return Object.assign(key, {
    layer: <R = never>(server: Facade.Server, options?: BackendOptions<R>) =>
      Layer.effect(key, make(id, server, options)),
    layerConfig: <R = never>(server: Config.Config<Facade.Server>, options?: BackendOptions<R>) =>
      Layer.effect(key, Effect.flatMap(server, (read) => make(id, read, options)))
  })
}
