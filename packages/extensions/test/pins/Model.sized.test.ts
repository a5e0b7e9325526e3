import { Kind } from "@mcp-lifeline/core/internal"
import { PinStore } from "@mcp-lifeline/extensions"
import { Clock, Effect, Logger, LogLevel, TestClock, TestContext } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { bySize } from "../../../testing/test/support/bySize.js"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { PinnedTools } from "../../src/pins/PinnedTools.js"

const names = ["read", "write", "exec"] as const
const tooLong = "x".repeat(Kind.longestKey.tools + 1)
const variants = [0, 1, 2] as const

const toolOf = (name: string, variant: number) => ({ name, description: `It is ${variant}.`, inputSchema: {} })

type Command =
  | {
    readonly do: "list"
    readonly tools: ReadonlyArray<{ readonly name: string; readonly variant: number }>
    readonly isWhole: boolean
  }
  | { readonly do: "wait"; readonly millis: number }
  | { readonly do: "approve" | "approveElsewhere" | "reload" | "break" | "mend" }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      tools: fc.array(
        fc.record({ name: fc.constantFrom(...names, ...names, tooLong), variant: fc.constantFrom(...variants) }),
        { maxLength: 5 }
      ),
      isWhole: fc.boolean()
    })
  },
  { weight: 3, arbitrary: fc.constant({ do: "approve" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "approveElsewhere" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), millis: fc.constantFrom(1, 1000, 86_400_000) })
  },
  { weight: 2, arbitrary: fc.constant({ do: "reload" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "break" as const }) },
  { weight: 2, arbitrary: fc.constant({ do: "mend" as const }) }
)

interface Found {
  /** `undefined`: it is gone. */
  readonly variant: number | undefined
  readonly since: number
}

class Model {
  approved: Map<string, number> | undefined
  found = new Map<string, Found>()

  copy(): Model {
    const copy = new Model()
    copy.approved = this.approved && new Map(this.approved)
    copy.found = new Map(this.found)
    return copy
  }

  list(tools: ReadonlyArray<{ readonly name: string; readonly variant: number }>, isWhole: boolean, now: number): void {
    const seen = new Map<string, number>()
    for (const { name, variant } of tools) if (name !== tooLong && !seen.has(name)) seen.set(name, variant)
    if (this.approved === undefined) {
      if (seen.size > 0) this.approved = seen
      return
    }
    for (const name of names) {
      const [variant, approved, found] = [seen.get(name), this.approved.get(name), this.found.get(name)]
      if (variant === undefined && !isWhole) continue
      if (variant === approved) this.found.delete(name)
      else if (found === undefined || found.variant !== variant) this.found.set(name, { variant, since: now })
    }
  }

  approve(): ReadonlyArray<string> {
    const taken = [...this.found]
    for (const [name, { variant }] of taken) {
      if (variant === undefined) this.approved?.delete(name)
      else this.approved?.set(name, variant)
    }
    this.found.clear()
    return taken.map(([name]) => name)
  }

  get changes() {
    return Array.from(this.found, ([tool, { since, variant }]) => {
      const kind = variant === undefined ? "removed" : this.approved?.has(tool) === true ? "changed" : "added"
      return { tool, kind, since }
    })
  }
}

const sorted = <A extends { readonly tool: string }>(all: ReadonlyArray<A>): ReadonlyArray<A> =>
  all.toSorted((one, other) => one.tool < other.tool ? -1 : 1)

const broken: PinStore.Unreadable = { _tag: "Unreadable", file: "/state/pins.json", reason: "it is damaged" }

const seen = { duplicates: 0, approvals: 0, unreadable: 0, elsewhere: 0 }

const run = (commands: ReadonlyArray<Command>, mode: "warn" | "block") =>
  Effect.gen(function*() {
    const memory = PinStore.memory()
    let isBroken = false
    const store: PinStore.PinStore = {
      digest: (text) => `digest of ${text}`,
      get: Effect.suspend(() => isBroken ? Effect.succeed(broken) : memory.get),
      update: (change) =>
        Effect.suspend(() =>
          isBroken ? Effect.sync(() => void change(broken)).pipe(Effect.as(broken)) : memory.update(change)
        )
    }
    const make = () => new PinnedTools({ server: "one", mode, store, maxDepth: 10 })
    const pins = make()
    const elsewhere = make()
    const kept = new Model()
    let known = new Model() as Model | "unreadable"
    const told = { changed: 0, approvals: 0 }
    pins.changed.listen(() => told.changed++)
    pins.approvals.listen(() => told.approvals++)
    const digestOf = (name: string, variant: number) => pins.digestOf(toolOf(name, variant))
    const look = () => {
      if (!isBroken) known = kept.copy()
      // Nothing was ever kept, or read: that it cannot be read is known from the first look on.
      else known = "unreadable"
    }
    let before = JSON.stringify(pins.status)
    let approvedBefore = ""
    for (const one of commands) {
      const now = yield* Clock.currentTimeMillis
      switch (one.do) {
        case "list": {
          if (new Set(one.tools.map(({ name }) => name)).size < one.tools.length) seen.duplicates++
          const result = yield* pins.compare(one.tools.map(({ name, variant }) => toolOf(name, variant)), one.isWhole)
          for (const name of names) {
            const first = one.tools.find((tool) => tool.name === name)
            expect(result.get(name)).toBe(first === undefined ? undefined : digestOf(name, first.variant))
          }
          expect(result.has(tooLong)).toBe(false)
          if (!isBroken) kept.list(one.tools, one.isWhole, now)
          look()
          break
        }
        case "approve":
          // What cannot be read stays as it is here; that approvals take its place is told elsewhere.
          if (isBroken) break
          expect((yield* pins.approve).toSorted()).toEqual(kept.approve().toSorted())
          look()
          break
        case "approveElsewhere":
          if (isBroken) break
          if ((yield* elsewhere.approve).length > 0) seen.elsewhere++
          kept.approve()
          break
        case "reload":
          yield* pins.reload
          look()
          break
        case "wait":
          yield* TestClock.setTime(now + one.millis)
          break
        case "break":
          isBroken = true
          break
        case "mend":
          isBroken = false
          break
      }
      const { status } = pins
      const changes = status.changes.map(({ kind, since, tool }) => ({ tool, kind, since }))
      if (known === "unreadable") {
        seen.unreadable++
        for (const name of names) {
          for (const variant of variants) {
            expect(pins.isApproved(name, digestOf(name, variant))).toBe(false)
            expect(pins.refusal(name, digestOf(name, variant))).toContain("cannot be read")
          }
        }
        expect(status.unreadable).toEqual({ file: broken.file, reason: broken.reason })
        expect(pins.hasChanges).toBe(true)
        for (const { kind } of changes) expect(kind).toBe("unknown")
        expect(pins.withheld).toEqual(mode === "block" ? changes.map(({ tool }) => tool) : [])
      } else {
        expect(status.unreadable).toBeUndefined()
        expect(sorted(changes)).toEqual(sorted(known.changes))
        expect(pins.isKnown).toBe(known.approved !== undefined)
        expect(pins.hasChanges).toBe(known.changes.length > 0)
        const withheld = known.changes.filter(({ kind }) => mode === "block" && kind !== "removed")
        expect(pins.withheld.toSorted()).toEqual(withheld.map(({ tool }) => tool).toSorted())
        expect(status.changes.filter(({ withheld }) => withheld).map(({ tool }) => tool)).toEqual(pins.withheld)
        for (const name of names) {
          const approved = known.approved?.get(name)
          expect(pins.isApproved(name, undefined)).toBe(false)
          for (const variant of variants) {
            const digest = digestOf(name, variant)
            expect(pins.isApproved(name, digest)).toBe(approved === variant)
            const why = pins.refusal(name, digest)
            if (approved === variant) expect(why).toBeUndefined()
            else expect(why).toContain(approved === undefined ? "is new since" : "has changed since")
          }
          if (approved === undefined) expect(pins.refusal(name, undefined)).toContain("does not list it")
        }
      }
      const after = JSON.stringify(status)
      const approved = known === "unreadable"
        ? "none"
        : known.approved && JSON.stringify([...known.approved].toSorted())
      const isApproval = approvedBefore !== "" && approved !== approvedBefore && one.do !== "break"
      if (isApproval && approved !== "none") {
        seen.approvals++
        expect([one, told.approvals]).toEqual([one, 1])
      }
      if (approved === approvedBefore) expect(told.approvals).toBe(0)
      if (after !== before) expect(told.changed).toBe(1)
      else if (approved === approvedBefore) expect(told.changed).toBe(0)
      told.changed = told.approvals = 0
      before = after
      approvedBefore = approved ?? ""
    }
  }).pipe(Effect.provide(TestContext.TestContext), Logger.withMinimumLogLevel(LogLevel.None), Effect.runPromise)

it("[G24] whatever is listed and approved where: what is approved is known by its definition, and each change is told once", async () => {
  mayLeave("listeners")
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 40, size: "max" }), fc.constantFrom("warn", "block"), run),
    { numRuns: bySize(30, 300), endOnFailure: process.env["LIFELINE_SHRINK"] === undefined }
  )
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
})
