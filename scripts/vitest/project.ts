import { fileURLToPath } from "node:url"
import { configDefaults, defineProject } from "vitest/config"
import { sources } from "../../packages/testing/test/support/sources.js"
import { lateConfirmations } from "./late.js"

/** Each entry point of each package, pointed at its source, so that tests need no build. */
const alias = Object.entries(sources).map(([name, replacement]) => ({ find: new RegExp(`^${name}$`), replacement }))

/** Tests for Windows, which `pnpm test:windows` runs. */
const forWindows = "**/test/windows/**"

/** These look into /proc, which Linux alone has. */
const forLinux = [
  "**/cluster/test/Watchdog.slow.test.ts",
  "**/sign-in/test/Browsers.test.ts",
  "**/state/test/{privateFiles,StateFolder,UserFile}.test.ts"
]

/** The configuration of a package's tests, or of all; `built` where they start what `built.ts` builds. The limits are for hangs: on a busy machine real processes start slowly, and generated runs take ten times as long. */
export const project = (
  name: string,
  { built = false, exclude = [], include = ["test/**/*.test.ts"], longest = 300_000, setup = [], windows = false }: {
    readonly built?: boolean
    readonly exclude?: ReadonlyArray<string>
    readonly include?: Array<string>
    /** After how many milliseconds a test hangs. */
    readonly longest?: number
    /** Files beside this one that run before the tests of each file. */
    readonly setup?: ReadonlyArray<string>
    readonly windows?: boolean
  } = {}
): ReturnType<typeof defineProject> =>
  defineProject({
    plugins: [lateConfirmations],
    resolve: { alias },
    test: {
      name,
      include,
      exclude: [
        ...configDefaults.exclude,
        ...(windows ? [] : [forWindows, ...process.platform === "linux" ? [] : forLinux]),
        ...exclude
      ],
      setupFiles: ["watchdog.ts", "links.ts", "state.ts", "holdings.ts", ...setup].map((
        file
      ) => fileURLToPath(new URL(file, import.meta.url))),
      environment: "node",
      sequence: { concurrent: false },
      // What failed on another machine is known by its message alone.
      chaiConfig: { truncateThreshold: 0 },
      testTimeout: longest,
      hookTimeout: longest,
      // By itself it gives up after a second.
      expect: { poll: { timeout: 120_000, interval: 20 } },
      globalSetup: built ? [fileURLToPath(new URL("built.ts", import.meta.url))] : []
    }
  })
