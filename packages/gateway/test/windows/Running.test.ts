import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"
import * as Program from "./program.js"

const up = `require("node:fs").writeFileSync(process.argv[2], ""); process.stdin.resume()`

for (const node of Wine.oneNode) {
  describe(`gateways that run on Windows (${node.name})`, () => {
    let wine: Wine.Wine
    Program.before(node, "running.ts", (made) => (wine = made))

    beforeAll(() => {
      const mcpServers = { tool: { command: Wine.windows(node.path), args: ["tool.cjs"] } }
      writeFileSync(join(wine.directory, "mcp.json"), JSON.stringify({ mcpServers }))
      writeFileSync(join(wine.directory, "up.cjs"), up)
    })

    const result = async (way: string): Promise<unknown> => {
      await wine.run(wine.node, "running.cjs", way, `${way}.json`)
      return JSON.parse(wine.read(`${way}.json`))
    }
    const answer = ["first"]

    it("[G14][S10] one in the background outlives a host that is killed, serves the next one, and ends when nobody is left", async () => {
      assert.deepStrictEqual(await result("killed"), { answer, second: answer, count: 1, isSame: true })
    })

    it("[G14][S10] one that ends with the job of the host that has started it is started again by the next host", async () => {
      assert.deepStrictEqual(await result("job"), { answer, count: 1, isSame: false })
    })

    it("[G7] Ctrl+C ends serve and wrap in order", async () => {
      assert.deepStrictEqual(await result("control"), { codes: [0, 0], left: [] })
    })

    // Wine 8 sends no Ctrl+Break, so this is what Node.js makes of one.
    it("[G7] Ctrl+Break does so, too", async () => {
      assert.deepStrictEqual(await result("break"), { codes: [0, 0], left: [] })
    })
  })
}
