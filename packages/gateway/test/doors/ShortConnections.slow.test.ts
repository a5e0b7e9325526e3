import { StdioFaultServer } from "@mcp-lifeline/testing"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"

const calls = Array.from({ length: 10 }, () => "last words")

describe.each(Object.entries(doors))("through %s", (_, door) => {
  it("[V6:real] each of ten calls is answered by a process of its own, and no attempt waits for the backoff", async () => {
    using folder = stateFolder()
    const journal = join(folder.path, "journal")
    const { args, command } = StdioFaultServer.command({ journal })
    // Where an attempt waited, its call would fail.
    const options = {
      keepalive: { method: "none" },
      reconnect: { initialDelay: "10 minutes", maxDelay: "10 minutes", demandInterval: "5 minutes" },
      timeouts: { wait: "1 minute" }
    }
    await door({ command, args: [...args] }, options, async (call) => {
      const answers: Array<string> = []
      for (const _ of calls) answers.push(await call("exitAfterAnswer"))
      expect(answers).toEqual(calls)
      const called = StdioFaultServer.journal(journal).filter(({ event }) => event === "call")
      expect(new Set(called.map(({ pid }) => pid)).size).toBe(called.length)
    })
  })
})
