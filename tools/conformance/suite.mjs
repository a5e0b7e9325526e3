/** Where the published suite is, and the Node that it runs on: 22 or newer. What is tested runs on the Node that runs this. */
import { build } from "esbuild"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { capture, each } from "../run.mjs"

export const here = fileURLToPath(new URL(".", import.meta.url))

/** In one file: it is started more than a hundred times, and starts in half the time. */
export const suite = fileURLToPath(new URL("../../build/conformance/suite.mjs", import.meta.url))

const published = dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json"))
await build({
  entryPoints: { suite: join(published, "dist/index.js") },
  outdir: dirname(suite),
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  logLevel: "warning",
  banner: {
    js:
      `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
  }
})

// An npx around us would tell ours what to run.
delete process.env["npm_config_package"]
delete process.env["npm_config_call"]

export const node = Number(process.versions.node.split(".")[0]) >= 22
  ? process.execPath
  : (await capture("npx", ["--yes", "-p", "node@24", "--", "node", "-p", "process.execPath"], { cwd: here })).trim()
    .split("\n").at(-1) ?? ""

/** The variables of a run of the suite, which would compile itself each time. */
export const env = {
  ...process.env,
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../build/compile-cache", import.meta.url))
}

/** A list beside this file. @param {string} name */
export const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"))

/** Plays as many at once as the machine is good for: most of a play is waiting. @param {ReadonlyArray<() => Promise<void>>} plays */
export const together = (plays) => each(plays, Math.min(10, 3 * availableParallelism()), (play) => play())
