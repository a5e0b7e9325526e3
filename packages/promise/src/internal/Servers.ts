import { McpConfig, ServerName } from "@mcp-lifeline/config"
import type { Backend, ConnectError as CoreConnectError, Connector } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { Incoming, SdkConnection, TransportConnector } from "@mcp-lifeline/protocol"
import * as ProcessRecords from "@mcp-lifeline/state/ProcessRecords"
import type { Origin } from "@mcp-lifeline/state/ToolPins"
import { type Authorization, HttpConnector } from "@mcp-lifeline/transport-http"
import { LeftContainer, SecretCommand, StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Predicate, Struct } from "effect"
import type { CommonOptions, ConnectOptions, FleetOptions, Server, StdioServer, TransportServer } from "../Options.js"
import * as Checks from "./Checks.js"
import { fromError } from "./Failure.js"
import { LazySignIn } from "./LazySignIn.js"
import * as OnConnected from "./OnConnected.js"
import * as Stored from "./Stored.js"
import type { Identity } from "./SupervisedClient.js"

type Reach = McpConfig.Server["reach"] | { readonly _tag: "Custom"; readonly connector: Connector }

export interface Described extends Pick<McpConfig.Server, "policy"> {
  readonly reach: Reach
  /** Of its tools and prompts in a fleet. */
  readonly prefix?: string | undefined
}

/** `problems`: of options that only the connector knows. */
interface Adapter {
  readonly make: () => Connector
  readonly problems: () => ReadonlyArray<Problem.Problem>
}

const adapterOf = (reach: Reach, authorization?: Authorization): Adapter => {
  switch (reach._tag) {
    case "Http": {
      const { _tag, dispatcher, fromClient: _, headerProvider, headers, http, ...others } = reach
      const options: HttpConnector.Options = {
        ...http,
        ...others,
        headers: SecretCommand.effects(headers),
        authorization,
        dispatcher: dispatcher as HttpConnector.Options["dispatcher"],
        headerProvider: headerProvider && (async () => McpConfig.secretsOf(await headerProvider()))
      }
      return {
        make: () => HttpConnector.make(options),
        problems: () => HttpConnector.problems(options).map((problem) => McpConfig.placed(reach, problem))
      }
    }
    case "Stdio": {
      const { _tag, env, envFile, fromClient: _, stdio, ...others } = reach
      const options: StdioConnector.Options = { ...stdio, ...others, env: SecretCommand.effects(env) }
      const file = {
        path: ["envFile"],
        message: "names a file, which only the gateway reads; give its variables in env"
      }
      return {
        make: () => {
          const records = ProcessRecords.ofUser(LeftContainer.end)
          // Others may have left something, also if this program records nothing.
          void records.endLeft()
          return StdioConnector.make(options, records)
        },
        problems: () => [
          ...envFile === undefined ? [] : [file],
          ...Problem.below(["stdio"], StdioConnector.problems(options))
        ]
      }
    }
    case "Custom":
      return { make: () => reach.connector, problems: () => [] }
  }
}

const isConnector = (value: unknown): boolean =>
  Predicate.isRecord(value) && Predicate.isFunction(value["connect"]) && Predicate.isString(value["target"])

const connectorCheck = Check.isSecret(isConnector, "a Connector of @mcp-lifeline/core")

/** Undefined if there is no connector or transport. */
const readCustom = (server: unknown): McpConfig.Read<Described> | undefined => {
  if (!Predicate.isRecord(server)) return undefined
  const { connector, transport } = server
  const isTransport = Predicate.isFunction(transport)
  if (connector === undefined && !isTransport) return undefined
  const { problems, value: supervision } = McpConfig.readSupervision(server, [isTransport ? "transport" : "connector"])
  const wrong = isTransport ? [] : connectorCheck(connector, ["connector"])
  const own = isTransport
    ? TransportConnector.make({ transport: transport as TransportServer["transport"] })
    : connector as Connector
  return {
    problems: [...problems, ...wrong],
    value: supervision && wrong.length === 0
      ? { reach: { _tag: "Custom", connector: own }, ...supervision }
      : undefined
  }
}

/** Explains a key that is an option of a function. */
const misplaced = (of: string) => (problem: Problem.Problem): Problem.Problem =>
  problem.key !== undefined && problem.path.length === 1 && Checks.isOption(problem.path[0])
    ? { path: problem.path, message: `is not an option of ${of}; give it in the second argument` }
    : problem

/** Whether it makes a server or configuration unusable. Keys of other programs and ambiguous values do not. */
const isRefusal = ({ key }: Problem.Problem): boolean => key !== "foreign" && key !== "ambiguous"

const literally = ", or give the option variables: false to leave every text as it is"

const read = (
  server: unknown,
  variables: McpConfig.Variables | undefined,
  name: string | undefined,
  switches: McpConfig.ToolSwitches = {}
): McpConfig.Read<Described> => {
  const { problems, value } = readCustom(server) ??
    McpConfig.readServer(server, variables && { variables }, { name, remedy: literally, switches })
  return {
    value,
    problems: [
      ...problems.map(misplaced("a server")),
      ...(value === undefined ? [] : adapterOf(value.reach).problems())
    ].map(
      (problem) => problem.path.length === 0 ? { ...problem, path: ["server"] } : problem
    )
  }
}

/** Throws a ConfigError with all problems of the server and the options. */
export const prepareOne = (
  functionName: "connect" | "supervisedTransport",
  server: Server,
  options: ConnectOptions
): { readonly name: string; readonly prepared: Prepared } => {
  const optionName: unknown = (options as ConnectOptions | null)?.name
  const given = Predicate.isString(optionName) && optionName !== "" ? optionName : undefined
  const { problems, value } = read(server, undefined, given)
  const name = given ??
    nameOf(value === undefined ? server : serverOf(value))
  const signInProblem = Predicate.isTruthy((options as ConnectOptions | null)?.signIn) && value !== undefined
    ? withoutSignIn(value.reach)
    : undefined
  const all = [
    ...Checks.options(functionName, options),
    ...problems,
    ...(signInProblem === undefined ? [] : [{ path: ["signIn"], message: signInProblem }])
  ]
  if (Problem.some(all)) throw fromError(Problem.refuse(name, all))
  // Without problems there is a value.
  return { name, prepared: prepare(name, value as Described, options, undefined, { discovery: { mode: "learn" } }) }
}

const serverOf = ({ reach }: Described): Server | undefined =>
  reach._tag === "Http"
    ? { url: reach.url }
    : reach._tag === "Stdio"
    ? { command: reach.command, args: reach.args }
    : undefined

/** By name. Throws a ConfigError with all problems of the configuration, and `ofOptions`. */
export const readAll = (
  config: unknown,
  options: FleetOptions | null,
  ofOptions: ReadonlyArray<Problem.Problem> = []
): ReadonlyMap<string, Described> => {
  const source = options?.variables ?? process.env
  const variables = source === false ? undefined : source
  const { problems, value: top } = McpConfig.readTop(config)
  const around = [...ofOptions, ...problems.map(misplaced("an mcp.json"))]
  const refused = around.filter(isRefusal).map((problem) => {
    const isConfig = problem.path.length === 0 && !ofOptions.includes(problem)
    return Problem.refuse("fleet", [isConfig ? { ...problem, path: ["config"] } : problem])
  })
  const servers = new Map<string, Described>()
  for (const [name, server] of Object.entries(top?.servers ?? {})) {
    const { problems, value } = read(server, variables, name, top?.switches)
    if (name === "") {
      const message = "has a server without a name; give it one"
      refused.push(Problem.refuse("fleet", [{ path: top?.path ?? ["mcpServers"], message }]))
    }
    const found = problems.filter(isRefusal)
    if (Problem.some(found)) refused.push(Problem.refuse(name, found))
    if (value !== undefined) {
      const prefix = value.prefix ?? top?.prefix ?? options?.prefix
      servers.set(name, { ...value, prefix, policy: ServerOptions.merge(top?.policy ?? {}, value.policy) })
    }
  }
  const error = Problem.join(refused)
  if (error !== undefined) throw fromError(error)
  return servers
}

export interface Prepared {
  readonly options: Backend.BackendOptions
  /** Receives requests and notifications of the server. */
  readonly incoming: Incoming
  readonly identity: Identity
  /** Of the last attempt; undefined once one succeeds. */
  readonly lastError: () => CoreConnectError | undefined
  /** Set its owner before you make the backend. */
  readonly signIn: LazySignIn | undefined
  /** What the latest attempt waits for, if known. */
  readonly describeAttempt: () => string | undefined
}

/** Each handler declares its capability, unless the options do. */
const identityOf = (options: CommonOptions): Identity => {
  const { capabilities, clientInfo, handlers } = options
  return {
    clientInfo: clientInfo ?? SdkConnection.clientInfo,
    capabilities: {
      ...(handlers?.sampling === undefined ? {} : { sampling: {} }),
      ...(handlers?.elicitation === undefined ? {} : { elicitation: { form: {} } }),
      ...(handlers?.roots === undefined ? {} : { roots: {} }),
      ...capabilities
    },
    handlers,
    official: Struct.pick(options, ...Checks.officialOptions)
  }
}

const observed = (connector: Connector, observer: {
  readonly attempted: (describe: () => string | undefined) => void
  readonly ended: (error: CoreConnectError | undefined) => void
}): Connector => ({
  ...connector,
  connect: (options) =>
    connector.connect({
      ...options,
      report: (report) => {
        if (report._tag === "Attempt") observer.attempted(report.describe)
        options.report(report)
      }
    }).pipe(
      Effect.tapBoth({
        onFailure: (error) => Effect.sync(() => observer.ended(error)),
        onSuccess: () => Effect.sync(() => observer.ended(undefined))
      })
    )
})

/** Why `signIn` cannot be used. */
const withoutSignIn = (reach: Reach): string | undefined => {
  if (reach._tag !== "Http") return "is for servers with a url"
  if (reach.authProvider !== undefined) return "cannot be combined with authProvider; keep one of the two"
  return Object.keys(reach.headers).some((header) => header.toLowerCase() === "authorization")
    ? "cannot be combined with an Authorization header; keep one of the two"
    : undefined
}

const signInTo = (reach: Reach, option: CommonOptions["signIn"]): LazySignIn | undefined =>
  reach._tag !== "Http" || option === undefined || option === false || withoutSignIn(reach) !== undefined
    ? undefined
    : option === true
    // Any header may be a credential: then no login begins by itself.
    ? new LazySignIn(reach.url, {}, Object.keys(reach.headers).length === 0)
    : new LazySignIn(reach.url, option, true)

/** The key for approved tools. */
const originOf = (reach: Reach): Origin => {
  switch (reach._tag) {
    case "Http":
      return { url: reach.url }
    case "Stdio":
      return { command: reach.command, args: reach.args ?? [], cwd: reach.cwd }
    case "Custom":
      return { command: reach.connector.target, args: [] }
  }
}

/** The server's policy has precedence over the options'. */
export const prepare = (
  name: string,
  server: Described,
  options: CommonOptions,
  incoming: Incoming = new Incoming(),
  defaults: ServerOptions.ServerOptions = {}
): Prepared => {
  const signIn = signInTo(server.reach, options.signIn)
  const connector = adapterOf(server.reach, signIn?.authorization).make()
  const identity = identityOf(options)
  const origin = originOf(server.reach)
  const policy = ServerOptions.merge(defaults, ServerOptions.merge(ServerOptions.pick(options), server.policy))
  const { temperamentMemory: folder = false } = options
  const onConnected = options.onConnected && OnConnected.make(name, options.onConnected)
  let lastError: CoreConnectError | undefined
  let describeAttempt: () => string | undefined = () => undefined
  return {
    incoming,
    identity,
    signIn,
    lastError: () => lastError,
    describeAttempt: () => describeAttempt(),
    options: {
      ...ServerOptions.forBackend(policy, Stored.pins(name, origin)),
      temperamentMemory: folder === false || server.reach._tag === "Custom"
        ? undefined
        : Stored.temperament(name, origin, folder === true ? undefined : folder),
      clientInfo: identity.clientInfo,
      capabilities: identity.capabilities,
      onConnected: onConnected && ((session) =>
        Effect.tapError(onConnected(session), (cause) => {
          lastError = OnConnected.failed(cause)
          return Effect.void
        })),
      connector: observed(incoming.around(connector), {
        attempted: (describe) => {
          describeAttempt = describe
        },
        ended: (error) => {
          lastError = error
        }
      })
    }
  }
}

const isStdio = (server: Server | undefined): server is StdioServer => server?.command !== undefined

/** From what its command runs, or its URL's host. The server may be unchecked. */
export const nameOf = (server: Server | undefined): string =>
  isStdio(server)
    ? ServerName.ofCommand(String(server.command), Array.isArray(server.args) ? server.args.map(String) : [])
    : ServerName.ofUrl(String(server?.url))
