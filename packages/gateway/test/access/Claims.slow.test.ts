import { Effect } from "effect"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as AccessControl from "../../src/access/AccessControl.js"
import * as Issuer from "../support/Issuer.js"
import { chatty } from "../support/Talk.js"
import { api, audience, loaded, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const eras = [["with sessions", false], ["without", true]] as const

const held = (id: string) => {
  const latch = Effect.unsafeMakeLatch()
  const { connector, ...others } = chatty(id)
  return {
    let: latch.open,
    server: {
      ...others,
      connector: { ...connector, connect: (options: never) => Effect.zipRight(latch.await, connector.connect(options)) }
    } as ReturnType<typeof chatty>
  }
}

const groups = {
  groups: { dev: { servers: ["open", "late"] }, ops: { servers: ["open"], admin: true }, few: { callsPerMinute: 2 } },
  "realm.roles": { reader: { servers: ["late"], tools: ["late__pid"] } },
  email: { "*@example.com": { servers: ["open"], tools: ["open__pid"] } }
}

const pid = { name: "late__pid", arguments: {} }

describe.each(eras)("access tokens of one session, in the era %s", (_, isStateless) => {
  test.scopedLive("[G21 G22] each request is judged by its own token, whichever came meanwhile", function*() {
    const issuer = yield* Issuer.make
    const late = held("late")
    const rules = new AccessControl.RulesInUse((yield* loaded({}, groups)).rules)
    const asked: Array<string> = []
    const { servers, url } = yield* team([chatty("open"), late.server], {}, {
      issuer: issuer.url,
      introductionWait: 0,
      rules: {
        whenChanged: rules.whenChanged.bind(rules),
        of: (caller) => {
          asked.push(String(caller.claims["jti"]))
          return rules.of(caller)
        }
      }
    })
    const sign = (jti: string, claims: object) => Effect.promise(() => issuer.sign(audience, { jti, ...claims }))
    const first = yield* sign("first", { groups: ["dev"] })
    const talk = yield* talking(url, first, { isStateless })
    const begin = Effect.fnUntraced(function*(jti: string, claims: object, method: string, params?: object) {
      talk.token = yield* sign(jti, claims)
      const answer = talk.ask(method, params)
      yield* eventually(() => asked.includes(jti) ? true : undefined)
      return Effect.promise(() => answer.then(({ answer }) => answer?.result ?? answer?.error))
    })
    const [dev, none] = [{ groups: ["dev"] }, { groups: ["other"] }]
    const pending = yield* Effect.all([
      begin("call of dev", dev, "tools/call", pid),
      begin("call of none", none, "tools/call", pid),
      begin("list of none", none, "tools/list"),
      begin("list of dev", dev, "tools/list"),
      begin("status of dev", dev, "tools/call", { name: "lifeline__status", arguments: {} }),
      begin("call of a reader", { realm: { roles: ["reader"] } }, "tools/call", pid),
      begin("list of a reader", { realm: { roles: ["reader"] } }, "tools/list"),
      begin("last call of none", none, "tools/call", pid)
    ])
    yield* late.let
    const [ofDev, ofNone, noneList, devList, status, ofReader, readerList, last] = yield* Effect.all(pending)
    const names = (result: { tools: ReadonlyArray<{ readonly name: string }> }) =>
      result.tools.map(({ name }) => name).filter((name) => name !== "lifeline__status")
    expect(Number(ofDev.content[0].text)).toBeGreaterThan(0)
    expect(Number(ofReader.content[0].text)).toBeGreaterThan(0)
    for (const one of [ofNone, last]) expect(one).toMatchObject({ message: expect.stringContaining("no server") })
    expect(names(noneList)).toEqual([])
    expect(names(devList)).toEqual(expect.arrayContaining(["open__pid", "late__pid", "late__crash"]))
    expect(names(readerList)).toEqual(["late__pid"])
    expect(status.structuredContent.servers.map(({ name }: { name: string }) => name)).toEqual(["open", "late"])
    yield* servers.shared.fleet.ready
    // What nobody has asked for is judged by the last one.
    talk.token = first
    expect(yield* Effect.promise(() => talk.tools())).toContain("late__pid")
    talk.token = yield* sign("again none", none)
    expect(yield* Effect.promise(() => talk.tools())).toEqual([])
    expect((yield* Effect.promise(() => talk.error("tools/call", pid))).message).toContain("no server")
  })

  test.scopedLive("[G21 G22] groups are those of the claims that the issuer has signed: by name, by path and by pattern, several together", function*() {
    const issuer = yield* Issuer.make
    const { base, change, url } = yield* team([chatty("open"), chatty("late")], { ci: { servers: ["late"] } }, {
      issuer: issuer.url,
      groups
    })
    const sign = (claims: object, sub = "ann") => Effect.promise(() => issuer.sign(audience, { sub, ...claims }))
    const sees = (token: string) =>
      Effect.flatMap(talking(url, token, { isStateless }), (talk) =>
        Effect.promise(async () =>
          [
            ...new Set(
              (await talk.tools()).map((name) => name.endsWith("__pid") ? name : `${name.split("__")[0]} and more`)
            )
          ].toSorted()
        ))
    const whole = (server: string) => [`${server} and more`, `${server}__pid`]
    const cases = [
      [{}, []],
      [{ groups: ["other"], email: "x@example.org" }, []],
      [{ groups: "ops" }, whole("open")],
      [{ groups: ["ops", "dev"] }, [...whole("late"), ...whole("open")]],
      [{ realm: { roles: ["reader"] } }, ["late__pid"]],
      [{ email: "x@example.com" }, ["open__pid"]],
      [{ email: "x@example.com", realm: { roles: ["reader"] } }, ["late__pid", "open__pid"]],
      // What a person is called, or the name of a client, is no group.
      [{ preferred_username: "ops", name: "ci", client_id: "ci", sub: "client:ci" }, []]
    ] as const
    for (const [claims, expected] of cases) {
      expect([claims, yield* sees(yield* sign(claims))]).toEqual([claims, expected])
    }
    expect(yield* sees("ci-token")).toEqual(whole("late"))

    const dev = yield* sign({ groups: ["dev"] })
    const ops = yield* sign({ groups: ["ops"] })
    const statusOf = (token: string, path: string, method: "GET" | "POST" = "POST") =>
      Effect.map(api(base, token, path, method, method === "POST" ? {} : undefined), ({ status }) => status)
    expect([
      yield* statusOf(dev, "/api/servers/open/reconnect"),
      yield* statusOf(ops, "/api/servers/open/reconnect"),
      yield* statusOf(ops, "/api/servers/late/reconnect"),
      yield* statusOf(dev, "/api/servers/late", "GET"),
      yield* statusOf(ops, "/api/servers/late", "GET")
    ]).toEqual([403, 200, 404, 200, 404])

    // The limit is that of the account, not of a token.
    const few = { groups: ["few", "dev"] }
    const talk = yield* talking(url, yield* sign(few, "bob"), { isStateless })
    for (const isLimited of [false, false, true]) {
      talk.token = yield* sign({ ...few, jti: String(isLimited) }, "bob")
      const { isError = false } = yield* Effect.promise(() => talk.result("tools/call", pid))
      expect(isError).toBe(isLimited)
    }
    const other = yield* talking(url, yield* sign(few, "eve"), { isStateless })
    expect((yield* Effect.promise(() => other.result("tools/call", pid))).isError).toBeUndefined()

    // Other rules count for tokens that are out already.
    yield* change({}, { groups: { dev: { servers: [] } } })
    expect(yield* sees(dev)).toEqual([])
    // Signed by somebody else, a claim is nothing.
    const forged = yield* Effect.promise(async () =>
      issuer.sign(audience, { groups: ["dev"] }, { key: await Issuer.newKey() })
    )
    expect(yield* statusOf(forged, "/api/status", "GET")).toBe(401)
  })
})
