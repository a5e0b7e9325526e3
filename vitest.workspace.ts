import { fileURLToPath } from "node:url"
import type { TestProjectInlineConfiguration } from "vitest/config"

/** Tests of what only Windows has. `pnpm test:release windows` runs them. */
const windows = "packages/*/test/windows/**/*.test.ts"

/** What is slow, and what is in both sets: small in the gate, and large in the slow set. */
const slow = "**/*.slow.test.ts"
const sized = "**/*.sized.test.ts"

const globalSetup = fileURLToPath(new URL("tools/vitest/built.ts", import.meta.url))

/** A set of tests. The name of a file decides to which it belongs. */
const set = (
  name: string,
  include: Array<string>,
  exclude: Array<string>,
  more: TestProjectInlineConfiguration["test"]
): TestProjectInlineConfiguration => ({ extends: true, test: { name, include, exclude, ...more } })

/**
 * The sets that `vitest --project` chooses from: `gate` runs for each change, `slow` before an issue is closed, and `windows` on Windows. Each is one
 * project over all packages, so that one process imports Effect and the SDK once for many files.
 */
const sets = [
  set("gate", ["{packages/*,examples}/test/**/*.test.ts"], [slow, windows], {
    globalSetup,
    provide: { isLarge: false }
  }),
  set("slow", [slow, sized], [windows], { globalSetup, provide: { isLarge: true } }),
  set("windows", [windows], [], { provide: { isLarge: false } })
]

export default sets
