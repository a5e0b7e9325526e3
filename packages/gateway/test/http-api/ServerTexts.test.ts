import { ScriptedConnector } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Redacted, Stream } from "effect"
import * as StatusView from "../../src/commands/StatusView.js"
import { ask } from "../support/Gateway.js"
import * as Served from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const { tool } = ScriptedConnector

describe("what a gateway says of its servers", () => {
  test.scopedLive("[G16] [X5] of what is wrong with a server's lists ten are named, and how many more there are", function*() {
    const connector = ScriptedConnector.make()
    const named = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)
    // The second of each name is left out.
    connector.offer = { ...connector.offer, tools: [...named(15), ...named(12)].map((name) => tool(name)) }
    const { base } = yield* Served.pool([{ id: "o", connector }])
    const { body: { counts, warnings } } = yield* ask(`${base}/api/servers/o`)
    expect(counts.tools).toBe(15)
    expect(warnings)
      .toEqual([...named(10).map((name) => `o names tools "${name}" twice; the first is used`), "2 more of the lists"])
  })

  test.scopedLive("[G1] the log of a server that does not exist is refused with the names of those that do", function*() {
    const connector = ScriptedConnector.make()
    const { base } = yield* Served.pool([
      { id: "every", connector },
      { id: "own", connector, sessions: "per-client" }
    ])
    const cases = [
      ["GET", "logs?server=evry"],
      ["GET", "tools?server=evry"],
      ["GET", "servers/evry"],
      ["POST", "servers/evry/reconnect"]
    ] as const
    for (const [method, path] of cases) {
      expect(yield* ask(`${base}/api/${path}`, method)).toEqual({
        status: 404,
        body: { error: { code: "not_found", message: 'there is no server "evry"; there are: every, own' } }
      })
    }
    for (const name of ["every", "own"]) {
      for (const  of of["logs", "tools"]) {
        expect((yield* ask(`${base}/api/${of}?server=${name}`)).status).toBe(200)
      }
    }
  })

  test.scopedLive("[G16] a login at a server that is connected and has asked for none is refused, and none is begun", function*() {
    let begun = 0
    let state: object = { _tag: "NotAsked" }
    const signIn = {
      account: "default",
      get state() {
        return Effect.succeed(state)
      },
      changes: Stream.empty,
      login: Effect.sync(() => void begun++)
    } as never
    const { base, fleet } = yield* Served.pool([{ id: "o", connector: ScriptedConnector.make() }], {
      about: { signIn: () => signIn }
    })
    const login = ask(`${base}/api/servers/o/login`, "POST")
    const refused = { status: 409, body: { error: { code: "no_login", message: "o asks for no login" } } }
    expect(yield* login).toEqual(refused)
    expect(begun).toBe(0)
    // One that is not connected may want one.
    yield* Effect.flatMap(fleet.backend("o"), (backend) => backend.disable)
    expect((yield* login).body.error.message).not.toBe(refused.body.error.message)
    expect(begun).toBe(1)
    yield* Effect.flatMap(fleet.backend("o"), (backend) => backend.enable)
    state = { _tag: "Refused", detail: "it refuses" }
    expect((yield* login).body.error).toEqual({ code: "login_failed", message: "it refuses" })
    expect(begun).toBe(2)
  })

  test.scopedLive("[G1] a number that is none, or out of its range, is refused in words for it alone", function*() {
    const { base } = yield* Served.pool([])
    const message = (limit: string) =>
      Effect.map(ask(`${base}/api/logs?limit=${limit}`), ({ body, status }) => [status, body.error?.message])
    const range = "limit: Expected a number between 1 and 500, actual"
    expect(yield* message("0")).toEqual([400, `${range} 0`])
    expect(yield* message("501")).toEqual([400, `${range} 501`])
    expect(yield* message("abc")).toEqual([400, 'limit: Unable to decode "abc" into a number'])
  })

  test.scopedLive("[G1] the log of a server that a later configuration has no more can still be read, and nothing else of it", function*() {
    const { base, servers } = yield* Served.pool([{ id: "gone", connector: ScriptedConnector.make() }])
    const log = ask(`${base}/api/logs?server=gone`)
    yield* log.pipe(Effect.delay("10 millis"), Effect.repeat({ until: ({ body }) => body.events.length > 0 }))
    yield* servers.apply([])
    expect((yield* log).status).toBe(200)
    expect((yield* ask(`${base}/api/servers/gone`)).status).toBe(404)
    expect((yield* ask(`${base}/api/servers/gone/reconnect`, "POST")).status).toBe(404)
  })

  test.scopedLive("[C10] credentials that go to another machine without encryption show in the status", function*() {
    const toServer = (url: string) =>
      HttpConnector.make({
        url,
        authorization: {
          tokens: () => Effect.succeed({ access: Redacted.make("access-token-0123"), refresh: undefined }),
          renew: () => Effect.succeed(false),
          isRunning: () => false
        },
        fetch: () => Promise.reject(new Error("nothing leaves this test"))
      })
    const connector = toServer("http://mcp.test/mcp")
    const { base } = yield* Served.pool([
      { id: "plain", connector },
      { id: "own", connector, sessions: "per-client" },
      { id: "https", connector: toServer("https://mcp.test/mcp") },
      { id: "here", connector: toServer("http://127.0.0.1:9/mcp") }
    ])
    const { body } = yield* ask(`${base}/api/status`)
    const warning = "http://mcp.test/mcp: credentials (authorization) go there without encryption, "
      + "so everybody on the way can read them: use https, or a tunnel that encrypts"
    expect(Object.fromEntries(
      body.servers.map(({ name, warnings }: { name: string; warnings: unknown }) => [name, warnings])
    )).toEqual({ plain: [warning], own: [warning], https: [], here: [] })
    const shown = StatusView.render(body, { now: Date.now(), width: 120, colour: false })
    for (const name of ["plain", "own"]) expect(shown).toContain(`${name}: ${warning}`)
  })

  test.scopedLive("[G1] why a server's tools are not listed, where it is disabled or nothing is known of them", function*() {
    const down = ScriptedConnector.make()
    down.otherwise = { connect: "fail", error: { message: "the disk is full" } }
    const up = ScriptedConnector.make()
    const { base } = yield* Served.pool([{ id: "files", connector: up }, { id: "down", connector: down }])
    yield* ask(`${base}/api/servers/files/disable`, "POST")
    const { body } = yield* ask(`${base}/api/tools`)
    expect(body).toEqual({
      tools: [],
      notListed: [
        {
          server: "files",
          message: "files is disabled, so its tools are not offered; enable it: mcp-lifeline enable files",
          prefix: "files__"
        },
        {
          server: "down",
          message: expect.stringMatching(/^down is .*, so its tools are not known: the disk is full$/),
          prefix: "down__"
        }
      ]
    })
    const { body: { notListed } } = yield* ask(`${base}/api/tools?server=down`)
    expect(notListed).toEqual([expect.objectContaining({ server: "down" })])
  })

  test.scopedLive("[G5] a save that was refused is shown until there is a good one", function*() {
    let refused: string | undefined = "mcp.json:3: there is no key spelt so"
    const { base } = yield* Served.pool([], { about: { refused: () => refused } })
    const status = Effect.map(ask(`${base}/api/status`), ({ body }) => body)
    const before = yield* status
    expect(before.gateway.configProblem).toBe(refused)
    expect(StatusView.render(before, { now: Date.now(), width: 120, colour: false }))
      .toContain(`The last save, or a part of it, is not in force: ${refused}`)
    expect(yield* ask(`${base}/ready`))
      .toEqual({ status: 200, body: { ready: true, configProblem: refused, servers: {} } })
    refused = undefined
    expect((yield* status).gateway).not.toHaveProperty("configProblem")
    expect((yield* ask(`${base}/ready`)).body).toEqual({ ready: true, servers: {} })
  })

  test.scopedLive("[G22] a token that several clients have is no save that was refused: it is shown as what it is", function*() {
    let problem: string | undefined = "mcp.json:3: lifeline.clients.b: has the same token as a"
    const { base } = yield* Served.pool([], { about: { clientTokens: { problem: () => problem } } })
    const status = Effect.map(ask(`${base}/api/status`), ({ body }) => body)
    const shown = StatusView.render(yield* status, { now: Date.now(), width: 120, colour: false })
    expect(shown).toContain(`Tokens of clients: ${problem}`)
    expect(shown).not.toContain("last save")
    expect((yield* ask(`${base}/ready`)).body).toEqual({ ready: true, tokenProblem: problem, servers: {} })
    problem = undefined
    expect((yield* status).gateway).not.toHaveProperty("tokenProblem")
  })
})
