/** Without a configuration: the published "everything" server, over stdio and over HTTP, installed or from npx. */
import type { Backend } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import type { Scope } from "effect"
import { Effect, Schedule, SubscriptionRef } from "effect"
import type { ChildProcess } from "node:child_process"
import { exec, execFile, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { connect, createServer } from "node:net"
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { processRecords } from "../process/processRecords.js"
import { StartError } from "../text/Errors.js"
import * as Text from "../text/Text.js"

export interface Demo {
  readonly backends: Readonly<Record<"every-stdio" | "every-http", Backend.BackendOptions>>
  /** `undefined` while the server is dead. */
  readonly httpPid: SubscriptionRef.SubscriptionRef<number | undefined>
}

/** Users kill the server again and again. On a slow machine, calls wait. */
const supervision = { reconnect: { maxDelay: "2 seconds" }, timeouts: { wait: "1 minute" } } as const

/** From SIGTERM to SIGKILL. */
const stopTimeout = "2 seconds"

const name = "@modelcontextprotocol/server-everything"

/** The one that the tests use. */
export const version = "2026.8.31"

const scriptIn = (modules: string): string => join(modules, name, "dist/index.js")

type Done = (cause: Error | null, stdout: string) => void

/** A shell would look for npx in the current folder first, where anybody's files are. */
const npxPath = (): string | undefined =>
  (process.env["PATH"] ?? "").split(delimiter).map((folder) => folder.replaceAll(`"`, "")).filter(isAbsolute)
    .flatMap((folder) => [join(folder, "npx.cmd"), join(folder, "npx.exe")]).find(existsSync)

/** On Windows only a shell runs npx: no argument has a character that a shell reads. */
const npx = (args: ReadonlyArray<string>, done: Done): ChildProcess | undefined => {
  if (process.platform !== "win32") return execFile("npx", args, done)
  const path = npxPath()
  if (path !== undefined) return exec(`"${path}" ${args.join(" ")}`, { windowsHide: true }, done)
  done(new Error("it was not found in PATH"), "")
  return undefined
}

/** The first entry in the PATH of a program that npx runs is the folder of the fetched modules. */
const fetched = Effect.async<string, StartError>((resume) => {
  const args = ["--yes", "--package", `${name}@${version}`, "--", "node", "--print", "process.env.PATH"]
  const child = npx(args, (cause, stdout) => {
    if (cause === null) return resume(Effect.succeed(dirname(stdout.split(delimiter)[0] ?? "")))
    const message = `the demo's server could not be fetched: npx ${args.slice(0, 3).join(" ")}: ${
      Text.clean(cause.message)
    }; install ${name}, or give --config`
    resume(Effect.fail(new StartError({ message, cause })))
  })
  return Effect.sync(() => child?.kill())
})

const everything = (say: (line: string) => Effect.Effect<void>) =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(
        resolve(createRequire(import.meta.url).resolve(`${name}/package.json`), "../dist/index.js")
      )
    } catch {
      return say(`Fetching the demo's server: ${name}@${version}`).pipe(
        Effect.zipRight(Effect.map(fetched, scriptIn))
      )
    }
  })

const freePort = Effect.async<number, StartError>((resume) => {
  const server = createServer()
  server.once(
    "error",
    (cause) =>
      resume(Effect.fail(new StartError({ message: `no port for the demo's server: ${cause.message}`, cause })))
  )
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const accepts = (port: number) =>
  Effect.async<void, Error>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => resume(Effect.void)).once("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

/** Windows has no process groups: there, this ends the server, whatever the signal. */
const signal = (child: ChildProcess, name: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, name)
  } catch {
    child.kill(name)
  }
}

const exited = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return resume(Effect.void)
    const done = () => resume(Effect.void)
    child.once("exit", done)
    return Effect.sync(() => child.off("exit", done))
  })

/** Kills the group also when this process exits. */
const start = (script: string, port: number): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { HOME, PATH } = process.env
      const preload = new URL("./loopback.js", import.meta.url).href
      const child = spawn(process.execPath, ["--import", preload, script, "streamableHttp"], {
        cwd: dirname(fileURLToPath(import.meta.url)),
        env: { PATH, HOME, PORT: String(port) },
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
        windowsHide: true
      })
      // A failed start counts like a death.
      child.on("error", () => {})
      const kill = () => signal(child, "SIGKILL")
      process.once("exit", kill)
      child.once("exit", () => process.off("exit", kill))
      return child
    }),
    (child) =>
      Effect.sync(() => signal(child, "SIGTERM")).pipe(
        Effect.zipRight(Effect.timeoutOption(Effect.interruptible(exited(child)), stopTimeout)),
        // A child of the server may have survived.
        Effect.zipRight(Effect.sync(() => signal(child, "SIGKILL"))),
        Effect.zipRight(exited(child))
      )
  )

/**
 * Waits at most ten seconds until the HTTP server accepts connections.
 *
 * @param say For the user, who may wait for a download.
 */
export const make = (
  say: (line: string) => Effect.Effect<void>
): Effect.Effect<Demo, StartError, Scope.Scope> =>
  Effect.gen(function*() {
    const script = yield* everything(say)
    const port = yield* freePort
    const httpPid = yield* SubscriptionRef.make<number | undefined>(undefined)
    yield* start(script, port).pipe(
      Effect.tap((child) => SubscriptionRef.set(httpPid, child.pid)),
      Effect.flatMap(exited),
      Effect.scoped,
      Effect.zipRight(SubscriptionRef.set(httpPid, undefined)),
      Effect.repeat(Schedule.spaced("1 second")),
      Effect.interruptible,
      Effect.forkScoped
    )
    yield* accepts(port).pipe(
      Effect.retry(Schedule.spaced("50 millis")),
      Effect.timeoutOption("10 seconds"),
      // If the server does not start, the fleet reports it.
      Effect.ignore
    )
    return {
      httpPid,
      backends: {
        "every-stdio": {
          ...supervision,
          connector: StdioConnector.make({ command: process.execPath, args: [script, "stdio"] }, processRecords())
        },
        "every-http": { ...supervision, connector: HttpConnector.make({ url: `http://127.0.0.1:${port}/mcp` }) }
      }
    }
  })
