import { transformSync } from "esbuild"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import { describe, expect, it } from "vitest"
import { parseAst } from "vitest/node"

const packages = new URL("../../", import.meta.url).pathname

interface Pattern {
  readonly where: string
  readonly source: string
  readonly flags: string
}

const patternsIn = (file: string): ReadonlyArray<Pattern> => {
  const { code } = transformSync(readFileSync(join(packages, file), "utf8"), {
    loader: file.endsWith(".ts") ? "ts" : "js",
    target: "es2024"
  })
  const found: Array<Pattern> = []
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return
    const { regex } = node as { readonly regex?: { readonly pattern: string; readonly flags: string } }
    if (regex !== undefined) found.push({ where: file, source: regex.pattern, flags: regex.flags })
    for (const inner of Object.values(node)) visit(inner)
  }
  visit(parseAst(code))
  return found
}

const patterns = (): ReadonlyArray<Pattern> =>
  readdirSync(packages, { recursive: true, encoding: "utf8" })
    .filter((file) =>
      /^[\w-]+\/src\/.*\.(ts|mjs)$/.test(file) && !file.startsWith("testing/") && !file.endsWith(".d.ts")
    )
    .toSorted()
    .flatMap(patternsIn)

/** Runs them in a worker; gives the one that it did not come to the end of, if there is one. */
const hanging = (all: ReadonlyArray<Pattern>, limit: number): Promise<string | undefined> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("support/hostile.mjs", import.meta.url), { workerData: all })
    let current = "the start"
    let timer = setTimeout(() => void 0, 0)
    const watch = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        void worker.terminate()
        resolve(current)
      }, limit)
    }
    watch()
    worker.on("message", (one: string) => {
      current = one
      watch()
    })
    worker.on("error", reject)
    worker.on("exit", () => {
      clearTimeout(timer)
      resolve(current === "done" ? undefined : current)
    })
  })

describe("regular expressions", () => {
  it("[X1:unit] each takes time in proportion to the length of the text, whatever the text is", async () => {
    const all = patterns()
    expect(all.length).toBeGreaterThan(100)
    const found: Array<string> = []
    let left = all
    // Each that hangs is named, and the others are looked at after it.
    for (;;) {
      const one = await hanging(left, 20_000)
      if (one === undefined) break
      found.push(one)
      const at = left.findIndex(({ flags, source, where }) => one === `${where} /${source}/${flags}`)
      if (at < 0) break
      left = left.slice(at + 1)
    }
    expect(found).toEqual([])
  }, 300_000)

  it.each([
    "\\{[^}]*\\}",
    "=+$",
    " is PermanentlyFailed \\([^)]*\\)",
    "\\beyJ[\\w-]{8,}\\.[\\w-]+\\.[\\w-]*",
    "^-+|-+$",
    "^\\s*([^:\\s]+)\\s*:\\s*(.*?)\\s*$"
  ])("[X1:unit] one that does not is found: %s", async (source) => {
    expect(await hanging([{ where: "here", source, flags: "s" }], 1500)).toBe(`here /${source}/s`)
  }, 300_000)
})
