import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { configDefaults, defineProject } from "vitest/config"

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const packages = new URL("packages/", import.meta.url)

/** Each entry point of each package, pointed at its source, so that tests need no build. */
const sources = readdirSync(packages).flatMap((directory) => {
  const root = new URL(`${directory}/`, packages)
  const { exports, name } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as Manifest
  return Object.entries(exports).flatMap(([entry, target]) =>
    typeof target === "string" ? [] : [{
      find: new RegExp(`^${name}${entry.slice(1)}$`),
      replacement: fileURLToPath(new URL(target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts"), root))
    }]
  )
})

/** The configuration of a package's tests, or of all; `built` where they start what vitest.built.ts builds. The limits are for hangs: on a busy machine real processes start slowly, and generated runs take ten times as long. */
export const project = (
  name: string,
  { built = false, exclude = [], include = ["test/**/*.test.ts"], longest = 300_000, setup = [] }: {
    readonly built?: boolean
    readonly exclude?: ReadonlyArray<string>
    readonly include?: Array<string>
    /** After how many milliseconds a test hangs. */
    readonly longest?: number
    /** Files beside this one that run before the tests of each file. */
    readonly setup?: ReadonlyArray<string>
  } = {}
): ReturnType<typeof defineProject> =>
  defineProject({
    resolve: { alias: sources },
    test: {
      name,
      include,
      exclude: [...configDefaults.exclude, ...exclude],
      setupFiles: ["vitest.watchdog.ts", ...setup].map((file) => fileURLToPath(new URL(file, import.meta.url))),
      environment: "node",
      sequence: { concurrent: false },
      // What failed on another machine is known by its message alone.
      chaiConfig: { truncateThreshold: 0 },
      testTimeout: longest,
      hookTimeout: longest,
      // By itself it gives up after a second.
      expect: { poll: { timeout: 120_000, interval: 20 } },
      globalSetup: built ? [fileURLToPath(new URL("vitest.built.ts", import.meta.url))] : []
    }
  })
