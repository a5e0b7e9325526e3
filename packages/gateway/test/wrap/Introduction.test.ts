import type { Connector } from "@mcp-lifeline/core"
import { Effect, TestClock } from "effect"
import { setImmediate } from "node:timers/promises"
import { CachedAnswers } from "../../src/wrap/CachedAnswers.js"
import type { Message } from "../support/Host.js"
import * as RawServer from "../support/RawServer.js"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

const own = {
  serverInfo: { name: "raw", version: "1" },
  instructions: "Read before you write.",
  capabilities: { tools: { listChanged: true } }
}

const key = (name: string) => `io.modelcontextprotocol/${name}`
const capabilities = { elicitation: { form: {} } }

const discover = {
  method: "server/discover",
  params: {
    _meta: {
      [key("protocolVersion")]: "2026-07-28",
      [key("clientInfo")]: { name: "host", version: "1" },
      [key("clientCapabilities")]: capabilities
    }
  }
}
const initialize = (protocolVersion: string, name = "host") => ({
  method: "initialize",
  params: { protocolVersion, capabilities, clientInfo: { name, version: "1" } }
})

const kept = ({ result }: Message) => ({
  serverInfo: result?.["serverInfo"] ?? result?.["_meta"]?.[key("serverInfo")],
  instructions: result?.["instructions"],
  capabilities: result?.["capabilities"]
})

/** A host in front of a server whose connection takes `delay`, in milliseconds. */
const slow = Effect.fnUntraced(function*(delay: number, bridge: Wrapped.Options["bridge"] = {}) {
  const server = RawServer.connector(({ method, params }) =>
    method === "initialize" ? { ...own, protocolVersion: params?.["protocolVersion"] } : undefined
  )
  let starts = 0
  const connector: Connector = {
    ...server,
    connect: (options) =>
      Effect.suspend(() => {
        starts++
        return Effect.zipRight(Effect.sleep(delay), server.connect(options))
      })
  }
  const { request, said } = yield* Wrapped.make(() => undefined, { connector, bridge })
  let last = 0
  return {
    starts: () => starts,
    answers: () => said.filter(({ method }) => method === undefined),
    asked: ({ method, params }: { readonly method: string; readonly params: object }) =>
      Effect.promise(async () => {
        const answer = request(++last, method, params)
        while (starts === 0 && said.length === 0) await setImmediate()
        return { answer: Effect.promise(() => answer) }
      })
  }
})

const legacy = ["2024-11-05", "2025-06-18", "2025-11-25"].map((version) => initialize(version))

describe("a server that wrap has never seen", () => {
  test.scoped.each([discover, ...legacy])(
    "[W9] introduces itself to a host that asks who it is: %j",
    function*(question) {
      const { answers, asked, starts } = yield* slow(3000)
      const { answer } = yield* asked(question)
      yield* TestClock.adjust(2999)
      expect(answers()).toEqual([])
      yield* TestClock.adjust(1)
      expect(kept(yield* answer)).toEqual(own)
      expect(starts()).toBe(1)
    }
  )

  test.scoped("[W9] introduces itself to a host that asked too early, and is started once for both questions", function*() {
    const { answers, asked, starts } = yield* slow(6000)
    const first = yield* asked(discover)
    yield* TestClock.adjust(3999)
    expect(answers()).toEqual([])
    yield* TestClock.adjust(1)
    // Any error makes a host send `initialize`.
    expect(yield* first.answer).toMatchObject({ error: { code: -32_601, message: /raw has not answered yet/ } })
    const second = yield* asked(initialize("2025-11-25"))
    yield* TestClock.adjust(2000)
    expect(kept(yield* second.answer)).toEqual(own)
    expect(starts()).toBe(1)
  })

  test.scoped.each([{ name: "host", limit: 8000 }, { name: "@cline/core", limit: 2000 }, {
    name: "Cline",
    limit: 2000
  }])("[W9 W11] is announced without instructions before the host gives up: %j", function*({ limit, name }) {
    const { answers, asked } = yield* slow(20_000)
    const { answer } = yield* asked(initialize("2024-11-05", name))
    yield* TestClock.adjust(limit - 1)
    expect(answers()).toEqual([])
    yield* TestClock.adjust(1)
    const { result } = yield* answer
    expect(result).not.toHaveProperty("instructions")
    expect(result).toHaveProperty("capabilities.tools.listChanged", true)
  })

  test.scoped.each([discover, ...legacy])("[W9] is not waited for where it cannot be used: %j", function*(question) {
    const { asked } = yield* slow(20_000, { permanentFailure: () => Effect.succeed("no such command") })
    const { answer } = yield* asked(question)
    expect(yield* answer).toMatchObject({ error: { message: "no such command" } })
  })
})

describe("a server that wrap remembers", () => {
  test.scoped("[W9 E7] is not started by a host that only asks who it is", function*() {
    const introduction = { ...own, protocolVersion: "2025-11-25", sessionId: undefined }
    const { asked, starts } = yield* slow(20_000, {
      loadCache: () =>
        Effect.succeed(
          new CachedAnswers({ introduction, lists: {} } as never, () => undefined, (_, result) => result)
        )
    })
    const { answer } = yield* asked(discover)
    expect(kept(yield* answer)).toEqual(own)
    expect(starts()).toBe(0)
  })
})

describe("a host that has a session and asks without one, too", () => {
  test.scopedLive("[E7] is answered in the revision in which it asks", function*() {
    const tools = [{ name: "x", inputSchema: { type: "object" } }]
    const host = yield* Wrapped.make(({ method }) => method === "tools/list" ? { tools } : undefined)
    yield* Effect.promise(async () => {
      await host.initialize()
      const first = host.request("modern", "tools/list", discover.params)
      const [modern, legacy] = await Promise.all([first, host.request("legacy", "tools/list")])
      expect(modern.result).toMatchObject({ tools, resultType: "complete" })
      expect(legacy.result).toMatchObject({ tools })
      expect(legacy.result).not.toHaveProperty("resultType")
    })
  })
})
