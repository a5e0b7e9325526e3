import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"

for (const node of Wine.nodes) {
  describe(`the state folder on Windows (${node.name})`, () => {
    let wine: Wine.Wine

    beforeAll(async () => {
      wine = Wine.make(node)
      await wine.bundle(new URL("locks.ts", import.meta.url))
    })
    afterAll(() => wine.end())

    const result = async (way: string): Promise<Record<string, unknown>> => {
      mkdirSync(join(wine.directory, way))
      await wine.run(wine.node, "locks.cjs", way, way, `${way}.json`)
      return JSON.parse(wine.read(`${way}.json`)) as Record<string, unknown>
    }

    it("[A2] one process at a time has a lock, and what it writes is whole, while another program reads it", async () => {
      const { codes, expected, ledger, left, number } = await result("ledger")
      const lines = ledger as ReadonlyArray<string>
      assert.deepStrictEqual([codes, number, left], [[0, 0], { value: expected }, ["one.json"]])
      assert.lengthOf(lines, 2 * Number(expected))
      for (let index = 0; index < lines.length; index += 2) {
        assert.deepStrictEqual([lines[index]?.[0], lines[index + 1]], ["+", lines[index]?.replace("+", "-")])
      }
    })

    it("[A2] a file that another program has open is replaced, read, or given back after that; in the end it stays as it is", async () => {
      const { afterLong, afterMoment, kept, later, left, long, moment, seen } = await result("inUse")
      assert.deepStrictEqual([moment, afterMoment, seen], [[], { value: 2 }, { value: 2 }])
      // What this process could not write it knows, until another one has written something else.
      assert.deepStrictEqual([afterLong, kept, later, left], [{ value: 3 }, { value: 2 }, { value: 4 }, []])
      assert.lengthOf(long as ReadonlyArray<string>, 1)
      assert.match(
        String(long),
        /numbers.one\.json has been open in another program for 3 seconds.*\(E\w+\).*virus scanners/
      )
    })

    // These take their time, and are the same on every Node.js.
    if (!Wine.oneNode.includes(node)) return

    it("[A2] a lock ends with a process that is killed, and not before", async () => {
      assert.deepStrictEqual(await result("killed"), { hadBoth: false, left: 1 })
    })

    it("[A2] a process that is stopped runs, and one that has the number of another is not that", async () => {
      const { start, states } = await result("identity")
      assert.match(String(start), /^[\da-f]{32}$/)
      const running = Array.from({ length: 8 }, () => "running")
      assert.deepStrictEqual(states, ["running", "gone", ...running, "gone", "gone"])
    })
  })
}
