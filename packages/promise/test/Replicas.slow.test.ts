import { assert, describe, it } from "@effect/vitest"
import { connect } from "@mcp-lifeline/client"
import { HttpFaultServer } from "@mcp-lifeline/testing"
import { rejection } from "./fixtures/rejection.js"

describe("replicas without sticky sessions", () => {
  it("[R7:real R12] connect names the cause where no session outlives its handshake", async () => {
    await using server = await HttpFaultServer.open()
    // The balancer takes turns: what follows `initialize` reaches the replica that has not seen it.
    server.hook = ({ http, response, rpc }) => {
      if (rpc === "initialize" || http === "DELETE") return undefined
      response.writeHead(404).end("Session not found")
      return true
    }
    const began = performance.now()
    const error = await rejection(connect({ url: server.url }, { timeouts: { connect: "20 seconds" } }))
    assert.include(String(error), "keeps forgetting its sessions")
    assert.include(String(error), "replicas without sticky sessions")
    // Ten at once, then one a second; and those of the backoff, which are rarer.
    const seconds = Math.ceil((performance.now() - began) / 1000)
    assert.isAtMost(server.count("initialize"), 10 + 1.5 * seconds)
  })
})
