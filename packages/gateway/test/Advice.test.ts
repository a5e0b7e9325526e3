import { assert, describe, it } from "vitest"
import { advised } from "../src/wrap/Advice.js"

const said = (state: string, login?: string): string =>
  advised(
    "s",
    { code: -32_000, message: "s is not used", data: { tag: "BackendUnavailable", fate: "notSent", state } },
    login
  ).message

describe("what the model is told of a call that was not sent", () => {
  it.each([
    ["Reconnecting", "cannot be reached, and why. It is being reconnected: make the same call again later."],
    ["Connected", "cannot be used now, and why. Make the same call again later."],
    ["PermanentlyFailed", "cannot be reached, and why. Once somebody has fixed the cause, make the same call again."]
  ])("[W4] what comes next is that of the state: %s", (state, next) => {
    assert.strictEqual(said(state), `s is not used. Tell the user that the MCP server s ${next}`)
  })

  it("[W4] a login that a person has to do comes before everything else", () => {
    assert.match(said("Connected", "open http://127.0.0.1/"), /tell the user: open http:\S+$/)
  })
})
