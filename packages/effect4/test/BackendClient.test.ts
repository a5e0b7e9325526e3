import type { Client, Event } from "@mcp-lifeline/client"
import { Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { assert, describe, it } from "vitest"
import type { Backend } from "../src/BackendClient.js"
import * as BackendClient from "../src/BackendClient.js"
import * as Sessions from "../src/Session.js"

/** They are internal, and so in no declaration. */
const { fromClient } = BackendClient as unknown as {
  readonly fromClient: (client: Client, closed: Effect.Effect<void>) => Backend
}
const Session = Sessions as unknown as { readonly fromFacade: (session: never) => Sessions.Session }

type Asked = readonly [method: string, ...args: ReadonlyArray<unknown>]

const isSignal = (value: unknown): value is AbortSignal => value instanceof AbortSignal

const recording = (answered: Promise<unknown> = Promise.resolve()) => {
  const asked: Array<Asked> = []
  const signals: Array<AbortSignal> = []
  const listeners = new Set<(event: Event) => void>()
  const method = (name: string) => (...args: ReadonlyArray<unknown>) => {
    const shown = args.filter((arg) => arg !== undefined).map((arg) => {
      if (typeof arg !== "object" || arg === null || !("signal" in arg)) return arg
      const { signal, ...rest } = arg
      if (isSignal(signal)) signals.push(signal)
      return { ...rest, signal: isSignal(signal) }
    })
    asked.push([name, ...shown])
    return answered.then(() => name)
  }
  const methods = (prefix: string, known: Record<string, unknown>): unknown =>
    new Proxy(known, { get: (_, name) => known[String(name)] ?? method(prefix + String(name)) })
  const client = methods("", {
    name: "docs",
    status: { state: "Connected" },
    keepalive: methods("keepalive.", {}),
    supervision: methods("", {}),
    healthCheck: (options: object) =>
      method("healthCheck")(options).then(() => ({ status: { state: "Connected" }, latency: 7, error: undefined })),
    on: (name: string, listener: (event: Event) => void) => {
      asked.push(["on", name])
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }) as Client
  return { asked, client, listeners, signals }
}

const options = { timeout: 9 }
const schema = {} as never

const requests: ReadonlyArray<readonly [name: string, (of: Backend) => Effect.Effect<unknown, unknown>, Asked]> = [
  ["callTool", (of) => of.callTool({ name: "a" }, options), ["callTool", { name: "a" }, { timeout: 9, signal: true }]],
  ["listTools", (of) => of.listTools({ cursor: "a" }, options), ["listTools", { cursor: "a" }, {
    timeout: 9,
    signal: true
  }]],
  ["listPrompts", (of) => of.listPrompts({ cursor: "a" }, options), ["listPrompts", { cursor: "a" }, {
    timeout: 9,
    signal: true
  }]],
  ["getPrompt", (of) => of.getPrompt({ name: "a" }, options), ["getPrompt", { name: "a" }, {
    timeout: 9,
    signal: true
  }]],
  ["listResources", (of) => of.listResources({ cursor: "a" }, options), ["listResources", { cursor: "a" }, {
    timeout: 9,
    signal: true
  }]],
  [
    "listResourceTemplates",
    (of) => of.listResourceTemplates({ cursor: "a" }, options),
    ["listResourceTemplates", { cursor: "a" }, { timeout: 9, signal: true }]
  ],
  ["readResource", (of) => of.readResource({ uri: "a://" }, options), ["readResource", { uri: "a://" }, {
    timeout: 9,
    signal: true
  }]],
  ["subscribeResource", (of) => of.subscribeResource("a://", options), ["subscribeResource", { uri: "a://" }, {
    timeout: 9,
    signal: true
  }]],
  [
    "unsubscribeResource",
    (of) => of.unsubscribeResource("a://", options),
    ["unsubscribeResource", { uri: "a://" }, { timeout: 9, signal: true }]
  ],
  [
    "complete",
    (of) => of.complete({ ref: { type: "ref/prompt", name: "a" }, argument: { name: "b", value: "c" } }, options),
    ["complete", { ref: { type: "ref/prompt", name: "a" }, argument: { name: "b", value: "c" } }, {
      timeout: 9,
      signal: true
    }]
  ],
  ["setLoggingLevel", (of) => of.setLoggingLevel("error", options), ["setLoggingLevel", "error", {
    timeout: 9,
    signal: true
  }]],
  ["ping", (of) => of.ping(options), ["ping", { timeout: 9, signal: true }]],
  [
    "request",
    (of) => of.request({ method: "x/y", params: { a: 1 } }, schema, options),
    ["request", { method: "x/y", params: { a: 1 } }, schema, { timeout: 9, signal: true }]
  ],
  ["healthCheck", (of) => of.healthCheck, ["healthCheck", { signal: true }]],
  ["firstOutcome", (of) => of.firstOutcome, ["firstOutcome", { signal: true }]],
  ["reconnect", (of) => of.reconnect, ["reconnect", { signal: true }]],
  ["enable", (of) => of.enable, ["enable", { signal: true }]],
  ["disable", (of) => of.disable, ["disable", { signal: true }]],
  ["disconnect", (of) => of.disconnect, ["disconnect", { signal: true }]],
  ["refresh", (of) => of.refresh, ["refresh", { signal: true }]],
  ["approveTools", (of) => of.approveTools, ["approveTools", { signal: true }]],
  ["keepalive.pause", (of) => of.keepalive.pause, ["keepalive.pause"]],
  ["keepalive.resume", (of) => of.keepalive.resume, ["keepalive.resume"]]
]

describe("a backend over a client", () => {
  it.each(requests)(
    "[N1:unit] %s asks the client for that, with its options, each time that it runs",
    async (_, use, wanted) => {
      const { asked, client } = recording()
      const asking = use(fromClient(client, Effect.never))
      assert.deepEqual(asked, [])
      await Effect.runPromise(asking)
      await Effect.runPromise(asking)
      assert.deepEqual(asked, [wanted, wanted])
    }
  )

  it.each(requests.filter(([name]) => !name.startsWith("keepalive")))(
    "[N1:unit] %s is given up when nobody waits for it any more",
    async (_, use) => {
      const { asked, client, signals } = recording(new Promise(() => undefined))
      const fiber = Effect.runFork(use(fromClient(client, Effect.never)))
      while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(signals.map(({ aborted }) => aborted), [false])
      await Effect.runPromise(Fiber.interrupt(fiber))
      assert.deepEqual(signals.map(({ aborted }) => aborted), [true])
    }
  )

  it("[N1:unit] what has no parameters or options is asked without them", async () => {
    const { asked, client } = recording()
    const backend = fromClient(client, Effect.never)
    await Effect.runPromise(Effect.andThen(backend.listTools(), backend.ping()))
    assert.deepEqual(asked, [["listTools", { signal: true }], ["ping", { signal: true }]])
  })

  it("[N1:unit] a health check without an answer says why, as an error of this package", async () => {
    const { client } = recording()
    const error = Object.assign(new Error("away"), {
      _tag: "RequestTimeout",
      backend: "docs",
      method: "ping",
      timeout: 5
    })
    Object.assign(client, { healthCheck: () => Promise.resolve({ status: client.status, latency: undefined, error }) })
    const { error: shown, latency } = await Effect.runPromise(fromClient(client, Effect.never).healthCheck)
    assert.isUndefined(latency)
    assert.deepInclude({ ...shown }, { _tag: "RequestTimeout", backend: "docs", timeout: 5 })
    assert.notStrictEqual<unknown>(shown, error)
  })

  it("[N1:unit] a reader of events has all in order; no listener is left when it or the client ends", async () => {
    for (const way of ["taken", "interrupted", "closed"] as const) {
      const { client, listeners } = recording()
      const closed = Deferred.makeUnsafe<void>()
      const { events } = fromClient(client, Deferred.await(closed))
      assert.strictEqual(listeners.size, 0)
      const reading = Effect.runFork(Stream.runCollect(way === "taken" ? Stream.take(events, 2) : events))
      while (listeners.size === 0) await new Promise((resolve) => setImmediate(resolve))
      for (const event of ["one", "two"]) for (const listener of listeners) listener(event as never)
      if (way === "closed") Deferred.doneUnsafe(closed, Effect.void)
      if (way === "interrupted") await Effect.runPromise(Fiber.interrupt(reading))
      const exit = await Effect.runPromise(Fiber.await(reading))
      if (way !== "interrupted") assert.deepEqual(Exit.isSuccess(exit) && exit.value, ["one", "two"] as never)
      assert.strictEqual(listeners.size, 0)
    }
  })
})

describe("a session that is being prepared", () => {
  it("[N1:unit] is asked for what was said, on its own connection", async () => {
    const asked: Array<unknown> = []
    const session = Session.fromFacade(
      {
        backend: "docs",
        generation: 3,
        signal: new AbortController().signal,
        callTool: async (...args: ReadonlyArray<unknown>) => void asked.push(["callTool", ...args]),
        readResource: async (...args: ReadonlyArray<unknown>) => void asked.push(["readResource", ...args]),
        request: async (...args: ReadonlyArray<unknown>) => void asked.push(["request", ...args])
      } as never
    )
    const own = { timeout: 9 }
    await Effect.runPromise(session.callTool({ name: "a" }, own))
    await Effect.runPromise(session.readResource({ uri: "a://" }, own))
    await Effect.runPromise(session.request({ method: "x/y" }, schema, own))
    assert.deepEqual([session.backend, session.generation], ["docs", 3])
    assert.deepEqual(asked, [
      ["callTool", { name: "a" }, own],
      ["readResource", { uri: "a://" }, own],
      ["request", { method: "x/y" }, schema, own]
    ])
  })
})
