import { describe, expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { command } from "../../src/adopt/Arguments.js"
import * as Diff from "../../src/adopt/Diff.js"
import * as Entries from "../../src/adopt/Entries.js"
import { hosts, places } from "../../src/adopt/Hosts.js"
import * as Plan from "../../src/adopt/Plan.js"
import * as Report from "../../src/adopt/Report.js"
import { written } from "../../src/commandLine/help.js"
import * as Json from "../../src/document/Json.js"

const page = readFileSync(new URL("../../../../docs/adopt.md", import.meta.url), "utf8")

const codes = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code)

const rows = (heading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const table = page.split("\n\n").find((block) => block.startsWith(heading)) ?? ""
  return table.trim().split("\n").slice(2).map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim()))
}

const wrap = (text: string, launcher: Plan.Options["launcher"]) =>
  Plan.wrap(text, Json.syntax, Entries.sections.json, { platform: "linux", only: [], launcher })

describe("docs/adopt.md", () => {
  it("[W7] lists every option with its value, and no other", () => {
    const listed = rows("| option |").map(([option = ""]) => codes(option)[0])
    expect(listed).toHaveLength(new Set(listed).size)
    const options = Object.entries(command.options).map(([key, option]) => written(key, option))
    expect(listed.toSorted()).toEqual(options.toSorted())
  })

  it("[W7] lists every exit code", () => {
    expect(rows("| exit code |").map(([code]) => Number(code)))
      .toEqual([2, ...Object.keys(command.exitCodes).map(Number)].toSorted((a, b) => a - b))
  })

  it.each(rows("| a server that |"))("[W7] what becomes of a server that %s", (before = "", after = "") => {
    const entry = JSON.parse(`{ ${codes(before).join(", ")} }`)
    /** The row about headers adds to the one about an address. */
    const server = "headers" in entry ? { url: "https://docs.example/mcp", ...entry } : entry
    const { text } = wrap(JSON.stringify({ mcpServers: { one: server } }), ["mcp-lifeline"])
    const [first = "", ...more] = codes(after)
    const args = () => ["wrap", ...JSON.parse(`[${first}]`), server.url]
    const said = "headers" in entry
      ? { command: "mcp-lifeline", args: args(), ...JSON.parse(`{ ${more} }`) }
      : JSON.parse(`{ ${first} }`)
    expect(JSON.parse(text)).toEqual({ mcpServers: { one: said } })
  })

  it("[W7] shows what adopt shows before it asks", () => {
    const [, shown = ""] = /^```\n(Cursor: [^]*?)```$/m.exec(page) ?? []
    const [, file = ""] = /^Cursor: (.*)$/m.exec(shown) ?? []
    const files =
      '    // my files\n    "files": {\n      "command": "npx",\n      "args": ["-y", "server-files"]\n    }'
    const docs = '    "docs": {\n      "url": "https://docs.example/mcp",\n      "auth": {}\n    }'
    const before = `{\n  "mcpServers": {\n${files},\n${docs}\n  }\n}`
    const plan = wrap(before, ["/usr/bin/node", "/usr/local/bin/mcp-lifeline"])
    const diff = Diff.lines(before, plan.text)
    const said = { status: "would change", servers: plan.servers, diff, messages: [], todo: [] } as const
    const report: Report.FileReport = { file, host: "Cursor", ...said }
    expect(shown).toBe([...Report.heading(report, false), "  Change this file? [y/N]", ""].join("\n"))
  })

  const table = rows("| `--host` |")

  it("[W7] lists every host", () => {
    expect(table.flatMap(([name = ""]) => codes(name)).toSorted()).toEqual(hosts.map(({ id }) => id).toSorted())
  })

  const files = (cell: string): ReadonlyArray<string> =>
    codes(cell).filter((code) => /^[~%.\w]+[/\\].|^[.\w]+\.json$/.test(code))
      .map((code) => code.replaceAll("\\", "/").replace(/^(~|%USERPROFILE%)/, "/home/ann"))

  it.each(table)("[W7] %s: adopt looks where the table says", (names = "", own = "", project = "") => {
    const ids = codes(names)
    const looked = (["linux", "win32"] as const)
      .flatMap((platform) => places({ platform, env: {}, home: "/home/ann", cwd: "/work" }))
      .filter(({ host }) => ids.includes(host.id))
      .map(({ path, scope }) => `${scope} ${path.replaceAll("\\", "/").replace(/\/\*\.json$/, "/*")}`)
    const missing = [
      ...files(own).filter((file) => !looked.some((one) => one.startsWith("user ") && one.endsWith(file))),
      ...files(project).filter((file) => !looked.includes(`project /work/${file}`))
    ]
    expect(missing).toEqual([])
    expect(own === "").toBe(!looked.some((one) => one.startsWith("user ")))
    expect(project === "").toBe(!looked.some((one) => one.startsWith("project ")))
  })

  it("[W7] lists every key below which the servers of a file may be", () => {
    const [sentence = ""] = /any other file whose servers are under [^]*?\(YAML\)/.exec(page) ?? []
    const own = Object.values(Entries.sections).flat().map((section) => section.join("."))
    const named = [...new Set(own)].filter((key) => !key.includes("*"))
    expect([...new Set(codes(sentence))].toSorted()).toEqual(named.toSorted())
  })
})
