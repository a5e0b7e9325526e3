import { describe, expect, it } from "@effect/vitest"
import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { ListToolsResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Random, Runtime, TestClock } from "effect"
import type { ListMethod } from "../src/listMethods.js"
import { ListWatch } from "../src/relay/ListWatch.js"

const { tool } = ScriptedConnector

/** A server, and what a client is told whose list is the one that the server has at first. */
const watched = (options: Partial<Backend.BackendOptions> = {}) =>
  Effect.gen(function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script, keepalive: { method: "none" }, ...options })
    yield* TestClock.adjust(0)
    const runtime = yield* Effect.runtime()
    const changed: Array<ReadonlyArray<ListMethod>> = []
    const watch = new ListWatch({
      target: {
        fork: (work) => Runtime.runFork(runtime)(work),
        use: (f) => f(backend),
        backend: () => backend
      },
      schemaOf: () => ListToolsResultSchema,
      onChanged: (methods) => void changed.push(methods)
    })
    const offer = (...names: ReadonlyArray<string>) => {
      script.offer = { ...script.offer, tools: names.map((name) => tool(name)) }
    }
    const compare = Effect.zipRight(Effect.sync(() => watch.compare()), TestClock.adjust(0))
    const read = Effect.map(backend.listTools(), (page) => watch.given("tools/list", undefined, page))
    offer("a")
    yield* read
    yield* Effect.forkScoped(watch.work)
    return { backend, changed, compare, offer, read, script, watch }
  })

const tools = ["tools/list"]

describe("lists that nobody announces", () => {
  it.scoped("[P9] each change is told once, also the second, and the one that takes the first back", () =>
    Effect.gen(function*() {
      const { changed, compare, offer } = yield* watched()
      yield* compare
      expect(changed).toEqual([])
      for (const [nth, names] of [["a", "b"], ["a", "c"], ["a"]].entries()) {
        offer(...names)
        yield* compare
        expect(changed.length).toBe(nth + 1)
        yield* compare
        expect(changed.length).toBe(nth + 1)
      }
      expect(changed).toEqual([tools, tools, tools])
    }))

  it.scoped("[P9] one that can't be read is told once, however often that fails, and once more when it can be read, each time", () =>
    Effect.gen(function*() {
      const { changed, compare, script } = yield* watched()
      const error = new RequestError({ fate: "answered", reason: "remote", code: -32_000, message: "no" })
      for (const told of [2, 4]) {
        script.respond = (method) => method === "tools/list" ? { answer: "error", error } : undefined
        yield* compare
        yield* compare
        expect(changed.length).toBe(told - 1)
        script.respond = undefined
        yield* compare
        yield* compare
        expect(changed.length).toBe(told)
      }
    }))

  it.scoped("[P9] a change during a comparison is found by the next one, which follows at once, and once", () =>
    Effect.gen(function*() {
      const { changed, compare, offer, script } = yield* watched()
      script.respond = (method) => method === "tools/list" ? { answer: "result", after: 1000 } : undefined
      const asked = script.ledger.sent("tools/list").length
      yield* compare
      offer("b")
      yield* compare
      yield* compare
      expect(script.ledger.sent("tools/list").length - asked).toBe(1)
      yield* TestClock.adjust(5000)
      expect(script.ledger.sent("tools/list").length - asked).toBe(2)
      expect(changed).toEqual([tools])
    }))

  it.scoped("[P9] are compared at intervals for as long as announcements do not arrive, also the second time", () =>
    Effect.gen(function*() {
      const { changed, offer, watch } = yield* watched()
      let told = 0
      for (const round of [1, 2]) {
        watch.heard({ announced: [], unannounced: ["tools"] })
        for (const name of ["b", "c"]) {
          offer(`${name} ${round}`)
          yield* TestClock.adjust("1 hour")
          expect(changed.length).toBe(++told)
        }
        watch.heard({ announced: ["tools"], unannounced: [] })
        yield* TestClock.adjust("1 hour")
        offer(`unheard ${round}`)
        yield* TestClock.adjust("1 hour")
        expect(changed.length).toBe(told)
        // When they arrive again, what was missed is told.
        watch.heard({ announced: ["tools"], unannounced: [] })
        yield* TestClock.adjust(0)
        expect(changed.length).toBe(++told)
      }
    }).pipe(Effect.withRandom(Random.fixed([0.5]))))
})

describe("lists that a server announces", () => {
  it.scoped("[P9] are told at once, until the client has read the same again: then they are compared first, the less often the longer nothing differs", () =>
    Effect.gen(function*() {
      const { changed, offer, read, script, watch } = yield* watched()
      let count = 0
      script.respond = (method) => {
        if (method === "tools/list") count++
        return undefined
      }
      // It says so whenever it is asked, the client asks whenever it hears it, and so on for ten minutes.
      let told = 0
      for (let time = 0; time < 200; time++) {
        if (watch.announced(["tools/list"])) {
          told++
          yield* read
        }
        yield* TestClock.adjust("3 seconds")
      }
      expect(told).toBe(1)
      expect(changed).toEqual([])
      expect(count).toBeGreaterThan(5)
      expect(count).toBeLessThan(20)
      offer("a", "b")
      expect(watch.announced(["tools/list"])).toBe(false)
      yield* TestClock.adjust("1 minute")
      expect(changed).toEqual([tools])
      yield* read
      // It was one that is worth to be told.
      expect(watch.announced(["tools/list"])).toBe(true)
      yield* read
      offer("a")
      expect(watch.announced(["tools/list"])).toBe(false)
      yield* TestClock.adjust("1 second")
      expect(changed).toEqual([tools, tools])
    }))

  it.scoped("[P9] that are compared are told, whoever reads them meanwhile: another client, or this one before they changed", () =>
    Effect.gen(function*() {
      const { changed, offer, read, script, watch } = yield* watched()
      const page = (...names: ReadonlyArray<string>) => ({ tools: names.map((name) => tool(name)) })
      expect(watch.announced(["tools/list"])).toBe(true)
      yield* read
      // Compared once, so that there is a pause before the next.
      expect(watch.announced(["tools/list"])).toBe(false)
      yield* TestClock.adjust(0)
      offer("a", "b")
      expect(watch.announced(["tools/list"])).toBe(false)
      watch.given("tools/list", undefined, page("a", "b"))
      expect(changed).toEqual([tools])
      yield* TestClock.adjust("1 minute")
      yield* read
      expect(watch.announced(["tools/list"])).toBe(true)
      yield* read
      // An answer from before the change comes while the list is compared.
      let hasCome = false
      script.respond = (method) => {
        if (method === "tools/list" && !hasCome) {
          hasCome = true
          watch.given("tools/list", undefined, page("a", "b"))
        }
        return undefined
      }
      offer("c")
      expect(watch.announced(["tools/list"])).toBe(false)
      yield* TestClock.adjust("1 minute")
      expect(changed).toEqual([tools, tools])
    }))

  it.scoped("[P9] are compared without a pause where there is another reason for it", () =>
    Effect.gen(function*() {
      const { changed, compare, offer, read, watch } = yield* watched()
      watch.announced(["tools/list"])
      yield* read
      watch.announced(["tools/list"])
      yield* TestClock.adjust(0)
      offer("a", "b")
      watch.announced(["tools/list"])
      yield* TestClock.adjust(0)
      expect(changed).toEqual([])
      yield* compare
      expect(changed).toEqual([tools])
    }))

  it.scoped("[P9] wake no server that was released", () =>
    Effect.gen(function*() {
      const { backend, read, script, watch } = yield* watched({ lifecycle: { idleRelease: "200 millis" } })
      watch.announced(["tools/list"])
      yield* read
      for (let time = 0; time < 2; time++) {
        watch.announced(["tools/list"])
        yield* TestClock.adjust(0)
      }
      yield* TestClock.adjust("2 minutes")
      expect([(yield* backend.status).state, script.connections.length]).toEqual(["Idle", 1])
    }))

  it.scoped("[P9] are told each time where they differ, where the client has not read them, and where it reads another one too", () =>
    Effect.gen(function*() {
      const { changed, offer, read, watch } = yield* watched()
      for (const names of [["a", "b"], ["a"], ["a", "c"]]) {
        offer(...names)
        expect([watch.announced(["tools/list"]), watch.announced(["tools/list"])]).toEqual([true, true])
        yield* read
      }
      for (let time = 0; time < 3; time++) expect(watch.announced(["prompts/list"])).toBe(true)
      const resources: ReadonlyArray<ListMethod> = ["resources/list", "resources/templates/list"]
      const given = (method: ListMethod, field: string, ...names: ReadonlyArray<string>) =>
        watch.given(method, undefined, { [field]: names.map((name) => ({ name })) })
      given("resources/list", "resources", "one")
      given("resources/templates/list", "resourceTemplates", "one")
      for (const name of ["two", "three"]) {
        expect(watch.announced(resources)).toBe(true)
        given("resources/list", "resources", "one")
        given("resources/templates/list", "resourceTemplates", name)
      }
      // What the client knows is forgotten with its connection.
      expect(watch.announced(["tools/list"])).toBe(true)
      yield* read
      expect(watch.announced(["tools/list"])).toBe(false)
      watch.forget()
      expect(watch.announced(["tools/list"])).toBe(true)
      expect(changed).toEqual([])
    }))
})
