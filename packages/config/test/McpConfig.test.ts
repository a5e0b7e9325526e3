import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { Problem } from "@mcp-lifeline/core"
import { Redacted } from "effect"
import { inspect } from "node:util"

const said = ({ problems }: McpConfig.Read<unknown>) =>
  problems.map(({ message, path }) => `${Problem.showPath(path)}: ${message}`)

const reveal = (secrets: McpConfig.Secrets) =>
  Object.fromEntries(Object.entries(secrets).map(([key, value]) => [key, Redacted.value(value)]))

describe("McpConfig", () => {
  it("[G2:unit] expands variables wherever they may stand", () => {
    const variables = { BIN: "/opt", HOST: "h", SECRET: "s3cret-value", EMPTY: "" }
    const read = (raw: unknown) => McpConfig.readServer(raw, variables)
    const a = read({
      command: "${BIN}/server",
      args: ["--root=${ROOT:-/srv}", "${EMPTY:-full}", "$5"],
      env: { TOKEN: "${env:SECRET}" }
    })
    const b = read({ url: "http://${HOST}:${PORT:-80}/mcp", headers: { Authorization: "Bearer ${SECRET}" } })
    expect([a, b].flatMap(said)).toEqual([])
    const [started, reached] = [a.value?.reach, b.value?.reach]
    expect(started).toMatchObject({ command: "/opt/server", args: ["--root=/srv", "full", "$5"] })
    expect(started?._tag === "Stdio" && reveal(started.env)).toEqual({ TOKEN: "s3cret-value" })
    expect(reached).toMatchObject({ url: "http://h:80/mcp" })
    expect(reached?._tag === "Http" && reveal(reached.headers)).toEqual({ Authorization: "Bearer s3cret-value" })
    expect(inspect([a, b], { depth: 20 })).not.toContain("s3cret-value")
  })

  it("[G2:unit] a variable's value is not expanded again, and without variables nothing is", () => {
    const raw = { command: "${A}", args: ["${B"] }
    const read = (variables?: McpConfig.Variables) => McpConfig.readServer(raw, variables).value?.reach
    expect(read({ A: "${SECRET}", SECRET: "x" })).toMatchObject({ command: "${SECRET}", args: ["${B"] })
    expect(read()).toMatchObject({ command: "${A}" })
  })

  it.each([
    [
      { url: "http://h/mcp", headerss: { a: "secret" } },
      'headerss: is not an option of a server; did you mean "headers"?'
    ],
    [{ cmd: "x" }, 'cmd: is not an option of a server; did you mean "command"?'],
    [
      { command: "x", headers: { a: "secret" } },
      "headers: belongs to a server with a url, and this one has a command; leave it out, or pass it on by env"
    ],
    [
      { url: "http://h/mcp", env: { a: "secret" } },
      "env: belongs to a server with a command, and this one has a url; leave it out"
    ],
    [
      { url: "http://h/mcp", sessionId: "secret" },
      expect.stringMatching(/^sessionId: is not supported: Lifeline keeps the session itself/)
    ],
    [
      { url: "http://h/mcp", requestInit: { headers: { A: "1" }, cache: "no-store" } },
      "requestInit.cache: is not supported: Lifeline takes only the headers of requestInit. Leave it out"
    ],
    [{ command: "x", lifeline: { keepAlive: {} } }, 'lifeline.keepAlive: is not an option; did you mean "keepalive"?'],
    [
      { command: "x", lifeline: { reconnect: { maxDelayy: 1 } } },
      'lifeline.reconnect.maxDelayy: is not an option of reconnect; did you mean "maxDelay"?'
    ],
    [{ url: "http://h/mcp", serverUrl: "http://h/mcp" }, "serverUrl: says the same as url; keep one"],
    [
      { command: "x", calls: {}, lifeline: { calls: {} } },
      "lifeline.calls: is given twice, here and beside lifeline; keep one"
    ],
    [{ command: "x", type: "sse" }, 'type: is "sse"; accepted: "stdio", since this server has a command'],
    [{ command: "x", stdio: { stdinGrace: "5s", command: "y" } }, "stdio.command: belongs beside stdio, not in it"],
    [{ command: "x", protocol: "2024" }, 'protocol: is "2024"; accepted: "auto", "2025" or "2026"'],
    [{ url: "http://h/mcp", protocol: "2024" }, 'protocol: is "2024"; accepted: "auto", "2025" or "2026"'],
    [{ url: "http://h/mcp", http: { maxSockets: 1, headers: {} } }, "http.headers: belongs beside http, not in it"],
    [
      { command: "x", disabled: true, lifecycle: { disabled: false } },
      "disabled: contradicts lifecycle.disabled; keep one of the two"
    ],
    [
      { command: "x", sandbox: true },
      expect.stringMatching(/^sandbox: is not an option of a server; there are: command, .*$/)
    ],
    [
      { command: "x", alwaysAllow: [] },
      expect.stringMatching(/^alwaysAllow: belongs to another program and has no effect here/)
    ]
  ])("[G2:unit] %j has one problem, which names its remedy", (raw, expected) => {
    const lines = said(McpConfig.readServer(raw))
    expect(lines).toEqual([expected])
    expect(lines.join()).not.toContain("secret")
  })

  it("[G2:unit] an empty key of the other kind is none", () => {
    expect(said(McpConfig.readServer({ url: "http://h/mcp", env: {}, args: [] }))).toEqual([])
  })

  it("[G2:unit] beside a connector stands how the server is supervised, and nothing else", () => {
    const { problems, value } = McpConfig.readSupervision({
      connector: {},
      disabled: true,
      calls: { retry: "never" },
      command: "x"
    }, ["connector"])
    expect(problems).toEqual([{ path: ["command"], message: "stands beside connector; keep one of them" }])
    expect(value).toEqual({ calls: { retry: "never" }, lifecycle: { disabled: true } })
  })
})
