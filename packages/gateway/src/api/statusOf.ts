/**
 * The status of a gateway at one moment, put together from what is known of its servers.
 */
import type { Fleet, Status } from "@mcp-lifeline/core"
import { Effect } from "effect"
import * as Offer from "../serve/Offer.js"
import * as SignInState from "../sign-in/State.js"
import { clean } from "../Text.js"
import { version } from "../Version.js"
import type { Gateway } from "./Gateway.js"
import { type GatewayStatus, type Runtime, type Server, type ServerDetails, State } from "./GatewayStatus.js"
import type { Change } from "./History.js"
import { remedy } from "./Remedy.js"
import type { ServerRecord } from "./ServerRecords.js"

/** What of a catalogue is one server's. */
interface Share {
  tools: number
  prompts: number
  resources: number
  readonly problems: Array<string>
  /** Names of tools that clients are not offered. */
  readonly withheld: Array<string>
}

const sharesOf = (catalog: Fleet.FleetCatalog | undefined): ReadonlyMap<string, Share> => {
  const shares = new Map<string, Share>()
  if (catalog === undefined) return shares
  const of = (backend: string): Share => {
    const share = shares.get(backend) ?? { tools: 0, prompts: 0, resources: 0, problems: [], withheld: [] }
    shares.set(backend, share)
    return share
  }
  const withheld = new Set(Offer.withheld(catalog))
  for (const [name, { backend }] of catalog.tools) {
    if (withheld.has(name)) of(backend).withheld.push(name)
    else of(backend).tools++
  }
  for (const { backend } of catalog.prompts.values()) of(backend).prompts++
  for (const { backend } of catalog.resources.values()) of(backend).resources++
  for (const { backend, message } of catalog.problems) of(backend).problems.push(message)
  return shares
}

/** What a person has to do to sign in to a server. */
const loginOf = (gateway: Gateway, name: string): Effect.Effect<Server["login"]> => {
  const signIn = gateway.signIn(name)
  return signIn === undefined ? Effect.succeed(undefined) : Effect.map(signIn.state, (state) => {
    if (state._tag === "LoginNeeded") {
      const code = state.userCode === undefined ? "" : ` and enter the code ${state.userCode}`
      return { message: `Open the address in a browser to sign in${code}`, url: state.address }
    }
    return state._tag === "Refused" ? { message: clean(SignInState.show(state)) } : undefined
  })
}

/** The most warnings of one kind that are shown of a server. */
const most = 10

const warningsOf = (
  status: Status,
  { problems, withheld }: Pick<Share, "problems" | "withheld">
): ReadonlyArray<string> => {
  const { abandonedCloses, catalog, connectorWarning, keepalive, lastCloseError, lostSessions } = status
  const truncated = catalog?.truncated ?? []
  return [
    ...(connectorWarning === undefined ? [] : [connectorWarning]),
    ...(lostSessions.warning === undefined ? [] : [lostSessions.warning]),
    ...(keepalive.state === "disabled" ? [`keepalive is disabled: ${keepalive.reason ?? "its heartbeat fails"}`] : []),
    ...(truncated.length === 0 ? [] : [`too long to be read to the end: ${truncated.join(", ")}`]),
    ...(abandonedCloses === 0 ? [] : [`closes that were abandoned: ${abandonedCloses}`]),
    ...(lastCloseError === undefined ? [] : [`the last close that went wrong: ${lastCloseError}`]),
    ...(withheld.length === 0 ? [] : [
      `not offered, because they run only as tasks, which the gateway does not pass through: ${
        withheld.slice(0, most).join(", ")
      }${withheld.length > most ? `, and ${withheld.length - most} more` : ""}`
    ]),
    ...problems.slice(0, most),
    ...(problems.length > most ? [`${problems.length - most} more of the lists`] : [])
  ].map(clean)
}

const noCalls: Server["calls"] = { total: 0, failed: 0, givenUp: 0, inFlight: 0, p50Millis: null }

const serverOf = (
  gateway: Gateway,
  status: Status,
  share: Share | undefined,
  login: Server["login"]
): Server => {
  const { backend, catalog, failedAttempts, lastError, lastErrorAt, nextAttemptAt, peer, serverInfo } = status
  const record = gateway.record.servers.of(backend)
  const changes = record?.history.changes ?? []
  const { prompts = 0, resources = 0, tools = 0 } = share ?? {}
  return {
    name: backend,
    state: status.state,
    since: changes.at(-1)?.at ?? status.connectedAt ?? gateway.startedAt,
    generation: status.generation,
    transport: status.transport,
    target: status.target,
    ...(peer?.pid === undefined ? {} : { pid: peer.pid }),
    server: serverInfo === undefined
      ? null
      : { name: clean(serverInfo.name), version: clean(serverInfo.version) },
    sessions: "shared",
    counts: { tools, prompts, resources },
    stale: catalog?.stale ?? false,
    calls: record?.calls.counts ?? noCalls,
    ...(lastError === undefined || lastErrorAt === undefined ? {} : {
      lastError: {
        message: clean(lastError),
        remedy: remedy(status.state, record?.leading?.reason, login?.message),
        at: lastErrorAt
      }
    }),
    ...(nextAttemptAt === undefined ? {} : { nextAttemptAt }),
    ...(failedAttempts === 0 ? {} : { attempt: failedAttempts }),
    ...(login === undefined ? {} : { login }),
    history: changes,
    warnings: warningsOf(status, share ?? { problems: [], withheld: [] })
  }
}

type OwnServer = Gateway["own"]["servers"][number]

/** The history of a server of which each client has its own. While no client has it, it is as it was switched. */
const ownHistory = ({ own, startedAt }: Gateway, server: OwnServer, record: ServerRecord | undefined) => {
  const changes = record?.history.changes ?? []
  const last = changes.at(-1) ?? { at: startedAt, state: "Idle" }
  const state = record?.leading?.state ?? (own.isOff(server) ? "Disabled" : "Idle")
  if (state === last.state) return { changes, last }
  const next: Change = { at: Math.max(last.at, own.switched(server)?.at ?? 0), state }
  return { changes: [...changes, next], last: next }
}

const byState = (runtimes: ReadonlyArray<Pick<Runtime, "state">>): NonNullable<Server["runtimesByState"]> =>
  Object.fromEntries(State.literals.flatMap((state) => {
    const { length } = runtimes.filter((runtime) => runtime.state === state)
    return length === 0 ? [] : [[state, length]]
  }))

/** The status of a server of which each client has its own: what they have in common. */
const ownServer = (gateway: Gateway, server: OwnServer, login: Server["login"]): Server => {
  const { connector: { target, transport, warning }, id } = server
  const connectorWarning = warning?.()
  const record = gateway.record.own.of(id)
  const { changes, last: { at, state } } = ownHistory(gateway, server, record)
  const lastError = record?.history.lastError
  return {
    name: id,
    state,
    since: at,
    transport,
    target,
    server: null,
    sessions: "per-client",
    runtimesByState: byState(record?.runtimes ?? []),
    counts: { tools: 0, prompts: 0, resources: 0 },
    stale: false,
    calls: record?.calls.counts ?? noCalls,
    ...(lastError === undefined ? {} : {
      lastError: {
        message: clean(lastError.message),
        remedy: remedy(state, record?.leading?.reason, login?.message),
        at: lastError.at
      }
    }),
    ...(login === undefined ? {} : { login }),
    history: changes,
    warnings: connectorWarning === undefined ? [] : [clean(connectorWarning)]
  }
}

/** The status of one server; undefined where there is none of that name. */
export const serverStatus = (gateway: Gateway, name: string): Effect.Effect<Server | undefined> =>
  Effect.map(gatewayStatus(gateway), ({ servers }) => servers.find((one) => one.name === name))

/** The same with the runtimes of a server of which each client has its own. */
export const serverDetails = (gateway: Gateway, name: string): Effect.Effect<ServerDetails | undefined> =>
  Effect.map(serverStatus(gateway, name), (server) => {
    if (server?.sessions !== "per-client") return server
    const runtimes = gateway.record.own.of(name)?.runtimes ?? []
    return {
      ...server,
      runtimes: runtimes.map(({ generation, number, since, state }) => ({ number, state, since, generation }))
    }
  })

const configProblem = ({ refused }: Gateway): Pick<GatewayStatus["gateway"], "configProblem"> => {
  const message = refused?.()
  return message === undefined ? {} : { configProblem: clean(message) }
}

/** The status as it is now. */
export const gatewayStatus = (gateway: Gateway): Effect.Effect<GatewayStatus> =>
  Effect.gen(function*() {
    const statuses = Object.values(yield* gateway.fleet.status)
    const own = gateway.own.servers
    gateway.record.servers.keep(new Set(statuses.map(({ backend }) => backend)))
    gateway.record.own.keep(new Set(own.map(({ id }) => id)))
    const shares = sharesOf(gateway.record.catalog())
    const servers = yield* Effect.forEach(statuses, (status) =>
      Effect.map(
        loginOf(gateway, status.backend),
        (login) => serverOf(gateway, status, shares.get(status.backend), login)
      ))
    const owned = yield* Effect.forEach(
      own,
      (server) => Effect.map(loginOf(gateway, server.id), (login) => ownServer(gateway, server, login))
    )
    return {
      gateway: {
        name: "mcp-lifeline",
        version,
        url: gateway.url,
        pid: process.pid,
        startedAt: gateway.startedAt,
        ...(gateway.config === undefined ? {} : { config: gateway.config }),
        ...configProblem(gateway),
        clients: yield* gateway.clients
      },
      servers: [...servers, ...owned]
    }
  })
