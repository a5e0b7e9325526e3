import { describe, expect, it } from "@effect/vitest"
import { type Connection, Policy } from "@mcp-lifeline/core"
import { statusOf } from "../../src/backend/statusOf.js"
import { State } from "../../src/lifecycle/Lifecycle.js"
import type { Runtime } from "../../src/runtime/Runtime.js"
import * as Slot from "../../src/state/Slot.js"
import { snapshot } from "../support/Snapshot.js"

const now = 100_000
const connection = {
  peer: { pid: 7 },
  sessionId: "0123456789",
  serverInfo: { name: "one", version: "1" },
  protocolVersion: "2025-11-25",
  resumed: true,
  stateful: true
} as unknown as Connection
const current = { generation: 3, connection } as unknown as Runtime
const connected = { state: State.Connected({ replacing: false }), current, generation: 3, installedAt: now - 5000 }
const usage = { memory: 5, cpu: 0, cpuTime: 0 }
const verdict = { kind: "busy", reason: "it works", since: 8 } as const
const starting = { since: 90_000, outlives: false, verdict }
const first = Slot.begin(Policy.defaults)
const { counts, keepalive, pace } = first
const lastError = { message: "it was refused", reason: "refused", at: 9 } as const
const breaker = { reason: "timeout", message: "no answer", reprobeAt: 200_000 } as const
const kept = snapshot({ generation: 2, revision: 4, stale: true })

const traffic = { failures: 1, inFlight: 2, waiting: 3, queued: 4, calls: { givenUp: 5 } }
const beside = {
  backend: "one",
  transport: "stdio",
  target: "a command",
  memoryLimit: undefined,
  learned: undefined as never,
  toolOptions: { unmatched: [], warning: undefined },
  ...traffic
}

const shown: ReadonlyArray<readonly [change: Partial<Slot.Slot>, status: object]> = [
  [{ state: State.Dormant() }, { state: "Dormant" }],
  [connected, {
    ...{ generation: 3, sessionId: "01234567", peer: { pid: 7 }, serverInfo: connection.serverInfo, resumed: true },
    ...{ connectedAt: now - 5000, uptime: 5000, totalUptime: 5000, protocolVersion: "2025-11-25" }
  }],
  [{ snapshot: kept }, { catalog: { generation: 2, revision: 4, stale: true, tools: 0, truncated: [] } }],
  [{ nextAttemptAt: 120_000 }, { nextAttemptAt: 120_000 }],
  [{ lastError }, { lastError: lastError.message, lastReason: "refused", lastErrorAt: 9 }],
  [{ ...connected, installedAt: 0, lastError, pace: { ...pace, failures: 2 } }, {
    lastError: undefined,
    failedAttempts: 0
  }],
  [{ pace: { ...pace, failures: 2 } }, { failedAttempts: 2 }],
  [{ pace: { ...pace, sessions: { ...pace.sessions, count: 6 } } }, { lostSessions: { count: 6, warning: undefined } }],
  [{ keepalive: { ...keepalive, paused: true } }, { keepalive: { state: "paused" } }],
  [{ ...connected, keepalive: { ...keepalive, breaker } }, { keepalive: { state: "disabled", reprobeAt: 200_000 } }],
  [{ history: [false] }, { healthScore: 0 }],
  [{ ...connected, verdict, starting }, { verdict, startingSince: undefined }],
  [{ verdict: undefined, starting: { ...starting, outlives: true } }, { verdict, startingSince: 90_000 }],
  [{ usage }, { usage }],
  [{ extensions: { pins: "two" } }, { pins: "two" }],
  [
    { counts: { ...counts, connections: 3, errors: 4, pastUptime: 50, lastAttemptAt: 6, lastSuccessAt: 7 } },
    { connectionCount: 3, reconnectCount: 2, errorCount: 4, totalUptime: 50, lastAttemptAt: 6, lastSuccessAt: 7 }
  ],
  [{ counts: { ...counts, abandonedCloses: 2, lastCloseError: "late" } }, {
    abandonedCloses: 2,
    lastCloseError: "late"
  }]
]

/** Of the supervisor and of calls, for themselves; `expired` shows in the snapshot. */
const unshown = ["demandableFrom", "expired", "hasSuccessor", "lost", "lostGeneration", "revision", "work", "works"]

describe("what a backend shows", () => {
  it.each(shown)("[H7:unit] with %j in the slot: %j", (change, status) => {
    expect(statusOf({ ...first, ...change }, Policy.defaults, beside, now)).toMatchObject(status)
  })

  it("[H7:unit] is each field of the slot that is not for its own use, and the traffic", () => {
    expect([...new Set([...shown.flatMap(([change]) => Object.keys(change)), ...unshown])].toSorted())
      .toEqual(Object.keys(first).toSorted())
    expect(statusOf(first, Policy.defaults, beside, now)).toMatchObject(traffic)
  })
})

describe("what a change of it tells", () => {
  const told = (before: Partial<Slot.Slot>, after: Partial<Slot.Slot>) =>
    Slot.eventsBetween({ ...first, ...before }, { ...first, ...after }, Policy.defaults).map((event) =>
      event._tag === "Judged" ? `${event._tag} ${event.generation}` : event._tag
    )
  const paused = { keepalive: { ...keepalive, paused: true } }
  const cases: ReadonlyArray<readonly [Partial<Slot.Slot>, Partial<Slot.Slot>, ReadonlyArray<string>]> = [
    [{}, { works: 1, counts: { ...counts, errors: 1 } }, []],
    [{}, { ...connected, snapshot: kept }, ["StateChanged", "CatalogChanged", "KeepaliveChanged"]],
    [connected, { ...connected, ...paused }, ["KeepaliveChanged"]],
    [paused, { ...connected, ...paused }, ["StateChanged"]],
    [connected, { state: State.Reconnecting() }, ["StateChanged"]],
    [connected, { ...connected, verdict }, ["Judged 3"]],
    [{ verdict }, { verdict: { ...verdict, reason: "it still works" } }, []],
    [{ verdict }, {}, []],
    [{ generation: 3 }, { generation: 3, starting }, ["Judged 4"]]
  ]
  it.each(cases)("[O3:unit] from %j to %j: %j", (before, after, events) => expect(told(before, after)).toEqual(events))
})
