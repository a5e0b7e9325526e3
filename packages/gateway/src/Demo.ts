/**
 * What is served without a configuration: the published "everything" server twice, once over stdio and once over HTTP. The
 * HTTP server is started here, and started again a second after it dies, on the same port. Where the published server is not
 * installed, npx fetches it.
 */
import type { Backend } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import type { Scope } from "effect"
import { Effect, Schedule, SubscriptionRef } from "effect"
import type { ChildProcess } from "node:child_process"
import { execFile, spawn } from "node:child_process"
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { connect, createServer } from "node:net"
import { delimiter, dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { StartError } from "./Errors.js"
import * as Text from "./Text.js"

/** The demo as it runs. */
export interface Demo {
  readonly backends: Readonly<Record<"every-stdio" | "every-http", Backend.BackendOptions>>
  /** The process of the HTTP server; `undefined` while it is dead. */
  readonly httpPid: SubscriptionRef.SubscriptionRef<number | undefined>
}

/**
 * Whoever plays with the demo kills the same server again and again, and it is always back within two seconds. On a slow machine it
 * takes longer to start, and calls wait for it.
 */
const supervision = { reconnect: { maxDelay: "2 seconds" }, timeouts: { wait: "1 minute" } } as const

/** How long the server has to end by itself before it is killed. */
const grace = "2 seconds"

/** The published server. */
const name = "@modelcontextprotocol/server-everything"

/** The version that is fetched: the one that the tests run. */
export const version = "2026.8.31"

/** The script of the published server, in a folder of modules. */
const scriptIn = (modules: string): string => join(modules, name, "dist/index.js")

/** The folder of modules into which npx has fetched the server: it comes first in the PATH of what npx runs. */
const fetched = Effect.async<string, StartError>((resume) => {
  const args = ["--yes", "--package", `${name}@${version}`, "--", "node", "--print", "process.env.PATH"]
  const child = execFile("npx", args, (cause, stdout) => {
    if (cause === null) return resume(Effect.succeed(dirname(stdout.split(delimiter)[0] ?? "")))
    const message = `the demo's server could not be fetched: npx ${args.slice(0, 3).join(" ")}: ${
      Text.clean(cause.message)
    }; install ${name}, or give --config`
    resume(Effect.fail(new StartError({ message, cause })))
  })
  return Effect.sync(() => child.kill())
})

/** The script of the published server: as it is installed beside us, else as npx fetches it, once. */
const everything = Effect.suspend(() => {
  try {
    return Effect.succeed(resolve(createRequire(import.meta.url).resolve(`${name}/package.json`), "../dist/index.js"))
  } catch {
    return Effect.logInfo(`Fetching the demo's server: ${name}@${version}`).pipe(
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

/** Signals the whole group; one that is gone needs none. */
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

/** Starts the server in a process group of its own, which dies with the scope, or with this process. */
const start = (script: string, port: number): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { HOME, PATH } = process.env
      const preload = new URL("./loopback.js", import.meta.url).href
      const child = spawn(process.execPath, ["--import", preload, script, "streamableHttp"], {
        cwd: dirname(fileURLToPath(import.meta.url)),
        env: { PATH, HOME, PORT: String(port) },
        stdio: ["pipe", "ignore", "ignore"],
        detached: true
      })
      // A start that fails looks like a death: it is tried again.
      child.on("error", () => {})
      const kill = () => signal(child, "SIGKILL")
      process.once("exit", kill)
      child.once("exit", () => process.off("exit", kill))
      return child
    }),
    (child) =>
      Effect.sync(() => signal(child, "SIGTERM")).pipe(
        Effect.zipRight(Effect.timeoutOption(Effect.interruptible(exited(child)), grace)),
        // The group once more: a child of its own may have outlived it.
        Effect.zipRight(Effect.sync(() => signal(child, "SIGKILL"))),
        Effect.zipRight(exited(child))
      )
  )

/** Starts the demo; it ends with the scope. The HTTP server accepts when this ends, or has had ten seconds to. */
export const make: Effect.Effect<Demo, StartError, Scope.Scope> = Effect.gen(function*() {
  const script = yield* everything
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
    // One that does not come up is the fleet's to report.
    Effect.ignore
  )
  return {
    httpPid,
    backends: {
      "every-stdio": {
        ...supervision,
        connector: StdioConnector.make({ command: process.execPath, args: [script, "stdio"] })
      },
      "every-http": { ...supervision, connector: HttpConnector.make({ url: `http://127.0.0.1:${port}/mcp` }) }
    }
  }
})
