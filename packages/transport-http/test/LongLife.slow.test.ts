import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { complaints, type Report } from "../../../tests/longlife/verdict.mjs"

const program = fileURLToPath(new URL("../../../tests/longlife/life.mjs", import.meta.url))

/** One backend in a process of its own, on the built packages; the server's memory is not measured. */
const live = async (transport: string, what: string, count: number, warmup: number): Promise<Report> => {
  const args = [program, transport, what, "--count", String(count), "--warmup", String(warmup)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 590_000 })
  return JSON.parse(stdout) as Report
}

describe.concurrent("long life", () => {
  it(
    "[T5] 10,000 calls on one backend: heap within 5%, nothing more is held, all of it is gone after the close",
    async () => {
      assert.deepStrictEqual(complaints(await live("http", "calls", 10_000, 3000)), [])
    },
    600_000
  )

  it(
    "[L6] 1,000 reconnects of one backend: heap within 5%, nothing more is held, all of it is gone after the close",
    async () => {
      assert.deepStrictEqual(complaints(await live("memory", "reconnects", 1000, 1000)), [])
    },
    600_000
  )
})
