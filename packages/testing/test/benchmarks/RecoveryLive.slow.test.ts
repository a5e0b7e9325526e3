import { assert, describe, expect, it } from "@effect/vitest"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { measure } from "../../../../tools/benchmarks/recovery/cell.mjs"
import type { Client } from "../../../../tools/benchmarks/recovery/client.js"
import { faultOf } from "../../../../tools/benchmarks/recovery/faults.mjs"
import { rowOf } from "../../../../tools/benchmarks/recovery/rows.mjs"
import { semaphore } from "../../../../tools/benchmarks/recovery/schedule.mjs"

const root = new URL("../../../../", import.meta.url)
const clients = {
  official: new URL("tools/benchmarks/recovery/clients/official-v1.mjs", root).href,
  lifeline: new URL("tools/benchmarks/recovery/clients/lifeline.mjs", root).href,
  resends: new URL("packages/testing/test/benchmarks/fixtures/resends.mjs", root).href
}

const inFault = async (name: keyof typeof clients, fault: "crash-in-call" | "wedged", timeoutMs: number) => {
  const folder = await mkdtemp(join(tmpdir(), "recovery-test-"))
  try {
    const { client }: { client: Client } = await import(clients[name])
    return await measure(rowOf(client, clients[name], "alone"), {
      fault: faultOf(fault),
      transport: "stdio",
      protocol: "2025"
    }, {
      timeoutMs,
      within: 4 * timeoutMs,
      cores: semaphore(1),
      folder,
      published: false,
      log: () => {}
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

describe.concurrent("a fault that happens to a client", () => {
  it("[B2:real] Lifeline is back, one call failed, and nothing was carried out twice or is left", async () => {
    const { back, calls, failed, hung, processes, twice } = await inFault("lifeline", "crash-in-call", 20_000)
    assert.isAbove(back ?? 0, 0, JSON.stringify(calls))
    expect({ failed, hung, twice, processes: processes ?? 0 }).toEqual({ failed: 1, hung: 0, twice: 0, processes: 0 })
  })

  it("[B2:real] a client that makes the same call again is back, and the server has carried it out twice", async () => {
    const { back, calls, failed, twice } = await inFault("resends", "crash-in-call", 20_000)
    assert.isAbove(back ?? 0, 0, JSON.stringify(calls))
    expect({ failed, twice }).toEqual({ failed: 0, twice: 1 })
  })

  it("[B2:real] the official Client does not come back from a stopped server, and each of its calls hung", async () => {
    const { back, calls, failed, hung, processes } = await inFault("official", "wedged", 2000)
    expect(back).toBeUndefined()
    expect(hung).toBe(calls.length)
    expect(hung).toBeGreaterThan(1)
    expect({ failed, processes: processes ?? 0 }).toEqual({ failed: 0, processes: 0 })
  })
})
