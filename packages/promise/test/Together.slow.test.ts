import { connectAll } from "@mcp-lifeline/client"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const program = fileURLToPath(new URL("../../../tools/benchmarks/liveness/server.mjs", import.meta.url))

const lifeline = { keepalive: { interval: "2 s", timeout: "1 s", suspectInterval: "1 s" } } as const

describe.skipIf(process.platform === "win32")("V11: two servers that cannot be reached for a while", () => {
  it("[V11:real] are kept over HTTP, and the status says that it is this machine", { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "lifeline-"))
    const running: Array<ChildProcess> = []
    try {
      const mcpServers: Record<string, { url: string; lifeline: typeof lifeline }> = {}
      for (const name of ["a", "b"]) {
        const child = spawn(process.execPath, [program, "http", join(folder, name)])
        running.push(child)
        const [port] = await once(child.stdout!, "data")
        mcpServers[name] = { url: `http://127.0.0.1:${Number(port)}/mcp`, lifeline }
      }
      const fleet = await connectAll({ mcpServers })
      const statuses = () => ["a", "b"].map((name) => fleet.client(name)!.status)
      for (const child of running) child.kill("SIGSTOP")
      while (statuses().some(({ verdict }) => verdict?.kind !== "held")) await setTimeout(100)
      expect(statuses()[0]?.verdict?.reason).toMatch(/^everything is silent: this machine; /)
      await setTimeout(5000)
      for (const child of running) child.kill("SIGCONT")
      while (statuses().some(({ verdict }) => verdict !== undefined)) await setTimeout(100)
      expect(statuses().map(({ connectionCount }) => connectionCount)).toEqual([1, 1])
      await fleet.close()
    } finally {
      for (const child of running) child.kill("SIGKILL")
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
