import { Effect, Either } from "effect"
import { Writable } from "node:stream"
import { vi } from "vitest"
import * as Login from "../../../sign-in/src/Login.js"
import type { GatewayClient } from "../../src/commands/GatewayClient.js"
import * as Tools from "../../src/commands/tools.js"
import * as Output from "../../src/text/Output.js"
import { describe, expect, test } from "../support/vitest.js"

const esc = "\u001B"
const hostile = `${esc}]0;title\u0007${esc}[2J\u009B2J\u202Eplain`
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202A-\u202E]/

const streams = (isTTY: boolean) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      let written = ""
      const write: Writable["_write"] = (chunk, _, done) => {
        written += String(chunk)
        done()
      }
      const spies = (["stdout", "stderr"] as const).map((name) => {
        const stream = Object.assign(new Writable({ write }), { isTTY, rows: 0, columns: 80 })
        return vi.spyOn(process, name, "get").mockReturnValue(stream as never)
      })
      return { spies, written: () => written }
    }),
    ({ spies }) => Effect.sync(() => spies.forEach((spy) => spy.mockRestore()))
  ).pipe(Effect.map(({ written }) => written))

const client = { call: () => Effect.succeed({ content: [{ type: "text", text: hostile }, { type: hostile }] }) }
const call = (json: boolean, output: Output.Output) => {
  const asked = { _tag: "Call", name: "x__y", given: undefined, json } as never
  return Tools.call(client as unknown as GatewayClient, asked, output)
}

describe("what a terminal is given", () => {
  test.scopedLive("[X3] call shows what a tool gives without what controls the terminal", function*() {
    const written = yield* streams(true)
    yield* call(false, yield* Output.make)
    expect(written()).not.toMatch(controls)
    expect(written()).toContain("plain")
  })

  test.scopedLive("[X3] call gives another program what the tool gave, as it is", function*() {
    const written = yield* streams(false)
    yield* call(false, yield* Output.make)
    expect(written()).toContain(`${hostile}\n`)
  })

  test.scopedLive.each([true, false])(
    "[X3] --json is the same value without control characters (terminal: %s)",
    function*(isTTY) {
      const written = yield* streams(isTTY)
      yield* call(true, yield* Output.make)
      expect(written()).not.toMatch(controls)
      expect(JSON.parse(written()).content[0].text).toBe(hostile)
    }
  )

  test.scopedLive("[X3] whatever a command prints, only colours are left of what controls the terminal", function*() {
    const written = yield* streams(true)
    const output = yield* Output.make
    yield* output.line(`${esc}[31m${hostile}${esc}[39m`)
    yield* output.problem(hostile)
    expect(written()).toBe(`${esc}[31mplain${esc}[39m\nplain\n`)
  })
})

const issuer = "https://as.example"

const begun = (authorization_endpoint: string) => {
  const endpoints = { authorization_endpoint, token_endpoint: `${issuer}/token` }
  const metadata = { issuer, ...endpoints, code_challenge_methods_supported: ["S256"] }
  return Effect.scoped(Login.begin({
    fetch,
    server: "https://mcp.example/",
    account: "default",
    discovered: { issuer, metadata, resource: undefined, isGuessed: false, scopes: undefined },
    scope: undefined,
    configured: { id: "client" },
    kept: undefined,
    places: [{ host: "localhost", port: 0, path: "/callback" }]
  }))
}

describe("the address of a login", () => {
  test.live("[X3] is shown and opened as it was checked", function*() {
    const { login } = yield* begun(`${issuer}/\u001B]0;x\u0007\u001B[2J\u001B[H\nSigned in\u202E?q=\u009B#\u001B[m`)
    expect(login.address).toMatch(/^https:\/\/as\.example\/[\x21-\x7E]*$/)
  })

  test.live("[X3] is refused where it leads to no page", function*() {
    for (const address of ["javascript:alert(1)", "file:///etc/passwd", "x", "http://as.example/"]) {
      expect(Either.isLeft(yield* Effect.either(begun(address)))).toBe(true)
    }
  })
})
