/**
 * The gateway of one file that runs in the background for all hosts of this user: found, or started.
 */
import { ConnectError } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { closeSync, openSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as RunningGateways from "../running/RunningGateways.js"

/** How long a gateway may take until it serves, in milliseconds. */
const startTimeout = 20_000

/** How often it is looked for, in milliseconds. */
const interval = 50

/** What is run in the background, and for how long. */
export interface Options {
  /** The file that names its servers: an absolute path. */
  readonly file: string
  /** How long it goes on when its last client has left, in seconds. */
  readonly linger: number
}

const failure = (message: string, isPermanent: boolean): ConnectError =>
  new ConnectError({ backend: "", reason: "spawn", permanent: isPermanent, message })

const find = (file: string) =>
  Effect.map(RunningGateways.running, (gateways) => gateways.find(({ config }) => config === file))

/** What a gateway has said before it ended, in one line. */
const lastWords = (log: string): string => {
  const lines = readFileSync(log, "utf8").split("\n").filter((line) => line.trim() !== "").slice(-3)
  const said = lines.map((line) => line.replace(/^mcp-lifeline: /, "").replace(" (see above)", ""))
  return said.length === 0 ? "it has said nothing" : said.join("; ")
}

/** Only who can read the state folder of this user may use it, and not each user of this machine. */
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  MCP_LIFELINE_TOKEN: process.env["MCP_LIFELINE_TOKEN"] || randomBytes(32).toString("base64url")
})

/** Starts one that outlives this process; what it writes to standard error goes to a file. Gives what becomes of it. */
const launch = ({ file, linger }: Options, log: string) => {
  const output = openSync(log, "w", 0o600)
  const [, program = ""] = process.argv
  const args = [program, "serve", "--config", file, "--port", "0", "--linger", String(linger)]
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    cwd: dirname(file),
    detached: true,
    env: environment(),
    stdio: ["ignore", "ignore", output],
    windowsHide: true
  })
  child.unref()
  closeSync(output)
  return Effect.async<never, ConnectError>((resume) => {
    child.once("error", ({ message }) => resume(failure(`the gateway cannot be started: ${message}`, true)))
    child.once("exit", () => resume(failure(`the gateway did not start: ${lastWords(log)}`, true)))
  })
}

const unwritable = (cause: unknown): ConnectError =>
  failure(
    "the state folder cannot be written, in which hosts find the gateway that they share; make it writable or name another with " +
      `MCP_LIFELINE_STATE: ${cause instanceof Error ? cause.message : String(cause)}`,
    true
  )

const start = (options: Options) =>
  Effect.gen(function*() {
    const { privateFolder } = yield* StateFolder.StateFolder
    const folder = yield* Effect.mapError(privateFolder("logs"), ({ cause }) => unwritable(cause))
    const log = join(folder, `${StateFolder.key(options.file)}.log`)
    const ended = yield* Effect.try({ try: () => launch(options, log), catch: unwritable })
    const found = find(options.file).pipe(
      Effect.flatMap(Effect.fromNullable),
      Effect.retry(Schedule.spaced(interval)),
      Effect.orDie
    )
    return yield* firstOf(found, ended).pipe(
      Effect.timeoutFail({
        duration: startTimeout,
        onTimeout: () => failure(`the gateway did not serve within ${startTimeout / 1000} s; see ${log}`, false)
      })
    )
  })

/** The gateway of a file; started where none runs, by one process however many want it. */
export const reach = (
  options: Options
): Effect.Effect<RunningGateways.RunningGateway, ConnectError, StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const { lock } = yield* StateFolder.StateFolder
    const running = yield* find(options.file)
    if (running !== undefined) return running
    return yield* Effect.scoped(
      Effect.gen(function*() {
        yield* lock(`serve-${StateFolder.key(options.file)}`)
        return (yield* find(options.file)) ?? (yield* start(options))
      })
    )
  })
