import { Sending } from "@mcp-lifeline/core"
import type { Backend, CallError, Connection, ConnectOptions, Connector, Loss, RequestError } from "@mcp-lifeline/core"
import { Bytes } from "@mcp-lifeline/core/text"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Exit, Scope, Stream } from "effect"
import { fileURLToPath } from "node:url"
import { bySize } from "../../testing/test/support/bySize.js"
import * as Processes from "../../testing/test/support/Processes.js"
import * as Windows from "../../testing/test/support/windows/isAlive.js"

export { folder as temporary } from "../../testing/test/support/folder.js"

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** A server with faults, and graces that outlast any test, so that a close which needs one does not end. */
export const server = (
  faults: StdioFaultServer.Options = {},
  more: Partial<StdioConnector.Options> = {}
): StdioConnector.Options => ({
  ...StdioFaultServer.command(faults),
  stdinGrace: "10 minutes",
  termGrace: "10 minutes",
  ...more
})

export const transportOptions = {
  cwd: undefined,
  stdinGrace: 0,
  termGrace: 10_000,
  handleSignals: false,
  maxMessageBytes: Bytes(10_000),
  maxLineBytes: Bytes(4_000_000),
  secrets: [],
  target: "server",
  onStderr: undefined,
  warn: () => {}
}

export const eras = ["2025", "2026"] as const

export const erasBySize = bySize<ReadonlyArray<typeof eras[number]>>(["2025"], eras)

export const serverOf = (era: typeof eras[number]): typeof server => (faults, more) => server({ era, ...faults }, more)

export const connectOptions: ConnectOptions = { report: () => {} }

export const connect = (options: StdioConnector.Options, more: Partial<ConnectOptions> = {}) =>
  StdioConnector.make(options).connect({ ...connectOptions, ...more })

export const lossOf = (connection: Connection): Effect.Effect<Loss> =>
  Effect.async((resume) => connection.onLost((loss) => resume(Effect.succeed(loss))))

const isWindows = process.platform === "win32"

const pids = (test: (entry: ReturnType<typeof Processes.processes>[number]) => boolean): Array<number> =>
  Processes.processes().filter(test).map(({ pid }) => pid)

/** The living processes of a group; on Windows, which has none, its leader. `windows/End.test.ts` counts what that has started. */
export const livingIn = (group: number): Array<number> =>
  isWindows ? [group].filter(isAlive) : pids((entry) => entry.group === group)

export const children = (): Array<number> => pids((entry) => entry.parent === process.pid)

export const isAlive = (pid: number): boolean => isWindows ? Windows.isAlive(pid) : Processes.alive(pid)

export const pidOf = (connection: Connection): number => {
  const { pid } = connection.peer
  if (pid === undefined) throw new Error("no pid")
  return pid
}

export const call = (
  connection: Connection,
  name: string,
  args: Record<string, unknown> = {},
  timeout = 20_000
): Effect.Effect<string, RequestError> =>
  Sending.ask(connection, "tools/call", { name, arguments: args }, { timeout }).pipe(
    Effect.map((result) => (result.content[0] as { readonly text: string }).text)
  )

export const session = <A, E>(
  options: StdioConnector.Options,
  use: (connection: Connection) => Effect.Effect<A, E>
) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const connection = yield* connect(options).pipe(Scope.extend(scope))
    const pid = pidOf(connection)
    const value = yield* use(connection)
    const start = performance.now()
    yield* Scope.close(scope, Exit.void)
    return { value, pid, millis: performance.now() - start, left: livingIn(pid) }
  })

export const observed = (options: StdioConnector.Options, attempt: () => void): Connector => {
  const connector = StdioConnector.make(options)
  return {
    ...connector,
    connect: (connectOptions) =>
      Effect.suspend(() => {
        attempt()
        return connector.connect(connectOptions)
      })
  }
}

export const reconnect = { initialDelay: 10, maxDelay: 100, maxAttempts: 1_000, demandInterval: 10 } as const

export const connected = (backend: Backend.Backend, generation = 1): Effect.Effect<number> =>
  until(backend, (status) => status.state === "Connected" && status.generation >= generation).pipe(
    Effect.map(({ peer }) => peer?.pid ?? 0)
  )

export const until = (
  backend: Backend.Backend,
  test: (status: Effect.Effect.Success<Backend.Backend["status"]>) => boolean
): Effect.Effect<Effect.Effect.Success<Backend.Backend["status"]>> =>
  backend.status.changes.pipe(
    Stream.filter(test),
    Stream.runHead,
    Effect.flatMap(Effect.orDieWith(() => new Error("the backend ended")))
  )

/** The text that a tool answers with; a busy machine may take long to start the process. */
export const ask = (
  backend: Backend.Backend,
  name: string,
  args: Record<string, unknown> = {},
  options: Backend.CallOptions = {}
): Effect.Effect<string, CallError> =>
  backend.callTool({ name, arguments: args }, { wait: "2 minutes", ...options }).pipe(
    Effect.map((result) => (result.content[0] as { readonly text: string }).text)
  )

export const eventually = (test: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => test() ? Effect.void : Effect.delay(eventually(test), 20))
