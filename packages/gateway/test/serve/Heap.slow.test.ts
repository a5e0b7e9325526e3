import { describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const program = fileURLToPath(new URL("../fixtures/heap.mjs", import.meta.url))

const rooms = async (how: string) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--max-semi-space-size=64", program, how])
  return JSON.parse(stdout) as { readonly before: number; readonly after: number }
}

describe("the heap of serve", () => {
  it("[G13] does not grow the room for new objects, as V8 does by itself", async () => {
    const [small, usual] = await Promise.all([rooms("small"), rooms("usual")])
    expect(small.after).toBe(small.before)
    expect(usual.after).toBeGreaterThan(usual.before)
  })
})
