/** Starts gateways and ends whoever started them. Bundled by the test, and run by Node.js for Windows: `node running.cjs <way> FILE`. */
import { Sending } from "@mcp-lifeline/core"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { isAlive } from "../../../testing/test/support/windows/isAlive.js"
import * as Host from "./host.js"

const [way = "", output = "", folder = way] = process.argv.slice(2)
const state = join(process.cwd(), folder)
const env = { ...process.env, MCP_LIFELINE_STATE: state, CI: "" }
const program = join(process.cwd(), "esm", "bin.js")
const config = join(process.cwd(), "mcp.json")
/** A slow machine takes seconds to start the next host. */
const [shared, tool] = [["serve", "--stdio", "--config", config, "--linger", "20"], "tool__started"]

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20))
}
const write = (file: string, value: unknown): void => {
  writeFileSync(`${file}.new`, JSON.stringify(value))
  renameSync(`${file}.new`, file)
}

const gateways = (): ReadonlyArray<number> => {
  const all = join(state, "gateways")
  const files = existsSync(all) ? readdirSync(all).filter((name) => name.endsWith(".json")) : []
  return files.map((name) => (JSON.parse(readFileSync(join(all, name), "utf8")) as { readonly pid: number }).pid)
}

const startHost = () => Host.start({ command: process.execPath, args: [program, ...shared] }, process.cwd(), env)

/** One that shares the console of this process. */
const start = (args: ReadonlyArray<string>): { readonly child: ChildProcess; readonly ended: Promise<unknown> } => {
  const child = spawn(process.execPath, args, { env, stdio: ["pipe", "ignore", "ignore"] })
  return { child, ended: new Promise((resolve) => child.once("exit", resolve)) }
}

const introduction = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "host", version: "1" } }

const ends = async (options: ReadonlyArray<string>, act: () => void): Promise<unknown> => {
  const serve = start([...options, program, "serve", "--config", config, "--port", "0"])
  await until(() => gateways().length === 1)
  const file = join(process.cwd(), folder, "up")
  const wrap = start([...options, program, "wrap", "--", process.execPath, "up.cjs", file])
  wrap.child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: introduction })}\n`)
  await until(() => existsSync(file))
  act()
  return { codes: await Promise.all([serve.ended, wrap.ended]), left: gateways() }
}

const ways: Readonly<Record<string, () => Promise<unknown>>> = {
  host: async () => {
    const host = await startHost()
    write(output, await host.call(tool))
  },

  killed: async () => {
    const answer = join(state, "answer")
    const host = start([process.argv[1] ?? "", "host", answer, folder])
    await until(() => existsSync(answer))
    const before = gateways()
    host.child.kill("SIGKILL")
    await host.ended
    const next = await startHost()
    const second = await next.call(tool)
    const after = gateways()
    await next.close()
    const [pid = 0] = before
    await until(() => !isAlive(pid) && gateways().length === 0)
    return { answer: JSON.parse(readFileSync(answer, "utf8")), second, count: before.length, isSame: pid === after[0] }
  },

  job: async () => {
    const set = Object.entries(env).flatMap(([name, value]) => value === undefined ? [] : [[name, value]])
    const started = { command: process.execPath, args: [program, ...shared], env: Object.fromEntries(set) }
    const connector = StdioConnector.make({ ...started, protocol: "2025" })
    const call = Effect.gen(function*() {
      const connection = yield* connector.connect({ report: () => {} })
      yield* Sending.ask(connection, "tools/call", { name: tool, arguments: {} }, { timeout: 60_000 })
    })
    await Effect.runPromise(Effect.scoped(call))
    const [first = 0] = gateways()
    await until(() => !isAlive(first))
    const host = await startHost()
    const answer = await host.call(tool)
    const now = gateways()
    await host.close()
    return { answer, count: now.length, isSame: now[0] === first }
  },

  control: async () => {
    type Library = { readonly func: (declaration: string) => (...args: ReadonlyArray<number>) => number }
    const koffi = createRequire(join(process.cwd(), "x.js"))("@koromix/koffi-win32-x64")
    const { load } = koffi as { readonly load: (name: string) => Library }
    const kernel = load("kernel32.dll")
    const call = (declaration: string, ...args: ReadonlyArray<number>): number => kernel.func(declaration)(...args)
    call("int __stdcall FreeConsole()")
    call("int __stdcall AllocConsole()")
    process.on("SIGINT", () => undefined)
    // Ctrl+C, to all of this console.
    return ends([], () => call("int __stdcall GenerateConsoleCtrlEvent(uint32, uint32)", 0, 0))
  },

  break: async () => {
    const go = join(state, "go")
    writeFileSync(
      join(state, "break.cjs"),
      `const waiting = setInterval(() => {
        if (!require("node:fs").existsSync(${JSON.stringify(go)})) return
        clearInterval(waiting)
        process.emit("SIGBREAK")
      }, 50)`
    )
    return ends(["--require", join(state, "break.cjs")], () => writeFileSync(go, ""))
  }
}

mkdirSync(state, { recursive: true })
// The test waits for its end, also if something else does not happen.
setTimeout(() => process.exit(1), 240_000)
void ways[way]?.().catch(String).then((result) => {
  if (way === "host") return
  write(output, result)
  process.exit()
})
