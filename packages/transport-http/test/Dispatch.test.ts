import { Sending } from "@mcp-lifeline/core"
import type { Connector, RequestError } from "@mcp-lifeline/core"
import { HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Exit, Fiber, Redacted, Scope } from "effect"
import * as Undici from "undici"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { Dispatch } from "../src/Dispatch.js"
import { type Ask, byDispatcher } from "../src/Send.js"
import * as Harness from "./fixtures/Harness.js"

type Handler = Undici.Dispatcher.DispatchHandler

const sending = (dispatch: Dispatch, play: (handler: Handler) => void): Promise<unknown> => {
  const dispatcher = {
    dispatch: (_: unknown, handler: Handler) => {
      play(handler)
      return true
    }
  } as unknown as Undici.Dispatcher
  const ask: Ask = { method: "POST", url: new URL("http://server.test/mcp"), headers: {}, body: "{}", dispatch }
  const send = byDispatcher(Undici, { calls: dispatcher, prompt: dispatcher, answerless: dispatcher })
  return send(ask, {}, new AbortController().signal)
}

describe("whether a request was given to a socket", () => {
  it("[C19] is what undici reports before it writes: not before, not where it only fails", async () => {
    const dispatch = new Dispatch()
    const seen: Array<boolean> = []
    const sent = sending(dispatch, (handler) => {
      seen.push(dispatch.isDone)
      handler.onConnect?.(() => {})
      seen.push(dispatch.isDone)
      handler.onError?.(new Error("reset"))
    })
    await sent.then(() => assert.fail("it fails"), ({ message }) => assert.strictEqual(message, "reset"))
    assert.deepStrictEqual(seen, [false, true])
    assert.isFalse(dispatch.withdraw())

    const waiting = new Dispatch()
    await sending(waiting, (handler) => handler.onError?.(new Error("refused"))).catch(() => {})
    assert.isFalse(waiting.isDone)
    assert.isTrue(waiting.withdraw())
  })

  it("[C19] one that was withdrawn is given to none, even if its turn comes in the same moment", async () => {
    const dispatch = new Dispatch()
    assert.isTrue(dispatch.withdraw())
    let aborted: Error | undefined
    const sent = sending(dispatch, (handler) => {
      handler.onConnect?.((error) => {
        aborted = error
      })
      handler.onError?.(aborted ?? new Error("it was not aborted"))
    })
    await sent.then(() => assert.fail("it fails"), ({ message }) => assert.include(message, "withdrawn"))
    assert.isFalse(dispatch.isDone)
  })

  it("[C19] is known again for one that is sent once more", () => {
    const dispatch = new Dispatch()
    assert.isTrue(dispatch.begin())
    dispatch.again()
    assert.isFalse(dispatch.isDone)
    assert.isTrue(dispatch.withdraw())
    dispatch.again()
    assert.isFalse(dispatch.begin())
  })

  const closedWhile = (connector: Connector, isUnderWay: Effect.Effect<unknown>) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { connection } = yield* Scope.extend(Harness.connect(connector), scope)
      const call = Sending.ask(connection, "tools/call", { name: "echo" }, { timeout: 20_000 })
      const calling = yield* Effect.fork(Effect.flip(call))
      yield* isUnderWay
      yield* Scope.close(scope, Exit.void)
      return (yield* Fiber.join(calling)) as RequestError
    })

  test.scopedLive("[C19:real] a call that was refused and waits for other credentials was not sent", function*() {
    const server = yield* Harness.server
    const asked = yield* Deferred.make<void>()
    server.fail("tools/call", HttpFault.status(401))
    const connector = HttpConnector.make({
      url: server.url,
      protocol: "2025",
      authorization: {
        tokens: () => Effect.succeed({ access: Redacted.make("the token"), refresh: undefined }),
        renew: () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never),
        isRunning: () => false
      }
    })
    assert.strictEqual((yield* closedWhile(connector, Deferred.await(asked))).fate, "notSent")
  })

  test.scopedLive("[C19:real] of what a fetch of the caller's was given nobody knows: it may have left", function*() {
    const server = yield* Harness.server
    server.fail("tools/call", HttpFault.hang())
    const connector = HttpConnector.make({ url: server.url, protocol: "2025", fetch })
    const arrived = Effect.promise(() => server.until(() => server.count("tools/call") === 1))
    assert.strictEqual((yield* closedWhile(connector, arrived)).fate, "unknown")
  })
})
