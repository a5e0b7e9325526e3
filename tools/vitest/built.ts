/**
 * Builds what tests start, once and before any of them runs: they read it, and must not write what others read.
 */
import { build, type Plugin } from "esbuild"
import { cpSync, existsSync, readdirSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Built from "../../packages/testing/test/support/Built.js"
import { capture } from "../run.mjs"

const root = fileURLToPath(new URL("../../", import.meta.url))
const bundler = join(root, "tools/bundle.mjs")

/** Compiles a project with what it refers to. Rejects with the output of the compiler. */
export const compile = (project: string): Promise<string> => capture("tsc", ["-b", project])

/** When a file was written last; never, where it is not. */
const written = (file: string): number => existsSync(file) ? statSync(file).mtimeMs : 0

/** When the compiler has last written a module of any package. */
const compiled = (): number =>
  Math.max(
    ...readdirSync(join(root, "packages")).flatMap((name) => {
      const dist = join(root, "packages", name, "dist")
      const files = existsSync(dist) ? readdirSync(dist, { encoding: "utf8", recursive: true }) : []
      return files.filter((file) => /\.m?js$/.test(file)).map((file) => written(join(dist, file)))
    })
  )

/** Bundles facade and gateway as they are published, if that has not been done since they were compiled. */
const publish = async (): Promise<void> => {
  const since = Math.max(compiled(), written(bundler), written(join(root, "pnpm-lock.yaml")))
  // The bundler writes it last.
  const stale = ["promise", "gateway"].map((name) => join(root, "packages", name)).filter((directory) =>
    written(join(directory, "third-party.txt")) < since
  )
  await Promise.all(stale.map((cwd) => capture(process.execPath, [bundler], { cwd })))
}

/** A CommonJS module that ours take by its names, which it would not have in a bundle: it is left where it is. */
const undici: Plugin = {
  name: "undici",
  setup: (bundle) =>
    bundle.onResolve({ filter: /^undici$/ }, () => ({
      path: createRequire(join(root, "packages/transport-http/package.json")).resolve("undici"),
      external: true
    }))
}

/** Makes one file of a program, and chunks that it loads later. */
const bundle = (entry: string, to: string) =>
  build({
    entryPoints: [entry],
    plugins: [undici],
    outdir: dirname(to),
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    logLevel: "warning",
    banner: {
      js:
        `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`
    }
  })

const prepare = async (): Promise<void> => {
  const { resolve } = createRequire(join(root, "packages/gateway/package.json"))
  const everything = join(dirname(resolve("@modelcontextprotocol/server-everything/package.json")), "dist")
  // It reads them from the folder above its own.
  cpSync(join(everything, "docs"), join(dirname(Built.everything), "../docs"), { recursive: true })
  const compiling = compile(join(root, "tools/tsconfig.build.json"))
  await Promise.all([
    compiling.then(publish),
    bundle(join(everything, "index.js"), Built.everything),
    bundle(join(root, "packages/promise/test/fixtures/peer.mjs"), Built.peer),
    bundle(join(root, "packages/promise/test/fixtures/eras.mjs"), Built.eras),
    compiling.then(() => bundle(join(root, "packages/state/test/fixtures/counter.mjs"), Built.counter)),
    compiling.then(() => bundle(join(root, "packages/sign-in/test/fixtures/signer.mjs"), Built.signer))
  ])
}

/** One for all packages of a run. */
const shared = globalThis as { lifelineBuilt?: Promise<void> }

/** Called by vitest. A source that does not compile ends the run here, with the compiler's own words. */
export const setup = (): Promise<void> => shared.lifelineBuilt ??= prepare()
