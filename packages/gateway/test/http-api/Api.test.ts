import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { everything } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { ask, isConnected, serveHere, untilStatus } from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { bare } from "../support/Served.js"
import { type ApiEvent, eventsIn, readEvents } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const { resolve } = createRequire(import.meta.url)
const memory = resolve("@modelcontextprotocol/server-memory/dist/index.js")
const node = process.execPath

const events = (base: string, isEnough: (events: ReadonlyArray<ApiEvent>) => boolean) =>
  Effect.promise(async (signal) => {
    const { text, type } = await readEvents(base, {}, (text) => isEnough(eventsIn(text)), signal)
    return { found: eventsIn(text), type }
  })

describe.concurrent("the API of a running gateway", () => {
  test.scopedLive("[G1] /api/status says of the gateway and of each server what is known", function*() {
    const { base, file, program } = yield* serveHere({
      every: { command: node, args: [everything, "stdio"] },
      memory: { command: node, args: [memory] },
      missing: { command: "/no/such/program" }
    })
    const every = yield* untilStatus(base, isConnected, "every")
    yield* untilStatus(base, isConnected, "memory")
    const missing = yield* untilStatus(base, ({ state }) => state === "PermanentlyFailed", "missing")
    const { body } = yield* ask(`${base}/api/status`)
    expect(body.gateway).toMatchObject({ name: "mcp-lifeline", url: `${base}/mcp`, config: file, clients: 0 })
    expect(body.gateway.pid).toBe(program.pid)
    expect(body.servers.map(({ name }: { readonly name: string }) => name)).toEqual(["every", "memory", "missing"])
    expect(every).toMatchObject({
      state: "Connected",
      generation: 1,
      transport: "stdio",
      server: { name: "mcp-servers/everything" },
      sessions: "shared",
      stale: false,
      calls: { total: 0, failed: 0, givenUp: 0, inFlight: 0, p50Millis: null }
    })
    expect(every.history.map(({ state }: { readonly state: string }) => state)).toEqual(["Connecting", "Connected"])
    expect(every.since).toBe(every.history.at(-1).at)
    expect(every.counts.prompts).toBeGreaterThan(0)
    expect(missing.lastError.message).toContain("/no/such/program")
    expect(missing.lastError.remedy)
      .toBe("Check that its command is installed and that the configuration names it right. Then reconnect it.")
  })

  test.scopedLive("[G1] calls are made and counted, and errors have a code and a message", function*() {
    const { base } = yield* serveHere({ every: { command: node, args: [everything, "stdio"] } })
    yield* untilStatus(base, isConnected, "every")
    const call = (body: unknown) => ask(`${base}/api/call`, "POST", body)
    const done = yield* call({ name: "every__echo", arguments: { message: "hi" } })
    expect(done).toEqual({ status: 200, body: { content: [{ type: "text", text: "Echo: hi" }] } })
    expect(yield* call({ name: "nobody__echo" })).toMatchObject({ status: 404, body: { error: { code: "not_found" } } })
    expect(yield* call({ arguments: {} }))
      .toEqual({ status: 400, body: { error: { code: "bad_request", message: "name: is missing" } } })
    const deep = `{"name":"every__echo","arguments":${'{"a":'.repeat(100_000)}1${"}".repeat(100_001)}`
    for (const body of [deep, "{", "[]", ""]) {
      const answer = yield* bare(`${base}/api/call`, "POST", {
        "content-type": "application/json",
        "x-lifeline": "1"
      }, body)
      expect(answer).toMatchObject({ status: 400, body: expect.stringContaining("bad_request") })
    }
    expect((yield* ask(`${base}/api/nothing`)).body.error.code).toBe("not_found")
    const { calls } = yield* untilStatus(base, ({ calls }) => calls.total > 0, "every")
    expect(calls).toMatchObject({ total: 1, failed: 0, inFlight: 0, p50Millis: expect.any(Number) })
    const { body: { tools } } = yield* ask(`${base}/api/tools`)
    expect(tools).toContainEqual(expect.objectContaining({ name: "every__echo", server: "every", original: "echo" }))
  })

  test.scopedLive("[G1] a server is reconnected, disabled and enabled, and the log tells of it", function*() {
    const { base } = yield* serveHere({ every: { command: node, args: [everything, "stdio"] } })
    yield* untilStatus(base, isConnected, "every")
    const act = (action: string, name = "every") => ask(`${base}/api/servers/${name}/${action}`, "POST")
    expect(yield* act("reconnect")).toMatchObject({ status: 200, body: { state: "Connected", generation: 2 } })
    expect(yield* act("disable")).toMatchObject({ status: 200, body: { state: "Disabled" } })
    expect(yield* act("enable")).toMatchObject({ status: 200, body: { state: "Connected", generation: 3 } })
    expect(yield* act("enable", "nobody")).toMatchObject({ status: 404, body: { error: { code: "not_found" } } })
    expect(yield* act("login")).toMatchObject({ status: 409, body: { error: { code: "no_login" } } })
    const { body } = yield* ask(`${base}/api/logs?server=every&limit=50`)
    const texts = body.events.map(({ text }: { readonly text: string }) => text)
    expect(texts.join("\n")).toMatch(/generation 1[^]*generation 2[^]*Disabled[^]*generation 3/)
    expect(yield* ask(`${base}/api/logs?server=nobody`))
      .toMatchObject({ status: 404, body: { error: { code: "not_found" } } })
    expect(yield* ask(`${base}/api/logs?limit=0`))
      .toMatchObject({ status: 400, body: { error: { code: "bad_request" } } })
  })

  test.scopedLive("[G1] a stream of events has the status at once and after a change, each line, and a history only where it has changed", function*() {
    const { base } = yield* serveHere({
      every: { command: node, args: [everything, "stdio"] },
      memory: { command: node, args: [memory] }
    })
    const { history, pid } = yield* untilStatus(base, isConnected, "every")
    const { history: ofMemory } = yield* untilStatus(base, isConnected, "memory")
    let killed = false
    const { found, type } = yield* events(base, (events) => {
      if (!killed && events.length > 0) {
        killed = true
        Program.kill(pid)
      }
      return events.some(({ data, event }) => event === "status" && data.servers[0].generation === 2) &&
        events.some(({ data, event }) => event === "event" && data.text.startsWith("Connected  generation 2"))
    })
    expect(type).toBe("text/event-stream")
    expect(found[0]).toMatchObject({
      event: "status",
      data: { servers: [{ name: "every", generation: 1, history }, { name: "memory", history: ofMemory }] }
    })
    const later = found.slice(1).flatMap(({ data, event }) => event === "status" ? [data.servers] : [])
    expect(later.flatMap(([, { history = [] }]) => history)).toEqual([])
    const [last] = later.flatMap(([{ history }]) => history === undefined ? [] : [history]).toReversed()
    expect(last.slice(0, history.length)).toEqual(history)
    expect(last.at(-1).state).toBe("Connected")
    expect(found).toContainEqual({
      event: "event",
      data: {
        at: expect.any(Number),
        server: "every",
        level: "warning",
        text: expect.stringMatching(/^Lost {2}generation 1/),
        publicText: "Lost  generation 1  its connection ended"
      }
    })
  })

  test.scopedLive("[G6] a page of another origin changes nothing, whichever name and token it has", function*() {
    const server = yield* HttpFaultServer.make()
    const { base } = yield* serveHere({ docs: { url: server.url } }, [], {
      MCP_LIFELINE_TOKEN: "right-token-of-sixteen"
    })
    const token = { authorization: "Bearer right-token-of-sixteen" }
    const { host, port } = new URL(base)
    const disable = (headers: Record<string, string>) => bare(`${base}/api/servers/docs/disable`, "POST", headers)
    expect(yield* disable({})).toMatchObject({ status: 401 })
    const refused = [
      { origin: "http://localhost:1" },
      { origin: `http://127.0.0.1:${Number(port) + 1}` },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site", origin: `http://${host}` },
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" }
    ]
    for (const headers of refused) {
      expect({ headers, ...(yield* disable({ ...token, ...headers })) }).toMatchObject({ headers, status: 403 })
    }
    expect(yield* bare(`${base}/api/status`, "GET", {})).toMatchObject({ status: 401 })
    for (const path of ["status", "events", "tools", "logs", "openapi.json"]) {
      const asked = yield* bare(`${base}/api/${path}`, "GET", { ...token, host: "evil.example" })
      expect({ path, ...asked }).toMatchObject({ path, status: 403 })
    }
    expect(yield* disable({ ...token, origin: `http://${host}`, "sec-fetch-site": "same-origin" }))
      .toMatchObject({ status: 200 })
  })

  test.scopedLive("[G1] /ready says 200 once each server has had its try, and of each why it is not up; /health is alive before", function*() {
    const over = join(yield* folder, "over")
    const silent = `setInterval(() => require("node:fs").existsSync(process.argv[1]) && process.exit(3), 20)`
    const since = Date.now()
    const { base } = yield* serveHere({
      memory: { command: node, args: [memory] },
      missing: { command: "/no/such/program" },
      silent: { command: node, args: ["-e", silent, over] }
    })
    const first = yield* ask(`${base}/ready`)
    // After 10 s it is ready without its servers.
    if (Date.now() - since < 10_000) {
      expect(first).toMatchObject({ status: 503, body: { ready: false, servers: { silent: { state: "Connecting" } } } })
    }
    expect(yield* ask(`${base}/health`)).toMatchObject({ status: 200 })
    writeFileSync(over, "")
    const last = yield* Effect.repeat(Effect.delay(ask(`${base}/ready`), "50 millis"), {
      until: ({ body: { servers }, status }) =>
        status === 200 && servers.memory.state === "Connected" && servers.silent.reason !== undefined
    })
    expect(last.body.servers).toMatchObject({
      memory: { state: "Connected" },
      missing: { state: "PermanentlyFailed", reason: expect.stringContaining("/no/such/program") }
    })
  })

  test.scopedLive("[G1] its OpenAPI document names all that can be asked, and no other form of error", function*() {
    const { base } = yield* serveHere({ memory: { command: node, args: [memory] } })
    const { body } = yield* ask(`${base}/api/openapi.json`)
    const server = "servers/{name}"
    const actions = ["approve", "disable", "enable", "login", "reconnect"].map((action) => `${server}/${action}`)
    expect(Object.keys(body.paths).toSorted())
      .toEqual(["call", "events", "logs", server, ...actions, "status", "tools"].map((path) => `/api/${path}`))
    const text = JSON.stringify(body)
    expect(text).not.toContain("HttpApiDecodeError")
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(body.components.schemas).toHaveProperty(String(name))
    }
  })
})
