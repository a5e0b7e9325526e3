import { LifelineCommand, type McpConfig } from "@mcp-lifeline/config"
import { Fleet, type Status } from "@mcp-lifeline/core"
import { TimeSpan, Tools } from "@mcp-lifeline/core/options"
import { Filters } from "@mcp-lifeline/extensions"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import * as Temperaments from "@mcp-lifeline/state/Temperaments"
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import { Effect, Either, Logger, LogLevel, Redacted } from "effect"
import { dirname, resolve } from "node:path"
import * as AccessInUse from "../access/AccessInUse.js"
import * as Backends from "../config/Backends.js"
import * as Configuration from "../config/Configuration.js"
import { forEntries } from "../config/forEntries.js"
import * as McpJson from "../config/McpJson.js"
import type * as Problem from "../document/Problem.js"
import * as folderFile from "../files/folderFile.js"
import { StartError } from "../text/Errors.js"
import * as Output from "../text/Output.js"
import { json as jsonText } from "../text/Text.js"
import * as BehindWrap from "./behindWrap.js"
import { type Connected, report, type Row } from "./report.js"

export interface Options {
  /** Default: the one that `serve` uses. */
  readonly file: string | undefined
  readonly connect: boolean
  readonly json: boolean
}

/** In milliseconds: longer than the longest time limit of a single attempt. */
const longestTimeout = (backends: ReadonlyArray<Backends.Server>): number =>
  Math.max(...backends.map(({ timeouts }) => TimeSpan.millis(timeouts?.connect ?? "30 seconds"))) + 1000

/** `unmatched`: names and patterns that match nothing of the server. */
interface Tried {
  readonly connected: Connected
  readonly unmatched: ReadonlyArray<{ readonly path: ReadonlyArray<string>; readonly message: string }>
}

const unmatchedOf = (status: Status): Tried["unmatched"] => [
  ...status.toolOptions.unmatched.map((one) => ({ path: ["tools", one.pattern], message: Tools.describe(one) })),
  ...(Filters.statusOf(status)?.unmatched ?? []).map((one) => ({
    path: [one.kind, one.option],
    message: Filters.describe([one])
  }))
]

const connectAll = (
  backends: ReadonlyArray<Backends.Server>
): Effect.Effect<ReadonlyMap<string, Tried>, StartError> =>
  Effect.gen(function*() {
    const fleet = yield* Fleet.make({
      backends: backends.map((server) => {
        const one = Backends.optionsOf(server)
        return {
          ...one,
          lifecycle: { ...one.lifecycle, lazy: false },
          reconnect: { ...one.reconnect, auto: false }
        }
      }),
      waitTimeout: longestTimeout(backends)
    }).pipe(Effect.mapError(({ cause, message }) => new StartError({ message, cause })))
    yield* fleet.ready
    const statuses = yield* fleet.status
    return new Map(
      Object.entries(statuses).map(([name, status]): [string, Tried] => [
        name,
        {
          unmatched: unmatchedOf(status),
          connected: status.state === "Connected"
            ? {
              ok: true,
              server: status.serverInfo === undefined ? "" : `${status.serverInfo.name} ${status.serverInfo.version}`,
              protocol: status.protocolVersion ?? "",
              tools: status.catalog?.tools ?? 0
            }
            : { ok: false, error: status.lastError ?? `no connection (${status.state})` }
        }
      ])
    )
  }).pipe(Effect.scoped)

/** What comes from a command is masked where the command runs. */
const written = (
  values: Readonly<Record<string, McpConfig.SecretValue | null>>
): Readonly<Record<string, Redacted.Redacted>> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => Redacted.isRedacted(value) ? [[name, value]] : [])
  )

/** An unclosed brace does not match, so that matching takes linear time. */
const references = /\{(env:|input:)?([^{}:]{1,1000})(?=\}|:-)/g

/** `NAME=value` of each variable in the text. An input counts as secret, whatever its name. */
const referencedValues = (source: string, env: McpConfig.Variables): ReadonlyArray<string> =>
  [...source.matchAll(references)].flatMap(([, kind, name = ""]) => {
    const capitals = name.toUpperCase().replace(/[^A-Z0-9]+/g, "_")
    const values = kind === "input:" ? [env[name], env[capitals]] : [env[name]]
    return values.flatMap((value) => value === undefined ? [] : [`${kind === "input:" ? "SECRET" : name}=${value}`])
  })

/** Of `wrap`, without references to variables. */
const headersOf = (words: ReadonlyArray<string>): ReadonlyArray<string> =>
  words.flatMap((word, index) => {
    const line = words[index - 1] === "--header" ? word : word.startsWith("--header=") ? word.slice(9) : ""
    return line.slice(line.indexOf(":") + 1).split(/\$\{\w*\}/).map((part) => part.trim())
  })

/** Also where one word is a line for a shell. */
const secretsOf = ({ args, command, env }: McpConfig.StdioServer): Secrets.Secrets => {
  const isWrap = LifelineCommand.of([command, ...args]) === "wrap"
  const lines = args.filter((_, index) => /^(-\w*c|\/c)$/i.test(args[index - 1] ?? "")).map(LifelineCommand.shellWords)
  return [
    ...Secrets.collect(written(env), args),
    ...[args, ...lines].flatMap((words) =>
      Secrets.collect(Object.fromEntries(isWrap ? headersOf(words).entries() : []), words)
    )
  ]
}

/** Masks values of `env` and headers, and whatever has the name or the form of a secret. */
const masker = (
  source: string,
  entries: ReadonlyArray<McpJson.Entry>,
  env: McpConfig.Variables
): (text: string) => string => {
  const own = entries.flatMap(({ server }) =>
    server._tag === "Stdio"
      ? secretsOf(server)
      : Secrets.collect(written(server.headers), [server.url])
  )
  const all = [...own, ...Secrets.collect(undefined, referencedValues(source, env))].toSorted((a, b) =>
    b.length - a.length
  )
  return (text) => Secrets.mask(all, text)
}

const check = ({ connect, json, ...options }: Options, output: Output.Output) =>
  Effect.gen(function*() {
    const file = options.file ?? (yield* folderFile.find)
    if (file === undefined) {
      const message =
        "this folder contains no mcp.json, so serve would run a demo: name the file, mcp-lifeline check FILE"
      return yield* new StartError({ message })
    }
    const source = yield* Configuration.read(file, "")
    const parsed = McpJson.parse(file, source, process.env)
    if (Either.isLeft(parsed)) {
      return report({ file, rows: [], problems: [parsed.left.problem], notices: [] }, (text) => text)
    }
    const { access, entries, names, notices, problems: found } = parsed.right
    const folder = dirname(resolve(file))
    const ofClients = yield* AccessInUse.problems(access, folder)
    const signIns = connect ? yield* forEntries(entries, undefined) : new Map<string, never>()
    const [unread, complete] = yield* Backends.completed(entries, folder)
    const { backends, problems: refused } = Backends.fromEntries(complete, folder, signIns)
    const behind = yield* BehindWrap.find(complete, folder)
    // Nobody is there for whom a server could be started that depends on its client.
    const enabled = backends.filter(({ forClient, id, lifecycle }) =>
      lifecycle?.disabled !== true && forClient === undefined && !behind.hidden.has(id)
    ).map((server) => BehindWrap.instead(server, behind))
    if (connect && enabled.length > 0 && !json) {
      yield* output.problem(`Connecting to ${enabled.map(({ id }) => id).join(", ")}`)
    }
    const tried = connect && enabled.length > 0 ? yield* connectAll(enabled) : new Map<string, Tried>()
    const connected = new Map(
      yield* Effect.forEach(tried, ([name, one]) =>
        Effect.map(
          BehindWrap.startable(one.connected, behind.servers.get(name)),
          (connected) => [name, { ...one, connected }] as const
        ), { concurrency: 4 })
    )
    const temperaments = yield* Temperaments.make
    const rows = yield* Effect.forEach(names, (name) => {
      const entry = entries.find((one) => one.name === name)
      const options = backends.find(({ id }) => id === name)
      const wrapped = behind.servers.get(name)?.connector.target
      return Effect.map(temperaments.of(options?.identity).remembered, (shown): Row => ({
        name,
        entry,
        options,
        wrapped,
        learned: shown && Temperaments.inWords(shown),
        connected: connected.get(name)?.connected
      }))
    })
    const unmatched = entries.flatMap(({ name, optionProblem }) =>
      (connected.get(name)?.unmatched ?? []).map(({ message, path }) => {
        const place = `${path.join(".")} `
        // The key of the problem says it already.
        return optionProblem(path, message.startsWith(place) ? message.slice(place.length) : message)
      })
    )
    const empty: ReadonlyArray<Problem.Problem> = names.length === 0
      ? [{ file, line: 1, key: "", message: "names no servers; add one" }]
      : []
    return report(
      {
        file,
        rows,
        problems: [...found, ...ofClients, ...unread, ...refused, ...behind.problems, ...empty],
        notices: [...notices, ...behind.notices, ...unmatched]
      },
      masker(source, complete, process.env)
    )
  })

/** The exit code says whether there are problems. */
export const run = (options: Options): Effect.Effect<void, StartError> =>
  Effect.scoped(Effect.gen(function*() {
    const output = yield* Output.make
    // The report contains errors of connections, so the log does not need to.
    const { json, ok, problems, text } = yield* Logger.withMinimumLogLevel(check(options, output), LogLevel.None)
    if (options.json) yield* output.line(jsonText(json, 2))
    else {
      if (text !== "") yield* output.line(text)
      yield* Effect.forEach(problems, output.problem)
    }
    if (!ok) process.exitCode = 1
  })).pipe(Effect.provide(StateFolder.layer))
