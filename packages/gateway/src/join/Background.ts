/** The gateway of a configuration file, which runs in the background for all hosts of this user. */
import { ConnectError } from "@mcp-lifeline/core"
import { firstOf } from "@mcp-lifeline/core/internal"
import type { Bytes } from "@mcp-lifeline/core/text"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Schedule } from "effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { closeSync, openSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as RunningGateways from "../instances/RunningGateways.js"

/** In milliseconds. */
const startTimeout = 20_000

/** In milliseconds. */
const checkInterval = 50

export interface Options {
  readonly file: string
  /** How long it runs after its last client has left, in seconds. */
  readonly linger: number
  /** The longest message for the host, in bytes. */
  readonly maxMessage?: Bytes | undefined
}

const failure = (message: string, isPermanent: boolean): ConnectError =>
  new ConnectError({ backend: "", reason: "spawn", permanent: isPermanent, message })

const find = (file: string) =>
  Effect.map(RunningGateways.running, (gateways) => gateways.find(({ config }) => config === file))

const lastLines = (log: string): string => {
  const lines = readFileSync(log, "utf8").split("\n").filter((line) => line.trim() !== "").slice(-3)
  const texts = lines.map((line) => line.replace(/^mcp-lifeline: /, "").replace(" (see above)", ""))
  return texts.length === 0 ? "it has said nothing" : texts.join("; ")
}

/** The token, which is in the user's state folder, keeps out other users of this machine. */
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  MCP_LIFELINE_TOKEN: process.env["MCP_LIFELINE_TOKEN"] || randomBytes(32).toString("base64url")
})

/** The gateway survives this process. The returned effect fails when it ends. */
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
    // With 0 it found no client, as on a suspended machine; a signal says nothing of the gateway.
    child.once(
      "exit",
      (code) => resume(failure(`the gateway did not start: ${lastLines(log)}`, code !== 0 && code !== null))
    )
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
      Effect.retry(Schedule.spaced(checkInterval)),
      Effect.orDie
    )
    return yield* firstOf(found, ended).pipe(
      Effect.timeoutFail({
        duration: startTimeout,
        onTimeout: () => failure(`the gateway did not serve within ${startTimeout / 1000} s; see ${log}`, false)
      })
    )
  })

/** Starts the gateway if none runs; the lock ensures that only one process does so. */
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
