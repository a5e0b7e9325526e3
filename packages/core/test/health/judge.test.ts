import { describe, expect, it } from "@effect/vitest"
import { type Evidence, judge, judgeStart, lifeless, settled } from "../../src/health/judge.js"
import { type Activity, activity, type ProcessSight } from "../../src/port/ProcessSight.js"

const busyLimit = 120_000

const nothing: Evidence = {
  activity: undefined,
  seenFor: settled,
  isConcurrent: false,
  isAwaited: false,
  unawaitedFor: 0,
  isPatienceOver: false,
  isSilent: true,
  isAnsweredBeside: false,
  isRefusing: false,
  busyLimit
}

const rows: ReadonlyArray<readonly [string, Partial<Evidence>, string, string]> = [
  ["silence alone", {}, "unknown", "it does not answer"],
  ["silence alone, for long", { isPatienceOver: true }, "wedged", "it does not answer"],
  ["one-threaded, its caller waits", { isPatienceOver: true, isAwaited: true }, "unknown", "never answered anything"],
  ["concurrent, its caller waits", { isPatienceOver: true, isAwaited: true, isConcurrent: true }, "wedged", ""],
  [
    "what could not be sent, its caller waits",
    { isPatienceOver: true, isAwaited: true, isSilent: false },
    "wedged",
    ""
  ],
  ["a new session is answered, concurrent", { isAnsweredBeside: true, isConcurrent: true }, "wedged", "new session"],
  ["a new session is answered, never concurrent", { isAnsweredBeside: true }, "unknown", "does not answer"],
  ["its lists are refused, though it answers", { isRefusing: true, activity: "works" }, "wedged", "refuses its lists"],
  ["stopped", { activity: "stopped" }, "wedged", "a process of it is stopped"],
  ["stopped, its caller waits", { activity: "stopped", isAwaited: true }, "wedged", "stopped"],
  ["stopped for a moment", { activity: "stopped", seenFor: settled - 1 }, "unknown", "stopped"],
  ["stopped for a moment, silent for long", { activity: "stopped", seenFor: 0, isPatienceOver: true }, "unknown", ""],
  ["still, concurrent", { activity: "still", isConcurrent: true }, "wedged", "answered during a call before"],
  ["still, concurrent, its caller waits", { activity: "still", isConcurrent: true, isAwaited: true }, "wedged", ""],
  ["still for a moment, concurrent", { activity: "still", isConcurrent: true, seenFor: settled - 1 }, "unknown", ""],
  ["still, never concurrent", { activity: "still" }, "unknown", "read nothing"],
  ["still, never concurrent, for long", { activity: "still", isPatienceOver: true }, "wedged", "read nothing"],
  ["blocked in I/O, its caller waits", { activity: "still", isPatienceOver: true, isAwaited: true }, "unknown", ""],
  ["works, its caller waits", { activity: "works", isAwaited: true, isPatienceOver: true }, "busy", "caller waits for"],
  ["works, its caller waits for hours", { activity: "works", isAwaited: true, unawaitedFor: 1e7 }, "busy", ""],
  ["works, concurrent, for long", { activity: "works", isConcurrent: true, isPatienceOver: true }, "busy", "no caller"],
  ["works, no caller waits", { activity: "works", unawaitedFor: busyLimit - 1 }, "busy", "no caller waits"],
  ["works, no caller waits any more", { activity: "works", unawaitedFor: busyLimit }, "wedged", "health.busyLimit"],
  ["waits for a process of its own", { activity: "waits", isAwaited: true, isConcurrent: true }, "busy", "started"],
  ["reads, ignores pings", { activity: "reads", isConcurrent: true }, "unknown", "reads what it is sent"],
  ["reads, answers nothing for long", { activity: "reads", isPatienceOver: true }, "wedged", "reads what it is sent"],
  ["does little", { activity: "unclear", isConcurrent: true }, "unknown", "do little"],
  ["does little, for long", { activity: "unclear", isPatienceOver: true }, "wedged", "do little"]
]

describe("V1: the verdict", () => {
  it("[V11] rests on silence alone unless a process is seen to neither read nor work", () => {
    const wedged = (activity: Activity | undefined) =>
      judge({ ...nothing, activity, isPatienceOver: true, unawaitedFor: 1e7 })
    expect([undefined, "reads", "unclear"].map((one) => wedged(one as Activity | undefined).onSilence)).toEqual([
      true,
      true,
      true
    ])
    expect(["still", "stopped", "works"].map((one) => wedged(one as Activity).onSilence ?? false)).toEqual([
      false,
      false,
      false
    ])
  })

  it.each(rows)("[V1] %s", (_, known, kind, reason) => {
    const verdict = judge({ ...nothing, ...known })
    expect(verdict.kind).toBe(kind)
    expect(verdict.reason).toContain(reason)
  })

  it("[V2] processes that work are replaced for nothing but busyLimit", () => {
    const booleans = [false, true]
    for (const activity of ["works", "waits"] as const) {
      for (const isConcurrent of booleans) {
        for (const isAwaited of booleans) {
          for (const isPatienceOver of booleans) {
            for (const isSilent of booleans) {
              const found = { ...nothing, activity, isConcurrent, isAwaited, isPatienceOver, isSilent, seenFor: 1e9 }
              expect(judge({ ...found, unawaitedFor: busyLimit - 1 }).kind).toBe("busy")
              expect(judge({ ...found, unawaitedFor: busyLimit }).kind).toBe(isAwaited ? "busy" : "wedged")
            }
          }
        }
      }
    }
  })
})

const starts: ReadonlyArray<readonly [string, Partial<Evidence>, string]> = [
  ["nothing can be seen", { seenFor: 1e9 }, "unknown"],
  ["it works", { activity: "works", seenFor: 1e9 }, "busy"],
  ["it is stopped", { activity: "stopped" }, "wedged"],
  ["it is stopped for a moment", { activity: "stopped", seenFor: settled - 1 }, "unknown"],
  ["it shows no sign of life", { activity: "still", seenFor: lifeless }, "wedged"],
  ["it shows none for a shorter time", { activity: "still", seenFor: lifeless - 1 }, "unknown"],
  ["it may wait for a process, or for a person", { activity: "waits", seenFor: 1e9 }, "unknown"],
  ["it does little", { activity: "unclear", seenFor: 1e9 }, "unknown"],
  ["it reads", { activity: "reads", seenFor: 1e9 }, "unknown"]
]

describe("V5: the verdict on a start", () => {
  it.each(starts)("[V5] %s", (_, evidence, kind) => {
    expect(judgeStart({ activity: undefined, seenFor: settled, ...evidence }).kind).toBe(kind)
  })

  it("[V5] one that may take long has three times its slowest start, and never less than 30 s", () => {
    const times = [undefined, 0, 1000, 10_000, 10_001, 60_000].map((slowest) => {
      const isEnded = (seenFor: number) => judgeStart({ activity: "still", seenFor, slowest }).kind === "wedged"
      return [30_000, 30_003, 180_000].find((millis) => isEnded(millis) && !isEnded(millis - 1))
    })
    expect(times).toEqual([30_000, 30_000, 30_000, 30_000, 30_003, 180_000])
  })
})

const sight = (change: Partial<ProcessSight> = {}): ProcessSight => ({
  isStopped: false,
  isRunning: false,
  cpuTime: 10,
  transferred: 1000,
  pids: [1, 2],
  youngest: 60_000,
  ...change
})

/** What is different in the second of two sights, 2 s apart, after a question was written and 5 s of silence. */
const changes: ReadonlyArray<readonly [string, Partial<ProcessSight>, Activity]> = [
  ["nothing", {}, "still"],
  ["a tick of the kernel's clock", { cpuTime: 10.01 }, "still"],
  ["two ticks", { cpuTime: 10.02 }, "unclear"],
  ["3% of a core", { cpuTime: 10.06 }, "works"],
  ["the question was read", { transferred: 1041 }, "reads"],
  ["much was read and written", { transferred: 1000 + 64 * 1024 }, "works"],
  ["one process was started", { pids: [1, 2, 3], youngest: 1000 }, "unclear"],
  ["one process has ended", { pids: [1] }, "unclear"],
  ["a process started since the last answer is there", { youngest: 4900 }, "waits"],
  ["one that is older than the silence is there", { youngest: 5100 }, "still"],
  ["it has a reason to wait", { mayWait: true }, "waits"],
  ["it has a reason to wait, and works", { mayWait: true, cpuTime: 11 }, "works"],
  ["a launcher waits for the server that it has started", { mayWait: false, youngest: 4900 }, "still"],
  ["one process runs", { isRunning: true }, "unclear"],
  ["nothing is known of reading", { transferred: undefined }, "unclear"],
  ["one is stopped now", { isStopped: true }, "still"]
]

describe("V1: what processes did between two sights", () => {
  const taken = { apart: 2000, silentFor: 5000, isAsked: true }

  it.each(changes)("[V1] %s", (_, change, found) => {
    expect(activity(sight(), sight(change), taken)).toBe(found)
  })

  it("[V5] any one sign of life keeps a start, and nothing else ends it", () => {
    const lifelessStart = { mayWait: false, youngest: 1000 }
    const signs: ReadonlyArray<Partial<ProcessSight>> = [
      { mayWait: true },
      { cpuTime: 10.02 },
      { cpuTime: 12 },
      { transferred: 1001 },
      { transferred: 1e6 },
      { transferred: undefined },
      { isRunning: true },
      { pids: [1, 3] }
    ]
    const verdict = (change: Partial<ProcessSight>) => {
      const found = activity(sight(lifelessStart), sight({ ...lifelessStart, ...change }), taken)
      return judgeStart({ activity: found, seenFor: 1e9 }).kind
    }
    const shown = signs.flatMap((one) => signs.map((other) => ({ ...one, ...other })))
    expect([{}, ...shown].filter((change) => verdict(change) === "wedged")).toEqual([{}])
  })

  it("[V1] stopped in both, and nothing done", () => {
    const stopped = sight({ isStopped: true })
    expect(activity(stopped, stopped, taken)).toBe("stopped")
    expect(activity(stopped, stopped, { ...taken, isAsked: false })).toBe("stopped")
    // Something stops and continues it, many times a second.
    expect(activity(stopped, sight({ isStopped: true, cpuTime: 11 }), taken)).toBe("works")
    expect(activity(stopped, sight({ isStopped: true, transferred: 1041 }), taken)).toBe("reads")
    const unseen = { transferred: undefined }
    expect(activity(sight({ ...unseen, isStopped: true }), sight({ ...unseen, isStopped: true }), taken)).toBe(
      "stopped"
    )
  })

  it("[V1] runs, or waits for a processor, in both: it gets no processor on a machine that is too busy", () => {
    expect(activity(sight({ isRunning: true }), sight({ isRunning: true }), taken)).toBe("works")
  })

  it("[V1] without a question that it could have read, nothing proves that it does not read", () => {
    expect(activity(sight(), sight(), { ...taken, isAsked: false })).toBe("unclear")
    expect(activity(sight(), sight({ transferred: 1041 }), { ...taken, isAsked: false })).toBe("unclear")
  })
})
