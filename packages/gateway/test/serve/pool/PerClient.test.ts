import { describe, expect, it } from "@effect/vitest"
import type { Connector } from "@mcp-lifeline/core"
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "../../support/Program.js"
import { chat, chatty, everything, gateway, published, type Talk } from "../../support/Talk.js"
import * as TestClient from "../../support/TestClient.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const own = { sessions: "per-client" } as const

const o = chat("o")

const user = (name: string) => ({
  capabilities: { elicitation: {}, roots: { listChanged: true }, sampling: {} },
  answers: {
    "elicitation/create": () => ({ action: "accept", content: { name } }),
    "roots/list": () => ({ roots: [{ uri: `file:///home/${name}`, name }] }),
    "sampling/createMessage": () => ({
      role: "assistant",
      model: "test",
      content: { type: "text", text: `${name} has sampled` }
    })
  }
})

const processes = (one: Talk) => promise(() => o.pid(one))

describe.concurrent("servers of which each client has its own", () => {
  it.scopedLive(
    "[G15] [G3] each client has its own process, which is told and asks what concerns that client",
    () =>
      Effect.gen(function*() {
        const { client } = yield* gateway([chatty("o", own), chatty("s")])
        const [anna, ben] = yield* Effect.all([client(user("anna")), client(user("ben"))])
        const [ofAnna, ofBen] = yield* Effect.all([processes(anna), processes(ben)], { concurrency: "unbounded" })
        expect(ofAnna).not.toBe(ofBen)
        const [hello] = yield* promise(() => o.heard(anna, "initialize"))
        expect(hello?.["params"]).toMatchObject({
          clientInfo: { name: "talk" },
          capabilities: user("anna").capabilities
        })
        const asked = (one: Talk, method: string) => promise(() => o.ask(one, method, { message: "Who?" }))
        const [first, second] = yield* Effect.all(
          [asked(anna, "elicitation/create"), asked(ben, "elicitation/create")],
          {
            concurrency: "unbounded"
          }
        )
        expect([first, second].map(({ content }) => content.name)).toEqual(["anna", "ben"])
        expect((yield* asked(ben, "roots/list"))["roots"][0].name).toBe("ben")
        expect((yield* asked(anna, "sampling/createMessage"))["content"].text).toBe("anna has sampled")
        const question = anna.said.find(({ method }) => method === "elicitation/create")
        expect(question?.about).toBeDefined()
        ben.notify("notifications/roots/list_changed")
        expect(yield* promise(() => o.heard(ben, "notifications/roots/list_changed"))).toHaveLength(1)
        expect(yield* promise(() => o.heard(anna, "notifications/roots/list_changed"))).toHaveLength(0)
        yield* promise(() => anna.result("logging/setLevel", { level: "emergency" }))
        yield* promise(() => ben.result("resources/subscribe", { uri: "test://one" }))
        yield* promise(() => o.log(anna))
        yield* promise(() => o.change(anna, "test://one"))
        expect(anna.notified("notifications/message").map(({ params }) => params?.["data"].pid)).toEqual([ofAnna])
        expect(ben.notified("notifications/message")).toEqual([])
        expect([
          ...anna.notified("notifications/resources/updated"),
          ...ben.notified("notifications/resources/updated")
        ])
          .toEqual([])
        // The resources of the shared server have the plain URIs; the client's own are there under another.
        const { resources } = yield* promise(() => anna.result("resources/list"))
        const scoped = (resources as ReadonlyArray<{ readonly uri: string }>).find(({ uri }) =>
          uri.startsWith("lifeline://o/")
        )
        const { contents } = yield* promise(() => anna.result("resources/read", { uri: scoped?.uri }))
        expect(contents[0].text).toBe(`test://one of ${ofAnna}`)
        yield* promise(() => anna.close())
        yield* Program.gone(ofAnna)
        expect(yield* processes(ben)).toBe(ofBen)
      })
  )

  it.scopedLive(
    "[G15] what is under way is cancelled both ways: by the client, by its server, and by the end of its session",
    () =>
      Effect.gen(function*() {
        const { client } = yield* gateway([chatty("o", own)])
        const one = yield* client({ capabilities: { roots: {} } })
        one.send({ id: "x", method: "tools/call", params: { name: "o__ask", arguments: { method: "roots/list" } } })
        const question = yield* promise(() => one.until(() => one.said.find(({ method }) => method === "roots/list")))
        expect(question.about).toBe("x")
        const pid = yield* processes(one)
        process.kill(pid, "SIGKILL")
        const cancelled = yield* promise(() => one.until(() => one.notified("notifications/cancelled")[0]))
        expect(cancelled.params?.["requestId"]).toBe(question.id)
        expect(yield* Effect.promise(() => one.until(() => one.said.find(({ id }) => id === "x")))).toHaveProperty(
          "error"
        )
        expect(yield* processes(one)).not.toBe(pid)
      })
  )

  it.scopedLive(
    "[G15] a server is started when its client needs it: not for one that only looks, nor for one without a session",
    () =>
      Effect.gen(function*() {
        const counted = chatty("o", own)
        let connections = 0
        const connect: Connector["connect"] = (options) => {
          connections++
          return counted.connector.connect(options)
        }
        const { client } = yield* gateway([{ ...counted, connector: { ...counted.connector, connect } }, chatty("s")])
        const [looks, stateless, works] = yield* Effect.all([client(), client({ isStateless: true }), client()])
        yield* promise(() => looks.result("ping"))
        const shared = yield* promise(() => stateless.toolsWith("s__pid"))
        expect(shared.filter((name) => !name.startsWith("s__"))).toEqual([])
        expect(connections).toBe(0)
        const all = yield* promise(() => works.toolsWith("o__pid"))
        expect(all.filter((name) => name.startsWith("o__"))).toHaveLength(shared.length)
        expect(connections).toBe(1)
        expect(yield* promise(() => looks.call("lifeline__status"))).toContain("o: idle")
        expect((yield* promise(() => stateless.request("tools/call", { name: "o__pid" }))).error?.code).toBe(-32_602)
      })
  )

  it.scopedLive(
    "[G15] [G5] a change of the configuration reaches the servers of every client",
    () =>
      Effect.gen(function*() {
        const before = chatty("o", own)
        const { client, servers } = yield* gateway([before])
        const [one, two] = yield* Effect.all([client(), client()])
        const [first, second] = yield* Effect.all([processes(one), processes(two)], { concurrency: "unbounded" })
        expect(yield* servers.apply([before])).toMatchObject({ started: [], stopped: [], replaced: [] })
        expect(yield* processes(one)).toBe(first)
        expect(yield* servers.apply([before, chatty("p", own)])).toMatchObject({
          started: ["p"],
          stopped: [],
          replaced: []
        })
        for (const each of [one, two]) {
          yield* promise(() => each.toolsWith("p__pid"))
        }
        // Another process of each, and of one that was nobody's own.
        expect(yield* servers.apply([chatty("o", own)])).toMatchObject({ stopped: ["p"], replaced: ["o"] })
        yield* Program.gone(first)
        yield* Program.gone(second)
        expect(yield* processes(one)).not.toBe(first)
        expect(yield* servers.apply([chatty("o")])).toMatchObject({ started: [], stopped: [], replaced: ["o"] })
        const [shared, same] = yield* Effect.all([processes(one), processes(two)], { concurrency: "unbounded" })
        expect(shared).toBe(same)
      })
  )

  it.scopedLive(
    "[G15] server-everything offers each client what that can do, and asks it",
    () =>
      Effect.gen(function*() {
        const { client } = yield* gateway([{ ...everything("e"), ...own }])
        const [anna, plain] = yield* Effect.all([client(user("anna")), client()])
        const [some, fewer] = yield* Effect.all([
          promise(() => anna.toolsWith("e__trigger-elicitation-request")),
          promise(() => plain.toolsWith("e__echo"))
        ], {
          concurrency: "unbounded"
        })
        expect(some).toEqual(expect.arrayContaining(["e__trigger-elicitation-request", "e__trigger-sampling-request"]))
        expect(fewer).not.toContain("e__trigger-elicitation-request")
        expect(yield* promise(() => anna.call("e__trigger-sampling-request", { prompt: "Say something" }))).toContain(
          "anna has sampled"
        )
        expect(yield* promise(() => anna.call("e__get-roots-list"))).toContain("file:///home/anna")
      })
  )

  it.scopedLive(
    "[G15] [G3] over HTTP, with the file of serve: each of two official clients has its own state and is asked by its own server",
    () =>
      Effect.gen(function*() {
        const folder = mkdtempSync(join(tmpdir(), "lifeline-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
        const file = join(folder, "mcp.json")
        const chatty = fileURLToPath(new URL("../../fixtures/chatty.mjs", import.meta.url))
        const server = { command: process.execPath, args: [chatty] }
        const thinking = { ...server, args: [published("server-sequential-thinking")] }
        writeFileSync(
          file,
          JSON.stringify({
            lifeline: { ...own, statusTool: false, timeouts: { connect: "2 minutes", wait: "2 minutes" } },
            mcpServers: { o: server, thinking }
          })
        )
        const program = yield* Program.start(["serve", "--port", "0", "--config", file])
        const [, url = ""] = yield* program.prints(/^Serving (http:\S+)$/m)
        const [one, two] = yield* Effect.all([TestClient.connect(url, "anna"), TestClient.connect(url, "ben")])
        yield* promise(() => TestClient.toolNamesWith(one, ["thinking__sequentialthinking"]))
        const { tools } = yield* promise(() => one.listTools())
        expect(tools.map(({ name }) => name)).not.toContain("lifeline__status")
        const think = (client: typeof one) =>
          promise(async () => {
            const thought = { thought: "x", nextThoughtNeeded: true, thoughtNumber: 1, totalThoughts: 2 }
            const { content } = await client.callTool({ name: "thinking__sequentialthinking", arguments: thought })
            const [first] = content as ReadonlyArray<{ readonly text: string }>
            return (JSON.parse(first?.text ?? "") as { readonly thoughtHistoryLength: number }).thoughtHistoryLength
          })
        expect([yield* think(one), yield* think(one), yield* think(two)]).toEqual([1, 2, 1])
        const who = (client: typeof one) =>
          promise(async () => {
            const requestedSchema = { type: "object", properties: { name: { type: "string" } } }
            const asked = { method: "elicitation/create", params: { message: "Who?", requestedSchema } }
            const { content } = await client.callTool({ name: "o__ask", arguments: asked })
            return JSON.parse((content as ReadonlyArray<{ readonly text: string }>)[0]?.text ?? "") as object
          })
        const answers = yield* Effect.all([who(one), who(two), who(one)], { concurrency: "unbounded" })
        expect(answers).toMatchObject(["anna", "ben", "anna"].map((name) => ({ action: "accept", content: { name } })))
      })
  )
})
