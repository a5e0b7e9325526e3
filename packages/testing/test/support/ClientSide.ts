import { assert } from "@effect/vitest"
import type { CallError, Connector, ServerNotification, ServerRequestHandlers } from "@mcp-lifeline/core"
import { Backend } from "@mcp-lifeline/core"
import type { CallToolResult, CreateMessageRequest, ElicitRequest, Root } from "@modelcontextprotocol/sdk/types.js"
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"

type Walk = Effect.Effect<void, unknown, Scope.Scope>

const connect = (connector: Connector, options: Omit<Backend.BackendOptions, "connector"> = {}) =>
  Backend.make("everything", {
    connector,
    reconnect: { initialDelay: 10, maxDelay: 100, maxAttempts: 1_000, demandInterval: 10 },
    ...options
  }).pipe(Effect.tap((backend) => backend.firstOutcome))

const textOf = ({ content }: CallToolResult): string =>
  content.map((block) => block.type === "text" ? block.text : block.type).join("\n")

const ask = (
  backend: Backend.Backend,
  name: string,
  args: Record<string, unknown> = {},
  options: Backend.CallOptions = {}
): Effect.Effect<string, CallError> => Effect.map(backend.callTool({ name, arguments: args }, options), textOf)

const hear = (backend: Backend.Backend, test: (notification: ServerNotification) => boolean) =>
  backend.notifications.pipe(
    Stream.filter(test),
    Stream.runHead,
    Effect.map(Option.getOrThrow),
    Effect.forkScoped,
    Effect.tap(() => Effect.yieldNow())
  )

const logs = (text: string) => ({ method, params }: ServerNotification): boolean =>
  method === "notifications/message" && String(params?.["data"]).includes(text)

export const requests = (connector: Connector): Walk =>
  Effect.gen(function*() {
    const backend = yield* connect(connector)
    yield* backend.ping()

    const { tools } = yield* backend.listTools()
    assert.includeMembers(tools.map(({ name }) => name), ["echo", "get-sum", "simulate-research-query"])
    assert.strictEqual(yield* ask(backend, "get-sum", { a: 2, b: 3 }), "The sum of 2 and 3 is 5.")
    const weather = yield* backend.callTool({ name: "get-structured-content", arguments: { location: "Chicago" } })
    assert.deepInclude(weather.structuredContent, { temperature: 36, humidity: 82 })
    const image = yield* backend.callTool({ name: "get-tiny-image" })
    assert.include(image.content.map(({ type }) => type), "image")

    const steps: Array<unknown> = []
    const long = { duration: 0.3, steps: 3 }
    yield* ask(backend, "trigger-long-running-operation", long, { onprogress: (step) => steps.push(step) })
    assert.deepStrictEqual(steps, [1, 2, 3].map((progress) => ({ progress, total: 3 })))

    const { prompts } = yield* backend.listPrompts()
    assert.includeMembers(prompts.map(({ name }) => name), ["args-prompt", "completable-prompt"])
    const { messages } = yield* backend.getPrompt({ name: "args-prompt", arguments: { city: "Oslo" } })
    assert.deepStrictEqual(messages, [{ role: "user", content: { type: "text", text: "What's weather in Oslo?" } }])

    const { resources } = yield* backend.listResources()
    const document = resources.find(({ name }) => name === "features.md")
    assert.strictEqual(document?.mimeType, "text/markdown")
    const { resourceTemplates } = yield* backend.listResourceTemplates()
    assert.include(
      resourceTemplates.map(({ uriTemplate }) => uriTemplate),
      "demo://resource/dynamic/text/{resourceId}"
    )
    for (const uri of [document?.uri ?? "", "demo://resource/dynamic/text/7"]) {
      const { contents } = yield* backend.readResource({ uri })
      assert.deepInclude(contents.map((part) => [part.uri, "text" in part]), [uri, true])
    }

    const completed = (value: string, department?: string) =>
      Effect.map(
        backend.complete({
          ref: { type: "ref/prompt", name: "completable-prompt" },
          argument: { name: department === undefined ? "department" : "name", value },
          ...(department === undefined ? {} : { context: { arguments: { department } } })
        }),
        ({ completion }) => completion.values
      )
    assert.deepStrictEqual(yield* completed("S"), ["Sales", "Support"])
    assert.deepStrictEqual(yield* completed("", "Sales"), ["David", "Eve", "Frank"])
    const { completion } = yield* backend.complete({
      ref: { type: "ref/resource", uri: "demo://resource/dynamic/text/{resourceId}" },
      argument: { name: "resourceId", value: "7" }
    })
    assert.deepStrictEqual(completion.values, ["7"])
  })

export const standing = (connector: Connector): Walk =>
  Effect.gen(function*() {
    const backend = yield* connect(connector)
    const heard: Array<string> = []
    yield* backend.notifications.pipe(
      Stream.runForEach((notification) =>
        Effect.sync(() => {
          if (logs("Resource request")(notification)) heard.push(String(notification.params?.["data"]).split(" ")[1]!)
        })
      ),
      Effect.forkScoped
    )
    const [first, second] = ["demo://resource/dynamic/text/1", "demo://resource/dynamic/text/2"] as const
    yield* backend.setLoggingLevel("debug")
    const acknowledged = yield* hear(backend, logs(`Subscribe Resource request for URI: ${first}`))
    yield* backend.subscribeResource(first)
    yield* Fiber.join(acknowledged)

    const updated = yield* hear(backend, ({ method }) => method === "notifications/resources/updated")
    yield* ask(backend, "toggle-subscriber-updates")
    assert.deepStrictEqual((yield* Fiber.join(updated)).params, { uri: first })
    yield* ask(backend, "toggle-subscriber-updates")

    // It tells of each of these at the level info.
    yield* backend.setLoggingLevel("warning")
    yield* backend.unsubscribeResource(first)
    yield* backend.setLoggingLevel("info")
    const again = yield* hear(backend, logs(second))
    yield* backend.subscribeResource(second)
    yield* Fiber.join(again)
    assert.deepStrictEqual(heard, ["Subscribe", "Subscribe"])

    // The first is no longer subscribed to.
    const next = yield* hear(backend, ({ method }) => method === "notifications/resources/updated")
    yield* ask(backend, "toggle-subscriber-updates")
    assert.deepStrictEqual((yield* Fiber.join(next)).params, { uri: second })
  })

export const task = (connector: Connector): Walk =>
  Effect.gen(function*() {
    const questions: Array<ElicitRequest["params"]> = []
    const isChecked = yield* Effect.makeLatch()
    const backend = yield* connect(connector, {
      handlers: {
        elicitation: (params) =>
          Effect.map(isChecked.await, () => {
            questions.push(params)
            return { action: "accept" as const, content: { interpretation: "snake" } }
          })
      }
    })
    const { tools } = yield* backend.listTools()
    const name = "simulate-research-query"
    assert.strictEqual(tools.find((tool) => tool.name === name)?.execution?.taskSupport, "required")
    const start = (ambiguous: boolean) =>
      Effect.map(
        backend.request("tools/call", { name, arguments: { topic: "python", ambiguous } }, {
          task: { ttl: 60_000 },
          resultSchema: CreateTaskResultSchema
        }),
        (result) => CreateTaskResultSchema.parse(result).task
      )
    const { taskId } = yield* start(true)
    const result = yield* Effect.fork(backend.request("tasks/result", { taskId }))

    const other = yield* start(false)
    const { tasks } = yield* backend.request("tasks/list", {})
    assert.sameMembers(tasks.map((each) => each.taskId), [taskId, other.taskId])
    const cancelled = yield* backend.request("tasks/cancel", { taskId: other.taskId })
    assert.deepInclude(cancelled, { taskId: other.taskId, status: "cancelled" })

    assert.include(["working", "input_required"], (yield* backend.request("tasks/get", { taskId })).status)
    yield* isChecked.open
    const report = CallToolResultSchema.parse(yield* Fiber.join(result))
    assert.include(textOf(report), "# Research Report: python (snake)")
    assert.strictEqual((yield* backend.request("tasks/get", { taskId })).status, "completed")
    assert.lengthOf(questions, 1)
    assert.include(questions[0]?.message, "multiple interpretations")
  })

export const serverRequests = (connector: Connector): Walk =>
  Effect.gen(function*() {
    const sampled: Array<CreateMessageRequest["params"]> = []
    const elicited: Array<ElicitRequest["params"]> = []
    const roots: Array<Root> = [{ uri: "file:///work", name: "work" }]
    const backend = yield* connect(connector, {
      capabilities: { elicitation: { form: {}, url: {} } },
      handlers: {
        sampling: (params) =>
          Effect.sync(() => {
            sampled.push(params)
            return { role: "assistant" as const, model: "none", content: { type: "text" as const, text: "42" } }
          }),
        elicitation: (params) =>
          Effect.sync(() => {
            elicited.push(params)
            return params.mode === "url"
              ? { action: "decline" as const }
              : { action: "accept" as const, content: { name: "Ada", check: true, integer: 7 } }
          }),
        roots: Effect.sync(() => ({ roots: [...roots] }))
      }
    })
    assert.include(yield* ask(backend, "get-roots-list"), "1. work\n   URI: file:///work")
    roots.push({ uri: "file:///home", name: "home" })
    const changed = yield* hear(backend, logs("Roots updated: 2"))
    yield* backend.notify("notifications/roots/list_changed")
    yield* Fiber.join(changed)
    assert.include(yield* ask(backend, "get-roots-list"), "2. home\n   URI: file:///home")

    const answer = yield* ask(backend, "trigger-sampling-request", { prompt: "6 * 7", maxTokens: 9 })
    assert.match(answer, /"text": "42"/)
    assert.lengthOf(sampled, 1)
    assert.deepInclude(sampled[0], { maxTokens: 9, systemPrompt: "You are a helpful test server." })
    assert.include(JSON.stringify(sampled[0]?.messages), "6 * 7")

    const form = yield* ask(backend, "trigger-elicitation-request")
    for (const line of ["- Name: Ada", "- Agreed to terms: true", "- Favorite Integer: 7"]) assert.include(form, line)
    const visit = { url: "https://login.invalid/", elicitationId: "one" }
    assert.include(yield* ask(backend, "trigger-url-elicitation", visit), "declined to open the URL")
    assert.deepStrictEqual(elicited.map(({ mode = "form" }) => mode), ["form", "url"])
    assert.deepInclude(elicited[1], visit)
    const required = yield* Effect.flip(ask(backend, "trigger-url-elicitation", { ...visit, errorPath: true }))
    assert.deepInclude(required, { _tag: "RemoteError", code: -32042 })
  })

const sampling = () =>
  Effect.succeed({ role: "assistant" as const, model: "none", content: { type: "text" as const, text: "42" } })
const elicitation = () => Effect.succeed({ action: "decline" as const })
const roots = Effect.succeed({ roots: [{ uri: "file:///work" }] })

/** Each capability is declared where its handler is given, and only there: the server offers its tools by them. */
export const capabilities = (connector: Connector): Walk =>
  Effect.gen(function*() {
    const offered = (handlers: ServerRequestHandlers | undefined) =>
      Effect.scoped(Effect.gen(function*() {
        const backend = yield* connect(connector, handlers === undefined ? {} : { handlers })
        const { tools } = yield* backend.listTools()
        return tools.map(({ name }) => name).filter((name) =>
          /^trigger-(sampling|elicitation|url)|^get-roots/.test(name)
        ).toSorted()
      }))
    const tools = {
      sampling: "trigger-sampling-request",
      elicitation: "trigger-elicitation-request",
      roots: "get-roots-list"
    }
    assert.deepStrictEqual(
      yield* Effect.all([offered(undefined), offered({ sampling }), offered({ elicitation, roots })], {
        concurrency: "unbounded"
      }),
      [[], [tools.sampling], [tools.roots, tools.elicitation]]
    )
  })

/** `lose` ends the server's side of the current connection, while a handler is at work. */
export const generations = (
  connector: Connector,
  lose: (backend: Backend.Backend) => Effect.Effect<void>
): Walk =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const working = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    const backend = yield* connect(connector, {
      handlers: {
        sampling: ({ messages }) =>
          Effect.suspend(() => {
            asked.push(JSON.stringify(messages))
            const text = `answer ${asked.length}`
            const answer = { role: "assistant" as const, model: "none", content: { type: "text" as const, text } }
            return asked.length > 1
              ? Effect.succeed(answer)
              : Effect.zipRight(Deferred.succeed(working, undefined), Effect.never).pipe(
                Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
              )
          })
      }
    })
    const sample = (prompt: string) => ask(backend, "trigger-sampling-request", { prompt }, { idempotent: true })
    const cut = yield* Effect.fork(sample("first"))
    yield* Deferred.await(working)
    yield* lose(backend)
    // Sent again on the new generation, whose question is another one.
    assert.include(yield* Fiber.join(cut), "answer 2")
    yield* Deferred.await(interrupted)
    assert.include(yield* sample("second"), "answer 3")
    assert.deepInclude(yield* backend.status, { state: "Connected", generation: 2 })
    assert.deepStrictEqual(asked.map((text) => /first|second/.exec(text)?.[0]), ["first", "first", "second"])
  })
