import { assert, describe, it } from "vitest"
import { doors } from "../support/CallDoors.js"
import { scripted } from "../support/Scripted.js"

/** Each call takes 50 ms, and says which it was and how many others of its kind, and of all, were carried out meanwhile. */
const [, command = "", ...args] = scripted(
  `
  if (name === "hang") return
  globalThis.count ??= { begun: 0, now: { write: 0, all: 0 } }
  const { now } = count
  const isWrite = name.startsWith("write_")
  const number = ++count.begun
  now.all++
  if (isWrite) now.write++
  const seen = { write: now.write, all: now.all }
  setTimeout(() => {
    now.all--
    if (isWrite) now.write--
    send(said([number, name, seen.write, seen.all].join(" ")))
  }, 50)
`,
  "",
  {
    before: `
    if (method === "tools/list") {
      const tools = ["write_a", "write_b", "read", "hang"].map((name) => ({ name, inputSchema: { type: "object" } }))
      return send(answer({ tools }))
    }
  `
  }
)

const policy = { calls: { concurrency: 3 }, tools: { "write_*": { concurrency: 1 }, "h?ng": { timeout: "400 ms" } } }

describe.concurrent.each(Object.entries(doors))("%s", (name, door) => {
  it("[C18:real] calls beyond the limits wait for their turn, in order; the time of a tool bounds its calls", () =>
    door({ command, args }, policy, async (call) => {
      const tools = ["write_a", "write_b", "read", "write_a", "read", "read", "read", "write_b"]
      const answers = await Promise.all(tools.map((tool) => call(tool)))
      const seen = answers.map((answer) => answer.split(" "))
      assert.deepEqual(seen.map(([, tool]) => tool), tools)
      for (const [, , writes, all] of seen) {
        assert.isAtMost(Number(writes), 1)
        assert.isAtMost(Number(all), 3)
      }
      for (const kind of ["write_", "read"]) {
        // Requests over HTTP may arrive in another order.
        if (name === "serve") continue
        const order = seen.flatMap(([number, tool = ""]) => tool.startsWith(kind) ? [Number(number)] : [])
        assert.deepEqual(order, order.toSorted((a, b) => a - b))
      }
      assert.match(await call("hang"), /not answered within 400 ms/)
      assert.match(await call("read"), / read 0 1$/)
    }))
})
