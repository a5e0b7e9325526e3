/** Finds the server of a client's request (by name: `NameResolver`), and what to send it; answers requests that go to no server. */
import { type CallError, type Fleet, RemoteError, ResultUnknown } from "@mcp-lifeline/core"
import { Addresses, firstOf, Handle, Routing } from "@mcp-lifeline/core/internal"
import { prefixOf } from "@mcp-lifeline/core/options"
import { ExactJson, Said } from "@mcp-lifeline/core/text"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import * as Translation from "@mcp-lifeline/http-server/translation"
import { type ClientRequest, JsonRpc } from "@mcp-lifeline/protocol"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Either } from "effect"
import type { Access } from "../access/Access.js"
import type { ClientRelay, Resolved, ServerRequest } from "../conversation/ClientRelay.js"
import { methodNotFound } from "../conversation/errors.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ClientAccess } from "./ClientAccess.js"
import type { ClientLogins } from "./ClientLogins.js"
import * as Destination from "./Destination.js"
import type { GatewayContext } from "./GatewayContext.js"
import type { NameResolver, ResolvedName } from "./NameResolver.js"
import * as RequestStates from "./RequestStates.js"
import * as StatusTool from "./StatusTool.js"
import * as TaskIds from "./TaskIds.js"

const { open, said } = Said

/** None of these may throw. */
export interface Options {
  readonly context: Pick<GatewayContext, "hasStatus" | "login" | "personalSignIn" | "servers" | "status">
  readonly isStateless: boolean
  readonly caller: () => Caller
  /** `undefined` before the client is introduced. */
  readonly capabilities: () => ClientCapabilities | undefined
  readonly relay: Pick<ClientRelay, "after" | "refuseParams">
  readonly access: ClientAccess
  readonly servers: ClientServers
  readonly names: NameResolver
  readonly logins: ClientLogins
}

/** By the options of the tool, or else by its hints. */
const mayRepeat = ({ fleet, key, route: { backend, original } }: ResolvedName, access: Access): boolean =>
  Handle.toolOptions(backend, original)?.idempotent ?? fleet.isHarmless(key, access)

/** Another replica may have carried out the call, which is not to be done twice. */
const repeated = (backend: string, method: string): ResultUnknown =>
  new ResultUnknown({
    backend,
    method,
    ...said`${open(backend)}: the replica of the gateway that had ${
      open(method)
    } has gone, and its result is unknown: check before you repeat it`
  })

export class RequestRouter {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  /** Returns `undefined` if it has answered the request itself. */
  resolve(request: ClientRequest): Resolved {
    const { method, params } = request
    if (TaskIds.isAboutTask(method)) return this.#resolveTask(request)
    if (!Destination.isRouted(method)) return void request.answer({ error: methodNotFound(method) })
    const { access, context, names, relay, servers } = this.#options
    const destination = Destination.of(method, params)
    if (destination === undefined) {
      const limited = access.limit(request)
      return limited === undefined ? void relay.refuseParams(request, method) : void request.answer(limited)
    }
    const { kind, name } = destination
    const statusResult = context.hasStatus() ? StatusTool.resultFor(method, name) : undefined
    if (statusResult !== undefined) {
      const report = context.status(servers.fleets, access.of(request), access.senderOf(request))
      return void relay.after(request, report, (report) => request.answer({ result: statusResult(report) }))
    }
    const { requestStates, taskIds } = access
    const state = requestStates.find(params)
    if (state !== undefined && "code" in state) return void request.answer({ error: state })
    const limited = access.limit(request)
    if (limited !== undefined) return void request.answer(limited)
    const task = method === "tools/call" ? params?.["task"] : undefined
    const serverRequest = (
      { fleet, key, route: { backend, original } }: ResolvedName
    ): Either.Either<ServerRequest, CallError> => {
      if (state !== undefined && state.server !== backend.id) {
        return Either.left(new RemoteError({ backend: backend.id, method, ...RequestStates.refused }))
      }
      const given = RequestStates.forServer(destination.paramsFor(original), state)
      const asked = task !== undefined && fleet.takesTask(key, access.of(request)) ?
        ExactJson.copied(given, { ...given, task })
        : given
      return Either.right({
        backend,
        params: Translation.withCapabilities(asked, this.#capabilitiesFor(fleet, backend.id)),
        isBounded: context.servers.hasTimeout(backend.id),
        failFast: this.#login(backend.id) !== undefined,
        resultForClient: (result) => {
          const own = method === "tools/call"
            ? taskIds.inResult({ server: backend.id, tool: original }, result)
            : result
          return Destination.clientResult(method, destination, original, own, this.#addressOf(backend.id, request))
        },
        questionForClient: (result) => requestStates.inResult(backend.id, result)
      })
    }
    const resolved = names.find(kind, name, access.of(request))
    if (resolved !== undefined && !request.isRepeated) {
      const found = serverRequest(resolved)
      return Either.isRight(found) ? found.right : found
    }
    return Effect.flatMap(
      this.#resolveName(request, kind, name),
      (resolved) =>
        request.isRepeated && method === "tools/call" && !mayRepeat(resolved, access.of(request))
          ? Effect.fail(repeated(resolved.route.backend.id, method))
          : serverRequest(resolved)
    )
  }

  /** Fails if the user of the client has to log in there first. */
  #resolveName(request: ClientRequest, kind: Fleet.Routed, name: string): Effect.Effect<ResolvedName, CallError> {
    const { access, context, logins, names, servers } = this.#options
    const resolved = names.resolve(kind, name, () => access.of(request))
    if (context.personalSignIn === undefined || access.senderOf(request).subject === "") return resolved
    const meant = context.servers.servers().flatMap(({ id, prefix, sessions }) =>
      sessions === "per-client" && Routing.maySay(kind, id, name, prefixOf(id, prefix)) ? [id] : []
    )
    if (meant.length === 0) return resolved
    servers.need()
    const needed = Effect.flatMap(servers.made, () => logins.needed(meant))
    return firstOf(resolved, needed)
  }

  /** By the id that the gateway has given the client. */
  #resolveTask(request: ClientRequest): Resolved {
    const { method, params } = request
    const { access, capabilities, context, isStateless, servers } = this.#options
    const refusal = isStateless ? TaskIds.refusal(method, capabilities()) : undefined
    if (refusal !== undefined) return void request.answer({ error: refusal })
    const { requestStates, taskIds } = access
    const task = taskIds.find(params?.["taskId"])
    if (params === undefined || task === undefined || !access.mayUse(request, task)) {
      return void request.refuse(JsonRpc.invalidParams, "Task not found")
    }
    const state = requestStates.find(params)
    if (state !== undefined && ("code" in state || state.server !== task.server)) {
      return void request.answer({ error: RequestStates.refused })
    }
    const { id, server, tool } = task
    const unknown = new RemoteError({
      backend: server,
      method,
      code: JsonRpc.invalidParams,
      message: "Task not found"
    })
    const found = Effect.orElseFail(this.#backend(server), () => servers.refusal ?? unknown)
    const offered = Effect.filterOrFail(found, ({ backend }) => Handle.offersTool(backend, tool), () => unknown)
    return Effect.map(offered, ({ backend, fleet }): ServerRequest => ({
      backend,
      params: Translation.withCapabilities(
        { ...RequestStates.forServer(Destination.forwarded(params), state), taskId: id },
        this.#capabilitiesFor(fleet, server)
      ),
      isBounded: context.servers.hasTimeout(server),
      failFast: this.#login(server) !== undefined,
      resultForClient: (result) =>
        Addresses.inResult(taskIds.inResult({ server, tool }, result), this.#addressOf(server, request)),
      questionForClient: (result) => requestStates.inResult(server, result)
    }))
  }

  /** One of the client's own may have stopped since it was used: then it starts. */
  #backend(server: string) {
    const { context, servers } = this.#options
    const find = Effect.suspend(() =>
      Effect.firstSuccessOf(
        servers.fleets.map((fleet) => Effect.map(fleet.fleet.backend(server), (backend) => ({ fleet, backend })))
      )
    )
    const isOwn = context.servers.servers().some(({ id, sessions }) => id === server && sessions === "per-client")
    if (!isOwn) return find
    servers.need()
    return Effect.zipRight(servers.made, find)
  }

  #addressOf(server: string, request: ClientRequest): (uri: string) => string {
    const { access, names } = this.#options
    return Addresses.of(server, (uri) => names.find("resources", uri, access.of(request))?.route.backend.id)
  }

  #login(server: string): string | undefined {
    const { caller, context } = this.#options
    return context.login(server, caller())
  }

  /** `undefined` if the server got them in the handshake. */
  #capabilitiesFor(fleet: GroupFleet, server: string): unknown {
    return fleet.knowsItsClient(server) ? undefined : this.#options.capabilities()
  }
}
