import { describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const program = fileURLToPath(new URL("fixtures/heap.mjs", import.meta.url))

describe("the heap of serve", () => {
  it("[G13] has room for what is new at the start, and again after a time in which little went on", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", program])
    const { afterIdle, later, start } = JSON.parse(stdout) as Record<string, number>
    expect(start).toBeGreaterThanOrEqual(4)
    expect([afterIdle, later]).toEqual([1, 4])
  }, 180_000)
})
