import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"

/** Of each tree: the server, a child, one in a group of its own, and one whose parent has exited. */
const all = 4

const here = (name: string): URL => new URL(name, import.meta.url)

for (const node of Wine.nodes) {
  describe(`the end of servers on Windows (${node.name})`, () => {
    let usual: Wine.Wine
    let bare: Wine.Wine

    beforeAll(async () => {
      usual = Wine.make(node)
      bare = Wine.make(node, { isBare: true })
      for (const wine of [usual, bare]) {
        await wine.bundle(here("ending.ts"))
        copyFileSync(here("../../../testing/test/support/windows/tree.cjs"), join(wine.directory, "tree.cjs"))
      }
    })
    afterAll(() => {
      usual.end()
      bare.end()
    })

    const end = async (way: string, wine = usual): Promise<unknown> => {
      await wine.run(wine.node, "ending.cjs", way, `${way}.json`)
      return JSON.parse(wine.read(`${way}.json`))
    }

    it("[S10:real][S1:real][S2:real] a close ends the tree of a server that ends with its stdin", async () => {
      assert.deepStrictEqual(await end("plain"), { before: all, after: 0 })
    })

    it("[S10:real][S1:real] one that ignores the end of its stdin is ended after the grace, with its tree", async () => {
      assert.deepStrictEqual(await end("stubborn"), { before: all, after: 0 })
    })

    it("[S10:real][S1:real] one that ends in the grace is not killed", async () => {
      assert.deepStrictEqual(await end("tidy"), { before: all, after: 0, isTidy: true })
    })

    it("[S10:real][S2:real] what a server that crashes leaves behind is ended at once", async () => {
      assert.deepStrictEqual(await end("crash"), { before: all, after: 0 })
    })

    it("[S10:real][S2:real] a server that is started again has left nothing", async () => {
      assert.deepStrictEqual(await end("restart"), { afterCrash: 0, afterReconnect: 0, alive: all, afterClose: 0 })
    })

    it("[S10:real][S8:real] nothing outlives our own exit", async () => {
      assert.deepStrictEqual(await end("ownExit"), { before: all, after: 0 })
    })

    it("[S10:real][S8:real] nothing outlives our own death, not even what does not read its stdin", async () => {
      assert.deepStrictEqual(await end("ownDeath"), { before: all, after: 0 })
    })

    it("[S10:real] without the package, the server is ended, and one warning says what may not be", async () => {
      const { first, second, warnings } = await end("without", bare) as {
        readonly first: { readonly after: number }
        readonly second: { readonly after: number }
        readonly warnings: ReadonlyArray<string>
      }
      // The taskkill of Wine 8 knows no /T, so both that left the job of the server's own Node.js stay.
      assert.isAtMost(first.after, 2)
      assert.isAtMost(second.after, 2)
      assert.lengthOf(warnings, 1)
      assert.match(
        warnings[0]!,
        /^the package @koromix\/koffi-win32-x64 cannot be loaded, so processes that a server has started may survive it: .* Install /
      )
    })
  })
}
