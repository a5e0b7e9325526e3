import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Wine from "../../../testing/test/support/Wine.js"

/** Of each tree: the server, a child, one in a group of its own, and one whose parent has exited. */
const all = 4

const here = (name: string): URL => new URL(name, import.meta.url)
const read = (path: string): string => readFileSync(here(path), "utf8")

/** What the package names for Windows, in the versions of the workspace. */
const optional = (): Record<string, string> => {
  const { optionalDependencies } = JSON.parse(read("../../package.json")) as { optionalDependencies: object }
  const catalog = read("../../../../pnpm-workspace.yaml")
  return Object.fromEntries(
    Object.keys(optionalDependencies).map((name) => [name, new RegExp(`"${name}": (\\S+)`).exec(catalog)?.[1] ?? ""])
  )
}

for (const node of Wine.nodes) {
  describe(`the end of servers on Windows (${node.name})`, () => {
    let wine: Wine.Wine

    /** As npm does there. */
    const install = (directory: string, platform: string): void => {
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, "package.json"), JSON.stringify({ optionalDependencies: optional() }))
      const options = [
        "--cpu=x64",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
        "--loglevel=error"
      ]
      execFileSync("npm", ["install", `--os=${platform}`, ...options], { cwd: directory })
    }

    beforeAll(async () => {
      wine = Wine.make(node)
      await wine.bundle(here("ending.ts"))
      install(join(wine.directory, "with"), "win32")
      install(join(wine.directory, "without"), "linux")
      for (const folder of ["with", "without"]) {
        copyFileSync(join(wine.directory, "ending.cjs"), join(wine.directory, folder, "ending.cjs"))
        copyFileSync(fileURLToPath(here("tree.cjs")), join(wine.directory, folder, "tree.cjs"))
      }
    })
    afterAll(() => wine.end())

    const end = async (way: string, folder = "with"): Promise<unknown> => {
      await wine.runIn(folder, wine.node, "ending.cjs", way, `${way}.json`)
      return JSON.parse(wine.read(join(folder, `${way}.json`)))
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
      assert.isFalse(existsSync(join(wine.directory, "without", "node_modules", "@koromix")))
      const { first, second, warnings } = await end("without", "without") as {
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
