import { HttpExchange, HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"

describe.each(Object.entries(doors))("through %s", (_, door) => {
  it.each(["2025", "2026"] as const)(
    "[C2:real] a call waits while a router answers 404 in the place of a server of %s",
    async (era) => {
      const tools = { add: { run: () => HttpExchange.text("added") } }
      await using server = await HttpFaultServer.open({ era, stateful: false, tools })
      await door({ url: server.url }, {}, async (call) => {
        expect(await call("add")).toBe("added")
        let refused = 0
        server.hook = (turn) => {
          if (turn.tool !== undefined) refused++
          void HttpFault.status(404, { body: "404 page not found" })(turn, () => Promise.reject(new Error()))
          return true
        }
        const called = call("add")
        await server.until(() => refused > 1)
        server.hook = undefined
        expect(await called).toBe("added")
        expect(server.applied.length).toBe(2)
      })
    }
  )
})
