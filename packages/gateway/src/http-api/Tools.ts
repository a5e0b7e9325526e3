/**
 * The tools of the shared servers: the API is no client and has no servers of its own. For the others, it says why their tools are
 * missing.
 */
import { Fleet, type Status } from "@mcp-lifeline/core"
import { firstOf, Lifecycle, Routing, Unknown } from "@mcp-lifeline/core/internal"
import { prefixOf } from "@mcp-lifeline/core/options"
import { JsonValue } from "@mcp-lifeline/core/text"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
import { clean } from "../text/Text.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import * as Shown from "./Shown.js"

/** A shell command. */
export const inspector = (url: string, method: string, options = ""): string =>
  `npx @modelcontextprotocol/inspector --cli ${url} --transport http${options} --method ${method}`

const whose = (server: string): string => `each client has its own server ${server} (sessions: "per-client")`

/** `url`: of the MCP endpoint. */
const ofEachClient = (server: string, url: string): string =>
  `${whose(server)} and may be offered other tools, so they are not listed here; list them as a client: ${
    inspector(url, "tools/list")
  }`

/** `undefined` if they are listed. */
const unknownOf = (status: Status, access: Access): string | undefined => {
  const { backend, catalog, state } = status
  if (catalog !== undefined) return undefined
  if (state === "Disabled" || state === "Disabling") {
    return `${backend} is disabled, so its tools are not offered; enable it: mcp-lifeline enable ${backend}`
  }
  const why = Shown.lastError(access, status)
  return `${backend} is ${Lifecycle.inWords(state)}, so its tools are not known${why === undefined ? "" : `: ${why}`}`
}

export const toolsFor = (catalog: Fleet.FleetCatalog, access: Access): Fleet.FleetCatalog["tools"] =>
  access.isWhole ? catalog.tools : Routing.namesOf(catalog, access).catalog.tools

export const list = (
  { servers, url }: Gateway,
  only: string | undefined,
  access: Access
): Effect.Effect<Api.Tools, Api.NotFound> => {
  const { hasServer } = access
  const visible = servers.servers().map(({ id }) => id).filter(hasServer)
  if (only !== undefined && !visible.includes(only)) {
    return Effect.fail(Api.notFound(Unknown.backend(only, visible).message))
  }
  return Effect.zipWith(servers.shared.fleet.catalog, servers.shared.fleet.status, (catalog, statuses) => ({
    notListed: servers.servers().flatMap(({ id, prefix, sessions }) => {
      if ((only !== undefined && only !== id) || !hasServer(id)) return []
      const status = statuses[id]
      const message = sessions === "per-client" ? ofEachClient(id, url) : status && unknownOf(status, access)
      return message === undefined ? [] : [{ server: id, message: clean(message), prefix: prefixOf(id, prefix) }]
    }),
    tools: Array.from(toolsFor(catalog, access).values()).flatMap(({ backend: server, original, stale, value }) => {
      if (only !== undefined && only !== server) return []
      const { description, inputSchema, name, title } = value
      return [{ name, server, original, title, description, inputSchema, stale }]
    })
  }))
}

const tooDeep = `nested more than ${JsonValue.defaultDepth} levels deep, which is not passed on`

/** `undefined` if no per-client server fits the tool. */
const notCalled = ({ servers, url }: Gateway, tool: string, { hasServer }: Access): string | undefined => {
  const server = servers.servers().find(({ id, prefix, sessions }) =>
    sessions === "per-client" && hasServer(id) && Routing.maySay("tools", id, tool, prefixOf(id, prefix))
  )
  return server &&
    `${tool} was not called: ${
      whose(server.id)
    }, which only this client can call; call it as a client, for which the gateway starts one: ${
      inspector(url, `tools/call --tool-name ${tool}`)
    }`
}

const endedByStop = (isSent: boolean): Api.ServerFailed => ({
  error: isSent
    ? {
      code: "result_unknown",
      message: "the gateway was stopped before the answer came; the call may have been carried out"
    }
    : { code: "unavailable", message: "the call was not sent: the gateway was stopped before" }
})

export interface Watch {
  /** `original`: the tool's name at the server. */
  readonly routed: (server: string, original: string) => void
  /** A request leaves on this connection. */
  readonly sent: (generation: number) => void
}

export const call = (
  gateway: Gateway,
  params: Api.Call,
  access: Access,
  watch?: Watch
): Effect.Effect<CallToolResult, Api.NotFound | Api.ServerFailed> =>
  Effect.suspend(() => {
    let isSent = false
    const called = Routing.viewOf(gateway.servers.shared.fleet, access).callTool(params, {
      onSent: (generation) => {
        isSent = true
        watch?.sent(generation)
      }
    }, ({ backend, original }) => watch?.routed(backend.id, original)).pipe(
      Effect.mapError((error) =>
        Fleet.isUnknown(error)
          ? Api.notFound(notCalled(gateway, params.name, access) ?? error.message)
          : Api.serverFailed(Shown.callError(access, error))
      )
    )
    const { stopped } = gateway
    if (stopped === undefined) {
      return called
    }
    // Read after the call has ended, because it may be sent until then.
    return Effect.flatMap(
      firstOf(Effect.either(called), Effect.as(stopped, undefined)),
      (ended) => ended ?? Effect.fail(endedByStop(isSent))
    )
  }).pipe(
    Effect.filterOrFail(
      (result) => !JsonValue.isTooDeep(result),
      (): Api.ServerFailed => ({
        error: { code: "server_error", message: `the call was carried out, and its result is ${tooDeep}` }
      })
    )
  )
