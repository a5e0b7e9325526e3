import { StdioFaultServer } from "@mcp-lifeline/testing"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"

const keys = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
const none = { keepalive: { method: "none" } }

describe.runIf(process.platform === "linux").each(Object.entries(doors))("through %s", (_, door) => {
  it("[V7:real] 20 calls in the tick in which the server is killed are answered by the next one, each carried out once", async () => {
    using folder = stateFolder()
    const journal = join(folder.path, "journal")
    const { args, command } = StdioFaultServer.command({ journal })
    await door({ command, args: [...args] }, none, async (call) => {
      const echo = () => call("echo", { arguments: { text: "here" } })
      for (let nth = 0; nth < 5; nth++) expect(await echo()).toBe("here")
      const pid = Number(await call("pid"))
      process.kill(pid, "SIGKILL")
      const calls = keys.map((key) => call("count", { arguments: { key } }))
      expect(await Promise.all(calls)).toEqual(keys.map(() => "1"))
      expect(StdioFaultServer.count(journal, "apply")).toBe(keys.length)
    })
  })
})
