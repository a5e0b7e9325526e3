import { HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect } from "effect"
import * as Program from "../support/Program.js"
import { text } from "../support/Served.js"
import { chat, chatty, everything, gateway, type Talk } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const levelsOf = (client: Talk) => client.notified("notifications/message").map(({ params }) => params?.["level"])

const updatesOf = (client: Talk) =>
  client.notified("notifications/resources/updated").map(({ params }) => params?.["uri"])

const eventually = <A>(run: () => Promise<A>, wanted: (value: A) => boolean) =>
  Effect.promise(async () => {
    for (;;) {
      const value = await run()
      if (wanted(value)) return value
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  })

const s = chat("s")

describe.concurrent("clients of one gateway", () => {
  test.scopedLive("[G3] [G8] progress goes to the client that has asked for it, also where ids and tokens are the same", function*() {
    const { client } = yield* gateway([everything("e")])
    const clients = yield* Effect.all([client(), client(), client()], { concurrency: "unbounded" })
    const long = { name: "e__trigger-long-running-operation", _meta: { progressToken: "same" } }
    const run = (one: Talk, steps: number) =>
      one.request("tools/call", { ...long, arguments: { duration: 0.3, steps } }, "same")
    const answers = yield* promise(() => Promise.all(clients.map((one, i) => run(one, i + 2))))
    for (const [i, one] of clients.entries()) {
      const steps = i + 2
      expect(answers[i]?.result?.["content"][0].text).toContain(`Steps: ${steps}`)
      const progress = one.said.filter(({ id, method }) => method === "notifications/progress" || id === "same")
      expect(progress.map(({ params }) => params)).toEqual([
        ...Array.from({ length: steps }, (_, step) => ({ progress: step + 1, total: steps, progressToken: "same" })),
        undefined
      ])
      expect(progress[0]?.about).toBe("same")
    }
  })

  test.scopedLive("[G3] a cancelled call is cancelled at its server with its reason, and the same id of another client goes on", function*() {
    const { client } = yield* gateway([chatty("s")])
    const [a, b] = yield* Effect.all([client(), client()])
    for (const one of [a, b]) one.send({ id: "x", method: "tools/call", params: { name: "s__hang" } })
    const hanging = () => s.heard(b, "tools/call").then((all) => all.filter(({ params }) => params.name === "hang"))
    yield* eventually(hanging, ({ length }) => length === 2)
    a.notify("notifications/cancelled", { requestId: "x", reason: "enough" })
    const heard = yield* eventually(() => s.heard(b, "notifications/cancelled"), ({ length }) => length > 0)
    expect(heard.map(({ params }) => params.reason)).toEqual(["enough"])
    yield* promise(() => b.close())
    const both = yield* eventually(() => s.heard(a, "notifications/cancelled"), ({ length }) => length > 1)
    expect(both.map(({ params }) => params.reason)).toEqual(["enough", "the client has gone"])
    expect(a.said.filter(({ id }) => id === "x")).toEqual([])
    expect(b.said.find(({ id }) => id === "x")?.error?.data).toMatchObject({ fate: "unknown" })
  })

  test.scopedLive("[G3] a call has as long as its client waits, unless the server's time is configured", function*() {
    const { client } = yield* gateway([chatty("s"), chatty("t", { timeouts: { request: 1000 } })])
    const one = yield* client()
    yield* promise(() => one.toolsWith("t__hang"))
    one.send({ id: "x", method: "tools/call", params: { name: "s__hang" } })
    const { error } = yield* promise(() => one.request("tools/call", { name: "t__hang" }))
    expect(error).toMatchObject({ code: -32_000, data: { tag: "RequestTimeout", timeout: 1000 } })
    expect(one.said.find(({ id }) => id === "x")).toBeUndefined()
  })

  test.scopedLive("[G3] each client gets log messages from its own level on, and servers are asked for the least of them", function*() {
    const { client } = yield* gateway([chatty("s")])
    const [quiet, verbose, silent] = yield* Effect.all([client(), client(), client()])
    yield* promise(() => quiet.result("logging/setLevel", { level: "error" }))
    yield* promise(() => verbose.result("logging/setLevel", { level: "debug" }))
    const asked = () => s.heard(silent, "logging/setLevel").then((all) => all.map(({ params }) => params.level))
    yield* eventually(asked, (levels) => levels.at(-1) === "debug")
    yield* promise(() => s.log(verbose))
    expect(levelsOf(quiet)).toEqual(["error", "critical", "alert", "emergency"])
    expect(levelsOf(verbose)).toHaveLength(8)
    expect(levelsOf(silent)).toEqual(["info", "notice", "warning", "error", "critical", "alert", "emergency"])
    const [first] = verbose.notified("notifications/message")
    expect(first?.params).toMatchObject({ logger: "s/it", data: { level: "debug" } })
    expect(first?.about).toBeDefined()
    expect(quiet.notified("notifications/message")[0]?.about).toBeUndefined()
    yield* promise(() => verbose.close())
    yield* eventually(asked, (levels) => levels.at(-1) === "error")
    process.kill(yield* promise(() => s.pid(silent)), "SIGKILL")
    yield* eventually(asked, (levels) => levels.join() === "error")
    expect((yield* promise(() => quiet.request("logging/setLevel", { level: "loud" }))).error?.code).toBe(-32_602)
  })

  test.scopedLive("[G3] updates go to subscribers only, and a server is subscribed to once while anybody is", function*() {
    const { client } = yield* gateway([chatty("s")])
    const [a, b, c] = yield* Effect.all([client(), client(), client()])
    const subscribe = (one: Talk, uri: string) => promise(() => one.result("resources/subscribe", { uri }))
    const subscribing = [subscribe(a, "test://one"), subscribe(b, "test://one"), subscribe(b, "test://two")]
    yield* Effect.all(subscribing, { concurrency: "unbounded" })
    const heard = (method: string) => s.heard(c, method).then((all) => all.map(({ params }) => params.uri))
    expect((yield* promise(() => heard("resources/subscribe"))).toSorted()).toEqual(["test://one", "test://two"])
    yield* promise(() => s.change(c, "test://one"))
    yield* promise(() => s.change(c, "test://two"))
    expect([a, b, c].map(updatesOf)).toEqual([["test://one"], ["test://one", "test://two"], []])
    expect(b.settings.subscriptions.toSorted()).toEqual(["test://one", "test://two"])
    yield* promise(() => a.result("resources/unsubscribe", { uri: "test://one" }))
    yield* promise(() => s.change(c, "test://one"))
    expect(updatesOf(a)).toHaveLength(1)
    expect(updatesOf(b)).toHaveLength(3)
    expect(yield* promise(() => heard("resources/unsubscribe"))).toEqual([])
    yield* promise(() => b.close())
    const ended = yield* eventually(() => heard("resources/unsubscribe"), ({ length }) => length === 2)
    expect(ended.toSorted()).toEqual(["test://one", "test://two"])
    // Something below what is subscribed to.
    yield* subscribe(a, "test://two")
    yield* promise(() => s.change(c, "test://two/part"))
    expect(updatesOf(a)).toEqual(["test://one", "test://two/part"])
  })

  test.scopedLive("[G3] [G4] a subscription outlives kill -9 of its server", function*() {
    const { client, servers } = yield* gateway([everything("e"), chatty("s")])
    const [a, b] = yield* Effect.all([client(), client()])
    yield* promise(() => a.result("resources/subscribe", { uri: "test://one" }))
    const { resources } = yield* promise(() => a.result("resources/list"))
    const { uri } = (resources as ReadonlyArray<{ readonly uri: string }>).find(({ uri }) => uri.startsWith("demo:"))!
    yield* promise(() => a.result("resources/subscribe", { uri }))
    for (const name of ["e", "s"]) {
      const backend = yield* servers.shared.fleet.backend(name)
      const pid = (yield* backend.status).peer?.pid ?? 0
      process.kill(pid, "SIGKILL")
      yield* Program.gone(pid)
    }
    yield* promise(() => s.change(b, "test://one"))
    yield* promise(() => b.call("e__toggle-subscriber-updates"))
    yield* promise(() => a.until(() => updatesOf(a).length >= 2 ? true : undefined))
    expect(updatesOf(a).slice(0, 2).toSorted()).toEqual([uri, "test://one"].toSorted())
    expect(updatesOf(b)).toEqual([])
  })

  test.scopedLive("[G3] a resource that two servers have is subscribed to, read and told of under its own URI for each", function*() {
    const { client } = yield* gateway([chatty("s"), chatty("t")])
    const one = yield* client()
    const { resources } = yield* promise(() => one.result("resources/list"))
    const uris = (resources as ReadonlyArray<{ readonly uri: string }>).map(({ uri }) => uri)
    const second = uris.find((uri) => uri.startsWith("lifeline://t/")) ?? ""
    expect(uris).toContain("test://one")
    const { contents } = yield* promise(() => one.result("resources/read", { uri: second }))
    expect(contents[0].uri).toBe(second)
    yield* promise(() => one.result("resources/subscribe", { uri: second }))
    yield* promise(() => s.change(one, "test://one"))
    yield* promise(() => chat("t").change(one, "test://one"))
    expect(updatesOf(one)).toEqual([second])
  })

  test.scopedLive("[G10] a conversation that goes on has its level and its subscriptions again, also of a server that is down", function*() {
    const { begin, client } = yield* gateway([chatty("s"), chatty("t", { lifecycle: { disabled: true } })])
    const initialize = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "x", version: "1" } }
    const settings = { level: "critical", subscriptions: ["test://one", "test://gone"] }
    const again = begin({ resumed: { initialize, settings } })
    const other = yield* client()
    yield* eventually(() => s.heard(other, "resources/subscribe"), ({ length }) => length === 1)
    yield* promise(() => s.change(other, "test://one"))
    yield* promise(() => s.log(other))
    // The first one is of the subscription: it may have changed meanwhile.
    expect(updatesOf(again)).toEqual(["test://one", "test://one"])
    expect(levelsOf(again)).toEqual(["critical", "alert", "emergency"])
    expect(yield* promise(() => s.pid(again))).toBeGreaterThan(0)
    // What it asks for now is remembered with all that it asked for before, of whatever server.
    yield* promise(() => again.result("resources/subscribe", { uri: "test://two" }))
    const subscriptions = ["test://one", "test://gone", "test://two"]
    expect(again.settings).toEqual({ level: "critical", subscriptions })
    yield* promise(() => again.result("resources/unsubscribe", { uri: "test://gone" }))
    expect(again.settings).toEqual({ level: "critical", subscriptions: ["test://one", "test://two"] })
  })

  test.scopedLive("[G10] subscribe, unsubscribe and setLevel are answered once they are remembered, and other requests meanwhile", function*() {
    const { client } = yield* gateway([chatty("s")])
    const remembering: Array<() => void> = []
    const one = yield* client({ remembered: () => new Promise((resolve) => remembering.push(resolve)) })
    const uri = "test://one"
    for (
      const [method, params] of [
        ["resources/subscribe", { uri }],
        ["resources/unsubscribe", { uri }],
        ["logging/setLevel", { level: "error" }]
      ] as const
    ) {
      one.send({ id: method, method, params })
      yield* eventually(() => one.result("ping"), () => remembering.length === 1)
      yield* promise(() => s.pid(one))
      expect(one.said.filter(({ id }) => id === method)).toEqual([])
      remembering.pop()?.()
      const { result } = yield* promise(() => one.until(() => one.said.find(({ id }) => id === method)))
      expect(result).toEqual({})
    }
  })

  test.scopedLive("[G3] [C8] a shared server is told of no capability, and what it asks is declined in words", function*() {
    const { client } = yield* gateway([chatty("s")])
    const answers = { "roots/list": () => ({ roots: [] }) }
    const one = yield* client({ capabilities: { roots: {}, sampling: {}, elicitation: {} }, answers })
    const [hello] = yield* promise(() => s.heard(one, "initialize"))
    expect(hello?.["params"].capabilities).toEqual({})
    for (const method of ["roots/list", "sampling/createMessage", "elicitation/create"]) {
      expect(yield* promise(() => s.ask(one, method))).toMatchObject({
        code: -32_601,
        message: expect.stringMatching(/is declined: the clients of this gateway share s; .*"per-client"/)
      })
    }
    expect(one.said.filter(({ id, method }) => id !== undefined && method !== undefined)).toEqual([])
  })

  test.scopedLive("[E9] the protocol's own keys of _meta stay on their hop; others, and fields that nobody knows, pass", function*() {
    const { client } = yield* gateway([chatty("s")])
    const one = yield* client()
    const _meta = { "io.modelcontextprotocol/logLevel": "debug", traceparent: "00-1-2-01", own: { a: 1 } }
    const { result } = yield* promise(() => one.request("tools/call", { name: "s__meta", task: { ttl: 1 }, _meta }))
    expect(JSON.parse(result?.["content"][0].text)).toEqual({ traceparent: "00-1-2-01", own: { a: 1 } })
    expect(result).toMatchObject({ _meta: { mine: 1 }, further: { kept: true } })
    expect(Object.keys(result?.["_meta"])).toEqual(["mine"])
  })

  test.scopedLive("[G18] every request is answered: unknown, too early, too deep", function*() {
    const { begin, client } = yield* gateway([chatty("s")])
    const early = begin()
    const error = async (answer: Promise<{ readonly error?: unknown }>) => (await answer).error
    const tooEarly = { code: -32_600, message: "the first request must be initialize" }
    expect(yield* promise(() => error(early.request("tools/list")))).toMatchObject(tooEarly)
    expect(yield* promise(() => early.result("ping"))).toEqual({})
    const one = yield* client()
    expect(yield* promise(() => error(one.request("initialize", {})))).toMatchObject({ code: -32_600 })
    expect(yield* promise(() => error(one.request("tasks/list")))).toMatchObject({ code: -32_601 })
    expect(yield* promise(() => error(one.request("toString")))).toMatchObject({ code: -32_601 })
    const invalid = { code: -32_602 }
    expect(yield* promise(() => error(one.request("tools/call", { name: "no__such" })))).toMatchObject(invalid)
    // Answers that cannot be written, and requests that cannot.
    const tooDeep = { code: -32_000, message: expect.stringContaining("nested more than 500 levels deep") }
    expect(yield* promise(() => error(one.request("tools/call", { name: "s__deep" })))).toMatchObject(tooDeep)
    const deep: unknown = JSON.parse("[".repeat(9000) + "]".repeat(9000))
    const refused = yield* promise(() => error(one.request("tools/call", { name: "s__pid", arguments: { deep } })))
    expect(refused).toMatchObject({ ...tooDeep, code: -32_602 })
    expect(yield* promise(() => s.pid(one))).toBeGreaterThan(0)
  })

  test.scopedLive("[G3] [G8] fifty clients at servers over stdio and HTTP, of both eras: nothing crosses", function*() {
    const tools = {
      progress: {
        run: async ({ arguments: { who }, progress }: HttpFaultServer.Call) => {
          for (const step of [1, 2, 3]) {
            progress(step)
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          return text(who as string)
        }
      }
    }
    const http = yield* HttpFaultServer.make({ tools, streaming: true })
    const stateless = yield* HttpFaultServer.make({ tools, streaming: true, era: "2026" })
    const over = (id: string, { url }: { readonly url: string }) => ({ id, connector: HttpConnector.make({ url }) })
    const { client } = yield* gateway([chatty("stdio"), over("http", http), over("stateless", stateless)])
    const clients = yield* Effect.replicateEffect(client(), 50)
    const run = async (one: Talk, who: string, server: string) => {
      const params = { name: `${server}__progress`, arguments: { who }, _meta: { progressToken: server } }
      const said = await one.request("tools/call", params, server)
      return said.result?.["content"][0].text as string
    }
    const servers = ["stdio", "http", "stateless"]
    const answers = yield* promise(() =>
      Promise.all(clients.flatMap((one, i) => servers.map((server) => run(one, `${server} ${i}`, server))))
    )
    expect(answers).toEqual(clients.flatMap((_, i) => servers.map((server) => `${server} ${i}`)))
    for (const one of clients) {
      const progress = one.notified("notifications/progress")
      for (const server of servers) {
        const of = progress.filter(({ params }) => params?.["progressToken"] === server)
        expect(of.map(({ params }) => params?.["progress"])).toEqual([1, 2, 3])
        expect(new Set(of.map(({ about }) => about))).toEqual(new Set([server]))
      }
      expect(progress).toHaveLength(9)
    }
  })
})
