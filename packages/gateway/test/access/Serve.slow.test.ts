import { Effect } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { everything } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { api } from "../support/Team.js"
import { describe, expect, test } from "../support/vitest.js"

const tokenOf = (name: string): string => `token-of-${name}-of-sixteen`

const serving = Effect.fnUntraced(function*(
  lifeline: object,
  tokens: Readonly<Record<string, string>> = {},
  options: ReadonlyArray<string> = []
) {
  const { base, path, run, save, serve } = yield* Gateway.place()
  const server = { command: process.execPath, args: [everything, "stdio"] }
  const rotate = (name: string, text: string): void => writeFileSync(join(path, `${name}.token`), `${text}\n`)
  save({ every: server, other: { ...server, disabled: true } }, lifeline)
  for (const [name, text] of Object.entries(tokens)) rotate(name, text)
  const program = yield* serve(options.map((one) => one.endsWith(".token") ? join(path, one) : one))
  const ask = (token: string) => api(base, token, "/api/status")
  const statusOf = (token: string) => Effect.map(ask(token), ({ status }) => status)
  const becomes = (expected: Readonly<Record<string, number>>) =>
    Effect.repeat(Effect.delay(Effect.all(Object.keys(expected).map(statusOf)), "50 millis"), {
      until: (seen) => seen.join() === Object.values(expected).join()
    })
  return { ask, base, becomes, run, program, rotate, statusOf }
})

describe("a gateway whose clients have names", { timeout: 240_000 }, () => {
  test.scopedLive("[G1 G22:real] calls tools for a client that is no admin, and tells it what another command needs", function*() {
    const { base, run } = yield* serving({ clients: { a: { token: tokenOf("a") } } })
    const asClient = { MCP_LIFELINE_TOKEN: tokenOf("a") }
    for (const chosen of [[], ["--url", base]]) {
      const call = ["call", "every__echo", '{"message":"heard"}', ...chosen]
      expect(yield* run(call, asClient)).toMatchObject({ code: 0, stdout: "Echo: heard\n" })
      expect(yield* run(["reconnect", "every", ...chosen], asClient)).toMatchObject({
        code: 1,
        stdout: "",
        stderr:
          `mcp-lifeline: a may not do this: it needs "admin": true in lifeline.clients.a of the gateway's configuration\n`
      })
    }
  })

  test.scopedLive("[G22:real G26] never takes one for another: a token that two have after a file was saved lets in neither, and the status says whose it is", function*() {
    const clients = { a: { tokenFile: "a.token" }, b: { tokenFile: "b.token" } }
    const { ask, becomes, program, rotate, statusOf } = yield* serving(
      { clients },
      { a: tokenOf("a"), b: tokenOf("b"), own: tokenOf("own") },
      ["--token-file", "own.token"]
    )
    const who = (token: string) => Effect.map(ask(token), ({ body }) => body.gateway.caller?.name ?? "operator")
    expect(yield* Effect.all(["a", "b", "own"].map((name) => who(tokenOf(name))))).toEqual(["a", "b", "operator"])
    rotate("b", tokenOf("a"))
    yield* becomes({ [tokenOf("a")]: 401, [tokenOf("b")]: 401, [tokenOf("own")]: 200 })
    const same = /lifeline\.clients\.b: has the same token as a, so that nobody is let in with it; give each its own/
    yield* eventually(() => same.exec(program.stderr()) ?? undefined)
    // The save itself is in force.
    expect((yield* ask(tokenOf("own"))).body.gateway)
      .toEqual(expect.objectContaining({ tokenProblem: expect.stringMatching(same) }))
    expect((yield* ask(tokenOf("own"))).body.gateway).not.toHaveProperty("configProblem")
    rotate("b", tokenOf("new"))
    yield* becomes({ [tokenOf("a")]: 200, [tokenOf("new")]: 200 })
    expect((yield* ask(tokenOf("own"))).body.gateway).not.toHaveProperty("tokenProblem")
    rotate("own", `${tokenOf("second")}\n${tokenOf("new")}`)
    yield* becomes({ [tokenOf("second")]: 200, [tokenOf("own")]: 401, [tokenOf("new")]: 401 })
    yield* eventually(() =>
      /lifeline\.clients\.b: has the same token as the gateway itself/.exec(program.stderr()) ?? undefined
    )
    rotate("a", "short")
    yield* eventually(() => /has fewer than 16 characters.*stays as it was/.exec(program.stderr()) ?? undefined)
    expect(yield* statusOf(tokenOf("a"))).toBe(200)
    expect(program.stdout() + program.stderr()).not.toContain("of-sixteen")
  })

  test.scopedLive.each<[string, object, RegExp]>([
    [
      "a token file that could be guessed",
      { clients: { a: { tokenFile: "a.token" } } },
      /a\.tokenFile: names \S+a\.token, which has fewer than 16 characters, so that it could be guessed/
    ],
    [
      "null in place of the table",
      { clients: null },
      /lifeline\.clients: is null; accepted: an object of clients by name/
    ]
  ])("[G2:real G22] does not start with %s", function*([, lifeline, message]) {
    const path = yield* folder
    writeFileSync(join(path, "a.token"), "short\n")
    const file = join(path, "mcp.json")
    writeFileSync(file, JSON.stringify({ mcpServers: { every: { command: "x" } }, lifeline }))
    const { code, stderr } = yield* Program.run(["serve", "--port", "0", "--config", file])
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
  })

  test.scopedLive.each<[Record<string, string>, number, RegExp]>([
    [
      { MCP_LIFELINE_TOKEN: "short" },
      2,
      /MCP_LIFELINE_TOKEN: has fewer than 16 characters, so that it could be guessed; make one with: openssl/
    ],
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
