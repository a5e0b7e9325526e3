import { McpConfig } from "@mcp-lifeline/config"
import type { Backend, Connector } from "@mcp-lifeline/core"
import { Policy } from "@mcp-lifeline/core"
import { Problem as OptionProblem } from "@mcp-lifeline/core/options"
import { type PinStore, ServerOptions } from "@mcp-lifeline/extensions"
import type * as ToolPins from "@mcp-lifeline/state/ToolPins"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { type Authorization, HttpConnector } from "@mcp-lifeline/transport-http"
import { SecretCommand, StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Array, Effect, Either, Record, Redacted } from "effect"
import { resolve } from "node:path"
import { parseEnv } from "node:util"
import type { Problem } from "../document/Problem.js"
import { digest } from "../files/digest.js"
import { processRecords } from "../process/processRecords.js"
import type { PersonalSignIns } from "../sign-in/PersonalSignIns.js"
import { version } from "../text/Version.js"
import * as ClientValues from "./clientValues.js"
import * as ForClient from "./ForClient.js"
import type { Entry } from "./McpJson.js"

/** Its name, its options, and whether all clients share it. */
export type Server = Omit<Backend.BackendOptions, "extensions" | "tools"> & ServerOptions.ServerOptions & {
  readonly id: string
  readonly sessions?: "shared" | "per-client" | undefined
  /** In a cluster, one of it, or one on each replica. Default: one over stdio, else one on each replica. */
  readonly placement?: "one" | "each" | undefined
  /** What stands before the names of its tools and prompts. Default: `"{server}__"`. */
  readonly prefix?: string | undefined
  /** Differs if this may be another server. It reveals nothing. */
  readonly identity?: string | undefined
  /** Without secrets: what was approved of its tools is kept under this. */
  readonly origin?: ToolPins.Origin | undefined
  /** If its start depends on who the client is. */
  readonly forClient?: ForClient.ForClient | undefined
}

/** Without what only the gateway uses. `store`: of approved tools. */
export const optionsOf = (
  { forClient: _0, identity: _1, origin: _2, placement: _3, prefix: _4, sessions: _5, ...options }: Server,
  store?: PinStore.PinStore
): Backend.BackendOptions & Pick<Server, "id"> => ServerOptions.forBackend(options, store)

/** In the cluster, and not on each replica. */
export const runsOnce = ({ connector, placement }: Server): boolean =>
  placement === undefined ? connector.transport === "stdio" : placement === "one"

/** But perhaps other prefixes of their names. */
export const sameOptions = (a: Server, b: Server): boolean => {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Server>
  return [...keys].every((key) => key === "prefix" || a[key] === b[key])
}

export interface Backends {
  /** The valid ones, in the order of the file. */
  readonly backends: ReadonlyArray<Server>
  readonly problems: ReadonlyArray<Problem>
}

const identityOf = ({ server }: Entry, folder: string): string =>
  digest(server._tag === "Http" ? server : { ...server, cwd: resolve(folder, server.cwd ?? ".") })

const originOf = ({ server }: Entry): ToolPins.Origin =>
  server._tag === "Http" ? { url: server.url } : { command: server.command, args: server.args ?? [], cwd: server.cwd }

const envFileOf = ({ server }: Entry, folder: string): string | undefined =>
  server._tag === "Http" || server.envFile === undefined ? undefined : resolve(folder, server.envFile)

const envFileRemedies: Readonly<Record<UserFile.ReadError["reason"], string>> = {
  missing: "create it, or leave envFile out",
  denied: "change its permissions",
  other: "name a file with a line NAME=value for each variable"
}

/** Lines `NAME=value`. May be a named pipe: some secret managers provide variables that way. */
const readEnvFile = (file: string): Effect.Effect<Readonly<Record<string, Redacted.Redacted>>, string> =>
  UserFile.text(file).pipe(
    Effect.mapBoth({
      onFailure: ({ message, reason }) => `names ${file}, and ${message}; ${envFileRemedies[reason]}`,
      onSuccess: (text) => {
        const variables = Object.entries(parseEnv(text.replace(/^\uFEFF/, "")))
        return Object.fromEntries(variables.map(([name, value]) => [name, Redacted.make(value ?? "")]))
      }
    })
  )

/**
 * Adds the variables of each `envFile` to `env`, and returns the problems of unreadable files. Reads each file once: two readers of a pipe would
 * share its content.
 */
export const completed = (
  entries: ReadonlyArray<Entry>,
  folder: string
): Effect.Effect<readonly [ReadonlyArray<Problem>, ReadonlyArray<Entry>]> =>
  Effect.gen(function*() {
    const files = [...new Set(entries.flatMap((entry) => envFileOf(entry, folder) ?? []))]
    const found = new Map(
      yield* Effect.forEach(
        files,
        (file) => Effect.map(Effect.either(readEnvFile(file)), (env) => [file, env] as const),
        { concurrency: "unbounded" }
      )
    )
    return Array.partitionMap(entries, (entry): Either.Either<Entry, Problem> => {
      const { server } = entry
      const read = found.get(envFileOf(entry, folder) ?? "")
      if (server._tag === "Http" || read === undefined) return Either.right(entry)
      return Either.mapBoth(read, {
        onLeft: (message) => entry.problem(["envFile"], message),
        onRight: (env) => ({ ...entry, server: { ...server, env: { ...env, ...server.env }, envFile: undefined } })
      })
    })
  })

/** Whether its start or address depends on the client. */
export const dependsOnClient = ({ server }: Entry): boolean => !Record.isEmptyRecord(server.fromClient)

/** `folder`: of the file, to which a relative `cwd` refers. `added`: more environment for a server over stdio. */
export const connectorOf = (
  entry: Entry,
  folder: string,
  authorization?: Authorization,
  added?: Readonly<Record<string, string>>
): Either.Either<Connector, OptionProblem.Problems> =>
  Either.map(
    connectorWith(entry, folder, ClientValues.sample(entry.server.fromClient), authorization, added),
    (connector) => dependsOnClient(entry) ? ForClient.withoutClient(connector, entry.server) : connector
  )

/** `values`: of the client. */
const connectorWith = (
  { server }: Entry,
  folder: string,
  values: ClientValues.Values,
  authorization: Authorization | undefined,
  added: Readonly<Record<string, string>> = {}
): Either.Either<Connector, OptionProblem.Problems> => {
  if (server._tag === "Http") {
    const { headers, http, protocol, transport, url } = server
    const options = {
      ...http,
      url,
      headers: { ...SecretCommand.effects(headers, folder), ...values },
      transport,
      protocol,
      authorization
    }
    const problems = HttpConnector.problems(options).map((problem) => McpConfig.placed(server, problem))
    return OptionProblem.some(problems) ? Either.left(problems) : Either.right(HttpConnector.make(options))
  }
  const { _tag, cwd, envFile: _1, fromClient: _2, stdio, ...rest } = server
  const options = {
    ...stdio,
    ...rest,
    env: { ...SecretCommand.effects(rest.env, folder), ...values, ...added },
    cwd: cwd && resolve(folder, cwd)
  }
  const problems = OptionProblem.below(["stdio"], StdioConnector.problems(options))
  return OptionProblem.some(problems)
    ? Either.left(problems)
    : Either.right(StdioConnector.make(options, processRecords()))
}

export interface SignIns {
  readonly authorization?: Authorization | undefined
  /** Of clients with logins of their own. */
  readonly personal?: PersonalSignIns | undefined
}

const fromEntry = (
  entry: Entry,
  folder: string,
  { authorization, personal }: SignIns,
  env: Readonly<Record<string, string>> | undefined
): Either.Either<Server, ReadonlyArray<Problem>> =>
  Either.flatMap(connectorOf(entry, folder, authorization, env), (connector) => {
    const problem = Policy.unfit(connector, entry.policy)
    const forClient = dependsOnClient(entry) || personal !== undefined
      ? ForClient.make({
        server: entry.server,
        common: connector,
        make: (values, own = authorization) => connectorWith(entry, folder, values, own, env),
        signIns: personal
      })
      : undefined
    if (problem !== undefined) return Either.left([problem])
    return Either.right({
      ...entry.policy,
      id: entry.name,
      sessions: entry.sessions,
      placement: entry.placement,
      prefix: entry.prefix,
      identity: identityOf(entry, folder),
      origin: originOf(entry),
      connector,
      forClient,
      clientInfo: { name: "mcp-lifeline", version }
    })
  }).pipe(Either.mapLeft((problems) => problems.map(({ message, path }) => entry.problem(path, message))))

/** Takes entries that `completed` has completed. `folder`: of the file. `signIns`: by the names of servers. */
export const fromEntries = (
  entries: ReadonlyArray<Entry>,
  folder: string,
  signIns: ReadonlyMap<string, SignIns> = new Map(),
  env?: Readonly<Record<string, string>>
): Backends => {
  const [problems, backends] = Array.partitionMap(
    entries,
    (entry) => fromEntry(entry, folder, signIns.get(entry.name) ?? {}, env)
  )
  return { backends, problems: problems.flat() }
}
