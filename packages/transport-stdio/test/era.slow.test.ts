import { StdioConnector } from "@mcp-lifeline/transport-stdio"

import { assert, describe, test } from "../../testing/test/support/vitest.js"
import { journaled, sdkServer } from "./eraServers.js"
import { connectOptions } from "./support.js"

const stateless = "2026-07-28"

describe("the era of a server over stdio that starts slowly", () => {
  test.scopedLive("[E6] auto: a server without sessions that starts slowly is connected by its late answer", function*() {
    const { counts, version } = yield* journaled({ era: "2026", startDelay: 7000 })
    assert.strictEqual(yield* version, stateless)
    assert.deepStrictEqual(counts(), { start: 1, discover: 1, initialize: 1 })
    // Its refusal of the handshake has been believed: it is asked again.
    assert.strictEqual(yield* version, stateless)
    assert.deepStrictEqual(counts(), { start: 2, discover: 2, initialize: 2 })
  })

  test.scopedLive("[E6] auto: a server of the official SDK that starts slowly, and refuses the handshake before it answers what it speaks", function*() {
    let starts = 0
    const connector = StdioConnector.make(sdkServer("reject", () => starts++, 7000))
    // The connector sends initialize after 5 s: the server reads both when it has started.
    const connection = yield* connector.connect(connectOptions)
    assert.deepStrictEqual([connection.protocolVersion, starts], [stateless, 1])
  })
})
