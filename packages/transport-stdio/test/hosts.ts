import { assert } from "@effect/vitest"
import { StdioFaultServer } from "@mcp-lifeline/testing"
import { build } from "esbuild"
import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { afterAll, beforeAll } from "vitest"
import { Containers } from "../../testing/test/support/Containers.js"
import { sources } from "../../testing/test/support/sources.js"
import { fixture, livingIn } from "./support.js"

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
    alias: sources
  })
})
afterAll(() => rmSync(directory, { recursive: true }))

export interface Host {
  readonly process: ChildProcess
  readonly pid: number
  readonly lines: ReadonlyArray<string>
  readonly exited: Promise<ReadonlyArray<unknown>>
}

export const host = async (
  how: string,
  faults: StdioFaultServer.Options = {},
  containers?: Containers
): Promise<Host> => {
  const server = StdioFaultServer.command(faults)
  const { args, command } = containers === undefined ? server : {
    command: containers.program("docker"),
    args: ["run", "-i", "--rm", "image", server.command, ...server.args]
  }
  // Few enough file descriptors to use them all up.
  const limited = ["-c", `ulimit -n 500; exec "$@"`, "sh", process.execPath, bundle, how, command, ...args]
  const child = spawn("sh", limited, {
    env: { ...process.env, ...(containers && { DOCKER_HOST: containers.folder }) },
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
export const gone = async (group: number): Promise<void> => {
  const deadline = Date.now() + 240_000
  while (livingIn(group).length > 0) {
    if (Date.now() > deadline) {
      process.kill(-group, "SIGKILL")
      assert.fail(`group ${group} is still there`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const stubborn = { ignoreStdinEnd: true, ignoreTerm: true }
