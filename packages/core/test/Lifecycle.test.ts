import { describe, expect, it } from "@effect/vitest"
import { Lifecycle } from "@mcp-lifeline/core/internal"
import { Struct } from "effect"

const { Event, State } = Lifecycle

const states = {
  "Idle": State.Idle(),
  "Connecting": State.Connecting({ probe: false }),
  "Connecting (probe)": State.Connecting({ probe: true }),
  "Connected": State.Connected({ replacing: false }),
  "Connected (replacing)": State.Connected({ replacing: true }),
  "Reconnecting": State.Reconnecting(),
  "Dormant": State.Dormant(),
  "PermanentlyFailed": State.PermanentlyFailed(),
  "Disconnected": State.Disconnected(),
  "Disabling": State.Disabling({ enable: false }),
  "Disabling (enable)": State.Disabling({ enable: true }),
  "Disabled": State.Disabled(),
  "Closed": State.Closed()
} as const

type StateKey = keyof typeof states

const events = {
  "demanded": Event.Demanded(),
  "due": Event.Due(),
  "established": Event.Established(),
  "failed": Event.AttemptFailed({ verdict: "retry", auto: true }),
  "failed, exhausted": Event.AttemptFailed({ verdict: "exhausted", auto: true }),
  "failed, permanent": Event.AttemptFailed({ verdict: "permanent", auto: true }),
  "failed, not auto": Event.AttemptFailed({ verdict: "retry", auto: false }),
  "failed, exhausted, not auto": Event.AttemptFailed({ verdict: "exhausted", auto: false }),
  "failed, permanent, not auto": Event.AttemptFailed({ verdict: "permanent", auto: false }),
  "lost": Event.Lost({ atOnce: false, auto: true }),
  "lost session": Event.Lost({ atOnce: true, auto: true }),
  "lost, not auto": Event.Lost({ atOnce: false, auto: false }),
  "lost session, not auto": Event.Lost({ atOnce: true, auto: false }),
  "reconnect, overlap": Event.Reconnect({ overlap: true }),
  "reconnect, no overlap": Event.Reconnect({ overlap: false }),
  "enable": Event.Enable(),
  "disable": Event.Disable(),
  "disconnect": Event.Disconnect(),
  "torn down": Event.TornDown(),
  "released": Event.Released(),
  "close": Event.Close()
} as const

type EventKey = keyof typeof events

const switchable: Partial<Record<EventKey, StateKey>> = {
  "disable": "Disabling",
  "disconnect": "Disconnected",
  "close": "Closed"
}

const commanded: Partial<Record<EventKey, StateKey>> = {
  "reconnect, overlap": "Connecting",
  "reconnect, no overlap": "Connecting",
  "enable": "Connecting"
}

/** The design's table, written down a second time. What is not here is refused. */
const expected: Record<StateKey, Partial<Record<EventKey, StateKey>>> = {
  "Idle": { ...switchable, ...commanded, "demanded": "Connecting" },
  "Connecting": {
    ...switchable,
    "established": "Connected",
    "failed": "Reconnecting",
    "failed, exhausted": "Dormant",
    "failed, permanent": "PermanentlyFailed",
    "failed, not auto": "Disconnected",
    "failed, exhausted, not auto": "Disconnected",
    "failed, permanent, not auto": "PermanentlyFailed"
  },
  "Connecting (probe)": {
    ...switchable,
    "established": "Connected",
    "failed": "Dormant",
    "failed, exhausted": "Dormant",
    "failed, permanent": "PermanentlyFailed",
    "failed, not auto": "Disconnected",
    "failed, exhausted, not auto": "Disconnected",
    "failed, permanent, not auto": "PermanentlyFailed"
  },
  "Connected": {
    ...switchable,
    "lost": "Reconnecting",
    "lost session": "Connecting",
    "lost, not auto": "Disconnected",
    "lost session, not auto": "Disconnected",
    "reconnect, overlap": "Connected (replacing)",
    "reconnect, no overlap": "Connecting",
    "released": "Idle"
  },
  "Connected (replacing)": {
    ...switchable,
    "established": "Connected",
    "failed": "Connected",
    "failed, exhausted": "Connected",
    "failed, permanent": "Connected",
    "failed, not auto": "Connected",
    "failed, exhausted, not auto": "Connected",
    "failed, permanent, not auto": "Connected",
    "lost": "Connecting",
    "lost session": "Connecting",
    "lost, not auto": "Connecting",
    "lost session, not auto": "Connecting"
  },
  "Reconnecting": { ...switchable, ...commanded, "due": "Connecting", "demanded": "Connecting" },
  "Dormant": { ...switchable, ...commanded, "due": "Connecting (probe)", "demanded": "Connecting (probe)" },
  "PermanentlyFailed": { ...switchable, ...commanded, "demanded": "Connecting" },
  "Disconnected": { ...commanded, "disable": "Disabling", "close": "Closed" },
  "Disabling": { "enable": "Disabling (enable)", "torn down": "Disabled", "close": "Closed" },
  "Disabling (enable)": { "disable": "Disabling", "torn down": "Connecting", "close": "Closed" },
  "Disabled": { "enable": "Connecting", "close": "Closed" },
  "Closed": {}
}

describe("Lifecycle", () => {
  describe("[L2:virtual] every pair of state and event is in the table or refused as data", () => {
    for (const from of Struct.keys(states)) {
      it(from, () => {
        for (const name of Struct.keys(events)) {
          const state = states[from]
          const event = events[name]
          const to = expected[from][name]
          expect([name, Lifecycle.transition(state, event)]).toEqual([name, to && states[to]])
        }
      })
    }
  })

  it("[L2:virtual] the states and events tested are all there are", () => {
    expect(new Set(Object.values(states).map((state) => state._tag))).toEqual(new Set(Struct.keys(stateTags)))
    expect(new Set(Object.values(events).map((event) => event._tag))).toEqual(new Set(Struct.keys(eventTags)))
  })

  it("[L2:virtual] nothing leads out of Closed, and every other state can be closed", () => {
    for (const from of Struct.keys(states)) {
      expect(Lifecycle.transition(states[from], Event.Close()) === undefined).toBe(from === "Closed")
    }
  })

  it("[R4:virtual] only a permanent failure leads to PermanentlyFailed", () => {
    const ways = Struct.keys(expected).flatMap((from) =>
      Struct.keys(events).filter((event) => expected[from][event] === "PermanentlyFailed")
    )
    expect(new Set(ways)).toEqual(new Set(["failed, permanent", "failed, permanent, not auto"]))
  })

  it("[R8:virtual] waiting is pointless exactly where only a command leads on, or a call after a permanent failure", () => {
    const byItself: ReadonlyArray<EventKey> = ["demanded", "due", "established", "failed", "lost"]
    for (const from of Struct.keys(states)) {
      expect([from, Lifecycle.isPointless(states[from])]).toEqual([
        from,
        from === "PermanentlyFailed" || byItself.every((event) => expected[from][event] === undefined)
      ])
    }
  })

  it("[C9:unit] for people a state has words where its name does not say what it means", () => {
    const words: { readonly [S in Lifecycle.StateName]: string } = {
      Idle: "Idle",
      Connecting: "Connecting",
      Connected: "Connected",
      Reconnecting: "Reconnecting",
      Dormant:
        "Dormant (after many failed attempts Lifeline tries it less often, and sooner while a call waits for it)",
      PermanentlyFailed: "PermanentlyFailed (waiting does not help)",
      Disconnected: "Disconnected (it does not connect automatically)",
      Disabling: "Disabling (it is being switched off)",
      Disabled: "Disabled (it is switched off)",
      Closed: "Closed (close() was called, or its scope has ended)"
    }
    for (const [state, said] of Struct.entries(words)) expect(Lifecycle.inWords(state)).toBe(said)
    // A state of another version, whatever it is called.
    for (const state of ["Asleep", "constructor", ""]) expect(Lifecycle.inWords(state)).toBe(state)
  })

  it("[R8:unit] a state has a timer exactly where Due leads on, and a call makes or hastens an attempt where Demanded does", () => {
    for (const from of Struct.keys(states)) {
      const { demand, timer } = Lifecycle.entries[states[from]._tag]
      expect([from, timer !== undefined]).toEqual([from, expected[from].due !== undefined])
      expect([from, ["connects", "hastens", "paced"].includes(demand)]).toEqual([
        from,
        expected[from].demanded !== undefined
      ])
    }
  })

  it("[P2:virtual] the catalogue is withdrawn when disabled, closed or failed for good, and kept elsewhere", () => {
    const withdrawn = Struct.keys(states).filter((name) => Lifecycle.entries[states[name]._tag].catalog === "withdrawn")
    expect(withdrawn).toEqual(["PermanentlyFailed", "Disabling", "Disabling (enable)", "Disabled", "Closed"])
  })
})

const stateTags: Record<Lifecycle.StateName, true> = {
  Idle: true,
  Connecting: true,
  Connected: true,
  Reconnecting: true,
  Dormant: true,
  PermanentlyFailed: true,
  Disconnected: true,
  Disabling: true,
  Disabled: true,
  Closed: true
}

const eventTags: Record<Lifecycle.Event["_tag"], true> = {
  Demanded: true,
  Due: true,
  Established: true,
  AttemptFailed: true,
  Lost: true,
  Reconnect: true,
  Enable: true,
  Disable: true,
  Disconnect: true,
  TornDown: true,
  Released: true,
  Close: true
}
