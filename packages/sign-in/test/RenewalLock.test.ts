import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Grant from "../src/Grant.js"
import * as Renewal from "../src/Renewal.js"

const grant = (access: string, obtainedAt: number): Grant.Grant => ({
  server: "https://docs.example/mcp",
  account: "default",
  issuer: "https://login.example",
  method: "browser",
  metadata: { issuer: "https://login.example", token_endpoint: "https://login.example/token" },
  client: { origin: "registered", id: "lifeline", redirects: [] },
  access: Redacted.make(access),
  refresh: Redacted.make(`refresh of ${access}`),
  obtainedAt
})

const first = grant("first", 1)

const renew = (meanwhile: (kept: StateFolder.Collection<Grant.Grant>) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const state = StateFolder.make(yield* folder)
    const kept = Grant.grants(state)
    yield* Grant.save(kept, first)
    let taken = 0
    const lock: typeof state.lock = (name) =>
      Effect.map(state.lock(name), (lock) => {
        const isFirst = ++taken === 1
        return isFirst ? { isHeld: Effect.as(meanwhile(kept), false) } : lock
      })
    const sent: Array<string | null> = []
    const fetch = (_: string | URL, init?: RequestInit) => {
      sent.push(new URLSearchParams(String(init?.body)).get("refresh_token"))
      return Promise.resolve(Response.json({ access_token: "renewed", token_type: "Bearer" }))
    }
    const subject: Renewal.Subject = {
      folder: { ...state, lock },
      kept,
      url: new URL(first.server),
      server: first.server,
      account: first.account,
      id: "docs",
      method: undefined,
      configured: {},
      scope: undefined
    }
    const renewed = yield* Renewal.beforeTheEnd(subject, fetch, first)
    return { sent, taken, access: renewed === undefined ? undefined : Redacted.value(renewed.access) }
  })

describe("a lock that is lost before a refresh token is used", () => {
  test.scopedLive("[A2] the tokens that its next holder got are used, and no refresh token is used twice", function*() {
    const { access, sent, taken } = yield* renew((kept) => Grant.save(kept, grant("of the other", 2)))
    expect({ access, sent, taken }).toEqual({ access: "of the other", sent: [], taken: 2 })
  })

  test.scopedLive("[A2] where nobody has renewed them, the token is used once, with the lock", function*() {
    const { access, sent, taken } = yield* renew(() => Effect.void)
    expect({ access, sent, taken }).toEqual({ access: "renewed", sent: ["refresh of first"], taken: 2 })
  })
})
