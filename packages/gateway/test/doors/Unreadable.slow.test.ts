import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { describe, expect, it } from "vitest"
import { pairs } from "../../../testing/test/support/pairs.js"
import { doors } from "../support/CallDoors.js"
import { fixture } from "../support/Program.js"

/** A whole message, whose id is that of the only request, or `null`. */
const readable = ["plain", "list", "idNull", "errorNull", "member", "noVersion", "errorText", "errorOfNobody"]

/** What came instead is quoted. */
const quoted = { nan: "NaN", cut: "said", brace: "done", trailing: "said", twice: "said" }

describe.each(pairs(Object.keys(doors), ["stdio", "events", "json"]))("through %s, over %s", (door, way) => {
  it("[C9:real] a whole answer is taken, and one that cannot be read is quoted, within seconds", async () => {
    const { args, command } = fixture("unreadable")
    const child = way === "stdio" ? undefined : spawn(command, [...args, way], { stdio: ["pipe", "pipe", "inherit"] })
    try {
      const lines = child && createInterface({ input: child.stdout })
      const [url] = lines === undefined ? [""] : await once(lines, "line") as [string]
      const server = url === "" ? { args, command } : { url }
      await doors[door]!(server, { keepalive: { method: "none" } }, async (call) => {
        for (const form of readable) expect([form, await call(form)]).toEqual([form, expect.stringContaining("said")])
        for (const [form, text] of Object.entries(quoted)) {
          const answer = await call(form)
          expect([form, answer]).toEqual([form, expect.stringContaining(text)])
          expect(answer).toMatch(/cannot be read as JSON-RPC|is no response/)
        }
        expect(await call("plain")).toBe("said")
      })
    } finally {
      child?.kill()
    }
  }, 120_000)
})
