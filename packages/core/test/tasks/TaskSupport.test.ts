import { RequestError } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import * as Call from "../../src/calls/Call.js"
import * as ToolHints from "../../src/calls/ToolHints.js"
import * as Hints from "../../src/catalog/Hints.js"
import { Runtime } from "../../src/runtime/Runtime.js"

const extension = "io.modelcontextprotocol/tasks"
const declared = { "io.modelcontextprotocol/clientCapabilities": { extensions: { [extension]: {} } } }
const undeclared = { "io.modelcontextprotocol/clientCapabilities": { extensions: { another: {} } } }

const servers = {
  none: { tools: {} },
  "2025": { tasks: { requests: { tools: { call: {} } } } },
  "2025, of other requests only": { tasks: { requests: { sampling: {} } } },
  "2026": { extensions: { [extension]: {} } },
  "2026, another extension only": { extensions: { another: {} } }
} as const

const callers = {
  plain: [{}, undefined],
  "with other capabilities": [{ _meta: undeclared }, undefined],
  "with an option": [{}, { task: { ttl: 1 } }],
  "with a parameter": [{ task: { ttl: 1 } }, undefined],
  "with the extension": [{ _meta: declared }, undefined]
} as const

const knownOf = ["required", "optional", "forbidden", "not listed", "not read"] as const

const supportOf = (
  tasks: "never" | "required" | "prefer",
  server: keyof typeof servers,
  known: typeof knownOf[number]
) => {
  const runtime = Effect.runSync(Runtime.make(1))
  if (known !== "not read") {
    runtime.learn({ hasReadTools: true })
    const tools = known === "not listed" ? [] : [{ name: "long", execution: { taskSupport: known } }]
    runtime.learn({ listed: Hints.learn(undefined, { tools }, 1, 10) })
  }
  const backend = { policy: { calls: { tasks } }, published: { value: { snapshot: undefined } } }
  runtime.opened({ capabilities: servers[server] } as never, 0)
  return { self: { backend } as never, runtime }
}

const callOf = (caller: keyof typeof callers) => {
  const [params, options] = callers[caller]
  return Call.make("tools/call", { name: "long", ...params } as never, options as never, undefined, 1000, 0)
}

const all = <A extends object>(of: A) => Object.keys(of) as Array<keyof A>

describe("which calls run as a task", () => {
  it("[C17] those that the tool or the policy wants, of a server that has tasks, and that nobody has asked for himself", () => {
    mayLeave("connections")
    for (const tasks of ["never", "required", "prefer"] as const) {
      for (const server of all(servers)) {
        for (const caller of all(callers)) {
          for (const known of knownOf) {
            const { runtime, self } = supportOf(tasks, server, known)
            const call = callOf(caller)
            const isDecided = ToolHints.decideTask(self, call, runtime)
            const isPlain = caller === "plain" || caller === "with other capabilities"
            const runs = isPlain && tasks !== "never" && (
              server === "2026"
                ? tasks === "prefer"
                : server === "2025" && (known === "required" || (known === "optional" && tasks === "prefer"))
            )
            const isOpen = isPlain && tasks !== "never" && server === "2025" && known === "not read"
            expect([tasks, server, caller, known, call.runsTask, isDecided]).toEqual([
              tasks,
              server,
              caller,
              known,
              runs,
              !isOpen
            ])
          }
        }
      }
    }
  })

  it("[C17] a server that has refused a call because it needs a task gets it as one, and each later call of that tool; no other refusal counts", () => {
    mayLeave("connections")
    const data = { requiredCapabilities: { extensions: { [extension]: {} } } }
    const refusal = { fate: "answered", reason: "remote", code: -32_021, message: "no", data } as const
    const errors = [
      [true, refusal],
      [false, { ...refusal, code: -32_602 }],
      [false, { ...refusal, fate: "unknown" }],
      [false, { ...refusal, data: undefined }],
      [false, { ...refusal, data: { requiredCapabilities: { extensions: { another: {} } } } }]
    ] as const
    for (const tasks of ["never", "required", "prefer"] as const) {
      for (const server of all(servers)) {
        for (const caller of all(callers)) {
          for (const [counts, error] of errors) {
            const { runtime, self } = supportOf(tasks, server, "not read")
            const call = callOf(caller)
            ToolHints.decideTask(self, call, runtime)
            const isPlain = caller === "plain" || caller === "with other capabilities"
            // With "prefer" it was sent as one, so this is not why it was refused.
            const isRefused = counts && isPlain && tasks === "required" && server === "2026"
            expect(ToolHints.needsTask(self, call, runtime, new RequestError(error))).toBe(isRefused)
            expect(runtime.known.needTask?.has("long") === true).toBe(isRefused)
            if (!isRefused) continue
            for (const _ of [1, 2]) {
              const next = callOf(caller)
              expect([ToolHints.decideTask(self, next, runtime), next.runsTask]).toEqual([true, true])
              // It was one: the same refusal again has another reason.
              expect(ToolHints.needsTask(self, next, runtime, new RequestError(error))).toBe(false)
            }
          }
        }
      }
    }
  })

  it("[C17] no other request begins one", () => {
    mayLeave("connections")
    const { runtime, self } = supportOf("prefer", "2026", "required")
    const call = Call.make("resources/read", { uri: "x:1" }, undefined, undefined, 1000, 0)
    expect([ToolHints.decideTask(self, call, runtime), call.runsTask]).toEqual([true, undefined])
  })
})
