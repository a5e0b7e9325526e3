import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { decodeFilters, FilteredLists } from "@mcp-lifeline/extensions/internal"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { sections } from "../../src/adopt/Entries.js"
import { formatOf, hosts } from "../../src/adopt/Hosts.js"
import * as Plan from "../../src/adopt/Plan.js"
import * as Secrets from "../../src/adopt/Secrets.js"
import { undo } from "../../src/adopt/Undo.js"
import * as Json from "../../src/document/Json.js"
import * as Toml from "../../src/document/Toml.js"
import * as Value from "../../src/document/Value.js"
import * as Yaml from "../../src/document/Yaml.js"

const folder = fileURLToPath(new URL("../fixtures/adopt/", import.meta.url))
const syntaxes = { json: Json.syntax, toml: Toml.syntax, yaml: Yaml.syntax }
/** What older versions wrote. What they wrote has to be known, and can be undone. */
const npx = ["npx", "-y", "mcp-lifeline"] as const
const options = { platform: "linux", launcher: npx, only: [] } as const

const fixtures = readdirSync(folder).filter((name) => !name.includes(".after.")).map((name) => {
  const host = hosts.find(({ id }) => id === name.split(".")[0])
  return {
    name,
    before: readFileSync(folder + name, "utf8"),
    after: readFileSync(folder + name.replace(/\.(\w+)$/, ".after.$1"), "utf8"),
    syntax: syntaxes[formatOf(name)],
    sections: host?.sections ?? []
  }
})

const writings: ReadonlyArray<readonly [string, (text: string) => string]> = [
  ["as it is", (text) => text],
  ["with line ends of Windows", (text) => text.replaceAll("\n", "\r\n")],
  ["with one of Windows", (text) => text.replace("\n", "\r\n")],
  ["with all but one of Windows", (text) => text.replaceAll("\n", "\r\n").replace("\r\n", "\n")],
  ["with a byte order mark", (text) => `\uFEFF${text}`],
  ["without a line end at its end", (text) => text.trimEnd()]
]

const comments = (text: string) => text.match(/(?<![:"'\w])(\/\/[^\n\r]*|\/\*.*?\*\/|#[^\n\r]*)/g) ?? []

describe.each(fixtures)("$name", ({ after, before, sections, syntax }) => {
  it.each(writings)(
    "[W7] %s it becomes what stands beside it, a second time changes nothing, and it is taken back",
    (_, write) => {
      const plan = Plan.wrap(write(before), syntax, sections, options)
      expect(plan.text).toBe(write(after))
      expect(comments(plan.text)).toEqual(comments(write(before)))
      const again = Plan.wrap(plan.text, syntax, sections, options)
      expect(again.text).toBe(plan.text)
      expect(again.done).toEqual([])
      const launcher = ["/usr/bin/node", "/usr/lib/node_modules/mcp-lifeline/esm/bin.js"] as const
      const unchanged = { text: plan.text, done: [] }
      expect(Plan.wrap(plan.text, syntax, sections, { ...options, launcher })).toMatchObject(unchanged)
      const steps = [{ before: write(before), after: plan.text, done: plan.done, isAdvised: false }]
      expect(undo(plan.text, steps, [], syntax)).toMatchObject({ text: write(before), isExact: true, steps: [] })
      // Changed since, so that each server gets its own text.
      expect(undo(`${plan.text}\n`, steps, [], syntax)).toEqual({
        text: `${write(before)}\n`,
        servers: plan.done.map(({ name, section }) => ({ name, section, outcome: "unwrapped" })),
        isExact: false,
        steps: []
      })
    }
  )
})

it("[W7] every host of the table that has a file has a fixture", () => {
  const ids = new Set(fixtures.map(({ name }) => name.split(".")[0]))
  expect([...ids].toSorted()).toEqual(hosts.map(({ id }) => id).toSorted())
})

it.each([["as an entry", false], ["below transport", true]])(
  "[W7] secrets of a server that is written %s are not shown, before and after",
  (_, isNested) => {
    const servers = [
      { command: "npx", args: ["--api-key", "in-an-argument"], env: { TOKEN: "in-a-variable" } },
      { url: "https://docs.example/mcp", headers: { Authorization: "Bearer in-a-header" } }
    ].map((server) => isNested ? { transport: server } : server)
    const before = JSON.stringify({ mcpServers: Object.fromEntries(servers.entries()) })
    const after = Plan.wrap(before, Json.syntax, sections.json, options).text
    for (const text of [before, after]) {
      const said = `${text.slice(0, -1)}, "said": ["in-an-argument", "in-a-variable", "Bearer in-a-header"] }`
      expect(Secrets.hide(said, Json.syntax, sections.json)).not.toMatch(/in-an?-/)
    }
  }
)

const wrap = (text: string, { only = [], platform = "linux", launcher }: Partial<Plan.Options> = {}) => {
  const byDefault = platform === "win32" ? ["cmd", "/c", ...npx] as const : npx
  return Plan.wrap(text, Json.syntax, sections.json, { only, platform, launcher: launcher ?? byDefault })
}

const entry = (value: unknown, options?: Partial<Plan.Options>) => {
  const { servers: [server], text } = wrap(JSON.stringify({ mcpServers: { one: value } }), options)
  return { outcome: server?.outcome, reason: server?.reason, entry: JSON.parse(text).mcpServers.one }
}

describe("a server", () => {
  it.each([
    [["npx", "-y", "mcp-lifeline", "wrap", "--", "node", "x.js"]],
    [["npx", "-y", "mcp-lifeline", "wrap", "--option", "keepalive.interval=1min", "--", "node", "x.js"]],
    [["npx", "-y", "mcp-lifeline@0.4.1-beta", "wrap", "https://a.example"]],
    [["npx", "-p", "mcp-lifeline", "mcp-lifeline", "wrap", "--", "x"]],
    [["cmd", "/c", "npx", "-y", "mcp-lifeline", "wrap", "--", "x"]],
    [["C:\\Users\\ann\\AppData\\Roaming\\npm\\mcp-lifeline.cmd", "wrap", "--", "x"]],
    [["/opt/homebrew/bin/mcp-lifeline", "wrap", "--", "x"]],
    [["node", "/usr/lib/node_modules/mcp-lifeline/esm/bin.js", "wrap", "--", "x"]],
    [["sh", "-c", "exec npx -y mcp-lifeline wrap -- x"]]
  ])("[W7] that is started by %j is wrapped already", ([command, ...args]) => {
    expect(entry({ command, args })).toMatchObject({ outcome: "already wrapped", entry: { command, args } })
  })

  it("[W7] is not taken for wrapped because it has the word in its path", () => {
    expect(entry({ command: "node", args: ["/home/ann/mcp-lifeline/wrap"] }).outcome).toBe("wrapped")
    expect(entry({ command: "mcp-lifeline-tools", args: ["wrap"] }).outcome).toBe("wrapped")
  })

  it.each<[unknown, RegExp]>([
    [{ command: "mcp-lifeline", args: ["serve"] }, /is Lifeline itself/],
    [{ command: "npx -y server" }, /has arguments in it/],
    [{ command: ["npx"], args: [1] }, /is not a list of texts|is not a text/],
    [{ command: "npx", args: [1] }, /args are not a list/],
    [{ command: "npx", url: "https://a.example" }, /both command and url/],
    [{ url: "https://a.example", httpUrl: "https://b.example" }, /both url and httpUrl/],
    [{ type: "http", url: "${BASE}/mcp" }, /variable/],
    [{ url: "ftp://a.example" }, /begins with http/],
    [{ url: "https://ann:pass@a.example/mcp" }, /secret/],
    [{ url: "https://a.example/mcp?access_token=abc" }, /secret/],
    [{ url: "https://a.example", headers: { A: 1 } }, /not a text/],
    [{ url: "https://a.example", headers: { A: "${input:a}" } }, /input/],
    [{ url: "https://a.example", oauth: {} }, /its host handles the sign-in/],
    [{ url: "https://a.example", args: [] }, /args beside/],
    [{ command: "npx", disabled: true }, /disabled/],
    [{ url: "https://a.example", enabled: false }, /disabled/],
    [{ note: "x" }, /neither/],
    ["npx", /not an object/]
  ])("[W7] %j is left, with the reason", (value, reason) => {
    const found = entry(value)
    expect(found).toMatchObject({ outcome: "left", entry: value })
    expect(found.reason).toMatch(reason)
  })

  it("[W7] that is disabled is wrapped when it is named, and stays disabled", () => {
    const disabled = { command: "npx", args: ["-y", "mcp-lifeline", "wrap", "--", "x"], disabled: true }
    expect(entry({ command: "x", disabled: true }, { only: ["one"] }).entry).toEqual(disabled)
  })

  it("[W7] on Windows is started by way of the shell, unless that would change its arguments", () => {
    const windows = { platform: "win32" } as const
    const started = { command: "cmd", args: ["/c", "npx", "-y", "mcp-lifeline", "wrap", "--", "npx", "x"] }
    expect(entry({ command: "npx", args: ["x"] }, windows).entry).toEqual(started)
    const addressed = { command: "cmd", args: ["/c", "npx", "-y", "mcp-lifeline", "wrap", "https://a.example/mcp"] }
    expect(entry({ url: "https://a.example/mcp" }, windows).entry).toEqual(addressed)
    const changed = [{ url: "https://a.example/mcp?a=1&b=2" }, { command: "a&b", args: [] }]
    for (const one of [{ command: "C:\\Program Files\\x.exe", args: [] }, ...changed]) {
      expect(entry(one, windows).outcome).toBe("left")
    }
  })

  it("[W7] keeps the values of headers out of its arguments, in variables that nothing else uses", () => {
    const key = "MCP_LIFELINE_HEADER_X_KEY"
    const headers = { "X-Key": "secret one", "x.key": "secret two" }
    const { entry: found } = entry({ url: "https://a.example", env: { [key]: "mine" }, headers })
    const given = ["--header", `X-Key:\${${key}_2}`, "--header", `x.key:\${${key}_3}`, "https://a.example"]
    expect(found).toEqual({
      command: "npx",
      args: ["-y", "mcp-lifeline", "wrap", ...given],
      env: { [key]: "mine", [`${key}_2`]: "secret one", [`${key}_3`]: "secret two" }
    })
    for (const arg of found.args) expect(arg).not.toMatch(/\s/)
  })

  it("[W7] that is there twice is left", () => {
    const text = `{"mcpServers":{"one":{"command":"a"},"one":{"command":"b"}}}`
    expect(wrap(text)).toMatchObject({ text, servers: [{ outcome: "left" }] })
  })

  it("[W7] whose comment would be lost is left", () => {
    const text = `{"mcpServers":{"one":{"url":"https://a.example","env":{},"headers":{/* mine */"A":"b"}}}}`
    expect(wrap(text)).toMatchObject({ text, servers: [{ outcome: "left", reason: expect.stringMatching(/comment/) }] })
  })
})

describe("a text", () => {
  it.each([
    [Yaml.syntax, 'extensions:\n  a: &a\n    cmd: &c npx\n    args: &x ["x"]\n  b:\n    cmd: *c\n    args: *x\n'],
    [Yaml.syntax, "extensions:\n  a: &a { cmd: npx, args: [x] }\n  b: *a\n"]
  ])("[W7] in which a change would reach something else is refused for that entry, and stays", (syntax, text) => {
    const plan = Plan.wrap(text, syntax, sections.yaml, options)
    const value = (text: string) => syntax.value(text)
    const wrapped = plan.servers.filter(({ outcome }) => outcome === "wrapped").map(({ name }) => name)
    for (const name of ["a", "b"].filter((name) => !wrapped.includes(name))) {
      expect(Value.at(value(plan.text), ["extensions", name])).toEqual(Value.at(value(text), ["extensions", name]))
    }
    expect(wrapped.length).toBeLessThan(2)
  })

  it("[W7] of TOML with strings and tables of all kinds is read where it stands", () => {
    const text = [
      "a = '''\n[mcp_servers.no]\n'''",
      '"quoted \\"key\\"" = "\\u00e9 ] #"',
      "[mcp_servers]",
      "[mcp_servers . 'x y']",
      'command = """npx"""',
      "args = [ 'a', \"b\" , # c",
      "] # end",
      "[[list]]",
      "n = 1",
      "[[list]]",
      "n = { m = [1, 2], d = 1979-05-27T07:32:00Z }"
    ].join("\n")
    const plan = Plan.wrap(text, Toml.syntax, sections.toml, options)
    expect(plan.servers).toMatchObject([{ name: "x y", outcome: "wrapped" }])
    const unwrapped = plan.text.replace('"-y", "mcp-lifeline", "wrap", "--", "npx", \'a\'', "'a'")
    expect(unwrapped.replace('command = "npx"', 'command = """npx"""')).toBe(text)
  })

  it.each([
    [Json.syntax, '{ "mcpServers": { '],
    [Toml.syntax, "[mcp_servers"],
    [Yaml.syntax, "a: b: c"],
    [Yaml.syntax, "a: 1\n---\nb: 2\n"]
  ])("[W7] that is not what its format asks for is refused with its line", (syntax, text) => {
    expect(() => Plan.wrap(text, syntax, [["mcpServers"]], options)).toThrow(/line \d+|TOML|several/)
  })
})

it("[G19 W7:unit] the lists by which a host hides tools stay, for the host and for who reads its file", () => {
  const [read, write] = [["read"], ["write"]]
  const hidden = { excludeTools: write, disabled_tools: write, disabledTools: write }
  const lists = { includeTools: read, enabled_tools: read, alwaysAllow: read, tools: read, ...hidden }
  const servers = { files: { command: "files", ...lists }, docs: { url: "https://docs.example/mcp", ...lists } }
  const { text } = Plan.wrap(JSON.stringify({ mcpServers: servers }), Json.syntax, [["mcpServers"]], options)
  const { mcpServers } = JSON.parse(text)
  for (const name of ["files", "docs"]) {
    expect(mcpServers[name]).toMatchObject(lists)
    expect(JSON.stringify(mcpServers[name])).toContain("wrap")
    const { value } = McpConfig.readServer(mcpServers[name])
    const offered = new FilteredLists(decodeFilters(ServerOptions.filtersOf(value?.policy ?? {})))
    expect(["read", "write", "other"].filter((tool) => offered.has("tools", tool))).toEqual(["read"])
  }
})
