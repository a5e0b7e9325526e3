import { Backend, BackendUnavailable, RequestError } from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Option, Stream, TestClock } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as OwnerConnection from "../src/hop/OwnerConnection.js"

const remote = (script: ScriptedConnector.ScriptedConnector) =>
  Backend.make("s", {
    connector: { ...script, connect: (options) => OwnerConnection.connect(script, options) },
    keepalive: { method: "none" }
  })

describe("a connection to the owner of a server", () => {
  test.scopedLive("[D8] is lost as one that moves when the owner gives the server up, and nobody has forgotten a session", function*() {
    const script = ScriptedConnector.make()
    const backend = yield* remote(script)
    yield* backend.firstOutcome
    const lost = yield* Effect.fork(
      Stream.runHead(Stream.filter(backend.events, ({ _tag }) => _tag === "RuntimeLost"))
    )
    const heard: Array<string> = []
    yield* Effect.fork(
      Stream.runForEach(backend.notifications, ({ method }) => Effect.sync(() => heard.push(method)))
    )
    yield* Effect.sleep("20 millis")
    script.current.notify("notifications/message")
    script.current.notify(OwnerConnection.going)
    expect(Option.getOrThrow(yield* lost)).toMatchObject({
      loss: { kind: "session", isMove: true, message: "the replica that runs the server gives it to others" }
    })
    expect(heard).toEqual(["notifications/message"])
  })

  test.scoped("[D2 P3] reads lists again for which the owner could not ask the server", function*() {
    const script = ScriptedConnector.make()
    const { code, data, message } = JsonRpcError.fromCallError(
      new BackendUnavailable({ backend: "s", message: "it is away", state: "Reconnecting" })
    )
    const error = new RequestError({ fate: "answered", reason: "remote", code, data, message })
    script.respond = (method) => method === "tools/list" ? { answer: "error", error } : undefined
    const backend = yield* remote(script)
    yield* backend.firstOutcome
    script.respond = undefined
    yield* TestClock.adjust("1 minute")
    expect((yield* backend.catalog)?.tools.map(({ name }) => name)).toEqual(["echo"])
    expect(script.connections.length).toBe(1)
  })
})
