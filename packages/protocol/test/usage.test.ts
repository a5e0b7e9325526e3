import type { ConnectOptions, ResourceUsage } from "@mcp-lifeline/core"
import { type AdapterTransport, Binding, EraMemory } from "@mcp-lifeline/protocol"

import { taking } from "../../testing/test/support/taking.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { parts } from "../src/sdkParts.js"
import { initializeResult, transportOf } from "./scripted.js"

const discovered = { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: {} }
const usage: ResourceUsage = { memory: 1, cpu: 2, cpuTime: 3 }

const measured = (method: string, result: object) => {
  const measuring: Array<(usage: ResourceUsage) => void> = []
  const { transport } = transportOf((message) => {
    if (!("id" in message) || !("method" in message)) return Promise.resolve()
    const { id } = message
    const answer = message.method === method ? { result } : { error: { code: -32601, message: "no" } }
    queueMicrotask(() => transport.onmessage?.({ jsonrpc: "2.0", id, ...answer } as never))
    return Promise.resolve()
  })
  const measure = (took: (usage: ResourceUsage) => void) => void measuring.push(took)
  return { measuring, transport: Object.assign(transport, { measure }) }
}

describe("what the processes of a server use", () => {
  const binding = Binding.make(parts)
  const auto = (transport: AdapterTransport, options: ConnectOptions) =>
    binding.connectAuto(() => transport, new EraMemory.EraMemory(), options)
  const eras = [
    ["sessions", "initialize", initializeResult, binding.connect],
    [
      "no sessions",
      "server/discover",
      discovered,
      (transport: AdapterTransport, options: ConnectOptions) => binding.connectStateless(transport, "stdio", options)
    ],
    ["sessions, once it was asked", "initialize", initializeResult, auto],
    ["no sessions, once it was asked", "server/discover", discovered, auto]
  ] as const
  for (const [era, method, result, connect] of eras) {
    test.scopedLive(`[S13 E1:unit] is measured once where it has ${era}, and reported each time`, function*() {
      const { measuring, transport } = measured(method, result)
      const reported: Array<ResourceUsage> = []
      yield* connect(transport, { report: taking("Usage", (report) => reported.push(report.usage)) })
      expect(measuring).toHaveLength(1)
      for (const took of [measuring[0]!, measuring[0]!]) took(usage)
      expect(reported).toEqual([usage, usage])
    })
  }
})
