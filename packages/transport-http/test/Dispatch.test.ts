import { Sending } from "@mcp-lifeline/core"
import type { Connector, RequestError } from "@mcp-lifeline/core"
import { HttpFault } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect, Exit, Fiber, Redacted, Scope } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"
import { Dispatch } from "../src/Dispatch.js"
import * as Harness from "./fixtures/Harness.js"

describe("whether a request was given to a socket", () => {
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
      authorization: Harness.authorization({
        tokens: () => Effect.succeed({ access: Redacted.make("the token"), refresh: undefined }),
        renew: () => Effect.zipRight(Deferred.succeed(asked, undefined), Effect.never)
      })
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
