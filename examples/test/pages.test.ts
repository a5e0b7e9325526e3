/**
 * Runs the programs of the pages: each ts block that ends by running an Effect. What it prints has to be what its `→` comments say.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { mkdir, writeFile } from "node:fs/promises"
import { delimiter } from "node:path"
import { fileURLToPath } from "node:url"
import { format } from "node:util"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"

const root = new URL("../../", import.meta.url)
const folder = new URL("../build/pages/", import.meta.url)
const bin = fileURLToPath(new URL("bin", import.meta.url))
const path = process.env["PATH"] ?? ""

const pages = [
  "docs/effect.md",
  ...readdirSync(new URL("packages", root)).map((name) => `packages/${name}/README.md`)
]

const programs = pages.flatMap((page) => {
  const text = readFileSync(new URL(page, root), "utf8")
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].flatMap(({ 1: code = "", index }) => {
    const printed = [...code.matchAll(/^\/\/ → (.*)$/gm)].map(([, line]) => line)
    return printed.length === 0 ? [] : [{ place: `${page}:${text.slice(0, index).split("\n").length}`, code, printed }]
  })
})

beforeAll(async () => {
  process.env["PATH"] = `${bin}${delimiter}${path}`
  await mkdir(folder, { recursive: true })
})

afterAll(() => {
  process.env["PATH"] = path
  rmSync(folder, { recursive: true, force: true })
})

describe("a program on a page", () => {
  it("[F1:page] is found", () => {
    expect(programs.filter(({ place }) => place.startsWith("docs/effect.md")).length).toBeGreaterThan(8)
  })

  it.each(programs)("[F1:page] $place prints what it says", async ({ code, place, printed }) => {
    const file = new URL(`${place.replaceAll(/\W/g, "_")}.ts`, folder)
    await writeFile(file, code)
    const lines: Array<string> = []
    const log = vi.spyOn(console, "log").mockImplementation((...values) => void lines.push(format(...values)))
    try {
      await import(fileURLToPath(file))
    } finally {
      log.mockRestore()
    }
    // The lines of the log have a time.
    expect(lines.flatMap((line) => line.startsWith("timestamp=") ? [] : line.split("\n"))).toEqual(printed)
  })
})
