import { assert, describe, it } from "@effect/vitest"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { build } from "esbuild"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { Containers } from "../../testing/test/support/Containers.js"
import { fixture, livingIn } from "./support.js"

const source = (name: string, module = "index"): string =>
  fileURLToPath(new URL(`../../${name}/src/${module}.ts`, import.meta.url))

let directory = ""
let bundle = ""

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "stdio-host-"))
  bundle = join(directory, "host.cjs")
  await build({
    entryPoints: [fixture("host.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    logLevel: "silent",
    alias: {
      "@mcp-lifeline/core": source("core"),
      "@mcp-lifeline/core/internal": source("core", "internal"),
      "@mcp-lifeline/protocol": source("protocol"),
      "@mcp-lifeline/transport-stdio": source("transport-stdio")
    }
  })
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Host {
  readonly process: ChildProcess
  readonly pid: number
  readonly lines: ReadonlyArray<string>
  readonly exited: Promise<ReadonlyArray<unknown>>
}

/** Starts the host and waits until it is connected. */
const host = async (how: string, faults: StdioFaultServer.Options = {}, containers?: Containers): Promise<Host> => {
  const server = StdioFaultServer.command(faults)
  const { args, command } = containers === undefined ? server : {
    command: containers.program("docker"),
    args: ["run", "-i", "--rm", "image", server.command, ...server.args]
  }
  const other = StdioFaultServer.command({})
  // Few enough file descriptors to use them all up.
  const limited = ["-c", `ulimit -n 500; exec "$@"`, "sh", process.execPath, bundle, how, command, ...args]
  const child = spawn("sh", limited, {
    env: {
      ...process.env,
      OTHER: JSON.stringify([other.command, ...other.args]),
      ...(containers && { DOCKER_HOST: containers.folder })
    },
    stdio: ["ignore", "pipe", "ignore"]
  })
  const exited = once(child, "close")
  const lines: Array<string> = []
  const pid = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line)
      if (line.startsWith("pid ")) resolve(Number(line.slice(4)))
    })
    child.on("exit", () => reject(new Error("the host ended before it was connected")))
  })
  return { process: child, pid, lines, exited }
}

/** Waits for the group's end, which nobody reports to this process. */
const gone = async (group: number): Promise<void> => {
  const deadline = Date.now() + 40_000
  while (livingIn(group).length > 0) {
    if (Date.now() > deadline) {
      process.kill(-group, "SIGKILL")
      assert.fail(`group ${group} is still there`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const stubborn = { ignoreStdinEnd: true, ignoreTerm: true }

describe.skipIf(process.platform !== "linux")("the end of our own process", () => {
  it("[S8] on process.exit and on an uncaught error the groups get SIGKILL", async () => {
    for (const [how, code] of [["exit", 5], ["throw", 1]] as const) {
      const { exited, pid } = await host(how, stubborn)
      assert.deepStrictEqual(await exited, [code, null])
      await gone(pid)
    }
  })

  it("[S11:real] on process.exit and on a signal, containers are removed, too", async () => {
    for (const how of ["exit", "handle"]) {
      const containers = new Containers()
      const { exited, process } = await host(how, stubborn, containers)
      if (how === "handle") process.kill("SIGTERM")
      await exited
      assert.deepStrictEqual(containers.ids, [])
      assert.include(containers.log.join("\n"), "start ")
      containers.remove()
    }
  })

  it("[S8] when it is killed, the server sees its stdin close", async () => {
    const { exited, pid, process } = await host("run")
    process.kill("SIGKILL")
    await exited
    await gone(pid)
  })

  it("[S8] there are no signal handlers unless asked, and none of ours is left after the close", async () => {
    for (const [how, during] of [["close", "1 0 0 0"], ["handle-close", "1 1 1 1"]] as const) {
      const { exited, lines } = await host(how)
      assert.deepStrictEqual(await exited, [0, null])
      assert.deepStrictEqual(lines.filter((line) => line.startsWith("listeners")), [
        `listeners ${during}`,
        "listeners 0 0 0 0"
      ])
    }
  })

  it("[S6] where no file descriptor is left, the attempt fails with the reason, and a later one succeeds", async () => {
    const { exited, lines, pid, process } = await host("exhausted")
    const error = JSON.parse(lines.find((line) => line.startsWith("error "))?.slice(6) ?? "{}") as object
    assert.deepInclude(error, { reason: "spawn", permanent: false })
    assert.match((error as { readonly message: string }).message, /open files \(E[MN]FILE\)/)
    process.kill("SIGKILL")
    await exited
    await gone(pid)
  })

  it("[S8] with handleSignals the ladder runs, and the signal then ends the process", async () => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const { exited, lines, pid, process } = await host("handle", stubborn)
      assert.include(lines, `pid ${pid}`)
      process.kill(signal)
      assert.deepStrictEqual(await exited, [null, signal])
      // The ladder is over when the signal is raised again: nothing has to be waited for.
      assert.deepStrictEqual(livingIn(pid), [])
    }
  })

  it("[S8] what is brought back while the ladder of another group runs does not live on", async () => {
    const { exited, lines, process } = await host("handle-again", stubborn)
    process.kill("SIGTERM")
    assert.deepStrictEqual(await exited, [null, "SIGTERM"])
    assert.deepStrictEqual(lines.filter((line) => line.includes("again")), ["not again"])
  })

  it("[S8] with handleSignals and a handler of the program's own, the program decides what follows", async () => {
    const { exited, lines, pid, process } = await host("handle-own", stubborn)
    process.kill("SIGTERM")
    assert.deepStrictEqual(await exited, [0, null])
    assert.strictEqual(lines.filter((line) => line === "own handler").length, 1)
    await gone(pid)
  })
})
