/** Run by Node.js for Windows: ends servers with trees of processes in one way, and counts those before and after. */
import type { Connector } from "@mcp-lifeline/core"
import { Backend, Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Logger } from "effect"
import { spawn } from "node:child_process"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { isAlive } from "../../../testing/test/support/windows/isAlive.js"

const [way = "", output = ""] = process.argv.slice(2)

const alive = (pids: ReadonlyArray<number>): number => pids.filter(isAlive).length

const until = async (condition: () => boolean): Promise<void> => {
  const deadline = performance.now() + 20_000
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
}
const goneOf = async (pids: ReadonlyArray<number>): Promise<number> => {
  await until(() => alive(pids) === 0)
  return alive(pids)
}

const warnings: Array<string> = []
const collect = Logger.replace(
  Logger.defaultLogger,
  Logger.make(({ message }) => {
    warnings.push(String(message))
  })
)

type Kind = "plain" | "stubborn" | "tidy"

const connector = (kind: Kind, stdinGrace: number): Connector =>
  StdioConnector.make({
    command: process.execPath,
    args: ["tree.cjs", "server", kind, `${output}.tidy`],
    env: { NODE_SKIP_PLATFORM_CHECK: "1" },
    protocol: "2025",
    stdinGrace
  })

const pidsOf = ({ content }: { readonly content: ReadonlyArray<unknown> }): ReadonlyArray<number> =>
  JSON.parse((content[0] as { readonly text: string }).text) as ReadonlyArray<number>

const withTree = (kind: Kind, stdinGrace: number, act: (pids: ReadonlyArray<number>) => Promise<void>): Promise<void> =>
  Effect.gen(function*() {
    const connection = yield* connector(kind, stdinGrace).connect({ report: () => {} })
    const result = yield* Sending.ask(connection, "tools/call", { name: "tree", arguments: {} }, { timeout: 60_000 })
    yield* Effect.promise(() => act(pidsOf(result)))
  }).pipe(Effect.scoped, Effect.provide(collect), Effect.runPromise)

const close = async (kind: Kind, stdinGrace: number): Promise<unknown> => {
  let pids: ReadonlyArray<number> = []
  let before = 0
  await withTree(kind, stdinGrace, async (all) => {
    pids = all
    before = alive(pids)
  })
  return { before, after: alive(pids) }
}

const crash = async (): Promise<unknown> => {
  let counts = {}
  await withTree("stubborn", 600_000, async (pids) => {
    const before = alive(pids)
    process.kill(pids[0]!, "SIGKILL")
    counts = { before, after: await goneOf(pids) }
  })
  return counts
}

const restart = (): Promise<unknown> =>
  Effect.gen(function*() {
    const backend = yield* Backend.make("tree", {
      connector: connector("stubborn", 500)
    })
    const call = Effect.map(backend.callTool({ name: "tree" }), pidsOf)
    const first = yield* call
    process.kill(first[0]!, "SIGKILL")
    const second = yield* Effect.retry(call, { times: 5 })
    const afterCrash = yield* Effect.promise(() => goneOf(first))
    yield* backend.reconnect
    const third = yield* call
    return { afterCrash, afterReconnect: yield* Effect.promise(() => goneOf(second)), alive: alive(third), third }
  }).pipe(Effect.scoped, Effect.provide(collect), Effect.runPromise).then(({ third, ...counts }) => ({
    ...counts,
    afterClose: alive(third)
  }))

const holder = async (way: "exit" | "hold"): Promise<unknown> => {
  const file = `${output}.${way}`
  const child = spawn(process.execPath, [__filename, way, file], { stdio: "ignore", windowsHide: true })
  await until(() => existsSync(file))
  const { before, pids } = JSON.parse(readFileSync(file, "utf8")) as { before: number; pids: ReadonlyArray<number> }
  if (way === "hold") child.kill("SIGKILL")
  return { before, after: await goneOf(pids) }
}

const hold = (): Promise<void> =>
  withTree("stubborn", 600_000, async (pids) => {
    writeFileSync(`${output}.new`, JSON.stringify({ before: alive(pids), pids }))
    renameSync(`${output}.new`, output)
    if (way === "exit") process.exit()
    await new Promise(() => setInterval(() => {}, 1000))
  })

const ways: Record<string, () => Promise<unknown>> = {
  plain: () => close("plain", 600_000),
  stubborn: () => close("stubborn", 500),
  tidy: async () => ({ ...await close("tidy", 600_000) as object, isTidy: existsSync(`${output}.tidy`) }),
  crash,
  restart,
  ownExit: () => holder("exit"),
  ownDeath: () => holder("hold"),
  without: async () => ({ first: await close("stubborn", 500), second: await close("stubborn", 500), warnings }),
  exit: hold,
  hold
}

void ways[way]!().then((answer) => {
  writeFileSync(output, JSON.stringify(answer))
  process.exit()
}, (error: unknown) => {
  writeFileSync(output, JSON.stringify(String(error)))
  process.exit(1)
})
