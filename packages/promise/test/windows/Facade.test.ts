import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { install } from "../../../testing/test/support/windows/installed.js"
import * as Wine from "../../../testing/test/support/Wine.js"

/** Of a server: itself, a child, one in a group of its own, and one whose parent has exited. */
const all = 4

const here = (name: string): URL => new URL(name, import.meta.url)

describe("the facade on Windows, as npm installs it there", () => {
  let wine: Wine.Wine

  beforeAll(async () => {
    wine = Wine.make(Wine.nodes[0]!, { isBare: true })
    await install(wine.directory, "@mcp-lifeline/client")
    copyFileSync(here("facade.mjs"), join(wine.directory, "facade.mjs"))
    copyFileSync(here("../../../testing/test/support/windows/tree.cjs"), join(wine.directory, "tree.cjs"))
  })
  afterAll(() => wine.end())

  for (const { name, path } of Wine.nodes) {
    it(`[S10:real][L3:real] a server that is killed is started again for the next call, and leaves nothing (${name})`, async () => {
      await wine.run(path, "facade.mjs", `${name}.json`)
      assert.deepStrictEqual(JSON.parse(wine.read(`${name}.json`)), {
        generation: 2,
        state: "Connected",
        alive: [0, all],
        afterClose: 0
      })
    })
  }
})
