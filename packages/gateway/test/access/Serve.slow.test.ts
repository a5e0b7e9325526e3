import { everything } from "../../../testing/test/support/Built.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

describe("a gateway whose clients have names", { timeout: 240_000 }, () => {
  test.scopedLive("[G1 G22:real] calls tools for a client that is no admin, and tells it what another command needs", function*() {
    const every = { command: process.execPath, args: [everything, "stdio"] }
    const token = "token-of-a-of-sixteen"
    const { base, run, save, serve } = yield* Gateway.place()
    save({ every }, { clients: { a: { token } } })
    yield* serve()
    const asClient = { MCP_LIFELINE_TOKEN: token }
    const stderr =
      `mcp-lifeline: a may not do this: it needs "admin": true in lifeline.clients.a of the gateway's configuration\n`
    for (const chosen of [[], ["--url", base]]) {
      const call = ["call", "every__echo", '{"message":"heard"}', ...chosen]
      expect(yield* run(call, asClient)).toMatchObject({ code: 0, stdout: "Echo: heard\n" })
      expect(yield* run(["reconnect", "every", ...chosen], asClient)).toMatchObject({ code: 1, stdout: "", stderr })
    }
  })

  test.scopedLive.each<[Record<string, string>, number, RegExp]>([
    [{ MCP_LIFELINE_PUBLIC_URL: "https://*.example.com" }, 2, /MCP_LIFELINE_PUBLIC_URL has a host that is no name/],
    [{ MCP_LIFELINE_PUBLIC_URL: "https://mcp.example.com/mcp" }, 2, /MCP_LIFELINE_PUBLIC_URL must be without \/mcp/],
    [{ MCP_LIFELINE_TRUST_PROXY: "fe80::1%eth0" }, 2, /MCP_LIFELINE_TRUST_PROXY must be addresses or ranges/],
    [{ MCP_LIFELINE_TRUST_PROXY: "::ffff:0:0/96" }, 2, /MCP_LIFELINE_TRUST_PROXY must be .* not everybody's/]
  ])("[G2:real G26] does not start with %j", function*([env, expected, message]) {
    const { code, stderr } = yield* Program.run(["serve", "--port", "0"], env)
    expect(code).toBe(expected)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain("    at ")
  })
})
