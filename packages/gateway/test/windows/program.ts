import { build } from "esbuild"
import { copyFileSync, cpSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { sources } from "../../../testing/test/support/sources.js"
import * as Wine from "../../../testing/test/support/Wine.js"

const banner =
  `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Writes the program to a folder: its modules, `mcp-lifeline.cmd`, which starts it, and `npx.cmd`, which starts it or a file of JavaScript in the folder. */
export const make = async ({ directory, node }: Wine.Wine): Promise<void> => {
  await build({
    entryPoints: [here("../../src/bin.ts"), here("../../src/program.ts")],
    outdir: join(directory, "esm"),
    alias: { ...sources },
    // A CommonJS module that ours take by its names, which it would not have in a bundle.
    external: ["undici"],
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    mainFields: ["module", "main"],
    logLevel: "silent",
    banner: { js: banner }
  })
  const undici = dirname(createRequire(here("../../package.json")).resolve("undici/package.json"))
  cpSync(undici, join(directory, "node_modules/undici"), { recursive: true, dereference: true })
  copyFileSync(here("../../package.json"), join(directory, "package.json"))
  copyFileSync(here("npx.cjs"), join(directory, "npx.cjs"))
  copyFileSync(here("tool.cjs"), join(directory, "tool.cjs"))
  writeFileSync(join(directory, "mcp-lifeline.cmd"), `@ECHO OFF\r\n"${Wine.windows(node)}" "%~dp0\\esm\\bin.js" %*\r\n`)
  writeFileSync(join(directory, "npx.cmd"), `@ECHO OFF\r\n"${Wine.windows(node)}" "%~dp0\\npx.cjs" %*\r\n`)
}

/** Begins a describe with a Windows that has the program and a bundle of one of the modules here, and ends it afterwards. */
export const before = (node: Wine.Node, module: string, use: (wine: Wine.Wine) => void): void => {
  let wine: Wine.Wine
  beforeAll(async () => {
    wine = Wine.make(node)
    use(wine)
    await make(wine)
    await wine.bundle(new URL(module, import.meta.url))
  })
  afterAll(() => wine.end())
}
