import type { Status } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import { remedy } from "../../src/log/Remedy.js"

const next: { readonly [S in Status["state"]]: string } = {
  Idle: "The next call connects it.",
  Connecting: "It is being connected.",
  Connected: "Nothing: it is connected again.",
  Reconnecting: "The gateway tries again automatically; reconnect it to try now.",
  Dormant: "The gateway tries again from time to time, and sooner when it is called; reconnect it to try now.",
  PermanentlyFailed: "Then reconnect it.",
  Disconnected: "Reconnect it.",
  Disabling: "Enable it.",
  Disabled: "Enable it.",
  Closed: "Start the gateway again."
}

describe("what a person can do about a server", () => {
  it.each(Object.entries(next))("[G16:unit] is that of its state, after where the cause is: %s", (name, says) => {
    const state = name as Status["state"]
    const cause = "Check that the server runs, and that its address and port are right. "
    expect(remedy(state, "refused", undefined)).toBe(`${state === "Connected" ? "" : cause}${says}`)
    expect(remedy(state, undefined, undefined)).toBe(says)
    expect(remedy(state, "refused", "Sign in at https://a.example/")).toBe("Sign in at https://a.example/")
  })
})
