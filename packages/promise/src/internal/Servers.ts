/**
 * A server, as a user describes it, as what the core makes a backend of.
 */
import { McpConfig, ServerName } from "@mcp-lifeline/config"
import type { Backend, ConnectError as CoreConnectError, Connector } from "@mcp-lifeline/core"
import { Policy } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/internal"
import { Incoming, SdkConnection, TransportConnector } from "@mcp-lifeline/protocol"
import { type Authorization, HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Predicate, Struct } from "effect"
import type { CommonOptions, ConnectOptions, FleetOptions, Server, StdioServer, TransportServer } from "../Options.js"
import * as Checks from "./Checks.js"
import { fromError } from "./Failure.js"
import { LazySignIn } from "./LazySignIn.js"
import * as OnConnected from "./OnConnected.js"
import type { Identity } from "./SupervisedClient.js"

/** How a server is reached that code describes. */
type Reach = McpConfig.Server["reach"] | { readonly _tag: "Custom"; readonly connector: Connector }

/** One server: how it is reached, and how it is supervised. */
export interface Described extends Pick<McpConfig.Server, "policy"> {
  readonly reach: Reach
}

/** What makes the connections to a server, and what only that knows to be wrong. */
interface Adapter {
  readonly make: () => Connector
  readonly problems: () => ReadonlyArray<Problem.Problem>
}

const adapterOf = (reach: Reach, authorization?: Authorization): Adapter => {
  switch (reach._tag) {
    case "Http": {
      const { _tag, dispatcher, headerProvider, http, ...others } = reach
      const options: HttpConnector.Options = {
        ...http,
        ...others,
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
      const { _tag, envFile, stdio, ...others } = reach
      const options: StdioConnector.Options = { ...stdio, ...others }
      const file = {
        path: ["envFile"],
        message: "names a file, which only the gateway reads; give its variables in env"
      }
      return {
        make: () => StdioConnector.make(options),
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

/** A server that code reaches by means of its own, if it is one. */
const readCustom = (server: unknown): McpConfig.Read<Described> | undefined => {
  if (!Predicate.isRecord(server)) return undefined
  const { connector, transport } = server
  const isTransport = Predicate.isFunction(transport)
  if (connector === undefined && !isTransport) return undefined
  const { problems, value: policy } = McpConfig.readSupervision(server, [isTransport ? "transport" : "connector"])
  const wrong = isTransport ? [] : connectorCheck(connector, ["connector"])
  const own = isTransport
    ? TransportConnector.make({ transport: transport as TransportServer["transport"] })
    : connector as Connector
  return {
    problems: [...problems, ...wrong],
    value: policy && wrong.length === 0 ? { reach: { _tag: "Custom", connector: own }, policy } : undefined
  }
}

/** Options that stand where a server or servers are described. */
const misplaced = (of: string) => (problem: Problem.Problem): Problem.Problem =>
  problem.key !== undefined && problem.path.length === 1 && Checks.isOption(problem.path[0])
    ? { path: problem.path, message: `is not an option of ${of}; give it in the second argument` }
    : problem

/** Keys of other programs are no reason to refuse a configuration, nor are values that may be meant otherwise. */
const isRefusal = ({ key }: Problem.Problem): boolean => key !== "foreign" && key !== "ambiguous"

const literally = ", or give the option variables: false to leave every text as it is"

const read = (server: unknown, variables?: McpConfig.Variables): McpConfig.Read<Described> => {
  const { problems, value } = readCustom(server) ?? McpConfig.readServer(server, variables && { variables }, literally)
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

/** A server of `connect` or `supervisedTransport` with its options. Throws a ConfigError of all that is wrong with both. */
export const prepareOne = (
  taker: "connect" | "supervisedTransport",
  server: Server,
  options: ConnectOptions
): { readonly name: string; readonly prepared: Prepared } => {
  const { problems, value } = read(server)
  const given: unknown = (options as ConnectOptions | null)?.name
  const name = typeof given === "string" && given !== "" ? given : nameOf(value === undefined ? server : shape(value))
  const misfit = Predicate.isTruthy((options as ConnectOptions | null)?.signIn) && value !== undefined
    ? withoutSignIn(value.reach)
    : undefined
  const all = [
    ...Checks.options(taker, options),
    ...problems,
    ...(misfit === undefined ? [] : [{ path: ["signIn"], message: misfit }])
  ]
  if (Problem.some(all)) throw fromError(Problem.refuse(name, all))
  // Without problems there is a value.
  return { name, prepared: prepare(name, value as Described, options, undefined, { discovery: { mode: "learn" } }) }
}

/** The server under the names that it has here. */
const shape = ({ reach }: Described): Server | undefined =>
  reach._tag === "Http"
    ? { url: reach.url }
    : reach._tag === "Stdio"
    ? { command: reach.command, args: reach.args }
    : undefined

/**
 * The servers of a configuration by name. Throws a ConfigError of all that is wrong with it, and with the options where these
 * are given to be checked.
 */
export const readAll = (
  config: unknown,
  options: FleetOptions | null,
  ofOptions: ReadonlyArray<Problem.Problem> = []
): ReadonlyMap<string, Described> => {
  const given = options?.variables ?? process.env
  const variables = given === false ? undefined : given
  const { problems, value: top } = McpConfig.readTop(config)
  const around = [...ofOptions, ...problems.map(misplaced("an mcp.json"))]
  const owned: Array<Problem.Owned> = around.filter(isRefusal).map((problem) => ({
    backend: "fleet",
    problem: problem.path.length === 0 && !ofOptions.includes(problem) ? { ...problem, path: ["config"] } : problem
  }))
  const servers = new Map<string, Described>()
  for (const [name, server] of Object.entries(top?.servers ?? {})) {
    const { problems, value } = read(server, variables)
    if (name === "") {
      const message = "has a server without a name; give it one"
      owned.push({ backend: "fleet", problem: { path: top?.path ?? ["mcpServers"], message } })
    }
    owned.push(
      ...problems.filter(isRefusal).map((problem) => ({ backend: name, problem }))
    )
    if (value !== undefined) servers.set(name, { ...value, policy: Policy.merge(top?.policy ?? {}, value.policy) })
  }
  const [first, ...rest] = owned
  if (first !== undefined) throw fromError(Problem.toInvalidOptions([first, ...rest]))
  return servers
}

/** A backend to be made, and what the facade keeps of it. */
export interface Prepared {
  readonly options: Backend.BackendOptions
  /** Where what the server says arrives. */
  readonly incoming: Incoming
  readonly identity: Identity
  /** Why the last attempt failed, if one has and none has succeeded since. */
  readonly lastError: () => CoreConnectError | undefined
  /** The sign-in to the server, if there is to be one. It needs an owner before the backend is made. */
  readonly signIn: LazySignIn | undefined
  /** What the latest attempt waits or waited for, as far as its connector can say. */
  readonly describeAttempt: () => string | undefined
}

/** Handlers that are given declare what they need, where the caller has not declared otherwise. */
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

/** Tells how attempts go. */
const observed = (connector: Connector, told: {
  readonly attempted: (describe: () => string | undefined) => void
  readonly ended: (error: CoreConnectError | undefined) => void
}): Connector => ({
  ...connector,
  connect: (options) =>
    connector.connect({
      ...options,
      onAttempt: (describe) => {
        told.attempted(describe)
        options.onAttempt?.(describe)
      }
    }).pipe(
      Effect.tapBoth({
        onFailure: (error) => Effect.sync(() => told.ended(error)),
        onSuccess: () => Effect.sync(() => told.ended(undefined))
      })
    )
})

/** Why a server is given no tokens of a sign-in. */
const withoutSignIn = (reach: Reach): string | undefined => {
  if (reach._tag !== "Http") return "is for servers with a url"
  if (reach.authProvider !== undefined) return "cannot be combined with authProvider; keep one of the two"
  return Object.keys(reach.headers).some((header) => header.toLowerCase() === "authorization")
    ? "cannot be combined with an Authorization header; keep one of the two"
    : undefined
}

const signInTo = (reach: Reach, given: CommonOptions["signIn"]): LazySignIn | undefined =>
  reach._tag !== "Http" || given === undefined || given === false || withoutSignIn(reach) !== undefined
    ? undefined
    : new LazySignIn(reach.url, given === true ? {} : given)

/** Policy of the server wins over that of the options. */
export const prepare = (
  name: string,
  server: Described,
  options: CommonOptions,
  incoming: Incoming = new Incoming(),
  defaults: Policy.PolicyOptions = {}
): Prepared => {
  const signIn = signInTo(server.reach, options.signIn)
  const connector = adapterOf(server.reach, signIn?.authorization).make()
  const identity = identityOf(options)
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
      ...Policy.merge(defaults, Policy.merge(Policy.pick(options), server.policy)),
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

/** A name for a server that was given none: what its command runs, or its host. What it holds has not been checked yet. */
export const nameOf = (server: Server | undefined): string =>
  isStdio(server)
    ? ServerName.ofCommand(String(server.command), Array.isArray(server.args) ? server.args.map(String) : [])
    : ServerName.ofUrl(String(server?.url))
