import { Effect } from "effect"
import { folder } from "../../testing/test/support/folder.js"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import * as OidcServer from "./support/OidcServer.js"
import * as Signer from "./support/Signer.js"

describe("the sign-in at a real authorization server", () => {
  test.scopedLive("[A2 A4] four processes open one browser, and go on for many lives of a token: one refresh at a time, and no refresh token is used twice", function*() {
    const server = yield* OidcServer.make(8)
    const state = yield* folder
    const browser = yield* Signer.browser(false)
    const start = Signer.start({ url: server.url, state, browser: browser.command })
    const signers = yield* Effect.all([start, start, start, start])
    yield* Effect.forEach(signers, (signer) => signer.next(({ backend }) => backend === "Connected"), {
      concurrency: "unbounded"
    })
    // The server notices each refresh token that comes twice, and ends the login for it.
    while (server.grants.length < 4) {
      const calls = yield* Effect.forEach(signers, Signer.call, { concurrency: "unbounded" })
      expect(calls.map(({ called, message }) => called === true ? "called" : message)).toEqual(
        signers.map(() => "called")
      )
      yield* Effect.sleep("200 millis")
    }
    expect(server.grants.filter((grant) => grant !== "refresh_token")).toEqual(["authorization_code"])
    expect(server.errors).toEqual([])
    expect(server.mostAtOnce()).toBe(1)
    expect(browser.opened()).toHaveLength(1)
  })
})
