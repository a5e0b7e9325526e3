import type { Loss } from "@mcp-lifeline/core"
import type { ScriptedConnector } from "@mcp-lifeline/testing"
import * as fc from "fast-check"
import type { Command as BackendCommand } from "../../src/state/Message.js"
import type { Fate, Refused } from "./Refusals.js"
import type { Mode } from "./Server.js"
import type { Doing } from "./Verdicts.js"
import type { Setting } from "./World.js"

export type Command =
  /** Ends a connection that is open: the newest, the one before it (which may be draining), and so on. */
  | { readonly do: "lose"; readonly kind: Loss["kind"]; readonly age: number }
  | { readonly do: "script"; readonly outcome: ScriptedConnector.Outcome }
  | { readonly do: "command"; readonly command: BackendCommand; readonly interrupt: boolean }
  /** `reads`: it may be sent twice. */
  | { readonly do: "call"; readonly budget: number; readonly reads?: boolean }
  | { readonly do: "interruptCall"; readonly index: number }
  | { readonly do: "mode"; readonly mode: Mode }
  /** The server forgets the next so many sessions at their request of this number, and says so in words that are known, or not. */
  | { readonly do: "forget"; readonly at: number; readonly times: number; readonly words?: "known" | Fate }
  | { readonly do: "refuse"; readonly what: Refused["what"]; readonly fate: Fate; readonly call?: boolean }
  /** The server forgets so many sessions in words that are not known, each once it is used. */
  | { readonly do: "keepForgetting"; readonly words: Fate; readonly times: number }
  /** The server says so many times that its lists have changed, each time once they were read. */
  | { readonly do: "listsChanged"; readonly times?: number }
  | { readonly do: "ask"; readonly what: "refresh" | "probe" }
  | { readonly do: "look" }
  | { readonly do: "pause"; readonly paused: boolean }
  | { readonly do: "advance"; readonly millis: number }
  /** Runs so many tasks and no more: what follows races with what they began. */
  | { readonly do: "step"; readonly tasks: number }
  /** Fires the next timer and settles nothing. */
  | { readonly do: "fire" }
  /** Fires the next timer, and gives a command or calls when so many tasks of what it began have run. */
  | {
    readonly do: "race"
    readonly tasks: number
    readonly command: BackendCommand | "Shutdown" | "Call"
    readonly more: number
  }
  /** Replaces a connection on which a call and a reading of lists wait for late answers; the old one may end while it drains. */
  | { readonly do: "replace"; readonly lose: boolean; readonly quick: boolean }
  | { readonly do: "loseSlowly"; readonly command: BackendCommand }
  /** Loses a connection for good: every attempt fails with what waiting cannot heal. */
  | { readonly do: "loseForGood" }
  | {
    readonly do: "callForGood"
    readonly calls: number
    readonly gap: number
    readonly retryAfter: number | undefined
  }
  /** `late`: after an attempt that cannot be interrupted and outlasts its time. */
  | { readonly do: "suspend"; readonly offered: ScriptedConnector.Outcome["offered"]; readonly late: boolean }
  /** The server hangs under a call, which ends by our timeout or is given up by its caller; `again`: another call is made later. */
  | { readonly do: "wedge"; readonly millis: number; readonly again?: boolean | "reads"; readonly giveUp?: boolean }
  /** A call waits while the processes do something else. `concurrent`: it has answered calls side by side before. */
  | {
    readonly do: "silence"
    readonly doing: Doing
    readonly concurrent: boolean
    readonly patience: number
    readonly millis: number
  }
  /** Leaves the connection alone until it is said to be unused, and calls when so many tasks more have run. */
  | { readonly do: "useAsReleased"; readonly tasks: number }
  | { readonly do: "closeAsItConnects"; readonly lost: boolean; readonly tasks: number }
  | { readonly do: "shutdown" }

const offered = fc.constantFrom("resumed" as const, "resumed" as const, "forgotten" as const, "ignored" as const)

const weighted = <A>(weight: number, arbitrary: fc.Arbitrary<A>) => ({ weight, arbitrary })

const outcome: fc.Arbitrary<ScriptedConnector.Outcome> = fc.record({
  connect: fc.oneof(
    weighted(3, fc.constantFrom("open" as const, "open" as const, "fail" as const, "hang" as const, "throw" as const)),
    weighted(1, fc.constantFrom("interrupt" as const, "failWithNothing" as const, "nothing" as const))
  ),
  broken: fc.constantFrom(undefined, undefined, undefined, "fail" as const, "onLost" as const, "loss" as const),
  after: fc.constantFrom(undefined, 5, 500, 40_000),
  stubborn: fc.constantFrom(false, false, true),
  error: fc.constantFrom(
    undefined,
    { permanent: true },
    { retryAfter: 30_000 },
    { reason: "session" as const },
    { reason: "server" as const }
  ),
  close: fc.constantFrom(undefined, undefined, 10, 3000, "never" as const, "die" as const),
  offered
})

const doing: fc.Arbitrary<Doing> = fc.constantFrom("works", "stopped", "still", "waits")

const backendCommand: fc.Arbitrary<BackendCommand> = fc.constantFrom(
  "Reconnect",
  "Reconnect",
  "Enable",
  "Disable",
  "Disconnect"
)

const command: fc.Arbitrary<Command> = fc.oneof(
  weighted(
    3,
    fc.record({
      do: fc.constant("lose" as const),
      kind: fc.constantFrom("closed" as const, "session" as const),
      age: fc.constantFrom(0, 1)
    })
  ),
  weighted(3, fc.record({ do: fc.constant("script" as const), outcome })),
  weighted(
    4,
    fc.record({
      do: fc.constant("command" as const),
      command: backendCommand,
      interrupt: fc.boolean()
    })
  ),
  weighted(
    4,
    fc.record({
      do: fc.constant("call" as const),
      budget: fc.constantFrom(10, 2000, 60_000, 60_000),
      reads: fc.constantFrom(false, false, true)
    })
  ),
  weighted(1, fc.record({ do: fc.constant("interruptCall" as const), index: fc.nat(5) })),
  weighted(
    4,
    fc.record({
      do: fc.constant("mode" as const),
      mode: fc.oneof(
        weighted(4, fc.constantFrom("ok" as const, "hang" as const, "slow" as const, "late" as const)),
        weighted(1, fc.constant("broken" as const)),
        weighted(1, doing)
      )
    })
  ),
  weighted(
    4,
    fc.record({
      do: fc.constant("forget" as const),
      at: fc.constantFrom(0, 1, 2, 5),
      times: fc.constantFrom(1, 4, 15),
      words: fc.constantFrom("known" as const, "known" as const, "rejected" as const, "answered" as const)
    })
  ),
  weighted(
    3,
    fc.record({
      do: fc.constant("refuse" as const),
      what: fc.constantFrom("nothing" as const, "calls" as const, "everything" as const, "everything" as const),
      fate: fc.constantFrom("rejected" as const, "answered" as const),
      call: fc.boolean()
    })
  ),
  weighted(
    2,
    fc.record({
      do: fc.constant("keepForgetting" as const),
      words: fc.constantFrom("rejected" as const, "answered" as const),
      times: fc.constantFrom(2, 30)
    })
  ),
  weighted(2, fc.record({ do: fc.constant("listsChanged" as const), times: fc.constantFrom(1, 1, 3) })),
  weighted(
    2,
    fc.record({ do: fc.constant("ask" as const), what: fc.constantFrom("refresh" as const, "probe" as const) })
  ),
  weighted(2, fc.record({ do: fc.constant("look" as const) })),
  weighted(1, fc.record({ do: fc.constant("pause" as const), paused: fc.boolean() })),
  weighted(
    5,
    fc.record({ do: fc.constant("advance" as const), millis: fc.constantFrom(0, 1, 5, 600, 5000, 30_000, 400_000) })
  ),
  weighted(5, fc.record({ do: fc.constant("step" as const), tasks: fc.integer({ min: 1, max: 12 }) })),
  weighted(4, fc.record({ do: fc.constant("fire" as const) })),
  weighted(
    6,
    fc.record({
      do: fc.constant("race" as const),
      tasks: fc.nat(24),
      command: fc.oneof(
        weighted(7, backendCommand),
        weighted(1, fc.constant("Shutdown" as const)),
        weighted(2, fc.constant("Call" as const))
      ),
      more: fc.nat(12)
    })
  ),
  weighted(3, fc.record({ do: fc.constant("replace" as const), lose: fc.boolean(), quick: fc.boolean() })),
  weighted(1, fc.record({ do: fc.constant("loseSlowly" as const), command: backendCommand })),
  weighted(1, fc.record({ do: fc.constant("loseForGood" as const) })),
  weighted(
    1,
    fc.record({
      do: fc.constant("callForGood" as const),
      calls: fc.constantFrom(2, 5, 20),
      gap: fc.constantFrom(0, 5, 600, 5000),
      retryAfter: fc.constantFrom(undefined, undefined, 400_000)
    })
  ),
  weighted(2, fc.record({ do: fc.constant("suspend" as const), offered, late: fc.boolean() })),
  weighted(
    2,
    fc.record({
      do: fc.constant("wedge" as const),
      millis: fc.constantFrom(5, 5000, 30_000),
      again: fc.constantFrom(false, true, "reads" as const),
      giveUp: fc.boolean()
    })
  ),
  weighted(
    4,
    fc.record({
      do: fc.constant("silence" as const),
      doing,
      concurrent: fc.boolean(),
      patience: fc.constantFrom(5000, 60_000, 600_000),
      millis: fc.constantFrom(3000, 12_000, 60_000, 200_000)
    })
  ),
  weighted(2, fc.record({ do: fc.constant("useAsReleased" as const), tasks: fc.nat(1) })),
  weighted(2, fc.record({ do: fc.constant("closeAsItConnects" as const), lost: fc.boolean(), tasks: fc.nat(24) })),
  weighted(1, fc.record({ do: fc.constant("shutdown" as const) }))
)

const setting: fc.Arbitrary<Setting> = fc.record({
  maxOps: fc.constantFrom(12, 20, 2048),
  seed: fc.nat(),
  auto: fc.constantFrom(true, true, false),
  overlap: fc.boolean(),
  patient: fc.boolean(),
  lazy: fc.constantFrom(false, false, true),
  idleRelease: fc.constantFrom(false, false, true),
  prepare: fc.constantFrom("nothing" as const, "nothing" as const, "asks" as const, "fails" as const),
  throwing: fc.constantFrom(false, false, true),
  suspends: fc.boolean(),
  expires: fc.constantFrom(false, false, true),
  sights: fc.boolean()
})

/** Generated runs: a world and what happens in it. `small`: six commands on average, `max`: twenty. */
export const runs = (size: "small" | "max") =>
  fc.tuple(setting, fc.array(command, { minLength: 1, maxLength: 40, size }))
