import { Effect } from "effect"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import { digest } from "../../src/audit/canonical.js"
import { recorder } from "../support/AuditLines.js"
import * as RawServer from "../support/RawServer.js"
import { accept } from "../support/Served.js"
import { full, type HttpTalk, talking, team } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const promise = <A>(make: () => Promise<A>) => Effect.promise(make)

const eras = [["with sessions", false], ["without", true]] as const

const at = "2026-01-01T00:00:00Z"
const task = { taskId: "t", status: "working", createdAt: at, lastUpdatedAt: at }

/** A server whose tool `slow` never answers. Its tool `long` may begin a task, and `longer` begins one, which fails. */
const server = (id: string, called: Array<string> = []) =>
  RawServer.make(id, ({ id, method, params }, send) => {
    switch (method) {
      case "initialize":
        return {
          ...RawServer.usual["initialize"]!(params),
          capabilities: { tools: {}, resources: {}, tasks: { requests: { tools: { call: {} } } } }
        }
      case "tools/list":
        return {
          tools: ["ok", "slow", "deep", "long", "longer"].map((name) => ({
            name,
            inputSchema: { type: "object" },
            ...(name === "long" ? { execution: { taskSupport: "optional" } } : {}),
            ...(name === "longer" ? { execution: { taskSupport: "required" } } : {})
          }))
        }
      case "resources/list":
        return { resources: [{ uri: "test://one", name: "one" }] }
      case "resources/read":
        return { contents: [{ uri: params.uri, text: "one" }] }
      case "tools/call":
        called.push(params.name)
        if (params.name === "slow") return undefined
        if (params.task !== undefined) return { task: { ...task, ttl: null } }
        if (params.name === "deep") send({ jsonrpc: "2.0", id, result: { content: [], a: JSON.parse(deep) } })
        return params.name === "deep" ? undefined : { content: [{ type: "text", text: "done" }] }
      case "tasks/get":
        return { ...task, status: "completed", ttl: null }
      case "tasks/result":
        return { content: [{ type: "text", text: "done" }], isError: true }
      default:
        return undefined
    }
  })

const deep = `${"[".repeat(2000)}${"]".repeat(2000)}`

const recording = Effect.fnUntraced(function*(clients: Readonly<Record<string, object>>, withArguments = false) {
  const { audit, lines } = yield* recorder(withArguments)
  const called: Array<string> = []
  const gateway = yield* team([server("open", called), server("closed")], clients, { audit })
  return { ...gateway, called, lines }
})

const givenUp = async (url: string, token: string, talk: HttpTalk, name: string, isBegun: () => boolean) => {
  const controller = new AbortController()
  const headers = {
    ...accept,
    Authorization: `Bearer ${full(token)}`,
    ...(talk.session === undefined
      ? { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": name }
      : { "Mcp-Session-Id": talk.session, "MCP-Protocol-Version": "2025-11-25" })
  }
  const own = Raw.meta({ [Raw.key("clientInfo")]: { name: "same", version: "1" } })
  const post = (message: object, signal: AbortSignal | null = null) =>
    fetch(url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }), signal })
  const params = { name, ...(talk.session === undefined ? { _meta: own } : {}) }
  const asked = post({ id: 77, method: "tools/call", params }, controller.signal).then((one) => one.text(), () => "")
  await Effect.runPromise(eventually(() => isBegun() ? true : undefined))
  if (talk.session !== undefined) await post({ method: "notifications/cancelled", params: { requestId: 77 } })
  controller.abort()
  await asked
}

describe.each(eras)("a client with a name, in the era %s", (_, isStateless) => {
  const client = { name: "ci", subject: "client:ci", program: "same", version: "1" }

  test.scopedLive("[G23 G22] what it may not use is refused, and has its server all the same; so has what is malformed", function*() {
    const { called, lines, url } = yield* recording({ ci: { servers: ["open"], tools: { hide: ["open__slow"] } } })
    const ci = yield* talking(url, "ci-token", { isStateless })
    yield* promise(async () => {
      await ci.result("tools/call", { name: "open__ok", arguments: { a: 1 } }, "the-first")
      for (const name of ["open__slow", "closed__ok", "nosuch__ok"]) await ci.error("tools/call", { name })
      await ci.error("tools/call", { name: "open__ok", arguments: "x" })
      await ci.error("tools/call", { arguments: {} })
      await ci.error("tools/call", { name: "open__deep" })
    })
    const refused = { outcome: "refused", reason: "NotAllowed", fate: "notSent", attempts: 0 }
    const invalid = { outcome: "error", code: -32602, fate: "notSent", attempts: 0 }
    const found = lines()
    expect(found).toMatchObject([
      { server: "open", tool: "ok", as: "open__ok", outcome: "ok", fate: "answered", attempts: 1 },
      { server: "open", tool: "slow", as: "open__slow", ...refused },
      { server: "closed", tool: "ok", as: "closed__ok", ...refused },
      { server: null, tool: "nosuch__ok", outcome: "error", fate: "notSent", attempts: 0 },
      { server: "open", tool: "ok", as: "open__ok", hash: digest("x"), ...invalid },
      { server: null, tool: "", ...invalid },
      { server: "open", tool: "deep", outcome: "error", fate: "answered", attempts: 1 }
    ])
    for (const line of found) expect(line).toMatchObject({ client, door: "mcp", method: "tools/call" })
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
    expect(found[0]?.id).toBe("the-first")
    expect(called).toEqual(["ok", "deep"])
  })

  test.scopedLive("[G23 G22] over its limit, calls are refused, and were sent to no server", function*() {
    const { called, lines, url } = yield* recording({ ci: { callsPerMinute: 1 } })
    const ci = yield* talking(url, "ci-token", { isStateless })
    yield* promise(async () => {
      await ci.call("open__ok")
      await ci.result("tools/call", { name: "open__ok", arguments: { a: 1 } })
      await ci.error("resources/read", { uri: "test://one" })
    })
    const refused = { outcome: "refused", reason: "RateLimited", fate: "notSent", attempts: 0, client }
    expect(lines()).toMatchObject([
      { outcome: "ok", client },
      { server: "open", tool: "ok", hash: digest({ a: 1 }), ...refused },
      { server: "open", tool: "test://one", method: "resources/read", ...refused }
    ])
    expect(called).toEqual(["ok"])
  })

  test.scopedLive("[G23] a call that is given up has one line, with what is known of it", function*() {
    const { called, lines, url } = yield* recording({ ci: {} })
    const ci = yield* talking(url, "ci-token", { isStateless })
    yield* promise(() => givenUp(url, "ci-token", ci, "open__slow", () => called.includes("slow")))
    const [line] = yield* eventually(() => lines().length > 0 ? lines() : undefined)
    const cancelled = { server: "open", tool: "slow", outcome: "cancelled", fate: "unknown", attempts: 1, client }
    expect(line).toMatchObject(cancelled)
    yield* promise(() => ci.call("open__ok"))
    expect(lines().map(({ tool }) => tool)).toEqual(["slow", "ok"])
  }, 300_000)
})

describe("a line", () => {
  test.scopedLive("[G23 C17] of a call that begins a task says so, and questions about it have none; of a task that the gateway runs, it says how that ended", function*() {
    const { lines, url } = yield* recording({ ci: {} })
    const ci = yield* talking(url, "ci-token")
    const { task } = yield* promise(() => ci.result("tools/call", { name: "open__long", task: { ttl: 60_000 } }))
    yield* promise(() => ci.ask("tasks/get", { taskId: task.taskId }))
    yield* promise(() => ci.result("tasks/result", { taskId: task.taskId }))
    // The server runs it as a task, and the client does not know.
    yield* promise(() => ci.call("open__longer"))
    expect(lines()).toMatchObject([
      { server: "open", tool: "long", outcome: "task", fate: "answered", attempts: 1 },
      { server: "open", tool: "longer", outcome: "tool-error", fate: "answered", attempts: 1 }
    ])
  })
})
