import { PinStore } from "@mcp-lifeline/extensions"
import { Effect, Logger } from "effect"
import { describe, expect, it, test } from "../../../testing/test/support/vitest.js"
import * as Comparison from "../../src/pins/Comparison.js"
import { PinnedTools } from "../../src/pins/PinnedTools.js"

const digest = (text: string) => `${text.length}`
const definition = (length: number) => Comparison.definitionOf("x".repeat(length), digest)

describe("how much is kept and said of definitions", () => {
  it("[G24] a text of up to 32,768 characters is kept, and of a longer one its digest", () => {
    expect(definition(32_768)).toEqual({ digest: "32768", text: "x".repeat(32_768) })
    expect(definition(32_769)).toEqual({ digest: "32769" })
  })

  it("[G24] the texts of a server are kept up to 4 Mi characters, the digests of all: at first, and after each approval", () => {
    const seen = new Map(Array.from({ length: 130 }, (_, i) => [`t${i}`, definition(32_768)] as const))
    const whole = (kept: PinStore.Kept | undefined) =>
      kept?.approved.map(([, { digest, text }]) => [digest, text?.length]) ?? []
    const first = Comparison.compared(undefined, seen, true, 1)
    const expected = Array.from({ length: 130 }, (_, i) => ["32768", i < 128 ? 32_768 : undefined])
    expect(whole(first)).toEqual(expected)
    const changed = new Map(Array.from(seen, ([tool]) => [tool, definition(32_767)] as const))
    const found = Comparison.compared(first, changed, true, 2)
    expect(found?.found).toHaveLength(130)
    const { kept, tools } = Comparison.approved(found)
    expect(tools).toHaveLength(130)
    expect(kept?.found).toEqual([])
    expect(whole(kept)).toEqual(expected.map(([, length]) => ["32767", length && 32_767]))
  })

  it("[G24] a tool that was found to differ keeps the time of that until it differs in another way, or not any more", () => {
    const [one, two, three] = [definition(1), definition(2), definition(3)]
    let kept = Comparison.compared(undefined, new Map([["a", one], ["b", one]]), true, 10)
    const since = (seen: ReadonlyArray<readonly [string, PinStore.Definition]>, isWhole: boolean, now: number) => {
      kept = Comparison.compared(kept, new Map(seen), isWhole, now)
      return kept?.found.map(({ since, tool }) => [tool, since])
    }
    expect(since([["a", two], ["b", one]], true, 20_000)).toEqual([["a", 20_000]])
    expect(since([["a", two]], true, 30_000)).toEqual([["a", 20_000], ["b", 30_000]])
    expect(since([["a", two]], true, 40_000)).toEqual([["a", 20_000], ["b", 30_000]])
    // A part of the list says nothing of the rest.
    expect(since([["a", three]], false, 50_000)).toEqual([["a", 50_000], ["b", 30_000]])
    expect(since([["a", one], ["b", one]], true, 60_000)).toEqual([])
    expect(since([["a", two], ["b", one]], true, 70_000)).toEqual([["a", 70_000]])
  })

  it("[G24] what a connection offers is compared with what was offered last, on whatever connection", () => {
    const pins = new PinnedTools({ server: "one", mode: "warn", store: PinStore.memory(), maxDepth: 10 })
    const offers = (...tools: ReadonlyArray<readonly [string, string]>) => pins.offers(new Map(tools))
    expect(offers(["a", "1"])).toBe(false)
    expect(offers(["a", "1"])).toBe(false)
    for (const digest of ["2", "3", "1"]) {
      expect(offers(["a", digest])).toBe(true)
      expect(offers(["a", digest])).toBe(false)
    }
    expect(offers(["a", "1"], ["b", "1"])).toBe(true)
    expect(offers(["b", "1"], ["a", "1"])).toBe(false)
    expect(offers(["a", "1"])).toBe(true)
    expect(offers(["b", "1"])).toBe(true)
    expect(offers()).toBe(true)
  })

  test.effect("[G24] ten changes are logged one by one, and how many more there are; the same each time that many come", function*() {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const pins = new PinnedTools({ server: "one", mode: "block", store: PinStore.memory(), maxDepth: 10 })
    const tools = (description: string, count = 13) =>
      Array.from({ length: 13 }, (_, i) => ({
        name: `t${i}`,
        description: i < count ? description : "0",
        inputSchema: {}
      }))
    yield* Effect.gen(function*() {
      yield* pins.compare(tools("0"), true)
      lines.length = 0
      yield* pins.compare(tools("ten", 10), true)
      expect(lines).toHaveLength(10)
      yield* pins.approve
      expect(lines[10]).toMatch(/"t0", .*"t9"$/)
      for (const description of ["1", "2"]) {
        lines.length = 0
        yield* pins.compare(tools(description), true)
        expect(lines).toHaveLength(11)
        expect(lines.filter((line) => line.includes("has changed since it was approved"))).toHaveLength(10)
        expect(lines[10]).toContain("3 more tools are not as they were approved")
        yield* pins.compare(tools(description), true)
        expect(lines).toHaveLength(11)
        lines.length = 0
        yield* pins.approve
        expect(lines).toEqual([expect.stringMatching(/"t0", .*"t9", and 3 more$/)])
      }
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  test.effect("[G24] a tool that cannot be compared counts as none: it is not approved with the first, and never after", function*() {
    const pins = new PinnedTools({ server: "one", mode: "block", store: PinStore.memory(), maxDepth: 3 })
    const plain = { name: "plain", inputSchema: {} }
    const deep = (name: string) => ({ name, inputSchema: { properties: { a: { properties: { b: {} } } } } })
    for (const tools of [[plain, deep("first")], [plain, deep("first"), deep("later")]]) {
      const seen = yield* pins.compare(tools, true)
      expect([...seen.keys()]).toEqual(["plain"])
      expect(pins.hasChanges).toBe(false)
      for (const tool of tools) {
        expect(pins.isApproved(tool.name, pins.digestOf(tool))).toBe(tool === plain)
        expect(pins.refusal(tool.name, seen.get(tool.name)) === undefined).toBe(tool === plain)
      }
    }
  })

  test.effect("[G24] each change is told once, also by a store that gives a copy each time", function*() {
    const memory = PinStore.memory()
    const copied = <A>(reading: A): A => structuredClone(reading)
    const store: PinStore.PinStore = {
      ...memory,
      get: Effect.map(memory.get, copied),
      update: (change) => Effect.map(memory.update(change), copied)
    }
    const pins = new PinnedTools({ server: "one", mode: "block", store, maxDepth: 10 })
    const told = { changed: 0, approvals: 0 }
    const stops = [
      pins.changed.listen(() => void told.changed++),
      pins.approvals.listen(() => void told.approvals++)
    ]
    const tools = (description: string) => [{ name: "a", description, inputSchema: {} }]
    yield* pins.compare(tools("0"), true)
    let before = told.changed
    for (const [round, description] of ["1", "2"].entries()) {
      for (const _ of [1, 2, 3]) {
        yield* pins.compare(tools(description), true)
        yield* pins.reload
        expect(told).toEqual({ changed: before + 1, approvals: round })
      }
      yield* pins.approve
      for (const _ of [1, 2]) {
        yield* pins.reload
        expect(told).toEqual({ changed: before + 2, approvals: round + 1 })
      }
      before = told.changed
    }
    for (const stop of stops) stop()
  })
})
