import { Backend, RequestError } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Stream, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"

const asked = (script: ScriptedConnector.ScriptedConnector, connection: number) =>
  script.ledger.entries.flatMap((entry) =>
    entry._tag === "Sent" && entry.connection === connection && /subscribe|setLevel|tools\/call/.test(entry.method)
      ? [entry.method]
      : []
  )

describe("Standing", () => {
  test.scoped("[C7] subscriptions and the logging level are asked for again before calls are let in", function*() {
    const script = ScriptedConnector.make()
    const uris: Array<unknown> = []
    script.respond = (method, params) => {
      if (method === "resources/subscribe") uris.push((params as { readonly uri: string }).uri)
      return undefined
    }
    const backend = yield* Backend.make("one", { connector: script })
    yield* backend.firstOutcome
    yield* backend.setLoggingLevel("warning")
    yield* backend.subscribeResource("file:///a")
    yield* backend.subscribeResource("file:///b")
    yield* backend.unsubscribeResource("file:///b")
    uris.length = 0
    const heard: Array<unknown> = []
    yield* Effect.forkScoped(
      Stream.runForEach(backend.notifications, (one) => Effect.sync(() => void heard.push([one, uris.length])))
    )
    script.current.lose()
    yield* TestClock.adjust("2 seconds")
    yield* backend.callTool({ name: "echo" })
    expect(asked(script, 1)).toEqual(["logging/setLevel", "resources/subscribe", "tools/call"])
    expect(uris).toEqual(["file:///a"])
    // It may have changed meanwhile.
    expect(heard).toEqual([[{ method: "notifications/resources/updated", params: { uri: "file:///a" } }, 1]])
  })

  test.scoped("(C7) what the new session refuses keeps nothing back", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* Backend.make("one", { connector: script })
    yield* backend.firstOutcome
    yield* backend.subscribeResource("file:///a")
    script.respond = (method) =>
      method === "resources/subscribe"
        ? {
          answer: "error",
          error: new RequestError({ fate: "answered", reason: "remote", code: -32002, message: "no such resource" })
        }
        : undefined
    script.current.lose()
    yield* TestClock.adjust("2 seconds")
    expect((yield* backend.status).generation).toBe(2)
  })
})
