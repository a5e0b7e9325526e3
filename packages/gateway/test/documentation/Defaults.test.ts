import { describe, expect, it } from "@effect/vitest"
import { Policy } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Duration } from "effect"
import { readFileSync } from "node:fs"
import * as Cli from "../../src/Cli.js"

const page = readFileSync(new URL("../../../../docs/concepts.md", import.meta.url), "utf8")
const [, card = ""] = /^## All defaults on one card\n(.*)/ms.exec(page) ?? []

const rows = [...card.matchAll(/^\|[^|\n]+\| ([^|]+) \| `([^|`]+)` \|$/gm)]
  .map(([, told = "", option = ""]) => ({ told, option }))

const [mebibyte, second] = [1024 * 1024, 1000]

const amount = (told: string): number => {
  const [, number, unit] = /^(\d+)(?: (s|min|MiB))?$/.exec(told) ?? []
  return Number(number) * ({ s: second, min: 60 * second, MiB: mebibyte }[unit ?? ""] ?? 1)
}

const connectors = { stdio: StdioConnector.defaults, http: HttpConnector.defaults }

const ofCommand = (option: string): unknown => {
  const read = (...args: ReadonlyArray<string>) => JSON.parse(JSON.stringify(Cli.read(args, {})))
  switch (option) {
    case "serve --port":
      return read("serve").options.port
    case "serve --linger":
      return read("serve", "--stdio", "--config", "mcp.json").options.linger * second
    default:
      throw new Error(`docs/concepts.md: which default has ${option}?`)
  }
}

const inCode = (option: string): unknown => {
  const [group = "", name = ""] = option.split(".")
  if (option.includes(" ")) return ofCommand(option)
  if (group !== "stdio" && group !== "http") return (Policy.defaults as never)[group]?.[name]
  const value = (connectors[group] as Readonly<Record<string, unknown>>)[name]
  return Duration.isDuration(value) ? Duration.toMillis(value) : value
}

describe("the card of docs/concepts.md", () => {
  it("[R1] has the times that people ask for", () => {
    const names = rows.map(({ option }) => option)
    for (const name of ["timeouts.wait", "timeouts.request", "keepalive.interval", "reconnect.maxAttempts"]) {
      expect(names).toContain(name)
    }
    expect(rows.length).toBeGreaterThan(20)
  })

  it.each(rows)("[R1] says the default of $option: $told", ({ option, told }) => {
    expect(inCode(option)).toBe(amount(told))
  })
})
