import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { chatty, gateway } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

describe.concurrent("the status that the model is told", () => {
  test.scopedLive("[G12] says which server is down, since when, why, and what to do; a call of it says the same", function*() {
    const missing = { id: "missing", connector: StdioConnector.make({ command: "/no/such/program" }) }
    const args = ["-e", "console.error('no licence found'); process.exit(3)"]
    const broken = { id: "broken", connector: StdioConnector.make({ command: process.execPath, args }) }
    const login = (server: string) =>
      server === "signed" ? "a login is needed: open https://example.com/login" : undefined
    const signed = { ...broken, id: "signed" }
    const { client } = yield* gateway([chatty("up"), missing, broken, signed], { login })
    const one = yield* client()
    yield* promise(() => one.result("tools/list"))
    const ask = promise(() => one.result("tools/call", { name: "lifeline__status" }))
    // Each has had its first try, however slow the machine is.
    const until = ({ content }: Record<string, any>) =>
      ["missing", "broken", "signed"].every((name) => content[0].text.includes(`${name}: down since`))
    const { content, structuredContent } = yield* Effect.repeat(Effect.delay(ask, "20 millis"), { until })
    const { text } = content[0] as { readonly text: string }
    expect(text).toMatch(/^3 of 4 servers are down\.$/m)
    expect(text).toMatch(/^- up: up(; [\d.]+ MB of memory)?$/m)
    expect(text).toMatch(
      /^- missing: down since \d{4}-\d\d-\d\dT[\d:]+Z \(.*\); why: .*\/no\/such\/program.*; to do for the user: Check that its command is installed/m
    )
    expect(text).toMatch(/^- broken: down since .*; why: .*no licence found.*; to do for the user: /m)
    const signIn = /^- signed: down .*; to do for the user: a login is needed: open https:\/\/example\.com\/login$/m
    expect(text).toMatch(signIn)
    expect(structuredContent.servers).toMatchObject([
      { name: "up", state: "up" },
      { name: "missing", state: "down", since: expect.any(String) },
      { name: "broken", state: "down" },
      { name: "signed", state: "down" }
    ])
    const read = yield* promise(() => one.result("resources/read", { uri: "lifeline://status" }))
    expect(read["contents"]).toMatchObject([{ uri: "lifeline://status", mimeType: "text/plain" }])
    expect(read["contents"][0].text).toMatch(/^3 of 4 servers are down\.$/m)
    const { resources } = yield* promise(() => one.result("resources/list"))
    expect(resources.at(-1)).toMatchObject({ uri: "lifeline://status" })
    const { tools } = yield* promise(() => one.result("tools/list"))
    expect(tools.at(-1)).toMatchObject({ name: "lifeline__status", annotations: { readOnlyHint: true } })
  })

  test.scopedLive("[G12] a call of a server that is down says why, and what the user is to be told", function*() {
    const { client, servers } = yield* gateway([chatty("s", { reconnect: { auto: false }, timeouts: { wait: 100 } })])
    const one = yield* client()
    yield* promise(() => one.result("tools/list"))
    const backend = yield* servers.shared.fleet.backend("s")
    yield* backend.disconnect
    const { error } = yield* promise(() => one.request("tools/call", { name: "s__pid" }))
    expect(error).toMatchObject({
      code: -32_000,
      message: expect.stringContaining("Tell the user that the MCP server s cannot be reached, and why."),
      data: { tag: "BackendUnavailable", fate: "notSent" }
    })
    const off = /^- s: off; to do for the user: Reconnect it\.$/m
    expect(yield* promise(() => one.call("lifeline__status"))).toMatch(off)
  })

  test.scopedLive("[G12] is there without servers, gives way to a server of its name, and can be switched off", function*() {
    let hasStatus = true
    const { client, servers } = yield* gateway([], { hasStatus: () => hasStatus })
    const one = yield* client()
    expect((yield* promise(() => one.result("tools/list")))["tools"]).toHaveLength(1)
    expect(yield* promise(() => one.call("lifeline__status"))).toBe("There are no servers behind this gateway.")
    hasStatus = false
    yield* servers.apply([])
    const told = one.said.filter(({ method }) => method?.endsWith("/list_changed")).map(({ method }) => method)
    expect(told).toEqual(["notifications/tools/list_changed", "notifications/resources/list_changed"])
    expect((yield* promise(() => one.result("tools/list")))["tools"]).toEqual([])
    expect((yield* promise(() => one.result("resources/list")))["resources"]).toEqual([])
    expect((yield* promise(() => one.request("tools/call", { name: "lifeline__status" }))).error?.code).toBe(-32_602)
    const read = yield* promise(() => one.request("resources/read", { uri: "lifeline://status" }))
    expect(read.error?.code).toBe(-32_002)
  })
})
