import type { Fleet, ResourceUsage, Status } from "@mcp-lifeline/core"
import { Unknown } from "@mcp-lifeline/core/internal"
import { Filters, Pins, type PinStatus } from "@mcp-lifeline/extensions"
import * as SignInState from "@mcp-lifeline/sign-in/State"
import * as Temperaments from "@mcp-lifeline/state/Temperaments"
import { Effect, Struct } from "effect"
import type { Server as Configured } from "../config/Backends.js"
import { remedy } from "../log/Remedy.js"
import { shownState, waitingSince } from "../log/shownState.js"
import { clean } from "../text/Text.js"
import { version } from "../text/Version.js"
import * as Api from "./Api.js"
import type { Gateway } from "./Gateway.js"
import {
  type GatewayStatus,
  type Keepalive,
  type Runtime,
  type Server,
  type ServerDetails,
  State,
  type Usage
} from "./GatewayStatus.js"
import type { Change } from "./History.js"
import { pinStatusOf } from "./pinStatusOf.js"
import type { ServerRecord } from "./ServerRecords.js"

interface Share {
  tools: number
  prompts: number
  resources: number
  readonly problems: Array<string>
}

const sharesOf = (catalog: Fleet.FleetCatalog): ReadonlyMap<string, Share> => {
  const shares = new Map<string, Share>()
  const of = (backend: string): Share => {
    const share = shares.get(backend) ?? { tools: 0, prompts: 0, resources: 0, problems: [] }
    shares.set(backend, share)
    return share
  }
  for (const { backend } of catalog.tools.values()) of(backend).tools++
  for (const { backend } of catalog.prompts.values()) of(backend).prompts++
  for (const { backend } of catalog.resources.values()) of(backend).resources++
  for (const { backend, message } of catalog.problems) of(backend).problems.push(message)
  return shares
}

const loginOf = (gateway: Gateway, name: string): Effect.Effect<Server["login"]> => {
  const signIn = gateway.signIn(name)
  return signIn === undefined ? Effect.succeed(undefined) : Effect.map(signIn.state, (state) => {
    if (state._tag === "LoginNeeded") {
      return { message: "Open the address in a browser to sign in", url: state.address }
    }
    return state._tag === "Refused" ? { message: clean(SignInState.show(state)) } : undefined
  })
}

/** Says nothing until a client has asked for it. */
const clientLoginsOf = (gateway: Gateway, name: string): Effect.Effect<Pick<Server, "clientLogins">> =>
  Effect.map(
    gateway.personalSignIns?.(name)?.counts ?? Effect.succeed({ signedIn: 0, waiting: 0 }),
    (clientLogins) => clientLogins.signedIn + clientLogins.waiting === 0 ? {} : { clientLogins }
  )

/** Of one kind. */
const maxWarnings = 10

const warningsOf = (status: Status, { problems }: Pick<Share, "problems">): ReadonlyArray<string> => {
  const { abandonedCloses, keepalive, lastCloseError, memoryLimit, verdict } = status
  return [
    status.connectorWarning,
    verdict && `it answers nothing (${verdict.kind}): ${verdict.reason}`,
    memoryLimit?.warning && `it uses ${memoryLimit.warning}`,
    status.lostSessions.warning,
    Pins.statusOf(status)?.warning,
    status.toolOptions.warning,
    Filters.statusOf(status)?.warning,
    keepalive.state === "disabled" ? `keepalive is disabled: ${keepalive.reason ?? "its heartbeat fails"}` : undefined,
    abandonedCloses === 0 ? undefined : `closes that were abandoned: ${abandonedCloses}`,
    lastCloseError === undefined ? undefined : `the last close that went wrong: ${lastCloseError}`,
    ...problems.slice(0, maxWarnings),
    problems.length > maxWarnings ? `${problems.length - maxWarnings} more of the lists` : undefined
  ].filter((one) => one !== undefined).map(clean)
}

const ownerOf = ({ replicas }: Gateway, server: string): Pick<Server, "owner"> => {
  const since = replicas?.ownedSince(server)
  return replicas === undefined || since === undefined ? {} : { owner: { replica: replicas.own().id, since } }
}

const noCalls: Server["calls"] = { total: 0, failed: 0, givenUp: 0, inFlight: 0, p50Millis: null }

const byState = (runtimes: ReadonlyArray<Pick<Runtime, "state">>): NonNullable<Server["runtimesByState"]> =>
  Object.fromEntries(State.literals.flatMap((state) => {
    const { length } = runtimes.filter((runtime) => runtime.state === state)
    return length === 0 ? [] : [[state, length]]
  }))

/** Of several servers together; nothing if none is measured. */
const usageOf = (all: ReadonlyArray<ResourceUsage | undefined>): { readonly usage?: Usage } => {
  const measured = all.filter((one) => one !== undefined)
  if (measured.length === 0) return {}
  const shares = measured.flatMap(({ cpu }) => cpu ?? [])
  const cpu = shares.reduce((sum, one) => sum + one, 0)
  const memory = measured.reduce((sum, one) => sum + one.memory, 0)
  return {
    usage: { memoryBytes: Math.round(memory), cpuPercent: shares.length === 0 ? null : Math.round(cpu * 10) / 10 }
  }
}

/** Missing if nothing is hidden, or not known. */
const hiddenOf = (status: Status): Pick<Server, "hidden"> => {
  const filters = Filters.statusOf(status)
  if (filters?.hidden === undefined) return {}
  const { prompts, resourceTemplates, resources, tools } = filters.hidden
  const hidden = { tools, prompts, resources: resources + resourceTemplates }
  return Object.values(hidden).some((count) => count > 0) ? { hidden } : {}
}

const mostChanges = 100

/** Differences are harmless already, and every space of them counts. */
const pinsOf = (pins: PinStatus | undefined, isFull = false): Pick<Server, "pins"> => {
  if (pins === undefined) return {}
  const { changes, mode, unreadable } = pins
  const shown = isFull ? changes : changes.slice(0, mostChanges)
  return {
    pins: {
      mode,
      changes: shown.map(({ difference, summary, tool, ...change }) => ({
        ...change,
        tool: clean(tool),
        difference: isFull ? difference : summary
      })),
      ...(shown.length === changes.length ? {} : { more: changes.length - shown.length }),
      ...(unreadable === undefined
        ? {}
        : { unreadable: { file: clean(unreadable.file), reason: clean(unreadable.reason) } })
    }
  }
}

const keepaliveOf = ({ reason, state }: Pick<Status["keepalive"], "reason" | "state">): Keepalive => ({
  state,
  ...(reason === undefined ? {} : { reason: clean(reason) })
})

/** The fields that depend on the single runtime. */
const sharedFields = (status: Status, share: Share | undefined) => {
  const { failedAttempts, learned, memoryLimit, nextAttemptAt, peer, serverInfo } = status
  const { prompts = 0, resources = 0, tools = 0 } = share ?? {}
  return {
    ...Struct.pick(status, "generation", "health", "healthScore"),
    keepalive: keepaliveOf(status.keepalive),
    ...(peer?.pid === undefined ? {} : { pid: peer.pid }),
    ...usageOf([status.usage]),
    ...(learned === undefined ? {} : { learned: Temperaments.inWords(learned) }),
    ...(memoryLimit === undefined ? {} : { memoryLimit: Struct.pick(memoryLimit, "bytes", "restarts") }),
    server: serverInfo === undefined ? null : { name: clean(serverInfo.name), version: clean(serverInfo.version) },
    counts: { tools, prompts, resources },
    ...hiddenOf(status),
    stale: status.catalog?.stale ?? false,
    ...pinsOf(Pins.statusOf(status)),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt }),
    ...(failedAttempts === 0 ? {} : { attempt: failedAttempts }),
    warnings: warningsOf(status, share ?? { problems: [] })
  }
}

const perClientFields = (
  { connector }: Configured,
  record: ServerRecord | undefined,
  pins: PinStatus | undefined
) => {
  const warnings = [connector.status?.().connectorWarning, pins?.warning].filter((one) => one !== undefined)
  return {
    server: null,
    runtimesByState: byState(record?.runtimes ?? []),
    ...usageOf((record?.runtimes ?? []).map(({ usage }) => usage)),
    counts: { tools: 0, prompts: 0, resources: 0 },
    stale: false,
    ...pinsOf(pins),
    warnings: warnings.map(clean)
  }
}

/** While no client has the server, it counts as idle or disabled. */
const perClientHistory = ({ servers, startedAt }: Gateway, server: Configured, record: ServerRecord | undefined) => {
  const changes = record?.history.changes ?? []
  const last = changes.at(-1) ?? { at: startedAt, state: "Idle" }
  const state = record?.leading?.state ?? (servers.isOff(server) ? "Disabled" : "Idle")
  if (state === last.state) return { changes, since: last.at, state }
  const next: Change = { at: Math.max(last.at, servers.switched(server)?.at ?? 0), state }
  return { changes: [...changes, next], since: next.at, state }
}

/** `status`: of the shared runtime; `undefined` if each client has its own. */
const serverOf = (
  gateway: Gateway,
  server: Configured,
  status: Status | undefined,
  share: Share | undefined,
  login: Server["login"],
  pins: PinStatus | undefined
): Server => {
  const record = gateway.record.servers.of(server.id)
  const known = record?.history.changes ?? []
  const { changes, since, state } = status === undefined ? perClientHistory(gateway, server, record) : {
    changes: known,
    since: known.at(-1)?.at ?? status.connectedAt ?? gateway.startedAt,
    state: status.state
  }
  const lastError = status === undefined
    ? record?.history.lastError
    : status.lastError === undefined || status.lastErrorAt === undefined
    ? undefined
    : { message: status.lastError, reason: status.lastReason, at: status.lastErrorAt }
  const shown = shownState(state, login?.url !== undefined)
  const newerOn = gateway.servers.newerOn(server.id)
  return {
    name: server.id,
    state: shown,
    since: shown === state ? since : waitingSince(changes, since),
    transport: server.connector.transport,
    target: server.connector.target,
    sessions: status === undefined ? "per-client" : "shared",
    ...ownerOf(gateway, server.id),
    ...(newerOn === undefined ? {} : { newerOn }),
    calls: record?.calls.counts ?? noCalls,
    ...(lastError === undefined ? {} : {
      lastError: {
        message: clean(lastError.message),
        ...(lastError.reason === undefined ? {} : { reason: lastError.reason }),
        remedy: remedy(state, record?.leading?.reason, login?.message),
        at: lastError.at
      }
    }),
    ...(login === undefined ? {} : { login }),
    history: changes,
    ...(status === undefined ? perClientFields(server, record, pins) : sharedFields(status, share))
  }
}

export const serverStatus = (gateway: Gateway, name: string): Effect.Effect<Server, Api.NotFound> =>
  Effect.flatMap(gatewayStatus(gateway), ({ servers }) => {
    const server = servers.find((one) => one.name === name)
    return server === undefined
      ? Effect.fail(Api.notFound(Unknown.backend(name, servers.map((one) => one.name)).message))
      : Effect.succeed(server)
  })

/** With all that has changed in its tools, and with all runtimes if each client has its own. */
export const serverDetails = (gateway: Gateway, name: string): Effect.Effect<ServerDetails, Api.NotFound> =>
  Effect.zipWith(serverStatus(gateway, name), pinStatusOf(gateway.servers, name), (server, pins) => {
    const details = { ...server, ...pinsOf(pins, true) }
    if (server.sessions !== "per-client") return details
    const runtimes = gateway.record.servers.of(name)?.runtimes ?? []
    return {
      ...details,
      runtimes: runtimes.map(({ keepalive, usage, ...runtime }) => ({
        ...Struct.pick(runtime, "number", "state", "since", "generation", "healthScore"),
        ...(keepalive === undefined ? {} : { keepalive: keepaliveOf(keepalive) }),
        ...usageOf([usage])
      }))
    }
  })

const problems = (
  { accessTokens, clientTokens, refused }: Gateway
): Pick<GatewayStatus["gateway"], "configProblem" | "authProblem" | "tokenProblem"> => {
  const [config, auth, token] = [refused?.(), accessTokens?.problem(), clientTokens?.problem()]
  return {
    ...(config === undefined ? {} : { configProblem: clean(config) }),
    ...(auth === undefined ? {} : { authProblem: clean(auth) }),
    ...(token === undefined ? {} : { tokenProblem: clean(token) })
  }
}

export const gatewayStatus = (gateway: Gateway): Effect.Effect<GatewayStatus> =>
  Effect.gen(function*() {
    const { record, servers: { servers, shared } } = gateway
    const statuses = yield* shared.fleet.status
    const shares = sharesOf(yield* shared.fleet.catalog)
    const all = servers()
    record.servers.keep(new Set(all.map(({ id }) => id)))
    // A new configuration may name shared servers that the fleet does not have yet.
    const reported = all.filter(({ id, sessions }) => sessions === "per-client" || statuses[id] !== undefined)
    const described = yield* Effect.forEach(reported, (server) => {
      const status = server.sessions === "per-client" ? undefined : statuses[server.id]
      const pins = status === undefined ? gateway.servers.pins(server) : Effect.succeed(undefined)
      return Effect.map(
        Effect.all([loginOf(gateway, server.id), pins, clientLoginsOf(gateway, server.id)]),
        ([login, pins, clientLogins]) => ({
          ...serverOf(gateway, server, status, shares.get(server.id), login, pins?.status),
          ...clientLogins
        })
      )
    })
    return {
      gateway: {
        name: "mcp-lifeline",
        version,
        url: gateway.url,
        pid: process.pid,
        startedAt: gateway.startedAt,
        ...(gateway.config === undefined ? {} : { config: gateway.config }),
        ...problems(gateway),
        ...(gateway.audit === undefined ? {} : { audit: gateway.audit.status() }),
        clients: yield* gateway.clients
      },
      servers: described
    }
  })
