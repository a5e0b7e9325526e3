import { key } from "@mcp-lifeline/state/StateFolder"
import { Clock, Effect, Exit, FastCheck as fc, Scope } from "effect"
import { describe, expect, it } from "vitest"
import * as SessionRecords from "../src/SessionRecords.js"

type Record = SessionRecords.Record

const ids = ["a", "b", "c", "d"]

/** `unanswered`: taken, and told as a failure. */
type Fate = "taken" | "refused" | "unanswered"

const id = fc.constantFrom(...ids)
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("put" as const), id }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("end" as const), id }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("elsewhere" as const), id }) },
  {
    weight: 4,
    arbitrary: fc.record({
      _tag: fc.constant("answer" as const),
      which: fc.nat(1),
      fate: fc.constantFrom<Fate>("taken", "refused", "unanswered")
    })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("time" as const) }) }
)
type Command = typeof command extends fc.Arbitrary<infer A> ? A : never

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** What the store saw, and what it should have. */
class Ledger {
  readonly store = new Map<string, Record>()
  readonly newest = new Map<string, Record>()
  readonly timers: Array<() => void> = []
  open: Array<{ readonly name: string; readonly record: Record; readonly answer: (isTaken: boolean) => void }> = []
  time = 0
  promised = 0
  kept = 0

  take(name: string, record: Record): void {
    const before = this.store.get(name)
    if (before?.hasEnded === true && record.hasEnded !== true) return
    if (before?.hasEnded !== true) expect(record.usedAt).toBeGreaterThanOrEqual(before?.usedAt ?? 0)
    this.store.set(name, record)
  }

  readonly port: SessionRecords.RecordStore = {
    read: (name) => Effect.sync(() => this.store.get(name)),
    write: (name, record) =>
      Effect.async<void, string>((resume) => {
        expect(this.open.map((one) => one.name)).not.toContain(name)
        expect(this.open.length).toBeLessThan(2)
        const answer = (isTaken: boolean) => resume(isTaken ? Effect.void : Effect.fail("refused"))
        this.open.push({ name, record, answer })
      }),
    endedBefore: () => Effect.succeed(0),
    clean: Effect.void
  }

  answer(which: number, fate: Fate): void {
    const [one] = this.open.splice(which % Math.max(1, this.open.length), 1)
    if (one === undefined) return
    if (fate !== "refused") this.take(one.name, one.record)
    one.answer(fate === "taken")
  }

  tick(): void {
    for (const fire of this.timers.splice(0)) fire()
  }

  get clock(): Clock.Clock {
    const sleep = () => Effect.async<void>((resume) => void this.timers.push(() => resume(Effect.void)))
    return Object.assign(Clock.make(), { sleep })
  }

  carryOut(one: Command, { set }: SessionRecords.SessionRecords): void {
    if (one._tag === "time") return this.tick()
    if (one._tag === "answer") return this.answer(one.which, one.fate)
    const before = this.newest.get(one.id)
    if (one._tag === "elsewhere" && before?.hasEnded === true) return
    const next = one._tag === "put" ? { usedAt: ++this.time } : { usedAt: ++this.time, hasEnded: true }
    if (before?.hasEnded !== true || next.hasEnded === true) this.newest.set(one.id, next)
    // Another process writes an end.
    if (one._tag === "elsewhere") return void this.store.set(key(one.id), next)
    this.promised++
    void set(one.id, next).then(() => this.kept++)
  }

  async check({ get }: SessionRecords.SessionRecords): Promise<void> {
    for (const id of ids) expect([id, await get(id)]).toEqual([id, this.newest.get(id)])
  }

  get stored(): ReadonlyMap<string, Record | undefined> {
    return new Map([...this.newest.keys()].map((id) => [id, this.store.get(key(id))]))
  }
}

const play = async (commands: ReadonlyArray<Command>, isClosed: boolean): Promise<void> => {
  const ledger = new Ledger()
  const scope = Effect.runSync(Scope.make())
  const records = Effect.runSync(
    SessionRecords.make(ledger.port).pipe(Scope.extend(scope), Effect.withClock(ledger.clock))
  )
  for (const one of commands) {
    ledger.carryOut(one, records)
    await settled()
    await ledger.check(records)
  }
  const closing = isClosed ? Effect.runPromise(Scope.close(scope, Exit.void)) : undefined
  for (let rounds = 0; rounds < 4 + ids.length; rounds++) {
    for (; ledger.open.length > 0; await settled()) ledger.answer(0, "taken")
    ledger.tick()
    await settled()
  }
  await (closing ?? Effect.runPromise(Scope.close(scope, Exit.void)))
  expect(ledger.open).toEqual([])
  expect(ledger.stored).toEqual(ledger.newest)
  expect(ledger.kept).toBe(ledger.promised)
}

describe("what waits to be written of sessions", () => {
  it.each([false, true])(
    "[D7 G10 G17] however writes fail or linger: the newest of each session, never two at once, and no end undone; closed meanwhile: %s",
    (isClosed) =>
      fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 40 }), (commands) => play(commands, isClosed)),
        { seed: 1, numRuns: 150 }
      ),
    120_000
  )

  it(
    "[G17] of what a store refuses, only so many records stay, and those of a caller with more make room",
    async () => {
      const stored = new Set<string>()
      let isFull = true
      const port: SessionRecords.RecordStore = {
        ...new Ledger().port,
        write: (name) => isFull ? Effect.fail("full") : Effect.sync(() => void stored.add(name))
      }
      await Effect.runPromise(Effect.scoped(Effect.gen(function*() {
        const { set } = yield* SessionRecords.make(port, { maxSessions: 10, maxChars: 1000 })
        const all = ["modest", ...Array.from({ length: 20 }, (_, number) => `greedy ${number}`)]
        for (const id of all) {
          yield* Effect.promise(() => set(id, { usedAt: 1, owner: id.slice(0, 6) }))
        }
        isFull = false
      })))
      expect(stored.size).toBe(10)
      expect(["modest", "greedy 19", "greedy 0"].map((id) => stored.has(key(id)))).toEqual([true, true, false])
    },
    120_000
  )
})
