import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { describe, expect, it } from "vitest"
import { doors } from "../support/CallDoors.js"

const forms = { "an empty event stream": HttpFault.end(), silence: HttpFault.hang(), 503: HttpFault.status(503) }

describe.concurrent.each(Object.entries(doors))("through %s", (_, door) => {
  it.each(Object.entries(forms))(
    "[E1:real] a server that answers server/discover with %s is used",
    async (_, fault) => {
      await using server = await HttpFaultServer.open()
      server.fail("server/discover", fault)
      await door({ url: server.url }, { timeouts: { connect: "2 minutes", wait: "2 minutes" } }, async (call) => {
        expect(await call("echo", { arguments: { message: "hi" } })).toBe("hi")
      })
    }
  )
})
