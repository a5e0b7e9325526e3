/**
 * The tools that the API lists and calls: those of the shared servers, because the API is no client and has no servers of its own. For the
 * other servers, it says why their tools are missing, and what to do instead.
 */
import { type CallError, Fleet, type Status } from "@mcp-lifeline/core"
import {
  firstOf,
  Lifecycle,
  maySay,
  namesOf,
  Nesting,
  Prefix,
  Reason,
  Unknown,
  viewOf
} from "@mcp-lifeline/core/internal"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import type { Access } from "../access/Access.js"
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
  { backend, catalog, lastError, lastReason, state }: Status,
  isAdmin: boolean
): string | undefined => {
  if (catalog !== undefined) return undefined
  if (state === "Disabled" || state === "Disabling") {
    return `${backend} is disabled, so its tools are not offered; enable it: mcp-lifeline enable ${backend}`
  }
  const why = lastError === undefined ? "" : `: ${isAdmin ? lastError : Reason.inWords(lastReason)}`
  return `${backend} is ${Lifecycle.inWords(state)}, so its tools are not known${why}`
}

/** The tools that somebody may use, by the names that it has for them. */
export const toolsFor = (catalog: Fleet.FleetCatalog, access: Access): Fleet.FleetCatalog["tools"] =>
  access.isWhole ? catalog.tools : namesOf(catalog, access).catalog.tools

/** The tools of all servers, or of one, as far as somebody may use them. Fails if there is no such server for them. */
export const list = (
  { servers, url }: Gateway,
  only: string | undefined,
  access: Access
): Effect.Effect<Api.Tools, Api.NotFound> => {
  const { hasServer, isAdmin } = access
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
    tools: Array.from(toolsFor(catalog, access).values()).flatMap(({ backend: server, original, stale, value }) => {
      if (only !== undefined && only !== server) return []
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

/** An error of a call, as somebody reads it. What a server says itself is for whoever has called it. */
const shownTo = ({ isAdmin }: Access, error: CallError): Pick<CallError, "_tag" | "message"> => {
  const { _tag, message } = error
  return { _tag, message: isAdmin ? message : JsonRpcError.publicOf(JsonRpcError.fromCallError(error)).message }
}

/** Why a call has no result: the gateway stopped. */
const endedByStop = (isSent: boolean): Api.ServerFailed => ({
  error: isSent
    ? {
      code: "result_unknown",
      message: "the gateway was stopped before the answer came; the call may have been carried out"
    }
    : { code: "unavailable", message: "the call was not sent: the gateway was stopped before" }
})

/** Who watches a call. */
export interface Watch {
  /** It goes to this server, where the tool has this name. */
  readonly routed: (server: string, original: string) => void
  /** A request of it leaves, on the connection with this number. */
  readonly sent: (generation: number) => void
}

/** Calls a tool for somebody who may use it. */
export const call = (
  gateway: Gateway,
  params: Api.Call,
  access: Access,
  watch?: Watch
): Effect.Effect<CallToolResult, Api.NotFound | Api.ServerFailed> =>
  Effect.suspend(() => {
    let isSent = false
    const called = viewOf(gateway.servers.shared.fleet, access).callTool(params, {
      onSent: (generation) => {
        isSent = true
        watch?.sent(generation)
      }
    }, ({ backend, original }) => watch?.routed(backend.id, original)).pipe(
      Effect.mapError((error) =>
        Fleet.isUnknown(error)
          ? Api.notFound(notCalled(gateway, params.name, access) ?? error.message)
          : Api.serverFailed(shownTo(access, error))
      )
    )
    const { stopped } = gateway
    if (stopped === undefined) {
      return called
    }
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
