/**
 * The entries of an `mcp.json` as backends of a fleet.
 */
import { McpConfig } from "@mcp-lifeline/config"
import type { Backend, Connector } from "@mcp-lifeline/core"
import { Policy } from "@mcp-lifeline/core"
import { Problem as OptionProblem } from "@mcp-lifeline/core/internal"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { type Authorization, HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Array, Effect, Either, Redacted } from "effect"
import { createHash } from "node:crypto"
import { resolve } from "node:path"
import { parseEnv } from "node:util"
import { version } from "../Version.js"
import type { Entry, Problem } from "./McpJson.js"

/** A server by its name, and whether each client of the gateway has its own or all share one. */
export type Server = Backend.BackendOptions & {
  readonly id: string
  readonly sessions?: "shared" | "per-client" | undefined
  /** A digest of how the server is started or reached: differs where it may be another server. Nothing can be read from it. */
  readonly identity?: string | undefined
}

/** What a fleet takes of a server; the rest is the gateway's own, and no option of a backend. */
export const optionsOf = ({ identity: _1, sessions: _2, ...options }: Server): Omit<Server, "identity" | "sessions"> =>
  options

/** The backends that can be made, and why others cannot. */
export interface Backends {
  /** In the order of the file. */
  readonly backends: ReadonlyArray<Server>
  readonly problems: ReadonlyArray<Problem>
}

/** Tells values apart by all that they say, secrets included, of which nothing can be read from it. */
export const digest = (value: unknown): string =>
  createHash("sha256").update(
    JSON.stringify(value, function(this: Record<string, unknown>, key, value: unknown) {
      // Before it says of itself that it is redacted.
      const own = this[key]
      return Redacted.isRedacted(own) ? Redacted.value(own) : value
    })
  ).digest("base64")

/** Differs where the server is another, or is started or reached otherwise. */
const identityOf = ({ server }: Entry, folder: string): string =>
  digest(server._tag === "Http" ? server : { ...server, cwd: resolve(folder, server.cwd ?? ".") })

const envFileOf = ({ server }: Entry, folder: string): string | undefined =>
  server._tag === "Http" || server.envFile === undefined ? undefined : resolve(folder, server.envFile)

const envFileRemedies: Readonly<Record<UserFile.ReadError["reason"], string>> = {
  missing: "create it, or leave envFile out",
  denied: "change its permissions",
  other: "name a file with a line NAME=value for each variable"
}

/**
 * Reads a file of `NAME=value` lines, or says why it cannot be read. The file may be a named pipe: some secret managers provide variables
 * that way.
 */
const readEnvFile = (file: string): Effect.Effect<Readonly<Record<string, Redacted.Redacted>>, string> =>
  UserFile.text(file).pipe(
    Effect.mapBoth({
      onFailure: ({ message, reason }) => `names ${file}, and ${message}; ${envFileRemedies[reason]}`,
      onSuccess: (text) =>
        Object.fromEntries(Object.entries(parseEnv(text)).map(([name, value]) => [name, Redacted.make(value ?? "")]))
    })
  )

/**
 * Entries with the variables of their `envFile` in `env`, and what is wrong with those files. Each file is read once, because two readers
 * of a pipe would share what is in it.
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

/** A connector for an entry, or what is wrong with its options; a relative `cwd` is taken from the folder of the file. */
export const connectorOf = (
  { server }: Entry,
  folder: string,
  authorization?: Authorization
): Either.Either<Connector, OptionProblem.Problems> => {
  if (server._tag === "Http") {
    const { headers, http, protocol, transport, url } = server
    const options = { ...http, url, headers, transport, protocol, authorization }
    const problems = HttpConnector.problems(options).map((problem) => McpConfig.placed(server, problem))
    return OptionProblem.some(problems) ? Either.left(problems) : Either.right(HttpConnector.make(options))
  }
  const { _tag, cwd, envFile: _, stdio, ...rest } = server
  const options = { ...stdio, ...rest, cwd: cwd && resolve(folder, cwd) }
  const problems = OptionProblem.below(["stdio"], StdioConnector.problems(options))
  return OptionProblem.some(problems) ? Either.left(problems) : Either.right(StdioConnector.make(options))
}

const fromEntry = (
  entry: Entry,
  folder: string,
  authorization: Authorization | undefined
): Either.Either<Backend.BackendOptions, ReadonlyArray<Problem>> =>
  Either.flatMap(connectorOf(entry, folder, authorization), (connector) => {
    const problem = Policy.unfit(connector, entry.policy)
    return problem === undefined
      ? Either.right({ ...entry.policy, connector, clientInfo: { name: "mcp-lifeline", version } })
      : Either.left([problem])
  }).pipe(Either.mapLeft((problems) => problems.map(({ message, path }) => entry.problem(path, message))))

/**
 * Makes what can be made of complete entries; `folder` is where the file lies, `authorizations` what gives tokens, by the names of servers.
 */
export const fromEntries = (
  entries: ReadonlyArray<Entry>,
  folder: string,
  authorizations: ReadonlyMap<string, Authorization> = new Map()
): Backends => {
  const [problems, backends] = Array.partitionMap(
    entries,
    (entry) =>
      Either.map(
        fromEntry(entry, folder, authorizations.get(entry.name)),
        (options): Server => ({
          ...options,
          id: entry.name,
          sessions: entry.sessions,
          identity: identityOf(entry, folder)
        })
      )
  )
  return { backends, problems: problems.flat() }
}
