import { describe, expect, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect, Option, Stream } from "effect"
import * as OwnerConnection from "../src/hop/OwnerConnection.js"

describe("a connection to the owner of a server", () => {
  it.scopedLive("[D8] is lost as one that moves when the owner gives the server up, and nobody has forgotten a session", () =>
    Effect.gen(function*() {
      const script = ScriptedConnector.make()
      const connector = {
        ...script,
        connect: (options: Parameters<typeof script.connect>[0]) => OwnerConnection.connect(script, options)
      }
      const backend = yield* Backend.make("s", { connector, keepalive: { method: "none" } })
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
      expect(Option.getOrThrow(yield* lost)).toMatchObject({ loss: { kind: "session", isMove: true } })
      expect(heard).toEqual(["notifications/message"])
    }))
})
