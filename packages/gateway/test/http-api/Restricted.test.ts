/** What must not leave, and every door of the API through which something about servers leaves. */
import { McpConfig } from "@mcp-lifeline/config"
import { Fleet } from "@mcp-lifeline/core"
import type { Caller } from "@mcp-lifeline/http-server/Caller"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Stream, Struct, TestClock } from "effect"
import { ServerPool } from "mcp-lifeline"
import { RulesInUse } from "../../src/access/AccessControl.js"
import * as NamedCaller from "../../src/access/NamedCaller.js"
import * as Api from "../../src/http-api/Api.js"
import type { GatewayStatus, Server } from "../../src/http-api/GatewayStatus.js"
import type { Operations } from "../../src/http-api/Operations.js"
import * as Restricted from "../../src/http-api/restricted.js"
import type * as EventLog from "../../src/log/EventLog.js"
import * as MadeUp from "../support/MadeUpReplica.js"
import { describe, expect, test } from "../support/vitest.js"

/** A part of each name that is hidden from those who may use `open` without its hidden tools. */
const hidden = "concealed"
/** A part of each text that is for operators. */
const operators = "for-operators"

const changed = (tool: string) => ({
  tool,
  kind: "changed" as const,
  since: 1,
  withheld: true,
  difference: [`of ${tool}`]
})

const full = (name: string): Server =>
  MadeUp.serverOf(name, {
    target: `run ${name} --key ${operators}`,
    pid: 1,
    owner: { replica: "b", since: 1 },
    newerOn: `http://${operators}`,
    memoryLimit: { bytes: 1, restarts: 1 },
    counts: { tools: 9, prompts: 1, resources: 1 },
    hidden: { tools: 7, prompts: 0, resources: 0 },
    lastError: { message: operators, remedy: `edit ${operators}`, at: 1 },
    login: { message: "log in", url: `https://${operators}` },
    pins: { mode: "block", changes: [changed("read"), changed(`${hidden}_tool`)], more: 77 },
    warnings: [`it has the name of ${hidden} as well`]
  })

const replica = (id: string, ...servers: ReadonlyArray<string>) => ({
  id,
  address: `http://${operators}-${id}`,
  isHere: id === "a",
  state: "reached" as const,
  since: 1,
  servers
})

const status: GatewayStatus = {
  gateway: {
    ...MadeUp.statusOf("a").gateway,
    config: `/${operators}/mcp.json`,
    configProblem: `mcp.json: mcpServers.${hidden}: no`,
    authProblem: operators,
    tokenProblem: operators,
    audit: { file: `/${operators}/calls`, lost: 1 }
  },
  replicas: [replica("a", "open", hidden), replica("b", hidden, "open", `${hidden}-too`), replica("c")],
  servers: [full(hidden), full("open"), full(`${hidden}-too`)]
}

const lines: ReadonlyArray<EventLog.Entry> = [
  { at: 1, server: null, level: "info", text: `read again, with ${hidden}`, publicText: `read again, with ${hidden}` },
  { at: 2, server: hidden, level: "info", text: `of ${hidden}`, publicText: "Connected" },
  { at: 3, server: "open", level: "info", text: `${operators}: as ${hidden}`, publicText: "Connected" },
  { at: 4, server: "open", level: "error", text: `${operators}: of ${hidden}` }
]

const serverOf = (name: string) =>
  status.servers.flatMap((server) => server.name === name ? [Effect.succeed(server)] : [])[0]
    ?? Effect.die(`nobody asks for ${name}`)

const operationsOf = (done: Array<string>): Operations => {
  const act = (what: string) => (name: string) =>
    Effect.zipRight(
      Effect.sync(() => void done.push(`${what} ${name}`)),
      Effect.map(serverOf(name), (server) => ({ ...server, runtimesDone: 1 }))
    )
  return {
    status: Effect.succeed(status),
    statusNow: Effect.succeed(status),
    follow: Effect.void,
    lines: Stream.fromIterable(lines),
    server: (name) =>
      Effect.map(act("server")(name), (server) => ({
        ...Struct.omit(server, "runtimesDone"),
        runtimes: [{ number: 1, state: "Connected" as const, since: 1, generation: 1, replica: operators }]
      })),
    logs: ({ limit, server, since = 0 }) =>
      Effect.succeed(
        lines.filter((line) => (server === undefined || line.server === server) && line.at >= since).slice(-limit)
      ),
    reconnect: act("reconnect"),
    enable: act("enable"),
    disable: act("disable"),
    approve: (name, allows) =>
      allows?.(`${hidden}_tool`) === false
        ? Effect.fail(Api.notFound("not all of them"))
        : Effect.map(act("approve")(name), (server) => ({ ...server, approved: ["read", `${hidden}_tool`] }))
  }
}

const someRules = { servers: ["open"], tools: { hide: [`*__${hidden}_*`] } }
const { value: access } = McpConfig.readAccess({
  clients: {
    boss: { token: "boss-at-least-sixteen", admin: true, ...someRules },
    ci: { token: "ci-at-least-sixteen-x", ...someRules },
    all: { token: "all-at-least-sixteen-", admin: true },
    none: { token: "none-at-least-sixteen", servers: [] }
  },
  groups: { team: { some: someRules } }
}, { variables: {} })

const callers: ReadonlyArray<readonly [who: string, caller: Caller, isAdmin: boolean]> = [
  ["an admin that may not use everything", NamedCaller.of("boss"), true],
  ["a client with rules", NamedCaller.of("ci"), false],
  ["a person of a group", { subject: "https://issuer p", name: "p", claims: { team: ["some"] } }, false],
  ["a person of no group", { subject: "https://issuer q", name: "q", claims: {} }, false],
  ["a client that may use nothing", NamedCaller.of("none"), false],
  ["a client that is no more in the file", NamedCaller.of("gone"), false]
]

const seenWith = Effect.fnUntraced(function*(
  rules: McpConfig.Access | undefined,
  tools: Readonly<Record<string, ReadonlyArray<string>>> = {},
  personalSignIns?: unknown
) {
  const fleet = yield* Fleet.make({
    backends: Object.entries(tools).map(([id, names]) => {
      const connector = ScriptedConnector.make()
      connector.offer = { ...connector.offer, tools: names.map((name) => ({ name, inputSchema: { type: "object" } })) }
      return { id, connector }
    })
  })
  yield* TestClock.adjust(0)
  return {
    personalSignIns: personalSignIns as never,
    rules: new RulesInUse(rules),
    servers: { servers: () => status.servers.map(({ name }) => ({ id: name })), shared: { fleet } } as never
  }
})

const doors = Effect.fnUntraced(function*(caller: Caller, done: Array<string> = []) {
  const servers = yield* ServerPool.make([])
  const named = { ...servers, servers: () => status.servers.map(({ name }) => ({ id: name })) } as never
  const seen = { personalSignIns: undefined, rules: new RulesInUse(access), servers: named }
  const operations = operationsOf(done)
  const allowed = Restricted.operationsFor(seen, caller, operations)
  const { approve, disable, enable, logs, reconnect, server } = allowed
  const everything = { limit: 500, server: undefined, since: undefined }
  const both = <A, E>(of: (name: string) => Effect.Effect<A, E>) => [of("open"), of(hidden)]
  const byDoor: { readonly [Door in keyof Restricted.Allowed]: ReadonlyArray<Effect.Effect<unknown, unknown>> } = {
    status: [allowed.status],
    server: both(server),
    logs: [logs(everything), ...both((server) => logs({ ...everything, server }))],
    reconnect: both(reconnect),
    enable: both(enable),
    disable: both(disable),
    approve: both(approve)
  }
  const view = Restricted.viewFor(seen, caller)
  const streams = {
    "the stream's status": [view === undefined ? Effect.succeed(status) : view.status(status)],
    "the stream's lines": [Effect.succeed(view === undefined ? lines : lines.flatMap((line) => view.line(line) ?? []))]
  }
  return yield* Effect.forEach(
    Object.entries({ ...byDoor, ...streams }),
    ([door, all]) =>
      Effect.map(Effect.forEach(all, (one) => Effect.merge(one)), (texts) => [door, JSON.stringify(texts)] as const)
  )
})

/** The name that the caller has asked for itself is no secret to it. */
const withoutAsked = (text: string): string => text.replaceAll(`no server \\"${hidden}\\"`, "")

describe("what somebody sees who may not use everything", () => {
  test.scoped.each(callers.map((one) => [...one] as const))(
    "[G22 X1] through no door names what %s may not use",
    function*([, caller, isAdmin]) {
      const done: Array<string> = []
      for (const [door, text] of yield* doors(caller, done)) {
        expect([door, withoutAsked(text)]).toEqual([door, expect.not.stringContaining(hidden)])
        if (!isAdmin) expect([door, text]).toEqual([door, expect.not.stringContaining(operators)])
        // Nor how much of it there is.
        expect([door, text]).toEqual([door, expect.not.stringContaining("77")])
      }
      expect(done.filter((one) => one.endsWith(hidden))).toEqual([])
    }
  )

  test.scoped("[G22] is all for an admin that may use everything, and for whoever runs the gateway", function*() {
    for (const caller of [NamedCaller.of("all"), { subject: "", claims: {} }]) {
      const [first] = yield* doors(caller)
      for (const [door, text] of yield* doors(caller)) {
        expect([door, text]).toEqual([door, expect.stringContaining(hidden)])
      }
      expect(first?.[1]).toContain("77")
    }
  })

  test.scoped("[G22] is what an admin may use, in full", function*() {
    const [[, text = ""] = []] = yield* doors(NamedCaller.of("boss"))
    const [seen] = JSON.parse(text) as [GatewayStatus]
    expect(seen.replicas?.map(({ servers }) => servers)).toEqual([["open"], ["open"], []])
    expect(seen.servers).toMatchObject([{
      name: "open",
      target: expect.stringContaining(operators),
      pins: { changes: [{ tool: "read" }] }
    }])
    expect(seen.gateway).toMatchObject({ audit: { lost: 1 }, caller: { name: "boss", admin: true } })
  })

  const limited = [["boss", true], ["ci", false]] as const

  test.scoped.each(limited)(
    "[G22:unit] counts the tools of each server that %s may use, and no others",
    function*([name]) {
      const seen = yield* seenWith(access, {
        open: ["read", "write", `${hidden}_tool`],
        [hidden]: ["read"],
        "open-too": ["read"]
      })
      const { servers } = yield* Restricted.statusFor(seen, NamedCaller.of(name), status)
      expect(servers.map(({ counts, name }) => [name, counts]))
        .toEqual([["open", { tools: 2, prompts: 1, resources: 1 }]])
      // Those of a server whose tools nobody knows yet are none.
      const [unread] = (yield* Restricted.statusFor(yield* seenWith(access), NamedCaller.of(name), status)).servers
      expect(unread?.counts.tools).toBe(0)
      // Without rules about tools, they are those that the server has.
      const whole = yield* seenWith(undefined, { open: ["read"] })
      const everybody = yield* Restricted.statusFor(whole, { subject: "https://issuer p", claims: {} }, status)
      expect(everybody.servers.map(({ counts }) => counts.tools)).toEqual([9, 9, 9])
    }
  )

  test.scoped.each(limited)(
    "[G22:unit] reads as many lines as %s asks for, of those that it may read, and since when",
    function*([name]) {
      const of = (at: number, server: string | null, publicText?: string): EventLog.Entry => ({
        at,
        server,
        level: "info",
        text: `${operators} ${at}`,
        ...(publicText === undefined ? {} : { publicText })
      })
      const all = [of(1, "open", "1"), of(2, "open", "2"), of(3, "open", "3"), of(4, hidden, "4"), of(5, "open")]
      const queries: Array<object> = []
      const { logs } = Restricted.operationsFor(yield* seenWith(access), NamedCaller.of(name), {
        ...operationsOf([]),
        logs: (query) => {
          queries.push(query)
          return Effect.succeed(all.slice(-query.limit))
        }
      })
      expect(yield* logs({ limit: 2, server: undefined, since: 7 })).toEqual([
        { at: 2, server: "open", level: "info", text: "2" },
        { at: 3, server: "open", level: "info", text: "3" }
      ])
      expect(yield* logs({ limit: 1, server: "open", since: undefined })).toMatchObject([{ text: "3" }])
      expect(queries).toMatchObject([{ server: undefined, since: 7 }, { server: "open", since: undefined }])
    }
  )

  test.scoped.each(limited)(
    "[G22 X1:unit] hears from each door the same of a server that is hidden from %s as of one that does not exist",
    function*([name]) {
      const done: Array<string> = []
      const { status: _, logs, ...others } = Restricted.operationsFor(
        yield* seenWith(access),
        NamedCaller.of(name),
        operationsOf(done)
      )
      const named: ReadonlyArray<(server: string) => Effect.Effect<unknown, unknown>> = [
        ...Object.values(others),
        (server) => logs({ limit: 5, server, since: undefined })
      ]
      expect(named).toHaveLength(6)
      for (const ask of named) {
        const [ofHidden, ofNone] = yield* Effect.all([Effect.flip(ask(hidden)), Effect.flip(ask("absent"))])
        expect(JSON.stringify(ofHidden).replaceAll(hidden, "absent")).toBe(JSON.stringify(ofNone))
        expect(yield* Effect.either(ask("open"))).toMatchObject({ _tag: ask === others.approve ? "Left" : "Right" })
      }
      expect(done.filter((one) => one.startsWith("approve") || !one.endsWith(" open"))).toEqual([])
    }
  )

  test.scoped("[G22:unit] in a stream is what the rules of now allow, each time", function*() {
    const seen = yield* seenWith(access)
    const view = Restricted.viewFor(seen, NamedCaller.of("ci"))!
    const line = lines.find(({ server }) => server === "open")
    const now = Effect.map(
      Effect.suspend(() => view.status(status)),
      ({ servers }) => [servers.map(({ name }) => name), view.line(line!)?.text, view.line(lines[1]!)?.text]
    )
    expect(yield* now).toEqual([["open"], "Connected", undefined])
    const { value: other } = McpConfig.readAccess({
      clients: { ci: { token: "ci-at-least-sixteen-x", servers: [hidden] } },
      groups: undefined
    }, { variables: {} })
    seen.rules.set(other)
    expect(yield* now).toEqual([[hidden], undefined, "Connected"])
    seen.rules.set(undefined)
    expect(yield* now).toEqual([[], undefined, undefined])
  })

  test.scoped.each(
    [
      ["LoginNeeded", { signedIn: 0, waiting: 1 }],
      ["SignedIn", { signedIn: 1, waiting: 0 }],
      ["Starting", { signedIn: 0, waiting: 1 }],
      [undefined, { signedIn: 0, waiting: 1 }]
    ] as const
  )(
    "[G22 A3:unit] of logins is the caller's own, where that is %s, and not how many others have one",
    function*([state, logins]) {
      const asked: Array<unknown> = []
      const seen = yield* seenWith(access, {}, (server: string) => ({
        inUse: (caller: Caller) => {
          asked.push([server, caller.subject])
          return state === undefined ? undefined : { state: Effect.succeed({ _tag: state }) }
        }
      }))
      const servers = [MadeUp.serverOf("open", { clientLogins: { signedIn: 40, waiting: 2 } })]
      const caller = NamedCaller.of("ci")
      const [first] = (yield* Restricted.statusFor(seen, caller, { ...status, servers })).servers
      expect([first?.clientLogins, asked]).toEqual([logins, [["open", caller.subject]]])
    }
  )

  test.scoped("[G22:unit] tells a caller what it is called, and whether it is an admin", function*() {
    for (const [, caller, isAdmin] of callers) {
      const { gateway } = yield* Restricted.statusFor(yield* seenWith(access), caller, status)
      expect(gateway.caller).toEqual({ name: caller.name, admin: isAdmin })
    }
    const nameless = { subject: "https://issuer p", claims: {} }
    const { gateway } = yield* Restricted.statusFor(yield* seenWith(access), nameless, status)
    expect(gateway.caller).toEqual({ admin: false })
  })
})
