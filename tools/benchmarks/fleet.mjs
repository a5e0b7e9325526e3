/**
 * [P10] What a fleet adds to a call and to a changed list, with few backends and with many: a tool called through the fleet
 * against the same tool called on its backend, in turns of blocks; and one changed list, from the server's notification until
 * `differences` has it, and until the tools of the catalogue can be looked up. Every backend offers its own tools.
 *
 * The connector is scripted and answers at once. What the fleet adds is the median over the rounds of (median of the fleet's
 * block) - (median of the backend's block of the same round).
 *
 *     node tools/benchmarks/fleet.mjs [--backends 10000] [--tools 20] [--rounds 31] [--calls 500] [--changes 30] [--json]
 */
import { Fleet } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, Logger, LogLevel, Scope, Stream } from "effect"
import * as common from "./common.mjs"

const { backends, calls, changes, json, rounds, tools } = common.options({
  backends: 10_000,
  tools: 20,
  rounds: 31,
  calls: 500,
  changes: 30
})

/** @template A, E @param {Effect.Effect<A, E>} effect */
const run = (effect) => Effect.runPromise(Logger.withMinimumLogLevel(effect, LogLevel.None))

/** What a server offers whose list has changed so many times. @param {number} version */
const offer = (version) => ({
  tools: Array.from({ length: tools }, (_, i) => ({
    ...ScriptedConnector.tool(i === 0 ? `changed-${version}` : `tool-${i}`),
    description: `does what number ${i} does`
  })),
  prompts: [],
  resources: [{ name: "shared", uri: "file:///shared" }],
  resourceTemplates: []
})

/** Times an effect so often, in microseconds. @param {Effect.Effect<unknown, unknown>} effect */
const block = (effect) =>
  run(Effect.gen(function*() {
    const times = []
    for (let i = 0; i < calls; i++) {
      const startedAt = performance.now()
      yield* effect
      times.push((performance.now() - startedAt) * 1000)
    }
    return common.median(times)
  }))

/** @param {number} count */
const measure = async (count) => {
  const scope = Effect.runSync(Scope.make())
  const scripts = Array.from({ length: count }, () => {
    const script = ScriptedConnector.make()
    script.offer = offer(0)
    return script
  })
  const fleet = await run(
    Scope.extend(
      Fleet.make({
        backends: scripts.map((connector, i) => ({ id: `b${i}`, connector, keepalive: { method: "none" } })),
        waitTimeout: "5 minutes"
      }),
      scope
    )
  )
  await run(fleet.ready)
  const madeAt = performance.now()
  const { size } = (await run(fleet.catalog)).tools
  const whole = performance.now() - madeAt
  if (size !== count * tools) throw new Error(`${size} tools of ${count * tools}`)

  const own = /** @type {Array<number>} */ ([])
  const added = /** @type {Array<number>} */ ([])
  const backend = await run(fleet.backend(`b${count - 1}`))
  for (let i = 0; i < rounds; i++) {
    const direct = await block(backend.callTool({ name: "tool-1" }))
    const through = await block(fleet.callTool({ name: `b${count - 1}__tool-1` }))
    own.push(direct)
    added.push(through - direct)
  }

  const seen = /** @type {Array<number>} */ ([])
  const read = /** @type {Array<number>} */ ([])
  let wake = () => {}
  const watching = Effect.runFork(Stream.runForEach(fleet.differences, () => Effect.sync(() => wake())))
  for (let version = 1; version <= changes; version++) {
    await common.sleep(400)
    // Each in turn: lists of one are read again at most once in a while, and ever more seldom.
    const at = version % count
    const script = /** @type {ScriptedConnector.ScriptedConnector} */ (scripts[at])
    script.offer = offer(version)
    const name = `b${at}__changed-${version}`
    const woken = new Promise((resolve) => {
      wake = () => resolve(undefined)
    })
    const startedAt = performance.now()
    script.current.notify("notifications/tools/list_changed")
    await woken
    seen.push(performance.now() - startedAt)
    const found = (await run(fleet.catalog)).tools.has(name)
    read.push(performance.now() - startedAt)
    if (!found) throw new Error(`${name} is not in the catalogue`)
  }
  watching.unsafeInterruptAsFork(watching.id())
  await run(Effect.uninterruptible(Scope.close(scope, Exit.void)))
  return {
    own: common.median(own),
    added: common.median(added),
    seen: common.median(seen),
    read: common.median(read),
    whole
  }
}

const few = await measure(10)
const many = await measure(backends)

/** @param {string} name @param {"own" | "added" | "seen" | "read" | "whole"} figure @param {number} [bound] */
const row = (name, figure, bound) => ({
  name,
  figures: { 10: common.round(few[figure], 2), [backends]: common.round(many[figure], 2) },
  bound: bound === undefined ? undefined : `<= ${bound}`,
  within: bound === undefined ? undefined : many[figure] <= bound
})
common.report({
  title: `A fleet of 10 and of ${backends} backends, ${tools} tools each`,
  rows: [
    row("a backend's own call, us", "own"),
    row("the fleet adds, us", "added", 5),
    row("a changed list in differences, ms", "seen", 20),
    row("a changed list in the catalogue, ms", "read", 20),
    row("the whole catalogue, once, ms", "whole")
  ],
  json
})
