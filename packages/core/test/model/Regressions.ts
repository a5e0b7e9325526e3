/** Runs that found a fault once, as they were shrunk. They are run first, each time. */
import type { Command } from "./Commands.js"
import type { Setting } from "./World.js"

const setting: Setting = {
  maxOps: 12,
  seed: 0,
  auto: true,
  overlap: false,
  lazy: false,
  idleRelease: false,
  prepare: "nothing",
  throwing: false,
  suspends: false
}

export const regressions: ReadonlyArray<[Setting, Array<Command>]> = [
  // The supervisor was interrupted between publishing a loss and retiring the runtime.
  [{ ...setting, maxOps: 20 }, [{ do: "shutdown" }, { do: "lose", kind: "closed", age: 0 }]],
  // A call was interrupted between being counted as waiting and what uncounts it.
  [setting, [
    { do: "lose", kind: "closed", age: 0 },
    { do: "call", budget: 10 },
    { do: "interruptCall", index: 0 },
    { do: "shutdown" }
  ]],
  // A timer that was set before the machine stood still was late by as much.
  [setting, [{ do: "lose", kind: "closed", age: 0 }, { do: "step", tasks: 7 }, { do: "fire" }]],
  // Disabled did not wait for the close of an attempt that had been cancelled before the one under way.
  [setting, [
    { do: "command", command: "Disconnect", interrupt: false },
    { do: "fire" },
    { do: "command", command: "Reconnect", interrupt: false },
    { do: "command", command: "Disable", interrupt: false },
    { do: "advance", millis: 0 },
    { do: "race", tasks: 0, command: "Reconnect", more: 0 }
  ]],
  // An attempt that cannot be interrupted opened so late that its close was waited for no longer: no fault.
  [{ ...setting, maxOps: 12, overlap: false, lazy: true }, [
    { do: "script", outcome: { connect: "open", after: 500, stubborn: true, close: 10 } },
    { do: "loseSlowly", command: "Disconnect" },
    { do: "fire" },
    { do: "race", tasks: 0, command: "Reconnect", more: 0 },
    { do: "replace", lose: false, quick: false }
  ]],
  // A call began between the report that a connection is unused and the handling of that report.
  ...[0, 1].map((tasks): [Setting, Array<Command>] => [
    { ...setting, maxOps: 2048, idleRelease: true },
    [{ do: "advance", millis: 5000 }, { do: "useAsReleased", tasks }]
  ]),
  // Of a machine that stands still: an attempt that cannot be interrupted opens when its teardown has given up on it.
  [setting, [
    { do: "script", outcome: { connect: "open", after: 500, stubborn: true } },
    { do: "advance", millis: 600 },
    { do: "loseSlowly", command: "Disable" },
    { do: "fire" },
    { do: "race", tasks: 0, command: "Shutdown", more: 0 },
    { do: "script", outcome: { connect: "open", stubborn: false } }
  ]],
  // A command waited in the inbox while the shutdown waited for what the one before it had begun.
  [{ ...setting, lazy: true }, [
    { do: "command", command: "Reconnect", interrupt: false },
    { do: "step", tasks: 12 },
    { do: "shutdown" },
    { do: "race", tasks: 2, command: "Call", more: 0 },
    { do: "command", command: "Reconnect", interrupt: false }
  ]],
  // A cancelled attempt had made a connection, and the next one did not wait for its close.
  [{ ...setting, maxOps: 2048 }, [
    { do: "race", tasks: 5, command: "Disconnect", more: 0 },
    { do: "loseSlowly", command: "Reconnect" },
    { do: "mode", mode: "ok" }
  ]],
  // A command that made a session early took a place in the bucket, and the timer that it replaced had taken another.
  [setting, [
    { do: "forget", at: 0, times: 15 },
    { do: "suspend", offered: "resumed", late: false },
    { do: "suspend", offered: "resumed", late: false },
    { do: "step", tasks: 1 }
  ]],
  // A connector that never ended a reading of the lists held up every later one for the time of all pages.
  [setting, [{ do: "race", tasks: 0, command: "Reconnect", more: 1 }, { do: "mode", mode: "broken" }]],
  // A list that a session had given before it was forgotten was evidence for the next one.
  [{ ...setting, maxOps: 2048 }, [
    { do: "race", tasks: 21, command: "Call", more: 0 },
    { do: "forget", at: 0, times: 15, words: "rejected" },
    { do: "replace", lose: false, quick: false },
    { do: "race", tasks: 0, command: "Reconnect", more: 0 }
  ]],
  // Commands whose attempts fail let a waiting call have another at once: no fault.
  [{ ...setting, idleRelease: true, prepare: "asks", seed: 0 }, [
    { do: "loseForGood" },
    { do: "wedge", millis: 5000, again: false },
    { do: "keepForgetting", words: "rejected", times: 2 },
    { do: "keepForgetting", words: "rejected", times: 30 },
    { do: "replace", lose: false, quick: false }
  ]],
  // The timer of a waiting call was set late, for the time that had been left when it looked.
  [{ ...setting, maxOps: 2048, overlap: true }, [
    { do: "forget", at: 0, times: 15, words: "known" },
    { do: "wedge", millis: 5, again: false },
    { do: "fire" },
    { do: "replace", lose: false, quick: false },
    { do: "wedge", millis: 5, again: false },
    { do: "loseSlowly", command: "Reconnect" },
    { do: "wedge", millis: 5, again: false },
    { do: "keepForgetting", words: "rejected", times: 2 },
    { do: "race", tasks: 1, command: "Reconnect", more: 11 },
    { do: "step", tasks: 7 },
    { do: "race", tasks: 0, command: "Reconnect", more: 0 },
    { do: "mode", mode: "ok" }
  ]],
  // A call was interrupted between the making and the start of the two fibers of Effect.raceFirst.
  [{ ...setting, maxOps: 20, overlap: true }, [
    { do: "useAsReleased", tasks: 0 },
    { do: "replace", lose: false, quick: false },
    { do: "race", tasks: 0, command: "Call", more: 2 },
    { do: "forget", at: 0, times: 1, words: "answered" },
    { do: "interruptCall", index: 3 }
  ]],
  // A command begins the pace of calls after permanent failures anew: no fault.
  [{ ...setting, lazy: true, seed: 0 }, [
    { do: "callForGood", calls: 20, gap: 600, retryAfter: undefined },
    { do: "suspend", offered: "resumed", late: false },
    { do: "call", budget: 10 },
    { do: "ask", what: "refresh" }
  ]],
  // Tools were read at once for a call that had been cut before the first list, and for the catalogue: no fault.
  [setting, [
    { do: "race", tasks: 0, command: "Call", more: 5 },
    { do: "mode", mode: "slow" },
    { do: "suspend", offered: "resumed", late: false }
  ]],
  // A start that had ended in the moment in which its attempt's time was over waited for the backoff.
  [{ ...setting, patient: true, seed: 0, maxOps: 12 }, [
    { do: "race", tasks: 0, command: "Reconnect", more: 6 },
    { do: "fire" }
  ]]
]
