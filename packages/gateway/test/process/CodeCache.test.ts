import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Script } from "node:vm"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import * as CodeCache from "../../src/process/CodeCache.js"

let base = ""
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "lifeline-code-"))
  vi.useFakeTimers()
  vi.stubEnv("NODE_DISABLE_COMPILE_CACHE", "")
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  rmSync(base, { recursive: true, force: true })
})

const cache = () => join(base, "state", "code")
const kept = (): ReadonlyArray<string> => {
  try {
    return readdirSync(cache()).toSorted()
  } catch {
    return []
  }
}
const keptFile = () => join(cache(), kept()[0] ?? "")

const start = (value: string) => {
  const file = join(base, "program.cjs")
  writeFileSync(file, `({ value: (() => ${JSON.stringify(value)})() })`)
  const script = CodeCache.script(file, cache())
  return { value: (script.runInThisContext() as { value: string }).value, isRejected: script.cachedDataRejected }
}

const startAndKeep = (value: string) => {
  const started = start(value)
  vi.runAllTimers()
  return started
}

const fromCache = (value: string) => ({ value, isRejected: false })
const compiled = (value: string) => ({ value, isRejected: undefined })

describe("the compiled code of the program", () => {
  it("[W11:unit] is kept for the next start, for its user alone", () => {
    expect(start("one")).toEqual(compiled("one"))
    vi.advanceTimersByTime(2999)
    expect(kept()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(kept()).toHaveLength(1)
    expect(statSync(keptFile()).mode & 0o777).toBe(process.platform === "win32" ? 0o666 : 0o600)
    expect(start("one")).toEqual(fromCache("one"))
    vi.runAllTimers()
    expect(kept()).toHaveLength(1)
  })

  it("[W11:unit] is kept as a whole before the first start, where somebody asks for that, and nothing else is compiled so", () => {
    const file = join(base, "program.cjs")
    const uncalled = Array.from({ length: 100 }, (_, index) => `f${index}(x) { return x * ${index} + this.f0(x) }`)
    writeFileSync(file, `({ value: "one", ${uncalled.join(", ")} })`)
    const sizeOfNext = () => new Script(readFileSync(file, "utf8")).createCachedData().length
    const usual = sizeOfNext()
    CodeCache.prepare(file, cache())
    expect(kept()).toHaveLength(1)
    const { ino, size } = statSync(keptFile())
    expect(size).toBeGreaterThan(2 * usual)
    expect(sizeOfNext()).toBe(usual)
    const script = CodeCache.script(file, cache())
    expect([script.cachedDataRejected, (script.runInThisContext() as { value: string }).value]).toEqual([false, "one"])
    vi.runAllTimers()
    expect(statSync(keptFile())).toMatchObject({ ino, size })
  })

  it("[W11:unit] that was prepared while a start went on is not replaced by what that start has compiled", () => {
    const file = join(base, "program.cjs")
    writeFileSync(file, `({ value: "one", uncalled(x) { return x + 1 } })`)
    CodeCache.script(file, cache())
    CodeCache.prepare(file, cache())
    const { ino, size } = statSync(keptFile())
    vi.runAllTimers()
    expect(statSync(keptFile())).toMatchObject({ ino, size })
  })

  it("[W11:unit] is not prepared where it is turned off, or the file is not there", () => {
    CodeCache.prepare(join(base, "nothing.cjs"), cache())
    vi.stubEnv("NODE_DISABLE_COMPILE_CACHE", "1")
    CodeCache.prepare(new URL(import.meta.url).pathname, cache())
    expect(kept()).toEqual([])
  })

  it("[W11:unit] is that of this text, also of one that is as long", () => {
    startAndKeep("one")
    expect(startAndKeep("two")).toEqual(compiled("two"))
    expect(start("one")).toEqual(fromCache("one"))
    expect(start("two")).toEqual(fromCache("two"))
  })

  it("[W11:unit] of many programs is bounded", () => {
    for (let version = 0; version < 10; version++) startAndKeep(`version ${version}`)
    expect(kept().length).toBe(4)
    expect(start("version 9")).toEqual(fromCache("version 9"))
  })

  it.each(
    [
      ["cut", (path: string) => writeFileSync(path, readFileSync(path).subarray(0, -100))],
      ["empty", (path: string) => writeFileSync(path, "")],
      [
        "changed",
        (path: string) => writeFileSync(path, readFileSync(path).map((byte, at) => at === 200 ? byte ^ 1 : byte))
      ],
      ["a folder", (path: string) => {
        rmSync(path)
        mkdirSync(path)
      }]
    ] as const
  )("[W11:unit] that is %s is not used", (_, damage) => {
    startAndKeep("one")
    damage(keptFile())
    expect(startAndKeep("one")).toEqual(compiled("one"))
  })

  it.skipIf(process.platform === "win32")("[W11:unit] that others may write is not used, but replaced", () => {
    startAndKeep("one")
    chmodSync(keptFile(), 0o622)
    expect(startAndKeep("one")).toEqual(compiled("one"))
    expect(start("one")).toEqual(fromCache("one"))
  })

  it("[W11:unit] is not kept where NODE_DISABLE_COMPILE_CACHE says so, or where nothing can be written", () => {
    vi.stubEnv("NODE_DISABLE_COMPILE_CACHE", "1")
    expect(startAndKeep("one")).toEqual(compiled("one"))
    expect(kept()).toEqual([])
    vi.stubEnv("NODE_DISABLE_COMPILE_CACHE", "")
    writeFileSync(join(base, "state"), "a file where the folder would be")
    expect(startAndKeep("one")).toEqual(compiled("one"))
  })
})
