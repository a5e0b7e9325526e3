/** Real processes for the tests, and the proof that none is left. */
import type { Connection, ConnectOptions, RequestError } from "@mcp-lifeline/core"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Exit, Scope } from "effect"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** A server with faults, and long graces, so that a close which needs one is seen. */
export const server = (
  faults: StdioFaultServer.Options = {},
  more: Partial<StdioConnector.Options> = {}
): StdioConnector.Options => ({
  ...StdioFaultServer.command(faults),
  stdinGrace: "10 seconds",
  termGrace: "10 seconds",
  ...more
})

export const connectOptions: ConnectOptions = { onNotification: () => {} }

export const connect = (options: StdioConnector.Options, more: Partial<ConnectOptions> = {}) =>
  StdioConnector.make(options).connect({ ...connectOptions, ...more })

interface Entry {
  readonly pid: number
  readonly parent: number
  readonly group: number
}

/** The living processes, which zombies are not. */
const processes = (): ReadonlyArray<Entry> =>
  readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).flatMap((entry) => {
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8")
      const [state, parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
      return state === "Z" ? [] : [{ pid: Number(entry), parent: Number(parent), group: Number(group) }]
    } catch {
      return []
    }
  })

const pids = (test: (entry: Entry) => boolean): Array<number> => processes().filter(test).map(({ pid }) => pid)

/** The living processes of a group. */
export const livingIn = (group: number): Array<number> => pids((entry) => entry.group === group)

/** The living processes that this one has started. */
export const children = (): Array<number> => pids((entry) => entry.parent === process.pid)

export const isAlive = (pid: number): boolean => pids((entry) => entry.pid === pid).length > 0

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
  connection.request("tools/call", { name, arguments: args }, { timeout }).pipe(
    Effect.map((result) => (result.content[0] as { readonly text: string }).text)
  )

/** Connects, runs, closes, and gives the result with what the close left of the group and how long it took. */
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
