import { StdioFaultServer } from "@mcp-lifeline/testing"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"

const folders: Array<string> = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const ledger = () => {
  const folder = mkdtempSync(join(tmpdir(), "unread-"))
  folders.push(folder)
  const journal = join(folder, "journal")
  const { args, command } = StdioFaultServer.command({ journal })
  return { applied: () => StdioFaultServer.count(journal, "apply"), server: { command, args: [...args] } }
}

const keys = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
const none = { keepalive: { method: "none" } }

describe.runIf(process.platform === "linux").each(Object.entries(doors))("through %s", (_, door) => {
  it("[V7:real] 20 calls in the tick in which the server is killed are answered by the next one, each carried out once", async () => {
    const { applied, server } = ledger()
    await door(server, none, async (call) => {
      const echo = () => call("echo", { arguments: { text: "here" } })
      for (let nth = 0; nth < 5; nth++) expect(await echo()).toBe("here")
      const pid = Number(await call("pid"))
      process.kill(pid, "SIGKILL")
      const calls = keys.map((key) => call("count", { arguments: { key } }))
      expect(await Promise.all(calls)).toEqual(keys.map(() => "1"))
      expect(applied()).toBe(keys.length)
    })
  })
})
