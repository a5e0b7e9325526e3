import { describe, expect, it } from "@effect/vitest"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Duration } from "effect"
import { readFileSync } from "node:fs"

type Names<Options> = { readonly [K in keyof Required<Options>]: true }

/** Every option; one that is left out does not compile. */
const stdio: Names<StdioConnector.Options> = {
  ...{ command: true, args: true, env: true, cwd: true, inheritEnv: true, protocol: true, maxMessageBytes: true },
  ...{ maxMemory: true, stdinGrace: true, termGrace: true, startLimit: true, handleSignals: true, record: true },
  stderr: true
}

const http: Names<HttpConnector.Options> = {
  ...{ url: true, headers: true, headerProvider: true, authProvider: true, authorization: true, transport: true },
  ...{ protocol: true, connectTimeout: true, startLimit: true, closeTimeout: true, maxMessageBytes: true },
  ...{ maxSockets: true, ownNetwork: true, sign: true, dispatcher: true, fetch: true }
}

const rowsOf = (page: string): ReadonlyArray<ReadonlyArray<string>> => {
  const text = readFileSync(new URL(`../../../../docs/reference/${page}.md`, import.meta.url), "utf8")
  const [table = ""] = /^\| option \|[^]*?(?=^$)/m.exec(text) ?? []
  return table.trim().split("\n").slice(2).map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()))
}

const namesIn = (cell: string): ReadonlyArray<string> => [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name)

const told = (value: unknown): string =>
  Duration.isDuration(value)
    ? `${Duration.toSeconds(value)} s`
    : typeof value === "number" && value >= 1024
    ? `${value / 1024 ** 2} MiB`
    : String(value)

describe.each([
  { page: "stdio", options: stdio, defaults: StdioConnector.defaults },
  { page: "http", options: http, defaults: HttpConnector.defaults }
])("the page of $page in docs/reference", ({ defaults, options, page }) => {
  const rows = rowsOf(page)

  it("[R1] has a row for every option, and for nothing else", () => {
    expect(rows.flatMap(([first = ""]) => namesIn(first)).toSorted()).toEqual(Object.keys(options).toSorted())
  })

  it.each(Object.entries(defaults))("[R1] says the default of %s", (name, value) => {
    const row = rows.find(([first = ""]) => namesIn(first).includes(name))
    expect(row?.[1]?.replaceAll("`", "")).toBe(told(value))
  })
})
