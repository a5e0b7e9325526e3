/** From a call to the server that gets it, and what it gets. */
import { type CallError, RemoteError, ResultUnknown } from "@mcp-lifeline/core"
import { Addresses, firstOf, Handle, Routing } from "@mcp-lifeline/core/internal"
import { prefixOf } from "@mcp-lifeline/core/options"
import { ExactJson, Said } from "@mcp-lifeline/core/text"
import * as Translation from "@mcp-lifeline/http-server/translation"
import { type ClientRequest, JsonRpc } from "@mcp-lifeline/protocol"
import type { ClientCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Either } from "effect"
import type { Resolved, UpstreamRequest } from "../conversation/ClientRelay.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { NamedCall, TaskCall } from "./Call.js"
import type { ClientAccess } from "./ClientAccess.js"
import type { ClientLogins } from "./ClientLogins.js"
import * as Destination from "./Destination.js"
import type { GatewayContext } from "./GatewayContext.js"
import type { NameResolver, ResolvedName } from "./NameResolver.js"
import * as RequestStates from "./RequestStates.js"

const { open, said } = Said

/** None of these may throw. */
export interface Options {
  readonly context: Pick<GatewayContext, "login" | "personalSignIn" | "servers">
  /** `undefined` before the client is introduced. */
  readonly capabilities: () => ClientCapabilities | undefined
  readonly access: ClientAccess
  readonly servers: ClientServers
  readonly names: NameResolver
  readonly logins: ClientLogins
}

/** Another replica may have carried out the call. */
const repeated = (backend: string, method: string): ResultUnknown =>
  new ResultUnknown({
    backend,
    method,
    ...said`${open(backend)}: the replica of the gateway that had ${
      open(method)
    } has gone, and its result is unknown: check before you repeat it`
  })

export const byName = (self: Options, call: NamedCall): Resolved => {
  const { destination: { kind, name }, request } = call
  const now = request.isRepeated ? undefined : self.names.find(kind, name, self.access.of(request))
  return now === undefined
    ? Effect.flatMap(sought(self, call), (found) => named(self, call, found))
    : named(self, call, now)
}

const named = (
  self: Options,
  { destination, method, request, state }: NamedCall,
  { fleet, key, route: { backend, original } }: ResolvedName
): Either.Either<UpstreamRequest, CallError> => {
  const { access } = self
  if (state !== undefined && state.server !== backend.id) {
    return Either.left(new RemoteError({ backend: backend.id, method, ...RequestStates.refused }))
  }
  const isTool = method === "tools/call"
  // By the options of the tool, or else by its hints.
  const mayRepeat = () => Handle.toolOptions(backend, original)?.idempotent ?? fleet.isHarmless(key, access.of(request))
  if (request.isRepeated && isTool && !mayRepeat()) return Either.left(repeated(backend.id, method))
  const task = isTool ? request.params?.["task"] : undefined
  const given = destination.paramsFor(original)
  const params = task !== undefined && fleet.takesTask(key, access.of(request))
    ? ExactJson.copied(given, { ...given, task })
    : given
  return Either.right(to(self, fleet, backend, RequestStates.forServer(params, state), (result) => {
    const own = isTool ? access.taskIds.inResult({ server: backend.id, tool: original }, result) : result
    return Destination.clientResult(method, destination, original, own, addressOf(self, backend.id, request))
  }))
}

export const ofTask = (self: Options, { params, request, state, task: { id, server, tool } }: TaskCall): Resolved => {
  const unknown = new RemoteError({
    backend: server,
    method: request.method,
    code: JsonRpc.invalidParams,
    message: "Task not found"
  })
  const found = Effect.orElseFail(backendOf(self, server), () => self.servers.refusal ?? unknown)
  const offered = Effect.filterOrFail(found, ({ backend }) => Handle.offersTool(backend, tool), () => unknown)
  const given = { ...RequestStates.forServer(Destination.forwarded(params), state), taskId: id }
  return Effect.map(offered, ({ backend, fleet }) => {
    const address = addressOf(self, server, request)
    return to(
      self,
      fleet,
      backend,
      given,
      (result) => Addresses.inResult(self.access.taskIds.inResult({ server, tool }, result), address)
    )
  })
}

const to = (
  { access, capabilities, context }: Options,
  fleet: GroupFleet,
  backend: UpstreamRequest["backend"],
  params: Readonly<Record<string, unknown>>,
  resultForClient: NonNullable<UpstreamRequest["resultForClient"]>
): UpstreamRequest => ({
  backend,
  // Unless the server got them in the handshake.
  params: Translation.withCapabilities(params, fleet.knowsItsClient(backend.id) ? undefined : capabilities()),
  isBounded: context.servers.hasTimeout(backend.id),
  failFast: context.login(backend.id, access.caller()) !== undefined,
  resultForClient,
  questionForClient: (result) => access.requestStates.inResult(backend.id, result)
})

/** Fails if the user of the client has to log in there first. */
const sought = (
  { access, context, logins, names, servers }: Options,
  { destination: { kind, name }, request }: NamedCall
): Effect.Effect<ResolvedName, CallError> => {
  const resolved = names.resolve(kind, name, () => access.of(request))
  if (context.personalSignIn === undefined || access.senderOf(request).subject === "") return resolved
  const meant = context.servers.servers().flatMap(({ id, prefix, sessions }) =>
    sessions === "per-client" && Routing.maySay(kind, id, name, prefixOf(id, prefix)) ? [id] : []
  )
  if (meant.length === 0) return resolved
  servers.need()
  return firstOf(resolved, Effect.flatMap(servers.made, () => logins.needed(meant)))
}

/** One of the client's own may have stopped since it was used: then it starts. */
const backendOf = ({ context, servers }: Options, server: string) => {
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

const addressOf = ({ access, names }: Options, server: string, request: ClientRequest): (uri: string) => string =>
  Addresses.of(server, (uri) => names.find("resources", uri, access.of(request))?.route.backend.id)
