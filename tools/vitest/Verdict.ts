/**
 * What a run has found, as `build/verdict.json`: tests that passed, those that failed, files that did not load or did not end, and
 * errors outside of tests, which fail the run. `tools/test.mjs` reads it.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { Reporter, SerializedError, TestModule } from "vitest/node"

const root = fileURLToPath(new URL("../../", import.meta.url))

/**
 * What a worker says when the runner has not confirmed within a minute how far a test is; vitest has no option for that minute. On a busy
 * machine this happened to dozens of messages of a run in which every file had its result, for which a worker waits at the end of the file.
 */
const isLate = ({ message }: { readonly message?: string }): boolean =>
  message === `[vitest-worker]: Timeout calling "onTaskUpdate"`

const messageOf = (errors: ReadonlyArray<{ readonly message?: string; readonly stack?: string }>): string =>
  errors.map(({ message, stack }) => stack ?? message ?? "an error without a message").join("\n").slice(0, 4000)

export default class Verdict implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    const passed: Array<object> = []
    const failed: Array<object> = []
    const broken: Array<object> = []
    for (const module of modules) {
      const file = relative(root, module.moduleId)
      const before = failed.length
      for (const test of module.children.allTests()) {
        const [title, result] = [test.fullName, test.result()]
        if (result.state === "passed") passed.push({ file, title })
        if (result.state === "failed") failed.push({ file, title, message: messageOf(result.errors) })
      }
      // An `afterAll` fails a file in which no test has failed.
      const hasEnded = module.state() === "passed" || module.state() === "skipped"
      if (!hasEnded && failed.length === before) broken.push({ file, message: messageOf(module.errors()) })
    }
    const errors = unhandled.filter((error) => !isLate(error)).map((error) => messageOf([error]))
    if (errors.length > 0) process.exitCode = 1
    mkdirSync(`${root}build`, { recursive: true })
    writeFileSync(`${root}build/verdict.json`, JSON.stringify({ passed, failed, broken, errors }, undefined, 2))
  }
}
