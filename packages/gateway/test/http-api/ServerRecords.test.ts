import type { Event, Status } from "@mcp-lifeline/core"
import { Backend, ConnectError, RemoteError, Telemetry } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Exit, TestClock } from "effect"
import { ServerRecords } from "../../src/http-api/ServerRecords.js"
import * as Timeline from "../../src/page/browser/Timeline.mjs"
import { describe, expect, test } from "../support/vitest.js"

const make = Effect.map(Effect.clock, (clock) => {
  const records = new ServerRecords(undefined)
  let at = 0
  const runtime = () => {
    let state: Status["state"] = "Connecting"
    const common = { backend: "own", generation: 1 }
    const observed = { id: "own", transport: "stdio", state, clock, connection: () => undefined }
    const { event } = records.ofGroup().observe(observed)
    const tell = (one: object): void => event({ ...common, at: ++at, ...one } as Event.Event)
    const enter = (to: Status["state"]): void => {
      tell({ _tag: "StateChanged", from: state, to })
      state = to
    }
    return {
      enter,
      connected: () => {
        tell({ _tag: "Installed" })
        enter("Connected")
      },
      lost: () => {
        tell({ _tag: "RuntimeLost", loss: { message: "lost" } })
        enter("Reconnecting")
      },
      failed: (to: Status["state"]) => {
        tell({
          _tag: "AttemptFailed",
          error: new ConnectError({ backend: "own", reason: "spawn", permanent: true, message: "failed" })
        })
        enter(to)
      }
    }
  }
  const record = () => records.of("own")
  return {
    runtime,
    history: () => record()?.history.changes.map(({ state }) => state),
    leading: () => record()?.leading,
    numbers: () => record()?.runtimes.map(({ number }) => number)
  }
})

describe("the state of a server of which each client has its own", () => {
  test.effect("[G15] a client that comes or goes is no outage of the others, and a number is nobody else's later", function*() {
    const { history, numbers, runtime } = yield* make
    const [one, two] = [runtime(), runtime()]
    one.connected()
    two.connected()
    const three = runtime()
    expect(history()).toEqual(["Connecting", "Connected"])
    three.enter("Closed")
    one.enter("Closed")
    expect(history()).toEqual(["Connecting", "Connected"])
    runtime().connected()
    expect(numbers()).toEqual([2, 4])
  })

  test.effect("[G15] is that of the one that is worst off, during its attempts as well, and says why that failed", function*() {
    const { history, leading, runtime } = yield* make
    const [one, two, three] = [runtime(), runtime(), runtime()]
    for (const each of [one, two, three]) each.connected()
    one.lost()
    one.enter("Connecting")
    expect(leading()).toMatchObject({ number: 1, state: "Connecting" })
    two.lost()
    two.failed("PermanentlyFailed")
    one.connected()
    expect(leading()).toMatchObject({ number: 2, reason: "spawn" })
    two.connected()
    expect(leading()).toMatchObject({ state: "Connected", reason: undefined })
    expect(history())
      .toEqual(["Connecting", "Connected", "Reconnecting", "Connecting", "PermanentlyFailed", "Connected"])
  })

  test.effect("[G15] what was switched off stays so when the last client leaves", function*() {
    const { history, runtime } = yield* make
    const one = runtime()
    one.enter("Disabled")
    one.enter("Closed")
    expect(history()).toEqual(["Connecting", "Disabled"])
    const two = runtime()
    two.connected()
    two.enter("Closed")
    expect(history()).toEqual(["Connecting", "Disabled", "Connecting", "Connected", "Idle"])
  })
})

const backendOf = (records: ServerRecords, options: Backend.BackendOptions) =>
  Effect.provideService(Backend.make("one", options), Telemetry.Current, records.ofGroup())

describe("the history of a server", () => {
  test.scoped("[G16] marks the connections that were lost, and a reconnect that somebody asked for is none", function*() {
    const records = new ServerRecords(undefined)
    const connector = ScriptedConnector.make({ overlap: false })
    const backend = yield* backendOf(records, { connector, keepalive: { method: "none" } })
    const history = () => records.of("one")?.history.changes.map(({ lost, state }) => lost ? `${state}, lost` : state)
    yield* backend.firstOutcome
    const first = ["Connecting", "Connected"]
    expect(history()).toEqual(first)
    yield* backend.reconnect
    yield* TestClock.adjust("1 minute")
    connector.current.lose("session")
    yield* TestClock.adjust("1 minute")
    connector.current.lose("closed")
    yield* TestClock.adjust("1 minute")
    yield* backend.disconnect
    const session = ["Connecting, lost", "Connected"]
    const closed = ["Reconnecting, lost", "Connecting", "Connected", "Disconnected"]
    expect(history()).toEqual([...first, ...first, ...session, ...closed])
    const hour = 3_600_000
    expect(Timeline.summary(records.of("one")?.history.changes ?? [], hour, 3 * 60_000).losses).toBe(2)
  })

  test.scoped("[S13] a runtime has what its processes use while it is connected; measurements are passed on", function*() {
    const passed: Array<number> = []
    const records = new ServerRecords({
      observe: () => ({
        event: () => {},
        beat: () => {},
        breakerOpened: () => {},
        hasSpans: false,
        call: () => ({ attempt: () => undefined, end: () => {} }),
        usage: (_, { memory }) => void passed.push(memory)
      })
    })
    const connector = ScriptedConnector.make({ overlap: false })
    const backend = yield* backendOf(records, { connector, reconnect: { initialDelay: "1 hour" } })
    yield* backend.firstOutcome
    const usage = () => records.of("one")?.runtimes.map(({ usage }) => usage?.memory)
    connector.current.use(5)
    expect(usage()).toEqual([5])
    const first = connector.current
    yield* backend.reconnect
    connector.current.use(6)
    // It drains.
    first.options.report({ _tag: "Usage", usage: { memory: 7, cpu: 0, cpuTime: 0 } })
    expect(usage()).toEqual([6])
    connector.current.lose()
    yield* TestClock.adjust("1 second")
    expect(usage()).toEqual([undefined])
    expect(passed).toEqual([5, 6, 7])
  })
})

describe("the calls of a server", () => {
  test.effect("[D8] are those of clients, not what another replica asks to connect: pings and lists", function*() {
    const records = new ServerRecords(undefined)
    const clock = yield* Effect.clock
    const { call } = records.ofGroup().observe({
      id: "own",
      transport: "stdio",
      state: "Connected",
      clock,
      connection: () => undefined
    })
    for (const method of ["ping", "tools/list", "resources/templates/list", "tools/call", "prompts/get"] as const) {
      call(method, {}, undefined).end(
        Exit.fail(new RemoteError({ backend: "own", method, code: -1, message: "refused" }))
      )
    }
    expect(records.of("own")?.calls.counts).toMatchObject({ total: 2, failed: 2, inFlight: 0 })
  })
})
