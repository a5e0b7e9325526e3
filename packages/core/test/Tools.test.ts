import { Backend, Fleet, Policy } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Either, Exit, Fiber, Logger, TestClock } from "effect"
import * as fc from "fast-check"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import * as Tools from "../src/options/Tools.js"

const { tool } = ScriptedConnector

const decode = (tools: unknown) => Policy.decode("one", { tools } as Policy.PolicyOptions)
const rules = (tools: Policy.PolicyOptions["tools"]) => Either.getOrThrow(decode(tools)).tools
const choose = (tools: Policy.PolicyOptions["tools"], name: string) => Tools.choose(rules(tools), name)

describe("patterns of tools", () => {
  it.each<[string, string, boolean]>([
    ["search", "search", true],
    ["search", "Search", false],
    ["write_*", "write_", true],
    ["write_*", "write_file", true],
    ["write_*", "rewrite_file", false],
    ["*_file", "write_file", true],
    ["*_file", "write_files", false],
    ["*", "", true],
    ["?", "", false],
    ["?", "a", true],
    ["get_?", "get_ab", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["", "", true],
    ["", "a", false],
    ["a*", "a*", true],
    ["git.[st]", "git.s", false],
    ["git.[st]", "git.[st]", true]
  ])("[C18:unit] %j and %j: %s", (pattern, name, expected) => {
    assert.strictEqual(Tools.matches(pattern, name), expected)
  })

  it("[C18:unit] match what the same regular expression does", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 })
    fc.assert(fc.property(text, text, (pattern, name) => {
      const source = pattern.replaceAll("*", ".*").replaceAll("?", ".")
      assert.strictEqual(Tools.matches(pattern, name), pattern === name || new RegExp(`^${source}$`).test(name))
    }))
  })
})

describe("options by tool", () => {
  it("[C18:unit] the most exact one counts, option by option", () => {
    const tools = {
      "*": { timeout: "1s", retry: "never", idempotent: true, concurrency: 9 },
      "write_*": { timeout: "2s", concurrency: 2 },
      "*_file": { timeout: "3s", retry: "safe" },
      "write_file": { timeout: "4s", idempotent: false }
    } as const
    const { lane, ...file } = choose(tools, "write_file")!
    assert.deepStrictEqual(file, { timeout: 4000, retry: "safe", idempotent: false })
    assert.strictEqual(lane?.pattern, "write_*")
    assert.strictEqual(choose(tools, "write_all")?.timeout, 2000)
    assert.strictEqual(choose(tools, "read_file")?.timeout, 3000)
    assert.deepStrictEqual(choose(tools, "x"), {
      timeout: 1000,
      retry: "never",
      idempotent: true,
      lane: rules(tools)[3]
    })
    assert.isUndefined(choose({ "write_*": { timeout: 1 } }, "x"))
    // Of two that are equally exact, the first.
    assert.strictEqual(choose({ "a*": { timeout: 1 }, "*a": { timeout: 2 } }, "aa")?.timeout, 1)
    assert.strictEqual(choose({ "*a": { timeout: 2 }, "a*": { timeout: 1 } }, "aa")?.timeout, 2)
    // A name is more exact than any pattern, and what looks like a pattern may be a name.
    assert.strictEqual(
      choose({ "long_nam*": { timeout: 1 }, "*long_name": { timeout: 2 }, "long_name": { timeout: 3 } }, "long_name")
        ?.timeout,
      3
    )
  })

  it("[C18:unit] those of a server override those of its fleet, option by option", () => {
    const merged = Policy.merge(
      { tools: { a: { timeout: 1, retry: "never" }, b: { timeout: 2 } } },
      { tools: { a: { timeout: 3, retry: undefined }, c: { concurrency: 1 } } }
    )
    assert.deepStrictEqual(merged.tools, {
      a: { timeout: 3, retry: "never" },
      c: { concurrency: 1 },
      b: { timeout: 2 }
    })
    assert.deepStrictEqual(Policy.merge({ tools: { a: {} } }, {}).tools, { a: {} })
    assert.deepStrictEqual(Policy.merge({}, { tools: { a: {} } }).tools, { a: {} })
    const names = Policy.merge({ tools: JSON.parse('{"__proto__":{"timeout":1}}') as {} }, { tools: { a: {} } })
    assert.deepStrictEqual(Object.keys(names.tools ?? {}), ["a", "__proto__"])
  })

  it.each<[unknown, string]>([
    [5, "tools is 5; accepted: an object of options by the name of the tool"],
    [["a"], "tools is an array; accepted: an object of options by the name of the tool"],
    [{ "write_*": 5 }, "tools.write_* is 5; accepted: an object of options"],
    [{ "write_*": { timeout: "soon" } }, 'tools.write_*.timeout is "soon"; accepted: 1 ms to 7 d'],
    [{ "write_*": { concurrency: 0 } }, "tools.write_*.concurrency is 0; accepted: a whole number from 1 to 1000000"],
    [{ a: { retry: "maybe" } }, 'tools.a.retry is "maybe"; accepted: "safe" or "never"'],
    [{ a: { timout: 5 } }, 'tools.a.timout is not an option of a tool; did you mean "timeout"?'],
    [
      { a: { colour: 5 } },
      "tools.a.colour is not an option of a tool; there are: timeout, retry, concurrency, idempotent"
    ]
  ])("[K5] %j is refused", (tools, message) => {
    assert.strictEqual(Either.getOrThrow(Either.flip(decode(tools))).message, `one: ${message}`)
  })
})

const start = (options: Partial<Backend.BackendOptions>) => {
  const script = ScriptedConnector.make()
  script.offer = { ...script.offer, tools: [tool("read_file", { readOnlyHint: true }), tool("write_file")] }
  return Effect.map(
    Effect.tap(
      Backend.make("one", { connector: script, keepalive: { method: "none" }, ...options }),
      () => TestClock.adjust("1 second")
    ),
    (backend) => ({ backend, script })
  )
}

const never: ScriptedConnector.Answer = { answer: "never" }

describe("calls of tools with options", () => {
  test.scoped("[C18:virtual] the timeout of a tool, and that of the call above it", function*() {
    const { backend, script } = yield* start({ tools: { "write_*": { timeout: "3 s" } } })
    script.respond = (method) => method === "tools/call" ? never : undefined
    const outcome = (name: string, options?: Backend.CallOptions) =>
      Effect.gen(function*() {
        const call = yield* Effect.fork(Effect.flip(backend.callTool({ name }, options)))
        const before = yield* TestClock.currentTimeMillis
        while (call.unsafePoll() === null) yield* TestClock.adjust(500)
        yield* Fiber.join(call)
        return (yield* TestClock.currentTimeMillis) - before
      })
    assert.strictEqual(yield* outcome("write_file"), 3000)
    assert.strictEqual(yield* outcome("write_file", { defaultTimeout: Number.POSITIVE_INFINITY }), 3000)
    assert.strictEqual(yield* outcome("write_file", { timeout: "1 s" }), 1000)
    assert.strictEqual(yield* outcome("write_file", { timeout: "5 s" }), 5000)
    assert.strictEqual(yield* outcome("read_file"), 60_000)
    assert.strictEqual(yield* outcome("read_file", { defaultTimeout: "7 s" }), 7000)
  })

  test.scoped.each<[string, string, Policy.ToolOptions, Backend.CallOptions, number]>([
    ["a call that changes something is sent once", "write_file", {}, {}, 1],
    ["not if its tool is idempotent", "write_file", { idempotent: true }, {}, 2],
    [
      "the call's own word counts before that of its tool",
      "write_file",
      { idempotent: true },
      { idempotent: false },
      1
    ],
    ["and in the other direction", "write_file", { idempotent: false }, { idempotent: true }, 2],
    ["a read is sent again", "read_file", {}, {}, 2],
    ["not if the tool is said not to be idempotent", "read_file", { idempotent: false }, {}, 1],
    ["nothing is sent again with retry never", "read_file", { retry: "never" }, {}, 1],
    ["nor by the call's own word", "read_file", { retry: "never" }, { idempotent: true }, 1],
    ["and safe overrides calls.retry", "read_file", { retry: "safe" }, {}, 2]
  ])("[C18:virtual] a lost connection: %s", function*([title, name, options, own, requests]) {
    const calls = title.includes("overrides") ? { retry: "never" as const } : {}
    const { backend, script } = yield* start({ calls, tools: { [name]: options } })
    let sent = 0
    script.respond = (method, _, connection) => {
      if (method !== "tools/call" || sent++ > 0) return undefined
      connection.lose()
      return never
    }
    const call = yield* Effect.fork(backend.callTool({ name }, own))
    yield* TestClock.adjust("20 seconds")
    assert.strictEqual(Exit.isSuccess(yield* Fiber.await(call)), requests === 2)
    assert.strictEqual(sent, requests)
  })
})

describe("patterns that match no tool", () => {
  const recorder = () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel.label === "WARN") lines.push(String(Array.isArray(message) ? message[0] : message))
    })
    return { lines, layer: Logger.replace(Logger.defaultLogger, logger) }
  }

  it.scoped("[C18:virtual] one warning each, with the name that was probably meant, and again only if newly wrong", () => {
    const { layer, lines } = recorder()
    return Effect.gen(function*() {
      const { backend, script } = yield* start(
        { tools: { "read_*": {}, "write_fiel": { retry: "never" }, "delete_*": {} } }
      )
      const meant = 'one: tools.write_fiel has no effect: the server has no such tool; did you mean "write_file"?'
      assert.deepStrictEqual(lines, [`${meant}. tools.delete_* has no effect: the server has no such tool`])
      assert.deepStrictEqual((yield* backend.status).toolOptions.unmatched, [
        { pattern: "write_fiel", meant: "write_file" },
        { pattern: "delete_*", meant: undefined }
      ])
      const changed = (...names: ReadonlyArray<string>) => {
        script.offer = { ...script.offer, tools: names.map((name) => tool(name)) }
        script.current.notify("notifications/tools/list_changed")
        return TestClock.adjust("1 second")
      }
      yield* changed("read_file", "write_file", "other")
      assert.strictEqual(lines.length, 1)
      yield* changed("read_file", "write_fiel", "delete_all")
      assert.strictEqual(lines.length, 1)
      assert.deepStrictEqual((yield* backend.status).toolOptions, { unmatched: [], warning: undefined })
      yield* changed("read_file", "write_fiel")
      assert.deepStrictEqual(lines.slice(1), ["one: tools.delete_* has no effect: the server has no such tool"])
    }).pipe(Effect.provide(layer))
  })

  it.scoped("[C18:virtual] none of a list that was cut, and none of options for several servers", () => {
    const { layer, lines } = recorder()
    return Effect.gen(function*() {
      yield* start({ tools: { nothing: {} }, discovery: { maxEntries: 1 } })
      const script = ScriptedConnector.make()
      const fleet = yield* Fleet.make({
        backends: { one: { connector: script, tools: { mine: {}, echo: {} } } },
        defaults: { tools: { nothing: {}, mine: { retry: "never" } } }
      })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* fleet.status)["one"]?.toolOptions.unmatched.map(({ pattern }) => pattern), [
        "mine"
      ])
      assert.deepStrictEqual(lines.filter((line) => line.includes("tools.")), [
        "one: tools.mine has no effect: the server has no such tool"
      ])
    }).pipe(Effect.provide(layer))
  })
})
