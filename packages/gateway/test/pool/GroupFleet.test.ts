import { type ConnectOptions, type Event, Fleet } from "@mcp-lifeline/core"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import type { Introduction } from "@mcp-lifeline/protocol"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Logger, TestClock } from "effect"
import { ServerPool, StateFolder } from "mcp-lifeline"
import { folder } from "../../../testing/test/support/folder.js"
import { everything } from "../../src/access/Access.js"
import * as ServerCache from "../../src/cache/ServerCache.js"
import { runsOnce, sameOptions } from "../../src/config/Backends.js"
import { Outages, over } from "../../src/pool/GroupFleet.js"
import { member } from "../support/member.js"
import * as RawServer from "../support/RawServer.js"
import { describe, expect, it, test } from "../support/vitest.js"

describe("since when a server is down", () => {
  const lost = (backend: string, at: number) => ({ _tag: "RuntimeLost", backend, at, loss: {} }) as never as Event.Event
  const failed = (backend: string, at: number, reason = "spawn") =>
    ({ _tag: "AttemptFailed", backend, at, duration: 10, error: { reason } }) as never as Event.Event
  const installed = (backend: string) => ({ _tag: "Installed", backend, at: 0 }) as never as Event.Event
  const became = (backend: string, to: string) =>
    ({ _tag: "StateChanged", backend, at: 0, from: "Connected", to }) as never as Event.Event

  it.each<[string, ReadonlyArray<Event.Event>, unknown]>([
    ["nothing has happened", [], undefined],
    ["it was lost", [lost("a", 5)], { since: 5, reason: undefined }],
    ["its first attempt has failed, which has taken time", [failed("a", 100)], { since: 90, reason: "spawn" }],
    ["attempts follow a loss: the loss, and the last reason", [
      lost("a", 5),
      failed("a", 50),
      failed("a", 90, "timeout")
    ], { since: 5, reason: "timeout" }],
    ["it is there again", [lost("a", 5), failed("a", 50), installed("a")], undefined],
    ["it is lost again", [lost("a", 5), installed("a"), lost("a", 70)], { since: 70, reason: undefined }],
    ["it was lost once more, after attempts", [failed("a", 50), lost("a", 70)], { since: 70, reason: undefined }],
    ["it was closed", [lost("a", 5), became("a", "Closed")], undefined],
    ["it was disabled", [lost("a", 5), became("a", "Disabled")], { since: 5, reason: undefined }],
    ["another one is there", [lost("a", 5), installed("b"), became("b", "Closed")], { since: 5, reason: undefined }],
    ["another one is down", [lost("b", 5)], undefined]
  ])("[G16:unit] where %s", (_, events, expected) => {
    const outages = new Outages()
    for (const event of events) outages.note(event)
    expect(outages.of("a")).toEqual(expected)
  })
})

describe("servers of a configuration", () => {
  const server = (given: Partial<ServerPool.Server> = {}, transport = "stdio"): ServerPool.Server => ({
    id: "a",
    connector: { transport } as never,
    ...given
  })

  it("[G5:unit] are the same where all options but the prefix are, also where one of them is missing", () => {
    const one = server()
    expect(sameOptions(one, { ...one, prefix: "b" })).toBe(true)
    expect(sameOptions({ ...one, prefix: "a" }, one)).toBe(true)
    for (const more of [{ sessions: "per-client" as const }, { connector: { ...one.connector } }]) {
      expect([sameOptions(one, { ...one, ...more }), sameOptions({ ...one, ...more }, one)]).toEqual([false, false])
    }
  })

  it("[D1:unit] run once in a cluster where they are processes, unless the file says otherwise", () => {
    expect(
      [server(), server({}, "http"), server({ placement: "one" }, "http"), server({ placement: "each" as never })].map(
        runsOnce
      )
    ).toEqual([true, false, true, false])
  })
})

const scripted = Effect.fnUntraced(function*(sessions: "shared" | "per-client" = "shared") {
  const [a, b] = [ScriptedConnector.make(), ScriptedConnector.make()]
  const said: { [server: string]: Introduction | undefined } = {}
  let changes = 0
  const group = yield* over({ sessions, listsChanged: () => void changes++ }, () =>
    Effect.map(
      Fleet.make({ backends: { a: { connector: a }, b: { connector: b } } }),
      (fleet) => ({ fleet, introduction: (server: string) => said[server], apply: fleet.apply([]) })
    ))
  return { a, b, changes: () => changes, group, said }
})

describe("a group of servers", () => {
  test.scoped("[C3 C17:unit] knows of a tool what its hints and its server say, of what the caller may use", function*() {
    const { a, group, said } = yield* scripted()
    const tool = (name: string, more: object) => ({ name, inputSchema: { type: "object" as const }, ...more })
    const support = (taskSupport: string) => ({ execution: { taskSupport } })
    a.offer = {
      ...a.offer,
      tools: [
        tool("reads", { annotations: { readOnlyHint: true } }),
        tool("repeats", { annotations: { idempotentHint: true } }),
        tool("says-no", { annotations: { readOnlyHint: false, idempotentHint: false, destructiveHint: false } }),
        tool("plain", {}),
        tool("may", support("optional")),
        tool("must", support("required")),
        tool("never", support("forbidden"))
      ]
    }
    yield* TestClock.adjust("1 second")
    yield* group.lists
    const names = a.offer.tools.map(({ name }) => name)
    const harmless = (access = everything) => names.filter((name) => group.isHarmless(`a__${name}`, access))
    const tasks = (access = everything) => names.filter((name) => group.takesTask(`a__${name}`, access))
    expect(harmless()).toEqual(["reads", "repeats"])
    expect(tasks()).toEqual([])
    said["a"] = { capabilities: { tasks: { requests: { tools: {} } } } } as never
    expect(tasks()).toEqual([])
    said["a"] = { capabilities: { tasks: { requests: { tools: { call: {} } } } } } as never
    expect(tasks()).toEqual(["may", "must"])
    const some = { ...everything, isWhole: false, hasTool: (_: string, name: string) => name === "plain" }
    expect([harmless(some), tasks(some)]).toEqual([[], []])
    expect([group.isHarmless("a__none", everything), group.takesTask("a__none", everything)]).toEqual([false, false])
  })

  test.scoped("[G3:unit] knows whether a server has heard of its client in a handshake", function*() {
    const { group, said } = yield* scripted()
    expect(group.knowsItsClient("a")).toBe(false)
    said["a"] = { protocolVersion: "2025-11-25" } as never
    said["b"] = { protocolVersion: "2026-07-28" } as never
    expect([group.knowsItsClient("a"), group.knowsItsClient("b")]).toEqual([true, false])
    const { group: own } = yield* scripted("per-client")
    expect(own.knowsItsClient("a")).toBe(true)
  })

  test.scoped("[W3:unit] passes what a client says on to the servers that are connected, and to no other", function*() {
    const { a, b, group } = yield* scripted()
    yield* TestClock.adjust("1 second")
    yield* Effect.flatMap(group.fleet.backend("b"), (backend) => backend.disable).pipe(Effect.fork)
    yield* TestClock.adjust("1 minute")
    group.notify({ method: "notifications/roots/list_changed", params: { x: 1 } })
    yield* TestClock.adjust("1 second")
    const told = (connector: ScriptedConnector.ScriptedConnector) =>
      connector.ledger.entries.filter((one) => JSON.stringify(one).includes("roots/list_changed")).length
    expect([told(a), told(b)]).toEqual([1, 0])
    // A server that comes back reads it itself.
    yield* Effect.flatMap(group.fleet.backend("b"), (backend) => backend.enable).pipe(Effect.fork)
    yield* TestClock.adjust("1 minute")
    expect(told(b)).toBe(0)
    group.notify({ method: "notifications/roots/list_changed" })
    yield* TestClock.adjust("1 second")
    expect([told(a), told(b)]).toEqual([2, 1])
    // Nor is it kept for one that is being connected.
    b.otherwise = { after: 5000 }
    b.current?.lose()
    yield* TestClock.adjust(100)
    group.notify({ method: "notifications/roots/list_changed" })
    yield* TestClock.adjust("1 minute")
    expect([yield* Effect.flatMap(group.fleet.backend("b"), ({ isConnected }) => isConnected), told(a), told(b)])
      .toEqual([true, 3, 1])
  })

  test.scoped("[W3:unit] asks a server that was down for what its clients have asked meanwhile", function*() {
    const { b, group, said } = yield* scripted()
    said["b"] = { capabilities: { logging: {}, resources: { subscribe: true } } } as never
    yield* TestClock.adjust("1 second")
    const backend = yield* group.fleet.backend("b")
    yield* Effect.fork(backend.disable)
    yield* TestClock.adjust("1 minute")
    group.levels.setLevel({}, "error")
    const client = { updated: () => undefined }
    yield* Effect.fork(Effect.ignore(group.subscriptions.subscribe(client, { backend, original: "x:1" }, "x:1", true)))
    yield* TestClock.adjust("1 minute")
    const asked = () =>
      b.ledger.entries.flatMap((one) =>
        one._tag === "Sent" && ["logging/setLevel", "resources/subscribe"].includes(one.method) ? [one.method] : []
      )
    expect(asked()).toEqual([])
    yield* Effect.fork(backend.enable)
    yield* TestClock.adjust("1 minute")
    expect(asked().toSorted()).toEqual(["logging/setLevel", "resources/subscribe"])
  })

  test.scoped("[W3:unit] says each time that lists have changed, and not where they have not", function*() {
    const { a, changes, group } = yield* scripted()
    yield* TestClock.adjust("1 second")
    const before = changes()
    const listed = group.listed()
    expect(yield* group.lists).toBe(listed)
    const announce = Effect.fnUntraced(function*(tools: ReadonlyArray<string>) {
      a.offer = { ...a.offer, tools: tools.map((name) => ({ name, inputSchema: { type: "object" } })) }
      a.current?.notify("notifications/tools/list_changed")
      yield* TestClock.adjust("1 minute")
    })
    yield* announce(["one"])
    expect(changes()).toBe(before + 1)
    expect(group.listed()).not.toBe(listed)
    yield* announce(["one"])
    expect(changes()).toBe(before + 1)
    yield* announce(["one", "two"])
    expect(changes()).toBe(before + 2)
  })
})

const listeners = (names: ReadonlyArray<string>) => {
  const heard: Array<string> = []
  const members = names.map((name) => ({
    ...member(name),
    caller: (): Caller => ({ subject: name, name, claims: {} }),
    logged: (server: string, { method, params }: { readonly method: string; readonly params?: any }) =>
      void heard.push(`${name} ${server} ${method} ${params?.logger}`),
    notified: (server: string, { method }: { readonly method: string }) =>
      void heard.push(`${name} ${server} ${method}`)
  }))
  return { heard, members }
}

describe.each(["shared", "per-client"] as const)("what a server says that is %s", (sessions) => {
  test.scopedLive("[G3 G15:real] reaches the clients that it is for, with its name before that of its logger", function*() {
    const says: Array<(message: object) => void> = []
    const server = {
      ...RawServer.make("s", ({ method }, send) => {
        if (method === "initialize") says.push((message) => send({ jsonrpc: "2.0", ...message }))
        return undefined
      }),
      sessions
    }
    const pool = yield* ServerPool.make([server])
    const { heard, members } = listeners(["anna", "ben"])
    const joined = members.map((one) => pool.join(one))
    for (const one of joined) yield* one.need() ?? Effect.void
    yield* pool.shared.ready
    expect(says).toHaveLength(sessions === "shared" ? 1 : 2)
    const [say] = says
    for (
      const [method, params] of [
        ["notifications/message", { level: "info", data: 1 }],
        ["notifications/message", { level: "info", logger: "db", data: 1 }],
        ["notifications/message", { level: "info", logger: 5, data: 1 }],
        ["notifications/tools/list_changed", undefined],
        ["notifications/prompts/list_changed", undefined],
        ["notifications/tasks/status", { taskId: "t" }],
        ["notifications/other", {}]
      ] as const
    ) say?.({ method, ...(params === undefined ? {} : { params }) })
    const whole = (name: string) => [
      `${name} s notifications/message s`,
      `${name} s notifications/message s/db`,
      `${name} s notifications/message s`
    ]
    const expected = sessions === "shared"
      ? [0, 1, 2].flatMap((i) => ["anna", "ben"].map((name) => whole(name)[i]))
      : [...whole("anna"), "anna s notifications/other"]
    while (heard.length < expected.length) {
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
    // What follows would have come by now.
    for (let i = 0; i < 20; i++) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    expect(heard).toEqual(expected)
  })
})

describe("servers that are started for what is known of their client", () => {
  test.scopedLive("[A3 G15:real] are those of the client as it is known now, after a new token says something else", function*() {
    const started: Array<string> = []
    const connectors = new Map<string, ScriptedConnector.ScriptedConnector>()
    const attempts: Array<string> = []
    let claim = "one"
    const server: ServerPool.Server = {
      id: "s",
      connector: ScriptedConnector.make(),
      sessions: "per-client",
      keepalive: { method: "none" },
      forClient: {
        keyOf: ({ claims }: Caller) => String(claims["team"]),
        start: ({ claims }: Caller) =>
          Effect.sync(() => {
            const team = String(claims["team"])
            started.push(team)
            const connector = ScriptedConnector.make()
            connectors.set(team, connector)
            const connect = connector.connect.bind(connector)
            return {
              connector: Object.assign(connector, {
                connect: (options: ConnectOptions) => {
                  const before = connectors.get("one")?.ledger.entries.some(({ _tag }) => _tag === "Closing")
                  attempts.push(`${team}, the first one ${before === true ? "is closed" : "is not"}`)
                  return connect(options)
                }
              }),
              signIn: undefined
            }
          })
      } as never
    }
    const pool = yield* ServerPool.make([server])
    const own = pool.join({
      ...member("anna"),
      caller: () => ({ subject: "anna", name: "anna", claims: { team: claim } })
    })
    yield* own.need() ?? Effect.void
    yield* own.made
    expect([started, own.own?.isCurrent(), own.current()]).toEqual([["one"], true, undefined])
    claim = "two"
    expect(own.own?.isCurrent()).toBe(false)
    yield* own.current() ?? Effect.void
    expect([started, own.own?.isCurrent()]).toEqual([["one", "two"], true])
    yield* pool.apply([server])
    expect(started).toEqual(["one", "two"])
    // The server of another client must not stay in use until its successor is connected.
    const [first, second] = ["one", "two"].map((team) => connectors.get(team))
    yield* Effect.repeat(Effect.delay(Effect.sync(() => second?.connections.length), "2 millis"), {
      until: (n) => n === 1
    })
    expect(first?.connections).toHaveLength(1)
    expect(attempts).toEqual(["one, the first one is not", "two, the first one is closed"])
  })
})

describe("servers of one client alone", () => {
  test.scopedLive("[G4 G15 X1:real] are shown to that caller as they were last, and to no other one", function*() {
    const path = yield* folder
    const connector = ScriptedConnector.make()
    const server: ServerPool.Server = {
      id: "s",
      connector,
      sessions: "per-client",
      identity: "a-digest",
      keepalive: { method: "none" }
    }
    const toolsOf = (name: string) =>
      Effect.gen(function*() {
        const pool = yield* ServerPool.make([server], { kept: yield* ServerCache.make })
        const own = pool.join({ ...member("host"), caller: () => ({ subject: name, name, claims: {} }) })
        const ready = own.need() ?? Effect.void
        yield* own.made
        if (connector.otherwise.connect !== "hang") yield* ready
        const lists = own.own?.listed()
        return [...lists?.catalog.tools.keys() ?? []]
      }).pipe(Effect.scoped, Effect.provide(StateFolder.layerAt(path)))
    connector.offer = { ...connector.offer, tools: [{ name: "of-anna", inputSchema: { type: "object" } }] }
    expect(yield* toolsOf("anna")).toEqual(["s__of-anna"])
    connector.otherwise = { connect: "hang" }
    expect(yield* toolsOf("ben")).toEqual([])
    expect(yield* toolsOf("anna")).toEqual(["s__of-anna"])
  })

  test.scopedLive("[G22:real] are not started where the client may not use them", function*() {
    const [open, closed] = [ScriptedConnector.make(), ScriptedConnector.make()]
    const own = { sessions: "per-client", keepalive: { method: "none" } } as const
    const pool = yield* ServerPool.make([
      { id: "open", connector: open, ...own },
      { id: "closed", connector: closed, ...own }
    ])
    const joined = pool.join({ ...member(), mayUse: (server) => server === "open" })
    yield* joined.need() ?? Effect.void
    yield* joined.made
    expect(Object.keys(yield* joined.own!.fleet.status)).toEqual(["open"])
    expect([open.connections.length, closed.connections.length]).toEqual([1, 0])
  })
})

describe("names that clients see otherwise", () => {
  test.scoped("[G20 O3:unit] are warned of once, with the server", function*() {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    const { a } = yield* Effect.provide(scripted(), Logger.replace(Logger.defaultLogger, logger))
    const names = (extra: string) =>
      ["bad name!", extra].map((name) => ({ name, inputSchema: { type: "object" as const } }))
    a.offer = { ...a.offer, tools: names("x") }
    yield* TestClock.adjust("1 second")
    const warnings = () => lines.filter((line) => line.includes("bad name!"))
    expect(warnings()).toHaveLength(1)
    a.offer = { ...a.offer, tools: names("y") }
    a.current?.notify("notifications/tools/list_changed")
    yield* TestClock.adjust("1 minute")
    expect(warnings()).toHaveLength(1)
  })
})
