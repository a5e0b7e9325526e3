import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect, Exit, Scope } from "effect"
import { unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import { type Answer, ask, isConnected, serveHere, untilStatus } from "../support/Gateway.js"
import * as Inspector from "../support/Inspector.js"
import * as Program from "../support/Program.js"
import { connected } from "../support/Served.js"
import * as TestClient from "../support/TestClient.js"
import { describe, expect, test } from "../support/vitest.js"

const gateway = Effect.fnUntraced(function*(lifeline: object) {
  const broken = join(yield* folder, "broken")
  const own = { ...Program.fixture("fragile", broken), lifeline: { sessions: "per-client", ...lifeline } }
  const served = yield* serveHere({ shared: Program.fixture("fragile"), own })
  const act = (action: "reconnect" | "enable" | "disable") => ask(`${served.base}/api/servers/own/${action}`, "POST")
  const details = Effect.map(ask(`${served.base}/api/servers/own`), ({ body }) => body)
  const until = (counts: object) =>
    untilStatus(
      served.base,
      ({ runtimesByState }: Answer["body"]) => JSON.stringify(runtimesByState) === JSON.stringify(counts),
      "own"
    )
  return { ...served, broken, act, details, until, client: connected(`${served.base}/mcp`) }
})

const pidOf = ({ client }: { readonly client: Client }) => Effect.promise(() => TestClient.pid(client, "own"))

const generations = ({ runtimes }: Answer["body"]) =>
  (runtimes as ReadonlyArray<{ readonly generation: number }>).map(({ generation }) => generation)

describe("what an operator sees of servers of which each client has its own", () => {
  test.scopedLive("[G15] [G16] how many runtimes are in which state: one that is killed is missed, and counted again when it is back", function*() {
    const { base, broken, client, command, details, program, until } = yield* gateway({
      reconnect: { initialDelay: "100 millis", maxDelay: "500 millis", maxAttempts: 1000 }
    })
    expect(yield* until({})).toMatchObject({ state: "Idle", sessions: "per-client", history: [] })
    expect(yield* details).toMatchObject({ name: "own", runtimes: [] })
    const ready = yield* Effect.repeat(Effect.delay(ask(`${base}/ready`), "20 millis"), {
      until: ({ status }) => status === 200
    })
    expect(ready.body.servers.own).toEqual({ state: "Idle", runtimesByState: {} })

    const clients = yield* Effect.all([client, client])
    const [first, second] = yield* Effect.forEach(clients, pidOf)
    expect(first).not.toBe(second)
    const up = yield* until({ Connected: 2 })
    expect(up).toMatchObject({ state: "Connected", calls: { total: 2, failed: 0 } })
    expect(up).not.toHaveProperty("generation")

    writeFileSync(broken, "")
    Program.kill(first!)
    const hurt = yield* untilStatus(
      base,
      ({ lastError, runtimesByState }) =>
        runtimesByState.Connected === 1 && lastError?.message.includes("cannot start"),
      "own"
    )
    expect(["Reconnecting", "Connecting"]).toContain(hurt.state)
    expect(hurt.lastError.remedy)
      .toMatch(/^Check the server and its log: it exited while the gateway was connecting to it\./)
    const missed = yield* details
    expect(missed.runtimes).toMatchObject([{ number: 1, generation: 1 }, { number: 2, generation: 1 }])
    // Whether its memory has been measured yet is a matter of time.
    const { usage: _, ...healthy } = missed.runtimes[1]
    const since = expect.any(Number)
    const keepalive = { state: "running" }
    expect(healthy).toEqual({ number: 2, state: "Connected", since, generation: 1, healthScore: 1, keepalive })
    expect((yield* ask(`${base}/ready`)).body.servers.own.reason).toContain("cannot start")
    expect((yield* command("status")).stdout).toMatch(/│ own +│ (Reconn|Conn)ecting +│.*│ per client: .*1 connected/)

    unlinkSync(broken)
    const back = yield* until({ Connected: 2 })
    expect(back).toMatchObject({ state: "Connected", calls: { total: 2, failed: 0 } })
    expect(generations(yield* details)).toEqual([2, 1])
    expect((yield* command("status", "own")).stdout).toMatch(
      /per client: 2 connected[^]*│ 1 +│ Connected +│ \d+ [^│]+│ \d\.\d\d +│ 2 +│[^]*│ 2 +│ Connected +│ .* │ 1\.00 +│ 1 +│ running +│/
    )
    expect(JSON.parse((yield* command("status", "own", "--json")).stdout).runtimes).toHaveLength(2)
    const own = (yield* ask(`${base}/api/logs?server=own`)).body.events
    for (const line of [`Connected  generation 1  pid ${first}`, "Lost  generation 1", "Attempt failed"]) {
      expect(own)
        .toContainEqual(expect.objectContaining({ server: "own", text: expect.stringContaining(`runtime 1  ${line}`) }))
      yield* program.until(() => program.stdout().includes(` own  runtime 1  ${line}`) || undefined)
    }
    expect((yield* command("logs", "--server", "own")).stdout).toContain(" own  runtime 1  Lost")
    expect(yield* command("status", "nobody"))
      .toMatchObject({ code: 1, stderr: 'mcp-lifeline: there is no server "nobody"; there are: shared, own\n' })

    // Whose they are, nobody is told.
    const said = yield* Effect.forEach(["status", "servers/own", "logs"], (path) => ask(`${base}/api/${path}`))
    for (const { transport } of clients) {
      expect(JSON.stringify(said)).not.toContain(transport.sessionId)
    }
    yield* Effect.promise(() => Promise.all(clients.map(({ transport }) => transport.terminateSession())))
    expect(yield* until({})).toMatchObject({ state: "Idle" })
    expect((yield* details).runtimes).toEqual([])
    expect((yield* ask(`${base}/api/servers/shared`)).body).not.toHaveProperty("runtimes")
  })

  test.scopedLive("[G15] [G16] reconnect, disable and enable act on those of all clients, and disable on those of clients to come", function*() {
    // A lost one does not come back by itself while the test runs.
    const { act, client, command, details, until } = yield* gateway({ reconnect: { initialDelay: "1 hour" } })
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
    const [one, two] = yield* Effect.all([client, client]).pipe(Scope.extend(scope))
    const pid = yield* pidOf(one)
    yield* pidOf(two)
    yield* until({ Connected: 2 })
    Program.kill(pid)
    yield* until({ Connected: 1, Reconnecting: 1 })
    expect(yield* command("reconnect", "own"))
      .toMatchObject({ code: 0, stdout: "own: Connected, reconnected for 2 clients, per client: 2 connected\n" })
    expect(generations(yield* details)).toEqual([2, 2])

    const pids = yield* Effect.forEach([one, two], pidOf)
    expect(yield* act("disable"))
      .toMatchObject({ status: 200, body: { state: "Disabled", runtimesByState: { Disabled: 2 }, runtimesDone: 2 } })
    yield* Effect.forEach(pids, Program.gone)
    const tools = ({ client }: typeof one) =>
      Effect.promise(async () => (await client.listTools()).tools.map(({ name }) => name))
    const three = yield* client
    const told = yield* Effect.promise(() => three.client.callTool({ name: "lifeline__status" }))
    expect(JSON.stringify(told)).toContain("own: off; to do for the user: Enable it.")
    expect(yield* tools(three)).not.toContain("own__who")
    expect(yield* until({ Disabled: 3 })).toMatchObject({ state: "Disabled" })
    yield* Effect.promise(() => Promise.all([one, two, three].map(({ transport }) => transport.terminateSession())))
    const off = yield* until({})
    expect(off).toMatchObject({ state: "Disabled" })
    expect(off.since).toBe(off.history.at(-1).at)
    yield* Scope.close(scope, Exit.void)

    const on = yield* act("enable")
    expect(on).toMatchObject({ status: 200, body: { state: "Idle", runtimesByState: {}, runtimesDone: 0 } })
    expect(on.body.history.at(-1)).toEqual({ at: on.body.since, state: "Idle" })
    expect(on.body.since).toBeGreaterThan(off.since)
    expect(yield* act("disable")).toMatchObject({ body: { state: "Disabled" } })
    const four = yield* client
    expect(yield* tools(four)).not.toContain("own__who")
    expect(yield* act("enable")).toMatchObject({ body: { state: "Connected", runtimesByState: { Connected: 1 } } })
    yield* pidOf(four)
  })

  test.scopedLive("[G15] its tools are neither listed nor called without a client, and what is said of that leads to what works", function*() {
    const { base, command } = yield* gateway({})
    const inspector = `npx @modelcontextprotocol/inspector --cli ${base}/mcp --transport http --method`
    const tools = (query: string) => Effect.map(ask(`${base}/api/tools${query}`), ({ body }) => body)
    yield* untilStatus(base, isConnected, "shared")
    const all = yield* tools("")
    expect(all.tools.map(({ name }: { readonly name: string }) => name)).toEqual(["shared__who"])
    const message = expect.stringContaining(`list them as a client: ${inspector} tools/list`)
    expect(all.notListed).toEqual([{ server: "own", message, prefix: "own__" }])
    expect(yield* tools("?server=own")).toEqual({ tools: [], notListed: all.notListed })
    expect(yield* tools("?server=shared")).toEqual({ tools: all.tools, notListed: [] })
    expect((yield* command("tools")).stdout).toMatch(/shared__who[^]*each client has its own server own /)
    for (const name of ["own", "own__who"]) {
      expect(yield* command("tools", name)).toMatchObject({ code: 1, stderr: message })
    }
    expect(yield* command("tools", "shared"))
      .toMatchObject({ code: 0, stdout: expect.not.stringContaining("each client") })
    const called = yield* ask(`${base}/api/call`, "POST", { name: "own__who" })
    expect(called).toMatchObject({ status: 404, body: { error: { code: "not_found" } } })
    const advice = `${inspector} tools/call --tool-name own__who`
    expect(called.body.error.message).toContain("own__who was not called: each client has its own server own ")
    expect(yield* command("call", "own__who")).toMatchObject({ code: 1, stderr: expect.stringContaining(advice) })
    expect((yield* ask(`${base}/api/call`, "POST", { name: "other__who" })).body.error.message).not.toContain("client")
    const cli = Inspector.copy(yield* folder)
    const advised = yield* Program.start(advice.split("--cli ")[1]?.split(" ") ?? [], {}, [process.execPath, cli])
    expect(yield* advised.ended).toMatchObject({ code: 0 })
    expect(advised.stdout()).toContain("pid")
  })

  test.scopedLive("[G15] a command that fails says of how many runtimes, and for one that is switched off in the file there is a way on", function*() {
    const { act, broken, client, until } = yield* gateway({
      lifecycle: { disabled: true },
      reconnect: { initialDelay: "1 hour" }
    })
    expect(yield* until({})).toMatchObject({ state: "Disabled" })
    yield* act("enable")
    const clients = yield* Effect.all([client, client])
    yield* Effect.forEach(clients, pidOf)
    yield* until({ Connected: 2 })
    writeFileSync(broken, "")
    const failed = yield* act("reconnect")
    expect(failed).toMatchObject({
      status: 502,
      body: {
        error: {
          code: "unavailable",
          message: expect.stringMatching(/^2 of 2 runtimes failed, 0 succeeded: .*cannot start/)
        }
      }
    })
  })
})
