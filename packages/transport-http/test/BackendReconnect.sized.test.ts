import { Backend, Fleet } from "@mcp-lifeline/core"
import { HttpExchange, HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Fiber, Ref, Stream } from "effect"
import * as Stalls from "../../testing/test/support/Stalls.js"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Harness from "./fixtures/Harness.js"
import { erasBySize, requestsOf, seen, supervise, textOf, until } from "./fixtures/Supervised.js"

const { text } = HttpExchange

const connectorTo = (url: string) => HttpConnector.make({ url, transport: "streamable" })

const blackHole = Effect.map(Harness.tcp(() => {}), ({ port }) => connectorTo(`http://127.0.0.1:${port}/mcp`))

const keepalive = { method: "none" } as const

describe.concurrent("fleets", () => {
  for (const era of erasBySize) {
    test.scopedLive(`[L14:real] ${era}: black holes and dead servers delay no other backend, and no start of the fleet`, function*() {
      const good = yield* HttpFaultServer.make({ era })
      const silent = yield* HttpFaultServer.make({ era })
      silent.fail(requestsOf[era].first, HttpFault.hang("afterHeaders"))
      const nobody = connectorTo(`http://127.0.0.1:${yield* Harness.freePort}/mcp`)
      const fleet = yield* Fleet.make({
        backends: {
          hole: { connector: yield* blackHole },
          silent: { connector: connectorTo(silent.url) },
          nobody: { connector: nobody },
          good: { connector: connectorTo(good.url) }
        },
        waitTimeout: "1 second"
      })
      const answer = yield* Effect.flatMap(fleet.backend("good"), (backend) =>
        Effect.zipRight(
          backend.firstOutcome,
          fleet.callTool({ name: "good__echo", arguments: { message: "here" } })
        ))
      assert.strictEqual(textOf(answer), "here")
      const { hole, nobody: dead, silent: mute } = yield* fleet.status
      assert.deepStrictEqual([hole?.state, mute?.state], ["Connecting", "Connecting"])
      assert.include(["Connecting", "Reconnecting"], dead?.state)
      // They never come up, and the fleet does not wait for them for longer than it was told.
      yield* fleet.ready.pipe(Effect.timeoutFail({ duration: "25 seconds", onTimeout: () => "no start" }))
      assert.strictEqual((yield* fleet.status)["hole"]?.state, "Connecting")
    })
  }
})

describe.concurrent("replacing a connection", () => {
  test.scopedLive("[L12:real] the new one is up before the old one ends, and no call fails", function*() {
    const run = () => new Promise((resolve) => setTimeout(() => resolve(text("done")), 20))
    const server = yield* HttpFaultServer.make({ tools: { work: { run } } })
    const backend = yield* supervise(server, { keepalive })
    const done = yield* Ref.make(0)
    const working = yield* Effect.fork(
      Effect.forever(
        Effect.zipRight(backend.callTool({ name: "work" }), Ref.update(done, (n) => n + 1))
      ).pipe(Effect.replicate(8), Effect.allWith({ concurrency: "unbounded" }))
    )
    for (let i = 0; i < 5; i++) {
      yield* backend.reconnect
      const before = yield* Ref.get(done)
      yield* seen(server, () => server.count("tool:work") > before + 16)
    }
    yield* seen(server, () => server.count("DELETE") === 5)
    assert.strictEqual((yield* Fiber.poll(working))._tag, "None")
    yield* Fiber.interrupt(working)
    assert.strictEqual(server.count("initialize"), 6)
    assert.strictEqual(server.sessions.size, 1)
    const order = server.seen.flatMap(({ http, rpc }) =>
      http === "DELETE" ? ["end"] : rpc === "notifications/initialized" ? ["up"] : []
    )
    let open = 0
    for (const one of order) {
      open += one === "up" ? 1 : -1
      assert.isAtLeast(open, 1, order.join())
    }
  })
})

describe.concurrent("a lost session", () => {
  const hour = 3_600_000
  /** Longer than any test waits, so that what comes has not waited for it. */
  const longest = { initialDelay: hour, maxDelay: hour, demandInterval: hour }

  for (const lostSession of [404, 400] as const) {
    const forgotten = (stableAfter: "1 day" | 0) =>
      Effect.gen(function*() {
        const server = yield* HttpFaultServer.make({ lostSession, offersStream: false })
        const backend = yield* supervise(server, { keepalive, reconnect: { ...longest, stableAfter } })
        yield* seen(server, () => server.count("GET") === 1)
        server.sessions.clear()
        return { backend, server }
      })

    it.scopedLive.each(["1 day", 0] as const)(
      `[R7:real] ${lostSession}: it is initialised anew at once, however young it is (stableAfter %s)`,
      (stableAfter) =>
        Effect.gen(function*() {
          const { backend, server } = yield* forgotten(stableAfter)
          // Found by a probe: a call that waits would bring the next attempt forward by itself (R8).
          yield* backend.healthCheck
          const { state } = yield* until(
            backend,
            ({ generation, state }) => generation === 2 || state === "Reconnecting"
          )
          assert.strictEqual(state, "Connected")
          assert.strictEqual(server.count("initialize"), 2)
        })
    )
  }
})

describe.concurrent("a server that keeps forgetting its sessions", () => {
  const naive = (url: string) => {
    let session: string | null = null
    const post = (body: object) =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(session === null ? {} : { "mcp-session-id": session }) },
        body: JSON.stringify({ jsonrpc: "2.0", ...body })
      })
    const initialize = {
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "naive", version: "1" } }
    }
    return async (message: string): Promise<string> => {
      for (;;) {
        const answer = session === null
          ? undefined
          : await post({ id: 2, method: "tools/call", params: { name: "echo", arguments: { message } } })
        if (answer?.status === 200) return answer.text()
        session = null
        session = (await post(initialize)).headers.get("mcp-session-id")
        const initialized = await post({ method: "notifications/initialized" })
        if (initialized.status !== 202) session = null
      }
    }
  }

  test.scopedLive("[R7:real] before every call: each is answered, with as many sessions as a client makes that does nothing else", function*() {
    const calls = 13
    const server = yield* HttpFaultServer.make()
    const backend = yield* supervise(server, {
      keepalive,
      reconnect: { initialDelay: "1 hour", maxDelay: "1 hour" }
    })
    for (let i = 0; i < calls; i++) {
      server.sessions.clear()
      assert.strictEqual(textOf(yield* backend.callTool({ name: "echo", arguments: { message: `${i}` } })), `${i}`)
    }
    const sessions = server.count("initialize")
    assert.strictEqual(server.applied.length, calls)
    const { lostSessions, state } = yield* backend.status
    assert.deepStrictEqual([state, lostSessions.count], ["Connected", sessions - 1])
    assert.include(lostSessions.warning, "keeps forgetting its sessions")
    const call = naive(server.url)
    for (let i = 0; i < calls; i++) {
      server.sessions.clear()
      assert.include(yield* Effect.promise(() => call(`${i}`)), `${i}`)
    }
    // The first of them stands in for one that was lost.
    assert.isAtMost(sessions - 1, server.count("initialize") - sessions)
  })

  test.scopedLive("[R7:real] two replicas without stickiness: a call fails after two sessions, and each is carried out once", function*() {
    const least = 8
    const lost = 5
    const run = ({ arguments: { message } }: HttpFaultServer.Call) =>
      new Promise((resolve) => setTimeout(() => resolve(text(String(message))), 50))
    const server = yield* HttpFaultServer.make({ replicas: { count: 2, seed: 7 }, tools: { echo: { run } } })
    const backend = yield* supervise(server, { keepalive })
    let calls = 0
    // Which replica gets a request depends on the order in which they arrive.
    while (calls < least || (yield* backend.status).lostSessions.count < lost) {
      const message = `${calls++}`
      const call = backend.callTool({ name: "echo", arguments: { message } })
      const again = (failure: { readonly _tag: string }) => failure._tag === "ConnectionLost"
      assert.strictEqual(textOf(yield* Effect.retry(call, { while: again, times: 30 })), message)
      assert.isBelow(calls, 100)
    }
    assert.strictEqual(server.applied.length, calls)
    assert.include((yield* backend.status).lostSessions.warning, "several replicas without sticky sessions")
    // The same server refuses a client that knows no better, too; that one has made a session for each refusal.
    const call = naive(server.url)
    const before = server.count("initialize")
    calls = 0
    while (calls < least || server.count("initialize") - before <= calls) {
      const message = `${calls++}`
      assert.include(yield* Effect.promise(() => call(message)), message)
      assert.isBelow(calls, 100)
    }
  })
})

describe.concurrent("refused credentials", () => {
  const reconnect = { initialDelay: 1, maxDelay: 1, maxAttempts: 3, stableAfter: 0, dormantProbe: "1 second" } as const
  const guarded = Effect.gen(function*() {
    const server = yield* HttpFaultServer.make()
    const demand = { token: "right" }
    const refused = ({ headers, rpc }: HttpExchange.Seen) =>
      rpc === "initialize" && headers["authorization"] !== `Bearer ${demand.token}`
    server.fail(refused, HttpFault.status(401))
    return { demand, server }
  })

  const backendTo = (options: HttpConnector.Options) =>
    Backend.make("test", {
      connector: HttpConnector.make({ ...options, transport: "streamable" }),
      keepalive,
      reconnect
    })

  test.scopedLive("[R5:real] static ones: PermanentlyFailed at once, which says why, and reconnect() leaves it", function*() {
    const { demand, server } = yield* guarded
    const headers = { authorization: "Bearer wrong" }
    const backend = yield* backendTo({ url: server.url, headers })
    const { lastError } = yield* until(backend, ({ state }) => state === "PermanentlyFailed")
    assert.include(lastError, "HTTP 401")
    assert.include(lastError, "check the headers, the token or the login")
    assert.strictEqual(server.count("initialize"), 1)
    const error = yield* Effect.flip(backend.callTool({ name: "echo" }))
    assert.deepInclude(error, { _tag: "BackendUnavailable", state: "PermanentlyFailed" })
    demand.token = "wrong"
    yield* backend.reconnect
    yield* backend.callTool({ name: "echo" })
  })
})

describe.concurrent("a server that is back after a long outage", () => {
  for (const era of erasBySize) {
    test.scopedLive(`[R14:real] ${era}: is found by the next call within its wait, however many attempts have failed`, function*() {
      const server = yield* HttpFaultServer.make({ era })
      // After so many failures there would be an hour between attempts for calls.
      const spaced = { maxDelay: "1 hour", dormantProbe: "7 days", demandInterval: "1 second" } as const
      const reconnect = { initialDelay: 1, factor: 1, maxAttempts: 30, ...spaced }
      yield* Effect.promise(() => server.stop())
      const backend = yield* supervise(server, { keepalive, reconnect, timeouts: { wait: "10 seconds" } })
      yield* until(backend, ({ state }) => state === "Dormant")
      const error = yield* Effect.flip(backend.callTool({ name: "echo" }, { wait: 100 }))
      assert.strictEqual(error._tag, "BackendUnavailable")
      yield* Effect.promise(() => server.start())
      yield* backend.callTool({ name: "echo" })
    })
  }
})

describe.concurrent("Retry-After", () => {
  const gapOf = (server: HttpFaultServer.HttpFaultServer, kind: string): number => {
    const [first, second] = server.requests(kind).map(({ at }) => at)
    return second! - first!
  }

  for (const era of erasBySize) {
    for (const status of [503, 429]) {
      test.scopedLive(`[R6:real] ${era}: ${status} to an attempt, in seconds: demand does not shorten it`, function*() {
        const server = yield* HttpFaultServer.make({ era })
        const { first } = requestsOf[era]
        server.fail(first, HttpFault.status(status, { retryAfter: 2 }), 1)
        const backend = yield* supervise(server, { keepalive })
        yield* backend.callTool({ name: "echo" })
        assert.strictEqual(server.count(first), 2)
        assert.isAtLeast(gapOf(server, first), 1990)
      })
    }
  }

  test.scopedLive("[R6:real] to a call, with a 404 that loses the session: the new one is asked for after it, also by demand", function*() {
    const server = yield* HttpFaultServer.make()
    const backend = yield* supervise(server, { keepalive })
    server.fail("tool:echo", HttpFault.status(404, { retryAfter: 1 }), 1)
    yield* backend.callTool({ name: "echo" })
    assert.deepStrictEqual([server.applied.length, server.count("initialize")], [1, 2])
    const [refused] = server.requests("tool:echo")
    assert.isAtLeast(server.requests("initialize")[1]!.at - refused!.at, 990)
  })
})

describe.concurrent("the catalogue", () => {
  test.scopedLive("[P8:real] a tool that is new after a restart is listed, with nobody calling", function*() {
    const server = yield* HttpFaultServer.make()
    const backend = yield* supervise(server, { keepalive })
    const revisions = yield* Effect.fork(
      backend.catalog.changes.pipe(
        Stream.filter((snapshot) => snapshot !== undefined),
        Stream.takeUntil(({ stale, tools }) => !stale && tools.length === 2),
        Stream.runCollect
      )
    )
    yield* seen(server, () => server.streams.size === 1)
    server.tools.set("fresh", {})
    yield* Effect.promise(() => server.restart())
    const last = [...yield* Fiber.join(revisions)].at(-1)
    assert.deepStrictEqual(last?.tools.map(({ name }) => name), ["echo", "fresh"])
    assert.strictEqual(last?.generation, 2)
    assert.strictEqual(server.count("tools/call"), 0)
  })

  test.scopedLive("[P11:real] a server that announces a change whenever its list is read is read at the pace of minRefreshInterval", function*() {
    const server = yield* HttpFaultServer.make()
    const stalls = yield* Stalls.watch
    let announced = 0
    server.hook = ({ rpc }) => {
      if (rpc !== "tools/list") return
      server.tools.set(`tool-${announced++}`, {})
      server.notify("notifications/tools/list_changed")
    }
    const backend = yield* supervise(server, { keepalive, discovery: { minRefreshInterval: 200 } })
    yield* seen(server, () => server.streams.size === 1)
    yield* backend.refresh
    const first = announced
    yield* seen(server, () => announced === first + 5)
    const times = server.requests("tools/list").map(({ at }) => at)
    // What was on its way for long may come sooner after what was before it, and longer where this process stood still.
    const from = times[first - 1]!
    assert.isAtLeast(times.at(-1)! - from + stalls.between(0, from), 4 * 200)
    assert.isAtLeast((yield* backend.catalog)!.tools.length, first + 4)
  })

  for (const era of erasBySize) {
    test.scopedLive(`[P5:real] ${era}: a list that never ends is read to its bound, and only lists that the server has are asked for`, function*() {
      const server = yield* HttpFaultServer.make({ era, endless: true })
      const pages = yield* supervise(server, { keepalive, discovery: { maxPages: 5 } })
      const byPages = yield* pages.catalog
      assert.strictEqual(server.count("tools/list"), 5)
      assert.strictEqual(byPages?.tools.length, 6)
      assert.include(byPages?.problems[0]?.message, "does not end")

      const entries = yield* supervise(server, { keepalive, discovery: { maxEntries: 4 } })
      const byEntries = yield* entries.catalog
      assert.strictEqual(byEntries?.tools.length, 4)
      assert.isAtMost(server.count("tools/list"), 5 + 4)

      yield* supervise(server, { keepalive })
      assert.strictEqual(
        server.requests("tools/list").filter(({ message }) => message?.params?.["cursor"] === "99").length,
        1
      )
      assert.strictEqual(
        server.requests("tools/list").filter(({ message }) => message?.params?.["cursor"] === "100").length,
        0
      )
      assert.strictEqual(server.count("prompts/list") + server.count("resources/list"), 0)
    })
  }
})
