/** Serves the servers of a file, that of a command, or the demo, until it is stopped. */
import type { Fleet, Status } from "@mcp-lifeline/core"
import type { Listener } from "@mcp-lifeline/http-server/Listener"
import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import { LifelineTelemetry } from "@mcp-lifeline/opentelemetry"
import * as PublicRedirects from "@mcp-lifeline/sign-in/PublicRedirects"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import * as Temperaments from "@mcp-lifeline/state/Temperaments"
import * as ToolPins from "@mcp-lifeline/state/ToolPins"
import type { Scope } from "effect"
import { Clock, Effect, Logger, Redacted, Stream } from "effect"
import { constFalse } from "effect/Function"
import { randomUUID } from "node:crypto"
import { resolve } from "node:path"
import * as GatewayAuthentication from "../access/GatewayAuthentication.js"
import * as Token from "../access/Token.js"
import type * as Audit from "../audit/Audit.js"
import { opened } from "../audit/opened.js"
import * as ServerCache from "../cache/ServerCache.js"
import * as PersistentSessions from "../clients/PersistentSessions.js"
import * as Configuration from "../config/Configuration.js"
import * as Demo from "../demo/Demo.js"
import * as folderFile from "../files/folderFile.js"
import * as SecretFile from "../files/SecretFile.js"
import * as Record from "../http-api/Record.js"
import { inspector } from "../http-api/Tools.js"
import * as RunningGateways from "../instances/RunningGateways.js"
import type * as EventLog from "../log/EventLog.js"
import * as JsonLog from "../log/JsonLog.js"
import * as Lines from "../log/Lines.js"
import * as Table from "../log/Table.js"
import * as ServerPool from "../pool/ServerPool.js"
import { endLeft } from "../process/processRecords.js"
import type { ClusterOptions } from "../replica/ClusterOptions.js"
import { StartError, type UsageError } from "../text/Errors.js"
import * as Output from "../text/Output.js"
import * as CommandServer from "./commandServer.js"
import * as Endpoint from "./Endpoint.js"
import * as Heap from "./Heap.js"
import * as OtlpEndpoint from "./otlpEndpoint.js"
import type { ProxyOptions } from "./ProxyOptions.js"
import * as SeveralFleets from "./severalFleets.js"
import * as Systemd from "./Systemd.js"

export interface Options extends ProxyOptions {
  /** Whether others can reach the gateway through a proxy. */
  readonly isBehindProxy: boolean
  /** Path of an `mcp.json`. Default: that of this folder, else the demo, unless there is a command. */
  readonly config: string | undefined
  /** The only server, in place of a file: a command with its arguments. */
  readonly command: ReadonlyArray<string> | undefined
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  readonly token: Redacted.Redacted | undefined
  /** Stop when no client has been connected for this time, in seconds. Default: never. */
  readonly linger: number | undefined
  /** Default: the key in the state folder. */
  readonly sessionKey: PersistentSessions.KeyOptions
  readonly tokenFile: string | undefined
  readonly logFormat: "text" | "json"
  readonly audit: Audit.Options | undefined
  readonly cluster: ClusterOptions | undefined
}

const behindProxy = ({ publicUrl, url }: Listener, indent = ""): ReadonlyArray<string> =>
  publicUrl === url ? [] : [`${indent}Listening for the proxy at ${url}`]

const withoutOption = (file: string | undefined): string =>
  file === undefined
    ? "Servers: a demo, because this folder contains no mcp.json, and no --config FILE names another; " +
      "in it calls wait 1 minute for a server (timeouts.wait: 10 s by default), and attempts are at most 2 s apart (reconnect.maxDelay)"
    : `Servers: those of ${resolve(file)}, because no --config FILE names another`

const welcome = (url: string, listener: Listener, hasToken: boolean, servers: string | undefined): string => {
  const header = hasToken ? `, "headers": { "Authorization": "Bearer <token>" }` : ""
  const option = hasToken ? ` --header "Authorization: Bearer <token>"` : ""
  const here = RunningGateways.reachable(url)
  return [
    `Serving ${url}`,
    "",
    `  Status page: ${RunningGateways.reachable(listener.publicUrl)}/`,
    ...servers === undefined ? [] : [`  ${servers}`],
    ...behindProxy(listener, "  "),
    "  In a client's mcp.json:",
    `    { "mcpServers": { "lifeline": { "type": "http", "url": "${here}"${header} } } }`,
    "  Or from a shell:",
    `    ${inspector(here, "tools/list", option)}`,
    ...here === url ? [] : [`  On another machine, write the name of this one instead of ${new URL(here).hostname}`],
    ""
  ].join("\n")
}

const pids = (statuses: ReadonlyArray<Status>, httpPid: number | undefined) =>
  statuses.flatMap(({ backend, peer }) => {
    const pid = backend === "every-http" ? httpPid : peer?.pid
    return pid === undefined ? [] : [{ backend, pid }]
  })

const hint = ({ backend, pid }: { readonly backend: string; readonly pid: number }): string =>
  `${process.platform === "win32" ? "taskkill /f /pid" : "kill -9"} ${pid}   # ${backend}: ${
    backend === "every-http" ? "the demo starts it again" : "it comes back"
  }`

const showTable = (fleet: Fleet.Fleet, demo: Demo.Demo | undefined, output: Output.Output) =>
  Effect.gen(function*() {
    const statuses = yield* Effect.flatMap(fleet.backends, Effect.forEach(({ status }) => status))
    const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    const width = yield* output.width
    const table = Table.render(statuses, { now, width, colour: output.colour })
    const hints = demo
      ? ["Try:", ...pids(statuses, yield* demo.httpPid.get).map(hint)].map((line) => `  ${line}`)
      : []
    yield* output.frame([table, "", ...hints, "  Ctrl+C ends the gateway and every server it has started"].join("\n"))
  })

const drawTable = (fleet: Fleet.Fleet, demo: Demo.Demo | undefined, output: Output.Output) =>
  Stream.merge(Stream.tick("1 second"), Stream.map(fleet.status.changes, () => undefined)).pipe(
    Stream.buffer({ capacity: 1, strategy: "sliding" }),
    // Several changes in a short time cause one redraw.
    Stream.runForEach(() => Effect.zipLeft(showTable(fleet, demo, output), Effect.sleep("50 millis")))
  )

const printHints = (fleet: Fleet.Fleet, demo: Demo.Demo, output: Output.Output) =>
  Stream.merge(fleet.status.changes, Stream.mapEffect(demo.httpPid.changes, () => fleet.status)).pipe(
    Stream.mapEffect((statuses) => Effect.map(demo.httpPid.get, (pid) => pids(Object.values(statuses), pid).map(hint))),
    Stream.mapAccum(new Set<string>(), (printed, all) => [
      new Set([...printed, ...all]),
      all.filter((one) => !printed.has(one))
    ]),
    Stream.runForEach((fresh) => Effect.forEach(fresh, (one) => output.line(`  try: ${one}`)))
  )

/** On a terminal the token itself; otherwise only the file that has it, because logs are stored. */
const tokenLine = ({ isNew, value }: Token.Token, file: string): ReadonlyArray<string> => {
  if (!isNew || value === undefined) return []
  return process.stdout.isTTY
    ? [`Token, for this run only: ${Redacted.value(value.current()[0])}`]
    : [`A token was made for this run; it is in ${file}, which only this user can read`]
}

interface Resolved extends Options {
  /** `undefined` if an option names their file. */
  readonly servers: string | undefined
}

/** Serves until interrupted, or until no client has been connected for `linger`. Then stops everything that it started. */
export const run = (
  given: Options
): Effect.Effect<void, StartError | UsageError, Scope.Scope> =>
  Effect.gen(function*() {
    const isChosen = given.config !== undefined || given.command !== undefined
    const file = isChosen ? given.config : yield* folderFile.find
    const options: Resolved = { ...given, config: file, servers: isChosen ? undefined : withoutOption(file) }
    const plain = yield* Output.make
    const isJson = options.logFormat === "json"
    const output = isJson ? JsonLog.over(plain) : plain
    const replicaId = options.cluster === undefined ? undefined : randomUUID()
    const problem = OtlpEndpoint.problem(process.env)
    if (problem !== undefined) yield* output.problem(`no telemetry is sent: ${problem}`)
    else if (OtlpEndpoint.isEnabled(process.env)) {
      const Otlp = yield* Effect.promise(() => import("./Otlp.js"))
      return yield* Effect.provide(serveWithLog(options, plain, replicaId), Otlp.layer(process.env, replicaId))
    }
    return yield* serveWithLog(options, plain, replicaId)
  })

const serveWithLog = (options: Resolved, plain: Output.Output, replicaId: string | undefined) =>
  Effect.gen(function*() {
    const isJson = options.logFormat === "json"
    const show = (entry: EventLog.Entry) =>
      isJson
        ? JsonLog.entry(plain, entry)
        : plain.live || entry.server === null
        ? Effect.void
        : plain.line(Lines.show(entry.at, entry.server, entry.text))
    const record = yield* Effect.provide(Record.make(show), LifelineTelemetry.layer)
    const logger = Logger.zip(
      isJson ? JsonLog.jsonLogger(plain) : Output.logger(plain),
      JsonLog.eventLogger(record.log.add)
    )
    return yield* serve(options, record, isJson ? JsonLog.over(plain) : plain, replicaId).pipe(
      Effect.provide([StateFolder.layer, Logger.replace(Logger.defaultLogger, logger)])
    )
  })

/** Loads nothing of a cluster without the option. */
const joined = (options: ClusterOptions, session: SecretFile.Secrets, output: Output.Output, id: string | undefined) =>
  Effect.gen(function*() {
    const [{ clusterKeys }, ClusterReplica] = yield* Effect.promise(() =>
      Promise.all([import("../replica/clusterKeys.js"), import("../replica/ClusterReplica.js")])
    )
    const keys = yield* clusterKeys(options.keyFile, session)
    return yield* ClusterReplica.make(options, keys, yield* StateFolder.StateFolder, output.line, id)
  })

const serve = (options: Resolved, record: Record.Record, output: Output.Output, replicaId: string | undefined) =>
  Effect.gen(function*() {
    yield* endLeft
    const folder = yield* StateFolder.StateFolder
    const sessionKeys = yield* PersistentSessions.sessionKeys(options.sessionKey, folder)
    const { cluster } = options
    // The key by which replicas know each other stays.
    const keys = cluster !== undefined && cluster.keyFile === undefined
      ? SecretFile.fixed(sessionKeys.current())
      : sessionKeys
    const replica = cluster === undefined ? undefined : yield* joined(cluster, keys.current(), output, replicaId)
    const state = Effect.provideService(StateFolder.StateFolder, replica?.state ?? folder)
    // No client of the file may have these; known once the file has said whether it needs one.
    let inUse: SecretFile.SecretsInUse | undefined
    const { publicUrl } = options
    const redirects = publicUrl !== undefined && PublicRedirects.isUsable(publicUrl.href)
      ? new PublicRedirects.PublicRedirects(publicUrl.href)
      : undefined
    const configuration = options.config === undefined
      ? undefined
      : yield* state(Configuration.make(options.config, output, replica?.env, () => inUse?.current() ?? [], redirects))
    const auth = configuration?.auth()
    const clients = configuration?.access
    const given = yield* Token.find({ ...options, hasAuth: auth !== undefined || clients?.isNeeded() === true })
    // If the file names clients later, commands of this user need a token then, too.
    const own: SecretFile.SecretsInUse = given.value ?? SecretFile.fixed([SealedId.randomSecret()])
    inUse = own
    yield* clients?.refuse(own.current()) ?? Effect.void
    const needsToken = (): boolean => given.value !== undefined || clients?.isNeeded() === true
    const { authentication, isUsable, pages, problem } = yield* GatewayAuthentication.make({
      tokens: own.current,
      isNeeded: given.value !== undefined,
      clients,
      auth: auth && (() => configuration?.auth() ?? auth),
      place: { host: options.host, publicUrl: publicUrl?.href }
    })
    const bound = yield* Endpoint.bind({
      host: options.host,
      port: options.port,
      publicUrl,
      trustedProxies: options.trustProxy,
      authentication,
      pages,
      redirects
    }).pipe(
      RunningGateways.explainPortInUse(options)
    )
    const { listener } = bound
    const warning = replica === undefined && SeveralFleets.warning(options.sessionKey, configuration?.servers ?? [])
    if (warning) yield* Effect.logWarning(warning)
    const sessions = yield* state(PersistentSessions.make(keys, replica?.records, output.line))
    const audit = yield* opened(options.audit)
    const only = options.command && (yield* CommandServer.make(options.command, replica?.env))
    const demo = configuration ?? only ? undefined : yield* Demo.make(output.line)
    const demoServers = Object.entries(demo?.backends ?? {}).map(([id, options]) => ({ ...options, id }))
    const startedAt = yield* Clock.currentTimeMillis
    const servers = yield* Effect.mapError(
      ServerPool.make(configuration?.servers ?? (only ? [only] : demoServers), {
        kept: yield* ServerCache.make,
        temperaments: yield* state(Temperaments.make),
        pins: yield* state(ToolPins.make),
        replica,
        telemetry: record.telemetry
      }),
      ({ cause, message }) => new StartError({ message, cause })
    )
    const { fleet } = servers.shared
    yield* record.follow(fleet)
    if (configuration) yield* configuration.follow(servers)
    const draw = output.live ? drawTable(fleet, demo, output) : demo ? printHints(fleet, demo, output) : Effect.void
    yield* draw.pipe(
      // A failure of the display does not stop the gateway.
      Effect.catchAllCause((cause) =>
        Effect.logError("the table of servers failed and is not drawn any more; the gateway goes on", cause)
      ),
      Effect.interruptible,
      Effect.forkScoped
    )
    const config = options.config === undefined ? undefined : resolve(options.config)
    const signIn = configuration?.signIn ?? (() => undefined)
    const secret = SealedId.randomSecret()
    const endpoint = yield* Endpoint.serve({
      ...bound,
      replica,
      secret,
      servers,
      sessions,
      rules: clients?.control,
      audit,
      login: configuration?.login,
      personalSignIn: (server, caller) => configuration?.personalSignIns(server)?.inUse(caller),
      hasStatus: only ? constFalse : configuration?.hasStatus,
      isSingle: only !== undefined,
      limits: { maxOwnServers: configuration?.maxOwnServers },
      about: {
        record,
        startedAt,
        config,
        signIn,
        personalSignIns: configuration?.personalSignIns,
        refused: configuration?.refused,
        accessTokens: { isUsable, problem },
        clientTokens: clients
      }
    })
    const { file, setToken } = yield* RunningGateways.register({
      url: listener.url,
      config: config ?? null,
      inCluster: replica !== undefined,
      startedAt,
      secret,
      token: needsToken() ? own.current()[0] : null
    })
    yield* own.follow((line) =>
      Effect.all([
        Effect.sync(listener.recheck),
        setToken(own.current()[0]),
        output.line(line),
        clients?.compare ?? Effect.void
      ], { discard: true })
    )
    yield* clients?.whenNeeded(setToken(own.current()[0])) ?? Effect.void
    const lines = options.logFormat === "json"
      ? [
        `Serving ${endpoint.url}`,
        `Status page: ${RunningGateways.reachable(listener.publicUrl)}/`,
        ...options.servers === undefined ? [] : [options.servers],
        ...behindProxy(listener)
      ]
      : [welcome(endpoint.url, listener, auth === undefined && needsToken(), options.servers)]
    yield* Effect.forEach([...lines, ...tokenLine(given, file)], output.line)
    yield* Systemd.notify(`Serving ${endpoint.url}`, process.env)
    yield* Heap.keepSmall
    yield* Effect.addFinalizer(() => output.line("Shutting down"))
    if (options.linger === undefined) return yield* Effect.never
    yield* endpoint.unusedFor(options.linger * 1000)
    yield* output.line(`No client has been connected for ${options.linger} s (--linger)`)
  })
