import type { Status } from "@mcp-lifeline/core"
import { describe, expect, it } from "vitest"
import { paintState, peer, render } from "../../src/log/Table.js"

const now = 1_000_000
const status = (given: object = {}): Status =>
  ({
    backend: "docs",
    state: "Connected",
    generation: 3,
    transport: "stdio",
    target: "run docs",
    peer: { pid: 42 },
    catalog: { tools: 7, stale: false },
    connectedAt: now - 65_000,
    ...given
  }) as never

const rows = (all: ReadonlyArray<Status>, width = 300, colour = false): ReadonlyArray<ReadonlyArray<string>> =>
  render(all, { now, width, colour }).split("\n").filter((line) => line.includes("│")).map((line) =>
    line.split("│").slice(1, -1).map((cell) => cell.trim())
  )

describe("the table of servers", () => {
  it("[O2:unit] has a row for each, with what is known of it", () => {
    const unknown = { peer: undefined, catalog: undefined, connectedAt: undefined }
    const gone = { catalog: { tools: 0, stale: true }, nextAttemptAt: now + 1500, lastError: "gone" }
    const [head, ...all] = rows([
      status(),
      status({ backend: "new", state: "Connecting", generation: 0, ...unknown }),
      status({ state: "Reconnecting", ...gone }),
      status({ lastError: "was gone", lastErrorAt: now - 120_000 }),
      status({ state: "Disabled", lastError: "of before" }),
      status({ state: "Disabling", lastError: "of before" }),
      status({ state: "Dormant", signIn: { message: "open https://x" }, lastError: "401" }),
      status({ signIn: { message: "open https://x" } }),
      status({ lastError: "without a time" }),
      status({ state: "Dormant", lastError: "with one", lastErrorAt: 5 })
    ])
    expect(head).toEqual(["server", "state", "gen", "pid or URL", "tools", "up / next", "last error"])
    const up = "up 1 min 5 s"
    expect(all).toEqual([
      ["docs", "Connected", "3", "pid 42", "7", up, ""],
      ["new", "Connecting", "", "", "", "", ""],
      ["docs", "Reconnecting", "3", "pid 42", "0 (stale)", "in 2 s", "gone"],
      ["docs", "Connected", "3", "pid 42", "7", up, "2 min 0 s ago: was gone"],
      ["docs", "Disabled", "3", "pid 42", "7", "", ""],
      ["docs", "Disabling", "3", "pid 42", "7", "", ""],
      ["docs", "SignInNeeded", "3", "pid 42", "7", "", "open https://x"],
      ["docs", "Connected", "3", "pid 42", "7", up, "open https://x"],
      ["docs", "Connected", "3", "pid 42", "7", up, "without a time"],
      ["docs", "Dormant", "3", "pid 42", "7", "", "with one"]
    ])
  })

  it("[S13:unit] has memory and processor time once one of them is measured", () => {
    const [head, ...all] = rows([
      status({ usage: { memory: 152_000_000, cpu: 3.2 } }),
      status({ usage: { memory: 152_000_000 } }),
      status()
    ])
    expect(head?.slice(5, 7)).toEqual(["memory", "cpu"])
    const measured = all.map((row) => row.slice(5, 7))
    expect(measured[0]?.[0]).toMatch(/^1\d\d MB$/)
    expect(measured[0]?.[1]).toBe("3.2%")
    expect(measured[1]).toEqual([measured[0]?.[0], ""])
    expect(measured[2]).toEqual(["", ""])
  })

  it.each<[object, string]>([
    [{ peer: { pid: 5, url: "http://x" } }, "pid 5"],
    [{ peer: { url: "http://x" }, transport: "http", target: "http://y" }, "http://x"],
    [{ peer: undefined, transport: "http", target: "http://y" }, "http://y"],
    [{ peer: undefined, transport: "stdio", target: "run y --key secret" }, ""]
  ])("[O2:unit] says where a server is: %j", (given, expected) => {
    expect(peer(status(given))).toBe(expected)
  })

  it("[O2:unit] colours the state alone, and nothing where there is no colour", () => {
    const all = [status(), status({ backend: "\u001b[31mred" }), status({ state: "Dormant", signIn: { message: "x" } })]
    expect(render(all, { now, width: 200, colour: false })).not.toContain("\u001b")
    const text = render(all, { now, width: 200, colour: true })
    const coloured = ["32mConnected", "32mConnected", "31mSignInNeeded"]
    expect(text.split("\u001b[").flatMap((part) => /^\d+m\w+/.exec(part) ?? [])).toEqual(coloured)
    expect(paintState("x", "Disabled")).toBe("\u001b[90mx\u001b[39m")
  })

  it.each([80, 100, 140])("[O2:unit] fits into %d columns, with the beginning of a long error", (width) => {
    const long = "the server has exited ".repeat(20).trim()
    const wide = status({ backend: "name".repeat(10), peer: { url: `http://${"x".repeat(90)}` }, lastError: long })
    const text = render([wide], { now, width, colour: false })
    const lines = text.split("\n")
    expect(lines.filter((line) => line.length > width)).toEqual([])
    expect(new Set(lines.filter((line) => !line.startsWith("  ")).map(({ length }) => length)).size).toBe(1)
    expect(text.replaceAll(/[\s│]+/g, "")).toContain("theserverhasexited")
  })
})
