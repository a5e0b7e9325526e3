import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, it } from "vitest"
import * as Wine from "../Wine.js"
import type { Result } from "./shim.js"

const alias = {
  "@effect/vitest": fileURLToPath(new URL("shim.ts", import.meta.url)),
  vitest: fileURLToPath(new URL("vitest.mjs", import.meta.url)),
  chai: join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "../chai")
}

const collect = async (entry: URL): Promise<{ readonly code: string; readonly names: ReadonlyArray<string> }> => {
  const directory = mkdtempSync(join(tmpdir(), "lifeline-suite-"))
  try {
    const file = await Wine.bundle(entry, directory, alias)
    const names = JSON.parse(execFileSync(process.execPath, [file, "list"], { encoding: "utf8" })) as Array<string>
    return { code: readFileSync(file, "utf8"), names }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** `prepare` puts there what the tests read beside their file. */
export const run = async (
  entry: URL,
  { nodes = Wine.nodes, prepare, skip = {} }: {
    readonly nodes?: ReadonlyArray<Wine.Node>
    readonly prepare: (directory: string) => void
    /** Names of tests that do not run on Windows, with the reason. */
    readonly skip?: Readonly<Record<string, string>>
  }
): Promise<void> => {
  const { code, names } = await collect(entry)
  const reasonOf = (name: string): string | undefined =>
    Object.entries(skip).find(([skipped]) => name.includes(skipped))?.[1]
  for (const unknown of Object.keys(skip).filter((skipped) => !names.some((name) => name.includes(skipped)))) {
    throw new Error(`there is no test "${unknown}" to leave out`)
  }
  const title = basename(fileURLToPath(entry), ".test.ts")
  for (const node of nodes) {
    describe(`${title} on Windows (${node.name})`, () => {
      let wine: Wine.Wine
      let results: ReadonlyArray<Result> = []
      beforeAll(async () => {
        wine = Wine.make(node)
        prepare(wine.directory)
        writeFileSync(join(wine.directory, "tests.cjs"), code)
        const skipped = names.filter((name) => reasonOf(name) !== undefined)
        await wine.run(wine.node, "tests.cjs", "run", "results.json", JSON.stringify(skipped))
        results = JSON.parse(wine.read("results.json")) as ReadonlyArray<Result>
      })
      afterAll(() => wine.end())

      for (const name of names) {
        const reason = reasonOf(name)
        it.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (${reason})`, () => {
          const result = results.find((one) => one.name === name)
          if (result === undefined) throw new Error("it was not run")
          if (result.error !== undefined) throw new Error(result.error)
        })
      }
    })
  }
}
