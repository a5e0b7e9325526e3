import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { bySize } from "../../../testing/test/support/bySize.js"
import { chatty } from "../support/Talk.js"
import { api, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const eras = [["with sessions", false], ["without", true]] as const

const servers = () => [chatty("open", { says: "open to all" }), chatty("closed", { says: "hush" })]

const rules = { servers: ["open"], tools: { hide: ["open__crash"] } }

describe.each(bySize(eras.slice(0, 1), [...eras]))("a client with rules, in the era %s", (_, isStateless) => {
  test.scopedLive("[G22] sees nothing of what it may not use, and is answered as if there were none", function*() {
    const { url } = yield* team(servers(), { ci: rules, all: {} })
    const ci = yield* talking(url, "ci-token", { isStateless })
    const all = yield* talking(url, "all-token", { isStateless })
    yield* promise(async () => {
      const [few, many] = [await ci.tools(), await all.tools()]
      expect(many).toContain("closed__pid")
      expect(few.toSorted())
        .toEqual(many.filter((name) => name.startsWith("open__") && name !== "open__crash").toSorted())
      const resources = async (one: typeof ci) =>
        (await one.result("resources/list")).resources.map(({ uri }: { uri: string }) => uri).filter((
          uri: string
        ) => uri !== "lifeline://status")
      expect(await resources(ci)).toEqual(["test://one", "test://two"])
      expect((await resources(all)).length).toBe(4)
      const hidden = (await resources(all))[2] as string

      const { instructions } = await ci.begin().then((first) => first).catch(() => ({ instructions: "" }))
      expect(instructions ?? "").not.toContain("hush")
      expect((await ci.result("tools/call", { name: "lifeline__status" })).structuredContent.servers.map((
        { name }: { name: string }
      ) => name)).toEqual(["open"])

      // Of the same form, whatever there is behind it.
      const said = async (method: string, params: object, name: string) =>
        JSON.stringify(await ci.error(method, params)).replaceAll(name, "NAME")
      expect(await said("tools/call", { name: "open__crash" }, "open__crash"))
        .toBe(await said("tools/call", { name: "open__nothing" }, "open__nothing"))
      expect((await said("tools/call", { name: "closed__pid" }, "closed")).replaceAll("pid", ""))
        .toBe((await said("tools/call", { name: "nosuch__pid" }, "nosuch")).replaceAll("pid", ""))
      expect(await said("resources/read", { uri: hidden }, encodeURIComponent("closed"))).toBe(
        (await said("resources/read", { uri: hidden.replace("closed", "nosuch") }, "nosuch")).replaceAll(
          "nosuch",
          "NAME"
        ).replaceAll("closed", "NAME")
      )
      expect(await said("tools/call", { name: "closed__pid" }, "x")).not.toContain('"open, closed"')
      expect(Number(await ci.call("open__pid"))).toBeGreaterThan(0)
    })
  })

  test.scopedLive("[G22] hears nothing of what it may not use: logs, updates and changes of lists", function*() {
    const { servers: pool, url } = yield* team(servers(), { ci: rules, all: {} })
    const ci = yield* talking(url, "ci-token", { isStateless })
    const all = yield* talking(url, "all-token", { isStateless })
    yield* promise(async () => {
      const hidden = "lifeline://closed/test%3A%2F%2Fone"
      await all.listen(["test://one", hidden])
      await ci.listen(["test://one"])
      const [acknowledged] = ci.heard
      const refused = isStateless ? undefined : await ci.error("resources/subscribe", { uri: hidden })
      expect([acknowledged?.params.notifications.resourceSubscriptions, refused?.code])
        .toEqual(isStateless ? [["test://one"], undefined] : [undefined, -32_002])
      await all.call("closed__change", { uri: "test://one" })
      await all.call("closed__log")
      await all.call("open__change", { uri: "test://one" })
      await ci.until("notifications/resources/updated")
      await all.until("notifications/resources/updated", 2)
      if (!isStateless) {
        await all.call("open__log")
        await ci.until("notifications/message")
      }
    })
    yield* Effect.flatMap(pool.shared.fleet.backend("closed"), ({ disable }) => disable)
    yield* Effect.flatMap(pool.shared.fleet.backend("open"), ({ disable }) => disable)
    const changed = yield* promise(() => ci.until("notifications/tools/list_changed"))
    expect(changed).toHaveLength(1)
    const heard = JSON.stringify(ci.heard)
    expect(heard).not.toContain("closed")
    expect(ci.heard.filter(({ method }) => method === "notifications/resources/updated")).toHaveLength(1)
    expect((yield* promise(() => all.until("notifications/tools/list_changed", 2))).length).toBe(2)
  })

  test.scopedLive("[G22] over its limit, it gets a result that says how long to wait, and nothing is sent; others go on", function*() {
    const { url } = yield* team([chatty("open")], { ci: { callsPerMinute: 3 }, all: {} })
    const ci = yield* talking(url, "ci-token", { isStateless })
    const again = yield* talking(url, "ci-token", { isStateless })
    const all = yield* talking(url, "all-token", { isStateless })
    yield* promise(async () => {
      await ci.tools()
      for (const one of [ci, again, ci]) expect(Number(await one.call("open__pid"))).toBeGreaterThan(0)
      const result = await again.result("tools/call", { name: "open__pid", arguments: {} })
      expect(result).toMatchObject({ isError: true, _meta: { "mcp-lifeline/retryAfter": expect.any(Number) } })
      expect(result.content[0].text).toMatch(
        /^Nothing was sent: the limit of 3 calls a minute for this client is reached\. Wait \d+ seconds?, and call again\.$/
      )
      expect(await ci.error("resources/read", { uri: "test://one" }))
        .toMatchObject({ code: -32_000, data: { fate: "notSent", tag: "RateLimited", retryAfter: expect.any(Number) } })
      // What is no call is not limited.
      expect(await ci.tools()).toContain("open__pid")
      const heard = JSON.parse(await all.call("open__heard", { method: "tools/call" })) as ReadonlyArray<unknown>
      expect(heard).toHaveLength(4)
    })
  })

  test.scopedLive("[G22] sees other rules at once, also in an open session; of a client that is removed, the sessions end", function*() {
    const { change, url } = yield* team(servers(), { ci: rules, gone: {} })
    const ci = yield* talking(url, "ci-token", { isStateless })
    const gone = yield* talking(url, "gone-token", { isStateless })
    yield* promise(async () => {
      await Promise.all([ci.listen(), gone.listen()])
      expect(await ci.tools()).not.toContain("closed__pid")
      expect(Number(await gone.call("closed__pid"))).toBeGreaterThan(0)
    })
    yield* change({ ci: { ...rules, servers: { hide: ["open"] } } })
    yield* promise(async () => {
      await ci.until("notifications/tools/list_changed")
      expect(await ci.tools()).toContain("closed__pid")
      expect(await ci.tools()).not.toContain("open__pid")
      expect((await ci.error("tools/call", { name: "open__pid" })).message).toContain("no server")
      await gone.until("the stream has ended")
      expect((await gone.ask("tools/list")).status).toBe(401)
    })
    yield* change({ gone: {} })
    yield* promise(async () => {
      expect((await gone.ask("tools/list")).status).toBe(isStateless ? 200 : 404)
      expect((await ci.ask("tools/list")).status).toBe(401)
    })
  })
})

describe.each([undefined, "{server}-", ""])(
  "tools of a server whose name another's begins with, with the prefix %j",
  (prefix) => {
    test.scopedLive("[G22 G20] are those of that server alone, whatever the gateway calls them", function*() {
      const servers = ["git", "git__hub", "git__hub__x"].map((id) => chatty(id, prefix === undefined ? {} : { prefix }))
      const { base, url } = yield* team(servers, {
        one: { tools: ["git__*"], admin: true },
        two: { tools: ["git__hub__pid"] },
        all: {}
      })
      type Named = { readonly name: string; readonly original: string; readonly server: string }
      const toolsOf = (token: string) =>
        Effect.map(api(base, token, "/api/tools"), ({ body }) => body.tools as ReadonlyArray<Named>)
      const everything = yield* toolsOf("operator")
      const cases = [
        ["one-token", ({ server }: Named) => server === "git"],
        ["two-token", ({ original, server }: Named) => server === "git__hub" && original === "pid"],
        ["all-token", () => true]
      ] as const
      for (const [token, isOwn] of cases) {
        const own = yield* toolsOf(token)
        const wanted = everything.filter(isOwn)
        const plain = (tools: ReadonlyArray<Named>) =>
          tools.map(({ original, server }) => `${server} ${original}`).toSorted()
        expect([token, plain(own)]).toEqual([token, plain(wanted)])
        const names = own.map(({ name }) => name)
        const others = everything.filter(({ name, original }) => original === "pid" && !names.includes(name))
        const pid = own.find(({ original }) => original === "pid")?.name ?? ""
        for (const [, isStateless] of eras) {
          const talk = yield* talking(url, token, { isStateless })
          yield* promise(async () => {
            expect((await talk.tools()).toSorted()).toEqual(names.toSorted())
            expect(Number(await talk.call(pid))).toBeGreaterThan(0)
            for (const { name } of others) await talk.error("tools/call", { name })
          })
        }
        const call = (name: string) =>
          Effect.map(api(base, token, "/api/call", "POST", { name }), ({ status }) => status)
        const statuses = yield* Effect.forEach([pid, ...others.map(({ name }) => name)], call)
        expect([token, statuses]).toEqual([token, [200, ...others.map(() => 404)]])
      }
    })
  }
)

describe("the API for a client with rules", () => {
  test.scopedLive("[G22] shows what it may use, and lets only admins change something, on servers that they see", function*() {
    const { base } = yield* team(servers(), { ci: rules, boss: { ...rules, admin: true }, reader: {} })
    const status = yield* api(base, "ci-token", "/api/status")
    expect(status.body.servers.map(({ name }: { name: string }) => name)).toEqual(["open"])
    expect(status.body.gateway.caller).toEqual({ name: "ci", admin: false })
    expect(JSON.stringify(status.body)).not.toMatch(/closed|secret/)
    const operator = yield* api(base, "operator", "/api/status")
    expect(operator.body.gateway).toMatchObject({ config: "/secret/mcp.json" })
    expect(operator.body.gateway.caller).toBeUndefined()

    const tools = yield* api(base, "ci-token", "/api/tools")
    expect(JSON.stringify(tools.body)).not.toMatch(/closed|crash/)
    for (const path of ["servers/closed", "logs?server=closed"]) {
      const { body, status } = yield* api(base, "boss-token", `/api/${path}`)
      expect([path, status, body.error.message]).toEqual([path, 404, 'there is no server "closed"; there are: open'])
    }
    expect(JSON.stringify((yield* api(base, "operator", "/api/logs")).body)).toContain("closed")
    expect(JSON.stringify((yield* api(base, "ci-token", "/api/logs")).body)).not.toContain("closed")
    for (const path of ["/metrics", "/metrics/", "//metrics", "/METRICS", "/%6detrics", "/metrics;x"]) {
      expect([path, (yield* api(base, "ci-token", path)).status])
        .toEqual([path, expect.toSatisfy((status) => status === 400 || status === 403 || status === 404)])
    }
    expect((yield* api(base, "operator", "/metrics")).status).toBe(200)
    expect(JSON.stringify((yield* api(base, "ci-token", "/ready")).body)).not.toContain("closed")

    const cases = ["servers/open/reconnect", "servers/open/enable", "servers/open/disable", "servers/open/login"]
    for (const action of cases) {
      for (const name of ["ci", "reader"]) {
        const { body, status } = yield* api(base, `${name}-token`, `/api/${action}`, "POST", {})
        expect([status, body.error]).toEqual([403, {
          code: "forbidden",
          message:
            `${name} may not do this: it needs "admin": true in lifeline.clients.${name} of the gateway's configuration`
        }])
      }
    }
    const done = (token: string, path: string, body: object = {}) =>
      Effect.map(api(base, token, `/api/${path}`, "POST", body), ({ status }) => status)
    expect(yield* done("boss-token", "servers/open/reconnect")).toBe(200)
    expect(yield* done("boss-token", "servers/closed/reconnect")).toBe(404)
    expect(yield* done("operator", "servers/closed/reconnect")).toBe(200)
    for (const token of ["boss-token", "ci-token"]) {
      expect(yield* done(token, "call", { name: "open__pid" })).toBe(200)
      expect(yield* done(token, "call", { name: "open__crash" })).toBe(404)
      expect(yield* done(token, "call", { name: "closed__pid" })).toBe(404)
    }
    expect(yield* done("operator", "call", { name: "closed__pid" })).toBe(200)
    expect(yield* done("unknown", "call", { name: "open__pid" })).toBe(401)
  })

  test.scopedLive("[G22] tells it why a call fails, and only admins how the server is started", function*() {
    const connector = StdioConnector.make({ command: "/secret/folder/ghost", args: ["--key-of", "ann"] })
    const { base } = yield* team([{ id: "ghost", connector }], { ci: {}, boss: { admin: true } })
    const said = (token: string) =>
      Effect.map(
        api(base, token, "/api/call", "POST", { name: "ghost__pid" }),
        ({ body, status }) => [status, body.error.message]
      )
    // Until its first attempt has failed.
    yield* Effect.repeat(said("boss-token"), { until: ([, message]) => String(message).includes("/secret/") })
    expect(yield* said("ci-token")).toEqual([
      502,
      expect.stringMatching(
        /^ghost cannot be connected: the call was not sent; last error: its program could not be started(?!.*(secret|ann))/
      )
    ])
  })

  test.scopedLive("[G22] counts its calls with those of a client, answers 429 to one too many, and sends nothing", function*() {
    const { base, url } = yield* team([chatty("open")], { boss: { admin: true, callsPerMinute: 3 } })
    const boss = yield* talking(url, "boss-token")
    const call = (token: string) => api(base, token, "/api/call", "POST", { name: "open__pid" })
    expect((yield* call("boss-token")).status).toBe(200)
    expect(Number(yield* promise(() => boss.call("open__pid")))).toBeGreaterThan(0)
    expect((yield* call("boss-token")).status).toBe(200)
    const { body, headers, status } = yield* call("boss-token")
    expect([status, body.error.code]).toEqual([429, "rate_limited"])
    expect(body.error.message).toMatch(/^Nothing was sent: the limit of 3 calls a minute for this client is reached/)
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0)
    expect((yield* promise(() => boss.result("tools/call", { name: "open__pid", arguments: {} }))).isError).toBe(true)
    // The operator is not limited, and what the API only shows is no call.
    expect((yield* call("operator")).status).toBe(200)
    expect((yield* api(base, "boss-token", "/api/tools")).status).toBe(200)
    const heard = yield* api(base, "operator", "/api/call", "POST", {
      name: "open__heard",
      arguments: { method: "tools/call" }
    })
    expect(JSON.parse(heard.body.content[0].text)).toHaveLength(5)
  })
})
