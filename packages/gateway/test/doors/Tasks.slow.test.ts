import { Backend } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { connect, supervisedTransport } from "../../../promise/src/index.js"
import { folder as makeFolder } from "../../../testing/test/support/folder.js"
import { pairs } from "../../../testing/test/support/pairs.js"
import { gateway, type Said, type Talk } from "../support/Talk.js"
import { opened } from "../support/TestClient.js"
import { assert, describe, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

const script = fileURLToPath(new URL("../../../testing/test/support/taskServer.mjs", import.meta.url))
const stateless = fileURLToPath(new URL("../../../testing/test/support/statelessTaskServer.mjs", import.meta.url))

type Store = "bound" | "kept" | "2026"
type Kind = "stdio" | "http" | "stateless"
type Tasks = "required" | "prefer" | "never"

interface Server {
  readonly kind: Kind
  readonly era: "2025" | "2026"
  readonly args: ReadonlyArray<string>
  readonly url: string | undefined
  readonly effects: () => ReadonlyArray<string>
  /** Kills its process over stdio; makes it forget its sessions over HTTP. */
  readonly lose: () => Promise<void>
}

const server = (kind: Kind, store: Store, duration: number): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* makeFolder
    const era = store === "2026" ? "2026" as const : "2025" as const
    const args = store === "2026"
      ? [stateless, kind, folder, String(duration)]
      : [script, kind, store, folder, String(duration)]
    const effects = () => {
      try {
        return readFileSync(join(folder, "effects"), "utf8").trim().split("\n")
      } catch {
        return []
      }
    }
    if (kind === "stdio") {
      const lose = async () => void process.kill(Number(effects().at(-1)?.split(" ")[1]), "SIGKILL")
      return { kind, era, args, url: undefined, effects, lose }
    }
    const child: ChildProcess = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })),
      (child) => Effect.sync(() => void child.kill("SIGKILL"))
    )
    const [port] = yield* Effect.promise(() => once(child.stdout!, "data"))
    const base = `http://127.0.0.1:${Number(String(port))}`
    const lose = async () => void await fetch(`${base}/forget`)
    return { kind, era, args, url: `${base}/mcp`, effects, lose }
  })

type Answer = { readonly text: string; readonly isError?: boolean | undefined } | { readonly failure: string }

interface Caller {
  readonly tools: () => Promise<ReadonlyArray<{ readonly name: string; readonly execution?: any }>>
  readonly call: (tool: string, onprogress?: (progress: any) => void) => Promise<Answer>
}

type Open = (server: Server, tasks: Tasks) => Effect.Effect<Caller, never, Scope.Scope>

const reconnect = { initialDelay: 20 } as const
const timeouts = { connect: "2 minutes", wait: "2 minutes", request: "2 minutes" } as const
const answers = { "elicitation/create": () => ({ action: "accept", content: { which: "that" } }) }

const entry = ({ args, era, url }: Server) => ({
  protocol: era,
  ...(url === undefined ? { command: process.execPath, args } : { url })
})

const connector = ({ args, era, url }: Server) =>
  url === undefined
    ? StdioConnector.make({ command: process.execPath, args: [...args], protocol: era })
    : HttpConnector.make({ url, protocol: era })

const official = (client: Client): Caller => ({
  tools: async () => (await client.listTools()).tools,
  call: (name, onprogress) =>
    client.callTool({ name, arguments: {} }, undefined, onprogress && { onprogress }).then(
      (result: any) => ({ text: result.content[0].text, isError: result.isError }),
      (error: Error) => ({ failure: error.message })
    )
})

const raw = (host: Pick<Talk, "said" | "send" | "until">, prefix: string): Caller => {
  let last = 0
  const request = (method: string, params: object): Promise<Said> => {
    const id = `r${++last}`
    host.send({ id, method, params })
    return host.until(() => host.said.find((one) => one.id === id && one.method === undefined))
  }
  return {
    tools: async () => (await request("tools/list", {})).result?.["tools"],
    call: async (name, onprogress) => {
      const progressToken = `p${++last}`
      const { error, result } = await request("tools/call", {
        name: prefix + name,
        ...(onprogress === undefined ? {} : { _meta: { progressToken } })
      })
      for (const { method, params } of host.said) {
        if (method === "notifications/progress" && params?.["progressToken"] === progressToken) onprogress?.(params)
      }
      return error === undefined
        ? { text: result?.["content"][0].text, isError: result?.["isError"] }
        : { failure: error.message }
    }
  }
}

const doors: Readonly<Record<string, Open>> = {
  connect: (server, tasks) =>
    Effect.map(
      opened(() =>
        connect(entry(server) as never, {
          reconnect,
          timeouts,
          calls: { tasks },
          handlers: { elicitation: () => ({ action: "accept", content: { which: "that" } }) }
        } as never), (client) => client.close()),
      (client) => official(client as never)
    ),
  supervisedTransport: (server, tasks) =>
    Effect.map(
      opened(async () => {
        const client = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: {} } })
        client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { which: "that" } }))
        const options = { reconnect, timeouts, calls: { tasks } } as never
        await client.connect(supervisedTransport(entry(server) as never, options))
        return client
      }, (client) => client.close()),
      official
    ),
  wrap: Effect.fnUntraced(function*(server, tasks) {
    const scope = yield* Effect.scope
    const host = yield* Wrapped.make(() => undefined, {
      bridge: {
        open: ({ capabilities, clientInfo }, incoming) =>
          Backend.make("raw", {
            discovery: { mode: "learn" },
            reconnect,
            timeouts,
            calls: { tasks },
            connector: incoming.around(connector(server)),
            clientInfo,
            capabilities
          }).pipe(Effect.orDie, Scope.extend(scope))
      }
    })
    yield* Effect.promise(() => host.initialize())
    const answered = new Set<unknown>()
    void host.until(() => {
      for (const message of host.said) {
        if (message.method !== "elicitation/create" || answered.has(message)) continue
        answered.add(message)
        host.receive({ id: message.id, result: answers["elicitation/create"]() })
      }
    })
    return raw({ ...host, send: host.receive } as never, "")
  }),
  serve: Effect.fnUntraced(function*(server, tasks) {
    const { client } = yield* Effect.orDie(gateway([
      { id: "o", connector: connector(server), sessions: "per-client", reconnect, timeouts, calls: { tasks } } as never
    ]))
    return raw(yield* client({ answers, capabilities: { elicitation: {} } } as never), "o__")
  })
}

const begun = (server: Server, tool: string) => server.effects().filter((line) => line.startsWith(`${tool} `)).length

const until = (condition: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => void (condition() ? resolve() : setTimeout(look, 5))
    look()
  })

describe.concurrent("tools that run as tasks", () => {
  for (const [[door, open], kind] of pairs(Object.entries(doors), ["stdio", "http"] as const, 1)) {
    test.scopedLive(`[C17:real] ${door}, ${kind}: a tool that requires a task has its plain result, progress and questions; a plain one runs once, without a task`, function*() {
      const one = yield* server(kind, "bound", 300)
      const caller = yield* open(one, "required")
      yield* Effect.promise(async () => {
        assert.deepEqual(await caller.call("plain"), { text: "plain", isError: undefined })
        // The marks that make the official Client refuse a call are gone.
        const tools = await caller.tools()
        assert.include(tools.map(({ name }) => name.replace("o__", "")), "long")
        const progress: Array<{ readonly progress: number; readonly message?: string }> = []
        const done = await caller.call("long", (one) => progress.push(one))
        assert.deepEqual(done, { text: "done", isError: undefined })
        assert.include(progress.map(({ message }) => message), "half done")
        for (const [index, { progress: value }] of progress.entries()) {
          if (index > 0) assert.isAbove(value, progress[index - 1]!.progress)
        }
        assert.deepEqual(await caller.call("fail"), { text: "it failed", isError: true })
        assert.deepEqual(await caller.call("ask"), { text: "accept that", isError: undefined })
        assert.deepEqual(["plain", "long", "fail", "ask"].map((tool) => begun(one, tool)), [1, 1, 1, 1])
      })
    })
  }

  for (const [[door, open], kind] of pairs(Object.entries(doors), ["stdio", "http"] as const, 1)) {
    test.scopedLive(`[C17:real] ${door}, ${kind}, 2026: a tool that answers with a task only gives its plain result; the extension is declared for nothing else`, function*() {
      const one = yield* server(kind, "2026", 300)
      const caller = yield* open(one, "required")
      yield* Effect.promise(async () => {
        assert.deepEqual(await caller.call("plain"), { text: "plain", isError: undefined })
        assert.deepEqual(await caller.call("either"), { text: "either", isError: undefined })
        const progress: Array<{ readonly message?: string }> = []
        assert.deepEqual(await caller.call("long", (one) => progress.push(one)), { text: "done", isError: undefined })
        assert.include(progress.map(({ message }) => message), "half done")
        assert.match((await caller.call("fail") as { failure: string }).failure, /it failed/)
        // The clients of serve share a server of this era, which can ask none of them.
        if (door !== "serve") {
          assert.deepEqual(await caller.call("ask"), { text: "accept that", isError: undefined })
          assert.strictEqual(begun(one, "updated"), 1)
        }
        assert.deepEqual(["plain", "either", "long", "fail"].map((tool) => begun(one, tool)), [1, 1, 1, 1])
      })
    })
  }

  // Which server is asked afterwards, and how, is the same for all doors.
  const outcomes = [
    ["stdio", "kept", "done"],
    ["stdio", "bound", undefined],
    ["stdio", "2026", "done"],
    ["http", "kept", "done"],
    ["http", "bound", undefined]
  ] as const
  const cases = Object.keys(doors).flatMap((door) =>
    outcomes.filter(([kind]) => door === "connect" || (door === "serve" && kind === "stdio"))
      .map((outcome) => [door, ...outcome] as const)
  )
  for (const [door, kind, store, outcome] of cases) {
    const loss = kind === "stdio" ? "the server is killed" : "the session is lost"
    const known = outcome === undefined ? "unknown" : "known"
    test.scopedLive(`[C17:real] ${door}, ${kind}: ${loss} during a task (${store}); its outcome is ${known}, its effect there once`, function*() {
      // What is lost is not done before.
      const one = yield* server(kind, store, outcome === undefined ? 600_000 : 1500)
      const caller = yield* doors[door]!(one, "prefer")
      yield* Effect.promise(async () => {
        const call = caller.call("either")
        // The client has the answer with the task, because it asks for that.
        await until(() => begun(one, "asked") > 0)
        await one.lose()
        const answer = await call
        if (outcome !== undefined) assert.deepEqual(answer, { text: outcome, isError: undefined })
        else {
          const { failure } = answer as { failure: string }
          assert.match(failure, /began task .*its result is unknown \(.*not found.*\)/)
        }
        assert.strictEqual(begun(one, "either"), 1)
      })
    })
  }

  test.scopedLive("[C17:real] a server without sessions: the task is known to every request", function*() {
    const one = yield* server("stateless", "kept", 300)
    const caller = yield* doors["connect"]!(one, "prefer")
    yield* Effect.promise(async () => {
      assert.deepEqual(await caller.call("either"), { text: "done", isError: undefined })
      assert.deepEqual(await caller.call("plain"), { text: "plain", isError: undefined })
      assert.deepEqual(["either", "plain"].map((tool) => begun(one, tool)), [1, 1])
    })
  })

  test.scopedLive("[C17:real] serve: a call that its client cancels cancels the task", function*() {
    const one = yield* server("stdio", "2026", 60_000)
    const { client } = yield* gateway([{ id: "o", connector: connector(one), reconnect, timeouts }] as never)
    const talk = yield* client()
    yield* Effect.promise(async () => {
      await talk.toolsWith("o__long")
      talk.send({ id: "x", method: "tools/call", params: { name: "o__long" } })
      await until(() => begun(one, "asked") > 0)
      talk.notify("notifications/cancelled", { requestId: "x" })
      await until(() => begun(one, "cancelled") > 0)
      assert.strictEqual(begun(one, "cancelled"), 1)
    })
  })

  test.scopedLive("[C17:real] [G3] serve: a client that begins a task itself gets it under a name of the gateway's, asks for it and cancels it; a plain tool has none", function*() {
    const [a, b] = yield* Effect.all([server("stdio", "bound", 300), server("http", "kept", 60_000)])
    const { client } = yield* gateway([
      { id: "a", connector: connector(a), reconnect, timeouts },
      { id: "b", connector: connector(b), reconnect, timeouts }
    ] as never)
    const talk = yield* client()
    yield* Effect.promise(async () => {
      await talk.toolsWith("a__long")
      await talk.toolsWith("b__long")
      const { tools } = await talk.result("tools/list")
      const marks = Object.fromEntries(tools.map(({ execution, name }: any) => [name, execution?.taskSupport]))
      assert.include(marks, { "a__long": "optional", "a__either": "optional", "a__plain": "forbidden" })

      const begin = (name: string) => talk.result("tools/call", { name, task: { ttl: 60_000 } })
      const { task: { taskId } } = await begin("a__long")
      assert.match(taskId, /^a\/long@/)
      const state = await talk.result("tasks/get", { taskId })
      assert.strictEqual(state["taskId"], taskId)
      // A busy machine asks when it is done.
      assert.include(["working", "completed"], state["status"])
      const result = await talk.result("tasks/result", { taskId })
      assert.deepEqual(result["content"], [{ type: "text", text: "done" }])
      assert.deepEqual(result["_meta"]["io.modelcontextprotocol/related-task"], { taskId })

      const { task: { taskId: other } } = await begin("b__long")
      assert.match(other, /^b\/long@/)
      assert.include(await talk.result("tasks/cancel", { taskId: other }), { taskId: other, status: "cancelled" })

      assert.strictEqual((await begin("a__plain"))["content"][0].text, "plain")
      for (const unknown of ["a:x", "c:x", "x", "", 1, taskId.slice(2)]) {
        const { error } = await talk.request("tasks/get", { taskId: unknown })
        assert.strictEqual(error?.code, -32_602, String(unknown))
      }
      assert.strictEqual((await talk.request("tasks/list")).error?.code, -32_601)
      assert.deepEqual(["long", "plain"].map((tool) => begun(a, tool)), [1, 1])
    })
  })

  test.scopedLive("[C17:real] [G3] serve, 2026: a client that declares the extension gets the task, and updates it; another gets the result", function*() {
    const one = yield* server("http", "2026", 300)
    const { client } = yield* gateway([{ id: "o", connector: connector(one), reconnect, timeouts }] as never)
    const capabilities = { extensions: { "io.modelcontextprotocol/tasks": {} } }
    const talk = yield* client({ isStateless: true, capabilities })
    const plain = yield* client({ isStateless: true })
    yield* Effect.promise(async () => {
      await talk.toolsWith("o__ask")
      const { resultType, taskId } = await talk.result("tools/call", { name: "o__ask" })
      assert.strictEqual(resultType, "task")
      assert.match(taskId, /^o\/ask@/)
      const { inputRequests, status } = await talk.result("tasks/get", { taskId })
      assert.strictEqual(status, "input_required")
      assert.deepEqual(Object.keys(inputRequests), ["which"])
      const inputResponses = { which: { action: "accept", content: { which: "mine" } } }
      await talk.result("tasks/update", { taskId, inputResponses })
      for (;;) {
        const { result, status } = await talk.result("tasks/get", { taskId })
        if (status === "completed") {
          assert.strictEqual(result.content[0].text, "accept mine")
          break
        }
      }
      assert.strictEqual(await plain.call("o__long"), "done")
      // What this revision has no more, and what is not for the other client.
      assert.strictEqual((await talk.request("tasks/result", { taskId })).error?.code, -32_601)
      for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
        const { error } = await plain.request(method, { taskId, inputResponses: {} })
        assert.strictEqual(error?.code, -32_021)
        assert.deepEqual(error?.data, { requiredCapabilities: capabilities })
      }
    })
  })
})
