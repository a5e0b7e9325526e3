import type { Connector } from "@mcp-lifeline/core"
import { Effect } from "effect"
import * as Program from "../support/Program.js"
import { chat, chatty, gateway, type Talk } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

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
  test.scopedLive("[G15] [G3] each client has its own process, which is told and asks what concerns that client", function*() {
    const { client } = yield* gateway([chatty("o", own), chatty("s")])
    const [anna, ben] = yield* Effect.all([client(user("anna")), client(user("ben"))])
    const [ofAnna, ofBen] = yield* Effect.all([processes(anna), processes(ben)], { concurrency: "unbounded" })
    expect(ofAnna).not.toBe(ofBen)
    const [hello] = yield* promise(() => o.heard(anna, "initialize"))
    expect(hello?.["params"]).toMatchObject({ clientInfo: { name: "talk" }, capabilities: user("anna").capabilities })
    const asked = (one: Talk, method: string) => promise(() => o.ask(one, method, { message: "Who?" }))
    const [first, second] = yield* Effect.all(
      [asked(anna, "elicitation/create"), asked(ben, "elicitation/create")],
      { concurrency: "unbounded" }
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
    expect([...anna.notified("notifications/resources/updated"), ...ben.notified("notifications/resources/updated")])
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

  test.scopedLive("[G15] what is under way is cancelled both ways: by the client, by its server, and by the end of its session", function*() {
    const { client } = yield* gateway([chatty("o", own)])
    const one = yield* client({ capabilities: { roots: {} } })
    one.send({ id: "x", method: "tools/call", params: { name: "o__ask", arguments: { method: "roots/list" } } })
    const question = yield* promise(() => one.until(() => one.said.find(({ method }) => method === "roots/list")))
    expect(question.about).toBe("x")
    const pid = yield* processes(one)
    process.kill(pid, "SIGKILL")
    const cancelled = yield* promise(() => one.until(() => one.notified("notifications/cancelled")[0]))
    expect(cancelled.params?.["requestId"]).toBe(question.id)
    expect(yield* Effect.promise(() => one.until(() => one.said.find(({ id }) => id === "x")))).toHaveProperty("error")
    expect(yield* processes(one)).not.toBe(pid)
  })

  test.scopedLive("[G15] a server is started when its client needs it: not for one that only looks, nor for one without a session", function*() {
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
})
