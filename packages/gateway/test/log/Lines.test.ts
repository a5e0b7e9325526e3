import { describe, expect, it } from "@effect/vitest"
import { ConnectError, type Event, type Status } from "@mcp-lifeline/core"
import { HashMap } from "effect"
import * as Lines from "../../src/log/Lines.js"

const now = new Date(2026, 0, 2, 12, 3, 4).getTime()

const status = (fields: Partial<Status>): Status => ({
  backend: "every-stdio",
  state: "Connected",
  generation: 2,
  health: "CONNECTED",
  healthScore: 1,
  transport: "stdio",
  target: "node",
  usage: undefined,
  memoryLimit: undefined,
  peer: { pid: 4242 },
  sessionId: undefined,
  serverInfo: undefined,
  protocolVersion: undefined,
  connectedAt: now - 65_000,
  uptime: 65_000,
  totalUptime: 65_000,
  connectionCount: 2,
  reconnectCount: 1,
  errorCount: 1,
  lastError: undefined,
  lastErrorAt: undefined,
  lastReason: undefined,
  lastCloseError: undefined,
  connectorWarning: undefined,
  abandonedCloses: 0,
  lostSessions: { count: 0, warning: undefined },
  resumed: false,
  lastAttemptAt: undefined,
  lastSuccessAt: undefined,
  nextAttemptAt: undefined,
  failedAttempts: 0,
  failures: 0,
  inFlight: 0,
  waiting: 0,
  queued: 0,
  calls: { givenUp: 0 },
  toolOptions: { unmatched: [], warning: undefined },
  keepalive: { state: "running", method: "ping", reason: undefined, reprobeAt: undefined },
  catalog: { generation: 2, revision: 3, stale: false, tools: 13, truncated: [] },
  ...fields
})

const common = { backend: "every-stdio", at: now }
const connected: Event.Event = { _tag: "StateChanged", ...common, from: "Connecting", to: "Connected", generation: 2 }

describe("Lines", () => {
  const line = (event: Event.Event, status: Status | undefined) => {
    const [, text] = Lines.step(HashMap.empty(), event, status)
    return text === undefined ? undefined : Lines.show(event.at, event.backend, text.message)
  }

  it("a connection is one line: generation, process and tools", () => {
    expect(line(connected, status({}))).toBe("12:03:04 every-stdio  Connected  generation 2  pid 4242  13 tools")
    expect(line(connected, status({ generation: 3 }))).toBe("12:03:04 every-stdio  Connected  generation 2")
  })

  it("a server that is taken out of the file is closed, without words for programs", () => {
    const event: Event.Event = { _tag: "StateChanged", ...common, from: "Connected", to: "Closed", generation: 2 }
    expect(line(event, status({}))).toBe("12:03:04 every-stdio  Closed")
    expect(line({ ...event, to: "Disabled" }, status({}))).toBe("12:03:04 every-stdio  Disabled (it is switched off)")
  })

  it("a catalogue is told with the connection, and by itself only when it is news", () => {
    const changed: Event.Event = { _tag: "CatalogChanged", ...common, generation: 2, revision: 3, stale: false }
    const [told, first] = Lines.step(HashMap.empty(), changed, status({}))
    expect(first).toEqual({ message: "13 tools", publicMessage: "" })
    expect(Lines.step(told, changed, status({}))[1]).toBeUndefined()
    expect(line({ ...changed, stale: true }, status({}))).toBeUndefined()
    expect(Lines.step(Lines.step(HashMap.empty(), connected, status({}))[0], changed, status({}))[1]).toBeUndefined()
  })

  it("[S13] high memory is a line, and so is the restart because of it", () => {
    const message = "850 MB of memory, 85% of its limit of 1 GB (maxMemory)"
    const high: Event.Event = {
      ...{ _tag: "MemoryHigh", ...common, generation: 2, memory: 85e7, limit: 1e9, message },
      nextRestartAt: undefined
    }
    expect(line(high, status({}))).toBe(`12:03:04 every-stdio  Memory is high  ${message}`)
    expect(Lines.levelOf(high)).toBe("warning")
    const loss = { kind: "memory", message: "it uses too much" } as const
    const lost: Event.Event = { _tag: "RuntimeLost", ...common, generation: 2, loss, uptime: 1 }
    expect(line(lost, status({}))).toBe("12:03:04 every-stdio  Restarting  generation 2  it uses too much")
  })

  it("text from outside stays one line and controls no terminal", () => {
    const message = "refused\nby \u001B[31mserver\u001B[0m\r\u0007 \u202Enow"
    const error = new ConnectError({ backend: "b", message, reason: "refused", permanent: false })
    const event: Event.Event = { _tag: "AttemptFailed", ...common, error, duration: 1, nextAttemptAt: now + 1300 }
    expect(line(event, undefined)).toBe("12:03:04 every-stdio  Attempt failed  refused by server now  next in 2 s")
  })

  it("an attempt that was to replace a connection leaves it, and the line says so", () => {
    const error = new ConnectError({ backend: "b", message: "HTTP 401", reason: "unauthorized", permanent: false })
    const event: Event.Event = { _tag: "AttemptFailed", ...common, error, duration: 1, nextAttemptAt: undefined }
    expect(line(event, status({}))).toBe("12:03:04 every-stdio  New connection failed, the old one stays  HTTP 401")
  })

  it("says nothing of steps on the way", () => {
    expect(line({ _tag: "AttemptStarted", ...common, attempt: 1 }, undefined)).toBeUndefined()
  })
})
