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
import type { ServerRecord } from "./ServerRecords.js"

interface Share {
  readonly counts: { tools: number; prompts: number; resources: number }
  readonly problems: Array<string>
}

const noShare = (): Share => ({ counts: { tools: 0, prompts: 0, resources: 0 }, problems: [] })

const sharesOf = (catalog: Fleet.FleetCatalog): ReadonlyMap<string, Share> => {
  const shares = new Map<string, Share>()
  const of = (backend: string): Share => {
    const share = shares.get(backend) ?? noShare()
    shares.set(backend, share)
    return share
  }
  for (const { backend } of catalog.tools.values()) of(backend).counts.tools++
  for (const { backend } of catalog.prompts.values()) of(backend).counts.prompts++
  for (const { backend } of catalog.resources.values()) of(backend).counts.resources++
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
const clientLoginsOf = (gateway: Gateway, name: string): Effect.Effect<Server["clientLogins"]> =>
  Effect.map(
    gateway.personalSignIns?.(name)?.counts ?? Effect.succeed({ signedIn: 0, waiting: 0 }),
    (counts) => counts.signedIn + counts.waiting === 0 ? undefined : counts
  )

const cleaned = (text: string | undefined): string | undefined => text === undefined ? undefined : clean(text)

/** Of one kind. */
const maxWarnings = 10

const warningsOf = (status: Status, { problems }: Share): ReadonlyArray<string> => {
  const { abandonedCloses, keepalive, lastCloseError, memoryLimit, verdict, wouldHaveEnded } = status
  return [
    status.connectorWarning,
    verdict && `it answers nothing (${verdict.kind}): ${verdict.reason}`,
    wouldHaveEnded === undefined ? undefined : `health.enforce is false: would have ended ${wouldHaveEnded}`,
    memoryLimit?.warning === undefined ? undefined : `it uses ${memoryLimit.warning}`,
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

const ownerOf = ({ replicas }: Gateway, server: string): Server["owner"] => {
  const since = replicas?.ownedSince(server)
  return replicas && since !== undefined ? { replica: replicas.own().id, since } : undefined
}

const noCalls: Server["calls"] = { total: 0, failed: 0, givenUp: 0, inFlight: 0, p50Millis: null }

const byState = (runtimes: ReadonlyArray<Pick<Runtime, "state">>): NonNullable<Server["runtimesByState"]> =>
  Object.fromEntries(State.literals.flatMap((state) => {
    const { length } = runtimes.filter((runtime) => runtime.state === state)
    return length === 0 ? [] : [[state, length]]
  }))

/** Of several servers together. */
const usageOf = (all: ReadonlyArray<ResourceUsage | undefined>): Usage | undefined => {
  const measured = all.filter((one) => one !== undefined)
  if (measured.length === 0) return undefined
  const shares = measured.flatMap(({ cpu }) => cpu ?? [])
  const cpu = shares.reduce((sum, one) => sum + one, 0)
  const memory = measured.reduce((sum, one) => sum + one.memory, 0)
  return { memoryBytes: Math.round(memory), cpuPercent: shares.length === 0 ? null : Math.round(cpu * 10) / 10 }
}

const hiddenOf = (status: Status): Server["hidden"] => {
  const filters = Filters.statusOf(status)
  if (filters?.hidden === undefined) return undefined
  const { prompts, resourceTemplates, resources, tools } = filters.hidden
  const hidden = { tools, prompts, resources: resources + resourceTemplates }
  return Object.values(hidden).some((count) => count > 0) ? hidden : undefined
}

const mostChanges = 100

/** Differences are harmless already, and every space of them counts. */
const pinsOf = (pins: PinStatus | undefined, isFull: boolean): Server["pins"] => {
  if (pins === undefined) return undefined
  const { changes, mode, unreadable } = pins
  const shown = isFull ? changes : changes.slice(0, mostChanges)
  return {
    mode,
    changes: shown.map(({ difference, summary, tool, ...change }) => ({
      ...change,
      tool: clean(tool),
      difference: isFull ? difference : summary
    })),
    more: shown.length === changes.length ? undefined : changes.length - shown.length,
    unreadable: unreadable && { file: clean(unreadable.file), reason: clean(unreadable.reason) }
  }
}

const keepaliveOf = ({ reason, state }: Pick<Status["keepalive"], "reason" | "state">): Keepalive => ({
  state,
  reason: cleaned(reason)
})

/** The fields that depend on the single runtime. */
const sharedFields = (status: Status, share = noShare()) => {
  const { failedAttempts, learned, memoryLimit, serverInfo } = status
  return {
    ...Struct.pick(status, "generation", "health", "healthScore", "nextAttemptAt"),
    keepalive: keepaliveOf(status.keepalive),
    pid: status.peer?.pid,
    usage: usageOf([status.usage]),
    learned: learned && Temperaments.inWords(learned),
    memoryLimit: memoryLimit && Struct.pick(memoryLimit, "bytes", "restarts"),
    server: serverInfo === undefined
      ? null
      : { name: clean(serverInfo.name), version: clean(serverInfo.version) },
    counts: share.counts,
    hidden: hiddenOf(status),
    stale: status.catalog?.stale ?? false,
    attempt: failedAttempts === 0 ? undefined : failedAttempts,
    warnings: warningsOf(status, share)
  }
}

const perClientFields = (
  { connector }: Configured,
  record: ServerRecord | undefined,
  pins: PinStatus | undefined
) => {
  const runtimes = record?.runtimes ?? []
  const warnings = [connector.status?.().connectorWarning, pins?.warning].filter((one) => one !== undefined)
  return {
    server: null,
    runtimesByState: byState(runtimes),
    usage: usageOf(runtimes.map(({ usage }) => usage)),
    counts: noShare().counts,
    stale: false,
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
  isFull: boolean
): Effect.Effect<Server> =>
  Effect.gen(function*() {
    const login = yield* loginOf(gateway, server.id)
    const pins = status === undefined ? (yield* gateway.servers.pins(server))?.status : Pins.statusOf(status)
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
    return {
      name: server.id,
      state: shown,
      since: shown === state ? since : waitingSince(changes, since),
      transport: server.connector.transport,
      target: server.connector.target,
      sessions: status === undefined ? "per-client" : "shared",
      owner: ownerOf(gateway, server.id),
      newerOn: gateway.servers.newerOn(server.id),
      calls: record?.calls.counts ?? noCalls,
      lastError: lastError && {
        message: clean(lastError.message),
        reason: lastError.reason,
        remedy: remedy(state, record?.leading?.reason, login?.message),
        at: lastError.at
      },
      login,
      clientLogins: yield* clientLoginsOf(gateway, server.id),
      pins: pinsOf(pins, isFull),
      history: changes,
      ...(status === undefined ? perClientFields(server, record, pins) : sharedFields(status, share))
    }
  })

/** `full`: the one with all that has changed in its tools. */
const serversOf = (gateway: Gateway, full?: string): Effect.Effect<ReadonlyArray<Server>> =>
  Effect.gen(function*() {
    const { record, servers: { servers, shared } } = gateway
    const statuses = yield* shared.fleet.status
    const shares = sharesOf(yield* shared.fleet.catalog)
    const all = servers()
    record.servers.keep(new Set(all.map(({ id }) => id)))
    // A new configuration may name shared servers that the fleet does not have yet.
    const reported = all.filter(({ id, sessions }) => sessions === "per-client" || statuses[id] !== undefined)
    return yield* Effect.forEach(reported, (server) => {
      const { id, sessions } = server
      const status = sessions === "per-client" ? undefined : statuses[id]
      return serverOf(gateway, server, status, shares.get(id), id === full)
    })
  })

const named = (name: string, servers: ReadonlyArray<Server>): Effect.Effect<Server, Api.NotFound> => {
  const server = servers.find((one) => one.name === name)
  return server === undefined
    ? Effect.fail(Api.notFound(Unknown.backend(name, servers.map((one) => one.name)).message))
    : Effect.succeed(server)
}

export const serverStatus = (gateway: Gateway, name: string): Effect.Effect<Server, Api.NotFound> =>
  Effect.flatMap(serversOf(gateway), (servers) => named(name, servers))

/** With all that has changed in its tools, and with all runtimes if each client has its own. */
export const serverDetails = (gateway: Gateway, name: string): Effect.Effect<ServerDetails, Api.NotFound> =>
  Effect.gen(function*() {
    const server = yield* named(name, yield* serversOf(gateway, name))
    if (server.sessions !== "per-client") return server
    const runtimes = gateway.record.servers.of(name)?.runtimes ?? []
    return {
      ...server,
      runtimes: runtimes.map(({ generation, healthScore, keepalive, number, since, state, usage }) => ({
        number,
        state,
        since,
        generation,
        healthScore,
        keepalive: keepalive && keepaliveOf(keepalive),
        usage: usageOf([usage])
      }))
    }
  })

export const gatewayStatus = (gateway: Gateway): Effect.Effect<GatewayStatus> =>
  Effect.zipWith(serversOf(gateway), gateway.clients, (servers, clients) => ({
    gateway: {
      name: "mcp-lifeline",
      version,
      url: gateway.url,
      pid: process.pid,
      startedAt: gateway.startedAt,
      config: gateway.config,
      configProblem: cleaned(gateway.refused?.()),
      authProblem: cleaned(gateway.accessTokens?.problem()),
      tokenProblem: cleaned(gateway.clientTokens?.problem()),
      audit: gateway.audit?.status(),
      clients
    },
    servers
  }))
