import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect, Redacted } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as Grant from "../src/Grant.js"
import * as Renewal from "../src/Renewal.js"
import { grant } from "./support/grants.js"
import { subjectOf } from "./support/SignIns.js"

const grantOf = (access: string, obtainedAt: number) =>
  grant({ access: Redacted.make(access), refresh: Redacted.make(`refresh of ${access}`), obtainedAt })

const first = grantOf("first", 1)

const renew = (meanwhile: (kept: StateFolder.Collection<Grant.Grant>) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const state = StateFolder.make(yield* folder)
    const kept = Grant.grants(state)
    yield* Grant.save(kept, first)
    let taken = 0
    const lock: typeof state.lock = (name) =>
      Effect.map(state.lock(name), (lock) => ++taken === 1 ? { isHeld: Effect.as(meanwhile(kept), false) } : lock)
    const sent: Array<string | null> = []
    const fetch = (_: string | URL, init?: RequestInit) => {
      sent.push(new URLSearchParams(String(init?.body)).get("refresh_token"))
      return Promise.resolve(Response.json({ access_token: "renewed", token_type: "Bearer" }))
    }
    const renewed = yield* Renewal.beforeTheEnd(subjectOf({ ...state, lock }), fetch, first)
    return { sent, taken, access: renewed && Redacted.value(renewed.access) }
  })

describe("a lock that is lost before a refresh token is used", () => {
  test.scopedLive("[A2] the tokens that its next holder got are used, and no refresh token is used twice", function*() {
    const outcome = yield* renew((kept) => Grant.save(kept, grantOf("of the other", 2)))
    expect(outcome).toEqual({ access: "of the other", sent: [], taken: 2 })
  })

  test.scopedLive("[A2] where nobody has renewed them, the token is used once, with the lock", function*() {
    const outcome = yield* renew(() => Effect.void)
    expect(outcome).toEqual({ access: "renewed", sent: ["refresh of first"], taken: 2 })
  })
})
