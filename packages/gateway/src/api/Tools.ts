/**
 * The tools that the API lists and calls: those of the shared servers, because the API is no client and has no servers of its own. For the
 * other servers, it says why their tools are missing, and what to do instead.
 */
import { type CallError, Fleet, type Status } from "@mcp-lifeline/core"
import { find, firstOf, Lifecycle, maySay, Nesting, Prefix, prefixOf, Unknown } from "@mcp-lifeline/core/internal"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Either } from "effect"
import type { Access } from "../access/Access.js"
import * as PublicText from "../access/PublicText.js"
import { clean } from "../Text.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"

/** A shell command that connects to an endpoint as a client does. */
export const inspector = (url: string, method: string, options = ""): string =>
  `npx @modelcontextprotocol/inspector --cli ${url} --transport http${options} --method ${method}`

const whose = (server: string): string => `each client has its own server ${server} (sessions: "per-client")`

/** Why the tools of a server of which each client has its own are not listed. `url`: of the MCP endpoint. */
const ofEachClient = (server: string, url: string): string =>
  `${whose(server)} and may be offered other tools, so they are not listed here; list them as a client: ${
    inspector(url, "tools/list")
  }`

/** Why the tools of a shared server are not listed: they are not known yet, or the server is disabled. `undefined` if they are listed. */
const unknownOf = (
  { backend, catalog, lastError, state, target }: Status,
  isAdmin: boolean
): string | undefined => {
  if (catalog !== undefined) return undefined
  if (state === "Disabled" || state === "Disabling") {
    return `${backend} is disabled, so its tools are not offered; enable it: mcp-lifeline enable ${backend}`
  }
  const why = lastError === undefined ? "" : `: ${isAdmin ? lastError : PublicText.of(lastError, target)}`
  return `${backend} is ${Lifecycle.inWords(state)}, so its tools are not known${why}`
}

/** The tools of all servers, or of one, as far as somebody may use them. Fails if there is no such server for them. */
export const list = (
  { servers, url }: Gateway,
  only: string | undefined,
  { hasServer, hasTool, isAdmin }: Access
): Effect.Effect<Api.Tools, Api.NotFound> => {
  const visible = servers.servers().map(({ id }) => id).filter(hasServer)
  if (only !== undefined && !visible.includes(only)) {
    return Effect.fail(Api.notFound(Unknown.backend(only, visible).message))
  }
  return Effect.zipWith(servers.shared.fleet.catalog, servers.shared.fleet.status, (catalog, statuses) => ({
    notListed: servers.servers().flatMap(({ id, prefix, sessions }) => {
      if ((only !== undefined && only !== id) || !hasServer(id)) return []
      const status = statuses[id]
      const message = sessions === "per-client" ? ofEachClient(id, url) : status && unknownOf(status, isAdmin)
      return message === undefined ? [] : [{ server: id, message: clean(message), prefix: Prefix.of(id, prefix) }]
    }),
    tools: Array.from(catalog.tools.values()).flatMap(({ backend: server, original, stale, value }) => {
      if ((only !== undefined && only !== server) || !hasTool(server, original)) return []
      const { description, inputSchema, name, title } = value
      return [{ name, server, original, title, description, inputSchema, stale }]
    })
  }))
}

const tooDeep = `nested more than ${Nesting.defaultDepth} levels deep, which is not passed on`

/** Why the API does not call a tool that may belong to a server of which each client has its own; `undefined` if no such server fits. */
const notCalled = ({ servers, url }: Gateway, tool: string, { hasServer }: Access): string | undefined => {
  const server = servers.servers().find(({ id, prefix, sessions }) =>
    sessions === "per-client" && hasServer(id) && maySay("tools", id, tool, Prefix.of(id, prefix))
  )
  return server &&
    `${tool} was not called: ${
      whose(server.id)
    }, which only this client can call; call it as a client, for which the gateway starts one: ${
      inspector(url, `tools/call --tool-name ${tool}`)
    }`
}

/** Fails as if there were no tool of this name, if there is one that somebody may not use. */
const requireTool = (
  { servers: { shared: { fleet } } }: Gateway,
  name: string,
  { hasServer, hasTool, isWhole }: Access
): Effect.Effect<void, CallError> =>
  isWhole ? Effect.void : Effect.gen(function*() {
    const backends = yield* fleet.backends
    const maySayIt = (isVisible: boolean): boolean =>
      backends.some(({ id }) => hasServer(id) === isVisible && maySay("tools", id, name, prefixOf(fleet, id)))
    const known = find(fleet, "tools", name)
    // A server that the caller may not use is not waited for: how long that takes would tell that there is one.
    const isAsked = known === undefined && (maySayIt(true) || !maySayIt(false))
    const found = isAsked ? yield* Effect.either(fleet.route("tools", name)) : undefined
    const route = found !== undefined && Either.isRight(found) ? found.right : known
    if (route !== undefined && hasTool(route.backend.id, route.original)) return
    // What the fleet says of a name names all servers.
    if (found !== undefined && Either.isLeft(found) && !Fleet.isUnknown(found.left) && hasServer(found.left.backend)) {
      return yield* found.left
    }
    const visible = backends.flatMap(({ id }) => hasServer(id) ? [id] : [])
    return yield* Unknown.entry("tools", name, {
      backends: visible,
      prefixOf: (id) => prefixOf(fleet, id),
      catalogs: []
    })
  })

/** Why a call has no result: the gateway stopped. */
const endedByStop = (isSent: boolean): Api.ServerFailed => ({
  error: isSent
    ? {
      code: "result_unknown",
      message: "the gateway was stopped before the answer came; the call may have been carried out"
    }
    : { code: "unavailable", message: "the call was not sent: the gateway was stopped before" }
})

/** Calls a tool for somebody who may use it. */
export const call = (
  gateway: Gateway,
  params: Api.Call,
  access: Access,
  onSent: (generation: number) => void = () => undefined
): Effect.Effect<CallToolResult, Api.NotFound | Api.ServerFailed> =>
  Effect.suspend(() => {
    let isSent = false
    const called = Effect.zipRight(
      requireTool(gateway, params.name, access),
      gateway.servers.shared.fleet.callTool(params, {
        onSent: (generation) => {
          isSent = true
          onSent(generation)
        }
      })
    ).pipe(
      Effect.mapError((error) =>
        Fleet.isUnknown(error)
          ? Api.notFound(notCalled(gateway, params.name, access) ?? error.message)
          : Api.serverFailed(error)
      )
    )
    const { stopped } = gateway
    if (stopped === undefined) return called
    // Until its answer has come, the call may be sent: whether it was is read after it was ended.
    return Effect.flatMap(
      firstOf(Effect.either(called), Effect.as(stopped, undefined)),
      (ended) => ended ?? Effect.fail(endedByStop(isSent))
    )
  }).pipe(
    Effect.filterOrFail(
      (result) => !Nesting.isDeeper(result, Nesting.defaultDepth),
      (): Api.ServerFailed => ({
        error: { code: "server_error", message: `the call was carried out, and its result is ${tooDeep}` }
      })
    )
  )
