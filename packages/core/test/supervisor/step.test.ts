/** The supervisor without fibers: generated messages, in time and late, with a ledger of runtimes, works and commands. */
import { describe, expect, it } from "@effect/vitest"
import { ConnectError, type ConnectReason, type Loss, Policy } from "@mcp-lifeline/core"
import * as fc from "fast-check"
import * as Lifecycle from "../../src/lifecycle/Lifecycle.js"
import type { Runtime } from "../../src/runtime/Runtime.js"
import {
  answers,
  type Attempt,
  type Command,
  type DoubtedSession,
  type Move,
  type PendingCommand,
  pendingCommand
} from "../../src/state/Message.js"
import * as Slot from "../../src/state/Slot.js"
import type { Action, At, Step } from "../../src/supervisor/step/Action.js"
import { connect } from "../../src/supervisor/step/attempts.js"
import { step } from "../../src/supervisor/step/step.js"

type Op =
  | { readonly do: "pass"; readonly millis: number }
  | { readonly do: "command"; readonly command: Command }
  | { readonly do: "establish"; readonly late: number; readonly resumed: boolean; readonly dead: boolean }
  | {
    readonly do: "fail"
    readonly late: number
    readonly reason: ConnectReason
    readonly retryAfter: number | undefined
  }
  | { readonly do: "lose"; readonly late: number; readonly kind: Loss["kind"] }
  | { readonly do: "doubt"; readonly late: number; readonly isRefusing: boolean; readonly proven: boolean }
  | { readonly do: "work"; readonly inFlight: number }
  | { readonly do: "report"; readonly late: number }
  | { readonly do: "tell"; readonly tag: "Demand" | "Hasten" | "StartOver" | "ClockJumped" | "Close" }

const late = fc.constantFrom(0, 0, 0, 1, 2)
const ops: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ do: fc.constant("pass"), millis: fc.constantFrom(0, 10, 1000, 15_000, 600_000) }),
  fc.record({ do: fc.constant("command"), command: fc.constantFrom("Reconnect", "Enable", "Disable", "Disconnect") }),
  fc.record({ do: fc.constant("establish"), late, resumed: fc.boolean(), dead: fc.constantFrom(false, false, true) }),
  fc.record({
    do: fc.constant("fail"),
    late,
    reason: fc.constantFrom("refused", "timeout", "session", "notFound", "unauthorized"),
    retryAfter: fc.constantFrom(undefined, undefined, 5000)
  }),
  fc.record({
    do: fc.constant("lose"),
    late,
    kind: fc.constantFrom("session", "closed", "health", "keepalive", "memory")
  }),
  fc.record({ do: fc.constant("doubt"), late, isRefusing: fc.boolean(), proven: fc.boolean() }),
  fc.record({ do: fc.constant("work"), inFlight: fc.constantFrom(0, 1) }),
  fc.record({ do: fc.constant("report"), late }),
  fc.record({ do: fc.constant("tell"), tag: fc.constantFrom("Demand", "Hasten", "StartOver", "ClockJumped") })
) as fc.Arbitrary<Op>

interface Setting {
  readonly auto: boolean
  readonly overlap: boolean
  readonly isAwaited: boolean
  readonly lifecycle: { readonly lazy: boolean; readonly disabled: boolean }
}

const setting: fc.Arbitrary<Setting> = fc.record({
  auto: fc.boolean(),
  overlap: fc.boolean(),
  isAwaited: fc.boolean(),
  lifecycle: fc.record({ lazy: fc.boolean(), disabled: fc.boolean() })
})

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

class Books {
  slot: Slot.Slot
  now = 1_000_000
  readonly runtimes: Array<Runtime> = []
  readonly #policy: Policy.Policy
  readonly #setting: Setting
  readonly #retired = new Map<Runtime, number>()
  readonly #answered = new Map<PendingCommand, number>()
  readonly #commands: Array<PendingCommand> = []
  #running: number | undefined

  constructor(setting: Setting) {
    const { auto, lifecycle } = this.#setting = setting
    const { defaults } = Policy
    this.#policy = {
      ...defaults,
      reconnect: { ...defaults.reconnect, auto },
      lifecycle: { ...defaults.lifecycle, ...lifecycle }
    }
    this.slot = Slot.begin(this.#policy)
    if (this.slot.state._tag === "Connecting") this.#perform(connect(this.slot, this.#at()))
    this.#check()
  }

  #at(): At {
    const { isAwaited, overlap } = this.#setting
    return { id: "one", now: this.now, draw: 0.6, policy: this.#policy, overlap, wait: 10_000, isAwaited }
  }

  play(op: Op): void {
    const move = this.#moveOf(op)
    if (move !== undefined) this.move(move)
    this.#check(move)
  }

  /** Gives nothing where there is nothing to report. */
  #moveOf(op: Op): Move | undefined {
    const runtime = this.runtimes.at(-1 - ("late" in op ? op.late : 0))
    const work = this.slot.works - ("late" in op ? op.late : 0)
    switch (op.do) {
      case "pass":
        return void (this.now += op.millis)
      case "work":
        if (this.slot.current !== undefined) {
          Object.assign(this.slot.current, { traffic: { inFlight: op.inFlight }, hasWorked: true })
        }
        return runtime && { _tag: "Unused", runtime }
      case "tell":
        return { _tag: op.tag } as Move
      case "command":
        return { _tag: "Command", pending: this.#pending(op.command) }
      case "establish": {
        if (this.slot.work?._tag !== "Attempt") return undefined
        const { doubt, generation } = this.slot.work
        const connection = { resumed: op.resumed }
        const loss = op.dead ? { kind: "closed", message: "dead" } : undefined
        const shown = { traffic: { inFlight: 0 }, known: {}, hasWorked: false }
        const made = { generation, connection, loss, ...shown } as unknown as Runtime
        this.runtimes.push(made)
        return {
          _tag: "Established",
          work,
          runtime: made,
          doubted: doubt?.runtime === this.slot.current ? doubt?.loss() : undefined
        }
      }
      case "fail": {
        const { reason, retryAfter } = op
        const permanent = reason === "unauthorized"
        const error = new ConnectError({ backend: "one", reason, permanent, message: "it failed", retryAfter })
        return this.slot.work?._tag === "Attempt" ? { _tag: "Failed", work, error } : undefined
      }
      case "lose":
        return runtime && { _tag: "Lost", runtime, loss: { kind: op.kind, message: "it was lost" } }
      case "doubt": {
        if (runtime === undefined) return undefined
        const loss = (): Loss | undefined => op.proven ? { kind: "session", message: "it was forgotten" } : undefined
        const doubt = { runtime, loss, isRefusing: op.isRefusing } as DoubtedSession
        return { _tag: "Doubted", doubt, pending: this.#pending("Reconnect") }
      }
      case "report":
        return this.slot.work?._tag === "Teardown" ? { _tag: "TornDown", work } : { _tag: "Due", work }
    }
  }

  #pending(command: Command): PendingCommand {
    const pending = pendingCommand(command)
    this.#commands.push(pending)
    return pending
  }

  move(move: Move): void {
    this.#perform(step(Object.freeze(this.slot), move, this.#at()))
  }

  #perform([slot, actions]: Step): void {
    const before = this.slot
    this.slot = slot
    this.#moved(before, slot, actions)
    for (const action of actions) this.#act(action)
  }

  #act(action: Action): void {
    const count = <A>(counts: Map<A, number>, of: A) => counts.set(of, (counts.get(of) ?? 0) + 1)
    if (action._tag === "Retire") count(this.#retired, action.runtime)
    else if (action._tag === "Answer" || action._tag === "Refuse") count(this.#answered, action.pending)
    else if (action._tag === "DoubtLater") this.move({ ...action, _tag: "Command" })
    else if (action._tag === "Interrupt") this.#running = undefined
    else if (action._tag === "Decide") this.move(action.move)
    else if (action._tag === "Begin") {
      expect(this.#running, "L5: a work is begun while another one is under way").toBeUndefined()
      this.#running = action.work.id
    }
  }

  #moved(before: Slot.Slot, slot: Slot.Slot, actions: ReadonlyArray<Action>): void {
    if (
      before.work !== undefined && slot.work?.id !== before.work.id && !actions.some(({ _tag }) => _tag === "Interrupt")
    ) {
      // It has reported, or goes on by itself.
      this.#running = undefined
    }
    const isNew = slot.current !== undefined && slot.current !== before.current
    expect(slot.generation, "L3").toBe(before.generation + Number(isNew))
    const left = before.current !== undefined && before.current !== slot.current ? [before.current] : []
    for (const runtime of left) {
      const retired = actions.filter((action) => action._tag === "Retire" && action.runtime === runtime)
      expect(retired, "L6: who leaves the slot is retired in the same step").toHaveLength(1)
    }
    if (same(before.state, slot.state)) return
    const states = events.map((event) => Lifecycle.transition(before.state, event) ?? before.state)
    expect(states, "L2").toContainEqual(slot.state)
  }

  #check(move?: Move): void {
    const { current, nextAttemptAt, state, work } = this.slot
    const told = `${move?._tag} in ${state._tag}`
    expect(current !== undefined, `${told}: a runtime exactly in Connected`).toBe(state._tag === "Connected")
    const timed = state._tag === "Reconnecting" || state._tag === "Dormant"
    expect(nextAttemptAt, `R1 ${told}`).toBe(timed ? (work as { at: number } | undefined)?.at : undefined)
    const isMaking = state._tag === "Connecting" || (state._tag === "Connected" && state.replacing)
    const due = isMaking ? "Attempt" : timed ? "Timer" : state._tag === "Disabling" ? "Teardown" : undefined
    expect(work?._tag, `L5 ${told}`).toBe(due)
    if (work?._tag === "Attempt") expect((work as Attempt).generation, "L3").toBe(this.slot.generation + 1)
    for (const runtime of this.runtimes) {
      expect(this.#retired.get(runtime) ?? 0, `L6 ${told}`).toBe(runtime === current ? 0 : 1)
    }
    for (const pending of this.#commands) {
      expect(this.#answered.get(pending) ?? 0, `L11 ${told}: ${pending.command}`).toBe(answers(work, pending) ? 0 : 1)
    }
  }
}

const { Event } = Lifecycle
const both = [true, false]
const events: ReadonlyArray<Lifecycle.Event> = [
  ...[Event.Demanded(), Event.Due(), Event.Established(), Event.Enable(), Event.Disable(), Event.Disconnect()],
  ...[Event.TornDown(), Event.Released(), Event.Close()],
  ...both.map((overlap) => Event.Reconnect({ overlap })),
  ...both.flatMap((auto) => both.map((atOnce) => Event.Lost({ atOnce, auto }))),
  ...both.flatMap((auto) =>
    (["retry", "exhausted", "permanent"] as const).map((verdict) => Event.AttemptFailed({ verdict, auto }))
  )
]

describe("a step of the supervisor", () => {
  it("[L2 L3 L5 L6 L11 R1] whatever comes, in time or late: one work at most, each runtime retired once, each command answered once", () => {
    fc.assert(
      fc.property(setting, fc.array(ops, { maxLength: 60 }), (setting, ops) => {
        const books = new Books(setting)
        for (const op of ops) books.play(op)
        books.play({ do: "tell", tag: "Close" })
        expect(books.slot.state._tag).toBe("Closed")
      }),
      { numRuns: 1000 }
    )
  })
})
