import { ConnectError, type ConnectReason } from "@mcp-lifeline/core"
import { EraMemory } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { assert, describe, it, test } from "../../testing/test/support/vitest.js"

const day = 86_400_000

const refused = (reason: ConnectReason) =>
  new ConnectError({ backend: "", reason, permanent: false, message: "refused" })

describe("what a connector remembers of the era", () => {
  it("[E1] that a server has sessions is remembered for 24 hours since it was found", () => {
    const memory = new EraMemory.EraMemory()
    assert.isFalse(memory.hasSessions(0))
    memory.remember(1000)
    memory.remember(2000)
    assert.isTrue(memory.hasSessions(1000 + day - 1))
    assert.isFalse(memory.hasSessions(1000 + day))
    assert.isFalse(memory.hasSessions(1000))
  })

  it("[E1 V9] it is kept where the attempt says, and comes from there", () => {
    const known: { sessionsSince?: number | undefined } = {}
    const memory = new EraMemory.EraMemory()
    memory.remember(1000)
    memory.adopt(undefined)
    memory.adopt(known)
    assert.deepStrictEqual(known, { sessionsSince: 1000 })
    const other = new EraMemory.EraMemory()
    other.adopt(known)
    assert.isTrue(other.hasSessions(2000))
    assert.isFalse(other.hasSessions(1000 + day))
    assert.deepStrictEqual(known, { sessionsSince: undefined })
  })

  test.effect("[E1] a refused handshake ends it; a network that fails, or credentials that are refused, do not", function*() {
    const memory = new EraMemory.EraMemory()
    const after = (reason: ConnectReason) => {
      memory.remember(0)
      return Effect.map(Effect.flip(memory.watch(refused(reason))), () => memory.hasSessions(1))
    }
    for (const reason of ["incompatible", "protocol", "notFound", "session"] as const) {
      assert.isFalse(yield* after(reason), reason)
    }
    for (const reason of ["refused", "closed", "timeout", "unauthorized", "forbidden", "server"] as const) {
      assert.isTrue(yield* after(reason), reason)
    }
  })
})
