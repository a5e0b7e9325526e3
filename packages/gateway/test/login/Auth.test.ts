import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted, TestClock } from "effect"
import { grant, keep, waiting } from "../../../sign-in/test/support/grants.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Auth from "../../src/login/auth.js"
import * as RecordedOutput from "../support/RecordedOutput.js"
import { describe, expect, test } from "../support/vitest.js"

const now = Date.UTC(2026, 0, 1)
const minute = 60_000

const auth = Effect.fnUntraced(function*(kept: Parameters<typeof keep>[1], json = false) {
  yield* TestClock.setTime(now)
  const state = StateFolder.make(yield* folder)
  yield* keep(state, kept)
  const { lines, output, problems } = RecordedOutput.make()
  yield* Effect.provideService(Auth.run({ json }, output), StateFolder.StateFolder, state)
  expect([lines.length, problems]).toEqual([1, []])
  return { text: lines[0] ?? "", path: state.path }
})

const all = {
  grants: [
    grant({ server: "https://f.example/mcp", scope: "read write" }),
    grant({ server: "https://e.example/mcp", account: "work", expiresAt: now + 61 * minute }),
    grant({ server: "https://d.example/mcp", expiresAt: now, refresh: Redacted.make("secret-refresh") }),
    grant({ server: "https://c.example/mcp", expiresAt: now - 1, method: "credentials" }),
    grant({ server: "https://b.example/mcp", expiresAt: now }),
    grant({ server: "https://a.example/mcp", expiresAt: now + 1, refresh: Redacted.make("secret-refresh") })
  ],
  logins: [
    waiting(now + 5 * minute, { server: "https://bb.example/mcp", account: "home", scope: "read" }),
    waiting(now, { server: "https://over.example/mcp" })
  ]
}

describe("auth", () => {
  test.scoped("[A1] shows what is stored as a table: whose, from where, for what and how long", function*() {
    const { text } = yield* auth(all)
    expect(text.split("\n")).toEqual([
      "server                  account  signed in at           rights      token",
      "https://a.example/mcp   default  https://login.example              valid for 0 s",
      "https://b.example/mcp   default  https://login.example              expired: log in again",
      "https://bb.example/mcp  home     https://login.example  read        waiting for a login, for 5 min 0 s",
      "https://c.example/mcp   default  https://login.example              renewed when it is used",
      "https://d.example/mcp   default  https://login.example              renewed when it is used",
      "https://e.example/mcp   work     https://login.example              valid for 1 h 1 min",
      "https://f.example/mcp   default  https://login.example  read write  valid"
    ])
  })

  test.scoped("[A1] shows the same as JSON, with times in milliseconds since 1970 and no secrets", function*() {
    const { text } = yield* auth(all, true)
    const usual = { account: "default", issuer: "https://login.example", scope: null, until: null, address: null }
    const row = (name: string, state: string, more: Record<string, unknown> = {}) => ({
      ...usual,
      server: `https://${name}.example/mcp`,
      state,
      ...more
    })
    const address = "https://login.example/authorize?state=1"
    expect(JSON.parse(text)).toEqual([
      row("a", "valid", { until: now + 1 }),
      row("b", "expired", { until: now }),
      row("bb", "waiting", { account: "home", scope: "read", until: now + 5 * minute, address }),
      row("c", "renewable", { until: now - 1 }),
      row("d", "renewable", { until: now }),
      row("e", "valid", { account: "work", until: now + 61 * minute }),
      row("f", "valid", { scope: "read write" })
    ])
    expect(text).toMatch(/^\[\n {2}\{\n {4}"server": /)
    expect(text).not.toContain("secret-")
  })

  test.scoped("[A1] says where it has looked if nothing is stored, and prints an empty list as JSON", function*() {
    const none = yield* auth({ logins: [waiting(now)] })
    expect(none.text).toBe(`No login is stored in ${none.path}`)
    expect((yield* auth({}, true)).text).toBe("[]")
  })

  test.scoped("[X3] shows what servers say without what controls a terminal", function*() {
    const scope = "a\u001B[31mb\u0007\nc\u202E"
    const { text } = yield* auth({ grants: [grant({ scope, server: "https://a.example/m", account: "a\u009Bb" })] })
    expect(text.split("\n")).toHaveLength(2)
    expect(text).not.toMatch(/[^\n\x20-\x7E]/)
  })
})
