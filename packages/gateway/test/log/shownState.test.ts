import type { Status } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import * as StatusTool from "../../src/clients/StatusTool.js"
import { render } from "../../src/commands/StatusView.js"
import { shownState, waitingSince } from "../../src/log/shownState.js"
import * as Table from "../../src/log/Table.js"
import * as MadeUpReplica from "../support/MadeUpReplica.js"

const address = "https://login.test/authorize"
const signIn = { message: `a login is needed: open ${address}`, address }

const statusOf = (fields: Partial<Status>) =>
  ({ backend: "docs", generation: 0, transport: "http", target: "https://docs.test/mcp", ...fields }) as Status

describe("a login that is needed", () => {
  it("[A3:unit] is a state of a server that is not connected, unless somebody has switched it off", () => {
    const states = ["Idle", "Connecting", "Reconnecting", "Dormant", "PermanentlyFailed"] as const
    expect(states.map((state) => shownState(state, true))).toEqual(states.map(() => "SignInNeeded"))
    const others = ["Connected", "Disconnected", "Disabling", "Disabled", "Closed"] as const
    expect(others.map((state) => shownState(state, true))).toEqual(others)
    expect(shownState("Reconnecting", false)).toBe("Reconnecting")
  })

  it("[A3:unit] lasts since the server was connected last, whatever its attempts do", () => {
    const states = ["Connecting", "Connected", "Reconnecting", "Connecting", "Reconnecting"] as const
    const changes = states.map((state, index) => ({ at: index + 1, state }))
    expect([waitingSince(changes, 5), waitingSince(changes.slice(0, 1), 1), waitingSince([], 7)]).toEqual([3, 1, 7])
  })

  it("[A3:unit] is shown with its address in the table, in the report for models and by `status`", () => {
    const status = statusOf({ state: "Reconnecting", signIn, lastError: "HTTP 401", lastErrorAt: 1 })
    const table = Table.render([status], { now: 2, width: 250, colour: false })
    expect(table).toMatch(/docs +│ SignInNeeded/)
    expect(table).toContain(signIn.message)
    const state = { name: "docs", status, since: 1000, reason: "unauthorized", login: signIn.message } as const
    const { text } = StatusTool.report([state], 61_000)
    const needed =
      /^1 of 1 servers is down\.\n- docs: sign-in needed since .*; to do for the user: a login is needed: open/
    expect(text).toMatch(needed)
    const connected = { ...state, status: statusOf({ state: "Connected", signIn }) }
    expect(StatusTool.report([connected], 61_000).text).toMatch(/docs: up/)
    const docs = MadeUpReplica.serverOf("docs", {
      state: "SignInNeeded",
      since: 0,
      lastError: { message: "HTTP 401", remedy: "Open it", at: 0 },
      nextAttemptAt: 9_000,
      login: { message: "Open the address in a browser to sign in", url: address }
    })
    const shown = render(MadeUpReplica.statusOf("127.0.0.1:1", [docs]), { now: 5_000, width: 200, colour: false })
    expect(shown).toMatch(/docs +│ SignInNeeded +│ 5 s/)
    expect(shown.split("\n").slice(-2)).toEqual(["docs: Open the address in a browser to sign in", `  ${address}`])
  })
})
