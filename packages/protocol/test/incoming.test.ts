import type { Report } from "@mcp-lifeline/core"
import { ScriptedConnector } from "@mcp-lifeline/testing"

import { describe, expect, test } from "../../testing/test/support/vitest.js"
import { Incoming } from "../src/relay/Incoming.js"

describe("what arrives of a server", () => {
  test.scoped("[E4] of which lists no changes arrive is said by the connection, also before it is made, and anew by each", function*() {
    const incoming = new Incoming()
    const reported: Array<Report> = []
    const script = ScriptedConnector.make()
    const { connect } = script
    const unheard = [["tools"], ["tools", "prompts"], []] as const
    let made = 0
    const connector = incoming.around(Object.assign(script, {
      connect: (options: Parameters<typeof connect>[0]) => {
        const unannounced = unheard[made++] ?? []
        if (unannounced.length > 0) options.report({ _tag: "Hearing", hearing: { announced: [], unannounced } })
        return connect(options)
      }
    }))
    for (const unannounced of unheard) {
      yield* connector.connect({ report: (report) => void reported.push(report) })
      expect(incoming.unannounced).toEqual(unannounced)
    }
    script.current.options.report({ _tag: "Hearing", hearing: { announced: [], unannounced: ["resources"] } })
    expect(incoming.unannounced).toEqual(["resources"])
    script.current.notify("notifications/message")
    expect(reported.map(({ _tag }) => _tag)).toEqual(["Hearing", "Hearing", "Hearing", "Notification"])
  })
})
