import { BackendUnavailable, RemoteError, ResultUnknown } from "@mcp-lifeline/core"
import {
  PromptListChangedNotificationSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema
} from "@modelcontextprotocol/sdk/types.js"
import { Cause, Deferred, Effect, Exit, Logger, Scope } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import * as RawServer from "../support/RawServer.js"
import * as ScriptedFleet from "../support/ScriptedFleet.js"
import { accept, bare, bind, connected, initialize, nothing, rejection, serve, text } from "../support/Served.js"
import { describe, expect, test } from "../support/vitest.js"

const { catalog, tool } = ScriptedFleet

const request = (url: string, session: string, method: string, params?: unknown) =>
  bare(url, "POST", { ...accept, "Mcp-Session-Id": session }, JSON.stringify({ jsonrpc: "2.0", id: 7, method, params }))

const clientOf = (fleet: Parameters<typeof serve>[0]) => Effect.flatMap(serve(fleet), ({ url }) => connected(url))

describe("Endpoint", () => {
  test.scopedLive("[G1:endpoint] serves a fleet's tools, prompts and resources under their full names", function*() {
    const lists = catalog(1, {
      tools: [tool("a__echo"), tool("b__echo")],
      prompts: [{ name: "greet" }],
      resources: [{ uri: "test://one", name: "one" }],
      resourceTemplates: [{ uriTemplate: "test://{x}", name: "any" }]
    })
    const { fleet } = yield* ScriptedFleet.make(lists, (call) => Effect.succeed(text(`${call.name}: hello`)))
    const { client } = yield* clientOf(fleet)
    yield* Effect.promise(async () => {
      expect(client.getServerVersion()?.name).toBe("mcp-lifeline")
      expect(client.getServerCapabilities()).toEqual({
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {},
        completions: {}
      })
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(["a__echo", "b__echo"])
      expect(await client.callTool({ name: "b__echo", arguments: { x: 1 } })).toMatchObject(text("b__echo: hello"))
      expect((await client.listPrompts()).prompts).toMatchObject([{ name: "greet" }])
      expect((await client.getPrompt({ name: "greet" })).messages).toHaveLength(1)
      const greeted = { ref: { type: "ref/prompt", name: "greet" }, argument: { name: "who", value: "me" } } as const
      const completed = await client.complete(greeted)
      expect(completed.completion.values).toEqual(["me!"])
      expect((await client.listResources()).resources).toMatchObject([{ uri: "test://one" }])
      expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1)
      const contents = [{ uri: "test://one", text: "one" }]
      expect((await client.readResource({ uri: "test://one" })).contents).toEqual(contents)
    })
  })

  test.scopedLive("[G1:endpoint] answers a backend's error as it stands, and says what is known of a request's fate", function*() {
    const common = { backend: "b", generation: 3, message: "b: what happened" }
    const errors = {
      remote: new RemoteError({
        ...common,
        method: "tools/call",
        code: -32_042,
        message: "No such file",
        data: { a: 1 }
      }),
      unknown: new ResultUnknown({ ...common, method: "tools/call" }),
      down: new BackendUnavailable({ ...common, state: "Dormant", nextAttemptAt: 5 })
    }
    const { fleet } = yield* ScriptedFleet.make(
      catalog(1, {}),
      ({ name }) => Effect.fail(errors[name as keyof typeof errors])
    )
    const { client } = yield* clientOf(fleet)
    const call = (name: string) => rejection(client.callTool({ name }))
    const noFile = { code: -32_042, message: "MCP error -32042: No such file", data: { a: 1 } }
    expect(yield* call("remote")).toMatchObject(noFile)
    expect(yield* call("unknown")).toMatchObject({
      code: -32_000,
      message: "MCP error -32000: b: what happened. If that cannot be checked, tell the user what was asked for.",
      data: { tag: "ResultUnknown", backend: "b", generation: 3, fate: "unknown" }
    })
    expect(yield* call("down")).toMatchObject({
      code: -32_000,
      data: { tag: "BackendUnavailable", fate: "notSent", state: "Dormant", nextAttemptAt: 5 }
    })
  })

  test.scopedLive("[G18] a fault of the gateway's own is an error to the client, and in the log with its cause", function*() {
    const logged = yield* Deferred.make<string>()
    const logger = Logger.make(({ cause, message }) =>
      Deferred.unsafeDone(logged, Effect.succeed(`${String(message)} ${Cause.pretty(cause)}`))
    )
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), () => Effect.die(new Error("a bug")))
    const { url } = yield* serve(fleet).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    const { client } = yield* connected(url)
    const internal = { code: -32_603, message: "MCP error -32603: Internal error of the gateway; its log has more" }
    expect(yield* rejection(client.callTool({ name: "x" }))).toMatchObject(internal)
    expect(yield* Deferred.await(logged)).toMatch(/^a request failed inside the gateway Error: a bug/)
  })

  test.scopedLive("[P12:real G18] completions, progress and data of errors that are nested too deeply are not passed on", function*() {
    const nested: unknown = JSON.parse("[".repeat(9000) + "]".repeat(9000))
    const scripted = yield* ScriptedFleet.make(
      catalog(1, {}),
      ({ name, options }) => {
        options.onprogress?.({ progress: 1, total: 2, message: "half", ...{ nested } })
        return name === "fails"
          ? Effect.fail(new RemoteError({ backend: "b", method: "tools/call", code: 7, message: "no", data: nested }))
          : Effect.succeed(text("fine"))
      },
      Effect.void,
      () => ({ completion: { values: [] }, nested })
    )
    const { url } = yield* serve(scripted.fleet)
    const { client } = yield* connected(url)
    const asked = { ref: { type: "ref/prompt", name: "greet" }, argument: { name: "a", value: "b" } } as const
    const tooDeep = { code: -32_000, message: expect.stringContaining("nested more than 500 levels deep") }
    expect(yield* rejection(client.complete(asked))).toMatchObject(tooDeep)
    const failed = yield* rejection(client.callTool({ name: "fails" }))
    expect(failed).toMatchObject({ code: 7, message: "MCP error 7: no" })
    expect(failed).toHaveProperty("data", undefined)
    const seen: Array<unknown> = []
    const onprogress = (progress: unknown) => void seen.push(progress)
    expect(yield* Effect.promise(() => client.callTool({ name: "x" }, undefined, { onprogress }))).toMatchObject(
      text("fine")
    )
    expect(seen).toEqual([{ progress: 1, total: 2, message: "half" }])
  })

  test.scopedLive("[G15:endpoint E7] clients that nothing tells apart share no server of one client, unless the gateway stands for it", function*() {
    const own = RawServer.make("own", ({ method }) => method === "tools/list" ? { tools: [tool("mine")] } : undefined)
    for (const isSingle of [false, true]) {
      const servers = yield* ServerPool.make([{ ...own, sessions: "per-client", prefix: "" }])
      const { url } = yield* Endpoint.serve({ ...yield* bind(), servers, isSingle, hasStatus: () => false })
      const key = (name: string) => `io.modelcontextprotocol/${name}`
      const _meta = { [key("protocolVersion")]: "2026-07-28", [key("clientCapabilities")]: {} }
      const headers = { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list" }
      const message = { id: 1, method: "tools/list", params: { _meta } }
      const { body } = yield* Effect.promise(() => Raw.send(url, "POST", headers, message))
      const tools = JSON.parse(yield* Effect.promise(() => body)).result.tools
      expect(tools).toMatchObject(isSingle ? [{ name: "mine" }] : [])
    }
  })

  test.scopedLive("[G3:endpoint] passes progress to the call that asked for it, and asks for none otherwise", function*() {
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), ({ options }) =>
      Effect.sync(() => {
        options.onprogress?.({ progress: 1, total: 2, message: "half" })
        options.onprogress?.({ progress: 2, total: 2 })
        return text(options.onprogress ? "asked" : "not asked")
      }))
    const { client } = yield* clientOf(fleet)
    const seen: Array<unknown> = []
    yield* Effect.promise(async () => {
      const onprogress = (progress: unknown) => void seen.push(progress)
      expect(await client.callTool({ name: "x" }, undefined, { onprogress })).toMatchObject(text("asked"))
      expect(await client.callTool({ name: "x" })).toMatchObject(text("not asked"))
    })
    expect(seen).toEqual([{ progress: 1, total: 2, message: "half" }, { progress: 2, total: 2 }])
  })

  test.scopedLive("[G3:endpoint] tells every session which lists have changed, and not of mere staleness", function*() {
    const first = catalog(1, { tools: [tool("a")], prompts: [{ name: "p" }] })
    const { fleet, publish } = yield* ScriptedFleet.make(first, nothing)
    const { url } = yield* serve(fleet)
    const told: Array<string> = []
    const done = yield* Effect.forEach([1, 2], (number) =>
      Effect.gen(function*() {
        const { client } = yield* connected(url)
        const last = yield* Deferred.make<void>()
        client.setNotificationHandler(ToolListChangedNotificationSchema, () => void told.push(`tools ${number}`))
        client.setNotificationHandler(PromptListChangedNotificationSchema, () => void told.push(`prompts ${number}`))
        const done = () => Deferred.unsafeDone(last, Effect.void)
        client.setNotificationHandler(ResourceListChangedNotificationSchema, done)
        return last
      }))
    const stale = new Map([...first.tools].map(([key, entry]) => [key, { ...entry, stale: true }]))
    yield* publish({ ...first, revision: 2, tools: stale })
    const lists = { tools: [tool("a"), tool("b")], prompts: [{ name: "p" }] }
    yield* publish(catalog(3, lists))
    yield* publish(catalog(4, { ...lists, resources: [{ uri: "test://one", name: "one" }] }))
    yield* Effect.forEach(done, Deferred.await)
    expect(told.toSorted()).toEqual(["tools 1", "tools 2"])
  })

  test.scopedLive("[G1:endpoint] parameters that do not fit are refused in one line that names them", function*() {
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
    const { url } = yield* serve(fleet)
    const { session } = yield* bare(url, "POST", accept, initialize)
    const error = (method: string, params?: unknown) =>
      Effect.map(request(url, session, method, params), ({ body }) => (JSON.parse(body) as any).error as unknown)
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`a${index}`, index < 1000 ? "" : 1]))
    const noText = "expected string, received"
    const invalid: ReadonlyArray<readonly [method: string, params: unknown, message: string]> = [
      ["tools/call", { arguments: { x: 1 } }, `name: ${noText} undefined`],
      ["tools/call", undefined, "params: expected object, received undefined"],
      [
        "prompts/get",
        { name: "greet", arguments: { a: 1, b: [], c: "", d: null, e: {} } },
        `arguments.a: ${noText} number; arguments.b: ${noText} array; arguments.d: ${noText} null; 1 more`
      ],
      // Of what is wrong in a large record, only the beginning is looked for.
      [
        "prompts/get",
        { name: "greet", arguments: many },
        `${["a1000", "a1001", "a1002"].map((name) => `arguments.${name}: ${noText} number`).join("; ")}; 17 more`
      ],
      [
        "completion/complete",
        { ref: { type: "x" }, argument: { name: "a", value: "b" } },
        "ref: not of an accepted form"
      ],
      ["resources/subscribe", { uri: 1 }, `uri: ${noText} number`]
    ]
    for (const [method, params, message] of invalid) {
      expect(yield* error(method, params)).toEqual({
        code: -32_602,
        message: `Invalid params of ${method}: ${message}`
      })
    }
    const level = { code: -32_602, message: expect.stringContaining("Invalid params of logging/setLevel: level: ") }
    expect(yield* error("logging/setLevel", { level: "loud" })).toMatchObject(level)
    expect(yield* error("tasks/list")).toEqual({ code: -32_601, message: "Method not found: tasks/list" })
  })

  test.scopedLive("[G10 G17] a session that has made room for another goes on when its owner asks again", function*() {
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
    const { sessions, url } = yield* serve(fleet, { limits: { maxSessions: 2 } })
    const open = Effect.map(bare(url, "POST", accept, initialize), ({ session }) => session)
    const ping = (session: string) => Effect.map(request(url, session, "ping"), ({ status }) => status)
    const ids = [yield* open, yield* open, yield* open]
    expect(yield* Effect.forEach(ids, ping)).toEqual([200, 200, 200])
    expect(yield* sessions).toBe(2)
  })

  test.scopedLive("[G1:endpoint] an early client's first list and call wait for the backends", function*() {
    const ready = yield* Deferred.make<void>()
    let called = false
    const answer = () => Effect.sync(() => text(String(called = true)))
    const { fleet, publish } = yield* ScriptedFleet.make(catalog(0, {}), answer, Deferred.await(ready))
    const { client } = yield* clientOf(fleet)
    const list = yield* Effect.fork(Effect.promise(() => client.listTools()))
    const call = yield* Effect.fork(Effect.promise(() => client.callTool({ name: "a" })))
    yield* Effect.promise(() => client.ping())
    expect(called).toBe(false)
    yield* publish(catalog(1, { tools: [tool("a")] }))
    yield* Deferred.succeed(ready, undefined)
    expect((yield* list).tools).toHaveLength(1)
    expect(yield* call).toMatchObject(text("true"))
  })

  test.scopedLive("[G6:endpoint] says by whatever name it is asked that it lives, and of its servers only by its own", function*() {
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), nothing)
    const health = (yield* serve(fleet)).url.replace("/mcp", "/health")
    const body = (headers: Record<string, string>) => Effect.map(bare(health, "GET", headers), ({ body }) => body)
    expect(yield* body({ Host: "evil.example" })).toBe(`{"status":"ok"}`)
    expect(yield* body({})).toBe(`{"status":"ok","backends":{}}`)
  })

  test.scopedLive("[G7:endpoint] closing lets calls under way finish, ends sessions, and leaves nothing listening", function*() {
    const scope = yield* Scope.make()
    const [began, go] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const answer = () =>
      Deferred.succeed(began, undefined).pipe(Effect.zipRight(Deferred.await(go)), Effect.as(text("done")))
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), answer)
    const { url } = yield* serve(fleet).pipe(Scope.extend(scope))
    const { client } = yield* connected(url)
    const call = yield* Effect.fork(Effect.promise(() => client.callTool({ name: "x" })))
    yield* Deferred.await(began)
    const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
    // The handler is off at once; what comes now is refused.
    yield* bare(url, "POST", accept, initialize).pipe(Effect.repeat({ until: ({ status }) => status === 503 }))
    yield* Deferred.succeed(go, undefined)
    expect(yield* call).toMatchObject(text("done"))
    yield* closing
    expect(yield* Effect.exit(bare(url, "POST", accept, initialize))).toMatchObject({ _tag: "Failure" })
  })

  test.scopedLive("[G7:endpoint] closing does not wait for a call for ever, and tells its client", function*() {
    const scope = yield* Scope.make()
    const began = yield* Deferred.make<void>()
    const answer = () => Effect.zipRight(Deferred.succeed(began, undefined), Effect.never)
    const { fleet } = yield* ScriptedFleet.make(catalog(1, {}), answer)
    const { url } = yield* serve(fleet, { drain: "50 millis" }).pipe(Scope.extend(scope))
    const { client } = yield* connected(url)
    const call = yield* Effect.fork(rejection(client.callTool({ name: "x" })))
    yield* Deferred.await(began)
    yield* Scope.close(scope, Exit.void)
    expect(yield* call).toMatchObject({ code: -32_000, data: { fate: "unknown" } })
  })
})
