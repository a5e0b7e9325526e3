import type { Backend } from "@mcp-lifeline/core"
import { Effect, Option, Stream } from "effect"
import { describe, expect, test } from "../support/vitest.js"
import * as Wrapped from "../support/Wrapped.js"

const refusing = Effect.fnUntraced(function*(reconnect: { readonly auto: boolean }) {
  const server = { isMended: false, attempts: 0 }
  const failures: Array<string> = []
  const permanentFailure = (backend: Backend.Backend) =>
    backend.status.changes.pipe(
      Stream.filterMap(({ lastError, state }) =>
        state === "PermanentlyFailed" && !server.isMended ? Option.some(lastError ?? "") : Option.none()
      ),
      Stream.runHead,
      Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
    )
  const host = yield* Wrapped.make(
    ({ method }) => {
      if (method !== "initialize") return undefined
      server.attempts++
      return server.isMended
        ? undefined
        : { protocolVersion: "1990-01-01", capabilities: {}, serverInfo: { name: "old", version: "1" } }
    },
    {
      policy: { reconnect: { ...reconnect, demandInterval: "300 millis" } },
      bridge: { permanentFailure, isConnectedOnRequest: !reconnect.auto, onFailed: (message) => failures.push(message) }
    }
  )
  return { server, failures, initialize: Effect.promise(host.initialize) }
})

describe("a server that wrap could not use as its host began", () => {
  test.scopedLive.each([{ auto: true }, { auto: false }])(
    "[W4] is used once it is mended and the host begins again, which it can do once: %j",
    function*(reconnect) {
      const { failures, initialize, server } = yield* refusing(reconnect)
      const first = yield* initialize
      expect(first.error).toMatchObject({ code: -32_000, message: expect.stringContaining("1990-01-01") })
      expect(failures).toEqual([first.error?.message])
      if (reconnect.auto) {
        expect((yield* initialize).error).toMatchObject({ message: expect.stringContaining("1990-01-01") })
      }
      server.isMended = true
      // What the server says of itself, and no guess.
      expect(yield* initialize).toMatchObject({ result: { serverInfo: { name: "raw", version: "1" } } })
      const { attempts } = server
      expect((yield* initialize).error).toMatchObject({ code: -32_600, message: "initialize was sent before" })
      expect([failures.length, server.attempts]).toEqual([reconnect.auto ? 2 : 1, attempts])
    }
  )
})
