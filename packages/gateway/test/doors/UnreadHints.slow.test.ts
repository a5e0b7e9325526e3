import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { doors, type Server } from "../support/CallDoors.js"
import { stateFolder } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"

/** Dies of SIGKILL under the first call; whatever is called is written into `calls`. */
const killed = (calls: string, journal: string): Server => {
  const body = `
    appendFileSync(${JSON.stringify(calls)}, name + " ")
    if (run === 0) process.kill(process.pid, "SIGKILL")
    else send(said("fine"))
  `
  const before = `
    if (method === "tools/list") {
      const tool = (name, readOnlyHint) => ({ name, inputSchema: { type: "object" }, annotations: { readOnlyHint } })
      return send(answer(params?.cursor === undefined
        ? { tools: [tool("pay", false)], nextCursor: "2" }
        : { tools: [tool("look", true)] }))
    }
  `
  const [, command = "", ...args] = scripted(body, journal, { before })
  return { command, args }
}

describe.concurrent.each(Object.entries(doors))("%s", (_, door) => {
  it.each([["look", "look look ", /^fine$/], ["pay", "pay ", /result is unknown/]] as const)(
    "[C15:real] a call that a kill cuts is sent again where the next process says that it only reads: %s",
    async (tool, sent, says) => {
      using folder = stateFolder()
      const calls = join(folder.path, "calls")
      await door(killed(calls, join(folder.path, "journal")), {}, async (call) => {
        assert.match(await call(tool), says)
      })
      assert.isTrue(existsSync(calls))
      assert.strictEqual(readFileSync(calls, "utf8"), sent)
    }
  )
})
