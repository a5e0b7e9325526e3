import { describe, expect, it } from "@effect/vitest"
import { sections } from "../../src/adopt/Entries.js"
import { pattern } from "../../src/adopt/Hosts.js"
import * as Plan from "../../src/adopt/Plan.js"
import { undo } from "../../src/adopt/Undo.js"
import * as Json from "../../src/document/Json.js"
import type { Syntax } from "../../src/document/Syntax.js"
import * as Yaml from "../../src/document/Yaml.js"

const options = { platform: "win32", launcher: ["cmd", "/c", "npx", "-y", "mcp-lifeline"], only: [] } as const
const lifeline = ["npx", "-y", "mcp-lifeline", "wrap", "--"]

const planned = (entry: object, launcher: Plan.Options["launcher"] = options.launcher) => {
  const text = JSON.stringify({ mcpServers: { one: entry } })
  const plan = Plan.wrap(text, Json.syntax, sections.json, { ...options, launcher })
  const [server] = plan.servers
  const shown = { outcome: server?.outcome, reason: server?.reason, ...JSON.parse(plan.text).mcpServers.one }
  return { text, plan, shown }
}

const adopted = (entry: object) => {
  const { plan: { done, text: result }, shown, text } = planned(entry)
  const again = Plan.wrap(result, Json.syntax, sections.json, options)
  expect(again).toMatchObject({ text: result, done: [] })
  const steps = [{ before: text, after: result, done, isAdvised: false }]
  expect(undo(`${result} `, steps, [], Json.syntax).text).toBe(`${text} `)
  return shown
}

describe("a server on Windows", () => {
  it.each([
    ["cmd", ["/c"]],
    ["CMD", ["/C"]],
    ["cmd.exe", ["/d", "/s", "/c"]],
    ["C:\\Windows\\System32\\CMD.EXE", ["/D", "/Q", "/V:off", "/C"]]
  ])("[W7] that %s %j starts is started by Lifeline, which that shell starts", (command, switches) => {
    const server = ["npx", "-y", "server", "C:\\My Files"]
    const wrapped = { outcome: "wrapped", command, args: [...switches, ...lifeline, ...server] }
    expect(adopted({ command, args: [...switches, ...server] })).toMatchObject(wrapped)
  })

  it.each([
    [["/c", "UVX.exe", "server"], 1],
    [["/c", "C:\\tools\\server.cmd"], 1],
    [["/c", "\\\\nas\\tools\\server.cmd"], 1],
    // What cmd.exe finds in the folder of the server, does itself, or takes apart.
    [["/c", "server"], 0],
    [["/c", "call", "npx", "server"], 0],
    [["/c", "npx -y server"], 0],
    [["/k", "npx", "server"], 0],
    [["/c"], 0],
    [[], 0]
  ])("[W7] with the arguments %j of cmd keeps its shell only if that does more than to start it", (args, at) => {
    const all = at === 1 ? ["/c", ...lifeline, ...args.slice(1)] : ["/c", ...lifeline, "cmd", ...args]
    expect(adopted({ command: "cmd", args })).toMatchObject({ outcome: "wrapped", command: "cmd", args: all })
  })

  it("[W7] keeps variables that its shell replaces already; without a shell they are left", () => {
    const args = ["/c", "npx", "server", "%USERPROFILE%\\notes", "%ProgramFiles(x86)%\\x"]
    expect(adopted({ command: "cmd", args }).args).toEqual(["/c", ...lifeline, ...args.slice(1)])
    for (const arg of ["100%", "a&b", "a%b&c%"]) {
      expect(adopted({ command: "cmd", args: ["/c", "npx", arg] })).toMatchObject({ outcome: "left" })
    }
    expect(adopted({ command: "npx", args: ["%USERPROFILE%"] })).toMatchObject({ outcome: "left" })
  })

  it("[W7] is started without a shell if the PATH does not find Lifeline; a path with blanks is no argument", () => {
    const entry = { command: "cmd", args: ["/c", "npx", "server"] }
    const launched = (script: string) => planned(entry, ["C:\\Program Files\\nodejs\\node.exe", script]).shown
    const script = "C:\\npm\\node_modules\\mcp-lifeline\\esm\\bin.js"
    expect(launched(script)).toMatchObject({
      outcome: "wrapped",
      command: "C:\\Program Files\\nodejs\\node.exe",
      args: [script, "wrap", "--", "cmd", "/c", "npx", "server"]
    })
    expect(launched(script.replace("npm", "My Files"))).toMatchObject({
      outcome: "left",
      reason: expect.stringContaining("install mcp-lifeline with npm install --global"),
      command: "cmd"
    })
  })

  it("[W7] in one list, and under the keys of other hosts, is changed in the same way", () => {
    const wrap = (text: string, syntax: Syntax, where: ReadonlyArray<string>) =>
      syntax.value(Plan.wrap(text, syntax, [where], options).text)
    const command = ["cmd", "/c", ...lifeline, "npx", "server"]
    const one = (section: string, ...entry: ReadonlyArray<readonly [string, unknown]>) =>
      new Map([[section, new Map([["one", new Map(entry)]])]])
    const json = '{"mcp":{"one":{"type":"local","command":["cmd","/c","npx","server"]}}}'
    expect(wrap(json, Json.syntax, ["mcp"])).toEqual(one("mcp", ["type", "local"], ["command", command]))
    const yaml = "extensions:\n  one:\n    cmd: cmd\n    args: [/c, npx, server]\n"
    const changed = one("extensions", ["cmd", "cmd"], ["args", command.slice(1)])
    expect(wrap(yaml, Yaml.syntax, ["extensions"])).toEqual(changed)
  })

  it.each([
    [["C:\\Users\\ann\\AppData\\Roaming\\npm\\MCP-Lifeline.CMD", "wrap", "--", "x"]],
    [["cmd.exe", "/d", "/s", "/c", "npx", "mcp-lifeline", "wrap", "--", "cmd", "/c", "x"]],
    [["CMD", "/C", "npx -y mcp-lifeline wrap -- x"]]
  ])("[W7] that is started by %j is wrapped already", ([command, ...args]) => {
    expect(adopted({ command, args })).toMatchObject({ outcome: "already wrapped", command, args })
  })
})

it("[W7] a name with * matches in any case on Windows", () => {
  const patterns = (["win32", "linux"] as const).map((platform) => pattern("Claude_*", platform))
  expect(patterns.map((one) => one.test("claude_x"))).toEqual([true, false])
})
