import { describe, expect, it } from "@effect/vitest"
import { McpConfig } from "@mcp-lifeline/config"
import { Problem } from "@mcp-lifeline/core/options"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { decodeFilters, FilteredLists, ListFilter } from "@mcp-lifeline/extensions/internal"
import { Redacted } from "effect"
import { inspect } from "node:util"

const filtersOf = (policy: ServerOptions.ServerOptions) => decodeFilters(ServerOptions.filtersOf(policy))

const said = ({ problems }: McpConfig.Read<unknown>) =>
  problems.map(({ message, path }) => `${Problem.showPath(path)}: ${message}`)

const reveal = (secrets: McpConfig.StdioServer["env"]) =>
  Object.fromEntries(
    Object.entries(secrets).map(([key, value]) => [key, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )

describe("McpConfig", () => {
  it("[G2:unit] expands variables wherever they may stand", () => {
    const variables = { BIN: "/opt", HOST: "h", SECRET: "s3cret-value", EMPTY: "" }
    const read = (raw: unknown) => McpConfig.readServer(raw, variables && { variables })
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

  it("[G2:unit] takes what reaches a server from an object of its own, with the place of what is wrong in it", () => {
    const [local, remote] = [
      { command: "server", args: ["${ROOT}"], env: { A: "1" } },
      { type: "streamableHttp", url: "https://h/mcp", headers: { Authorization: "Bearer ${ROOT}" } }
    ]
    const read = (raw: unknown) => McpConfig.readServer(raw, { variables: { ROOT: "/srv" } })
    for (const transport of [local, { ...local, type: "stdio" }, remote]) {
      const [nested, flat] = [
        read({ transport, disabled: true, lifeline: { sessions: "shared" } }),
        read({ ...transport, disabled: true, lifeline: { sessions: "shared" } })
      ]
      expect([said(nested), nested]).toEqual([[], flat])
    }
    const wrongs: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
      [{ transport: { command: 5 } }, [expect.stringMatching(/^transport\.command: /)]],
      [{ transport: { url: "h" } }, [expect.stringMatching(/^transport\.url: is not an address/)]],
      [{ transport: { comand: "x" } }, [expect.stringMatching(/^transport\.comand: .*command/)]],
      [{ transport: local, command: "other" }, ["command: is in transport as well; keep one"]],
      [{ transport: {} }, [expect.stringMatching(/has neither command/)]]
    ]
    for (const [raw, messages] of wrongs) expect([raw, said(read(raw))]).toEqual([raw, messages])
  })

  it("[G2:unit] a variable's value is not expanded again, and without variables nothing is", () => {
    const raw = { command: "${A}", args: ["${B"] }
    const read = (variables?: McpConfig.Variables) => McpConfig.readServer(raw, variables && { variables }).value?.reach
    expect(read({ A: "${SECRET}", SECRET: "x" })).toMatchObject({ command: "${SECRET}", args: ["${B"] })
    expect(read()).toMatchObject({ command: "${A}" })
  })

  it("[G2:unit] wrap replaces in its own options what its entry or a command of it gives; all else is replaced as everywhere", () => {
    const read = (args: ReadonlyArray<string>, variables: McpConfig.Variables = {}) =>
      McpConfig.readServer({ command: ["npx", "mcp-lifeline"], args, env: { KEY: "${ENV}" } }, { variables })
    const own = ["wrap", "--secret", "TOKEN=pass show x", "--header", "A: ${KEY} ${TOKEN}", "http://${HOST}/"]
    const found = read(own, { ENV: "e", HOST: "h", KEY: "other" })
    expect(said(found)).toEqual([])
    expect(found.value?.reach).toMatchObject({
      args: ["mcp-lifeline", ...own.slice(0, 4), "A: ${KEY} ${TOKEN}", "http://h/"]
    })
    expect(found.value?.reach._tag === "Stdio" && reveal(found.value.reach.env)).toEqual({ KEY: "e" })
    expect(said(read(["wrap", "--header=A: ${NONE}", "http://h/"], { ENV: "e" }))).toEqual([
      expect.stringContaining("args[1]: has ${NONE}, which is not set")
    ])
    expect(said(read(["wrap", "--name", "${KEY}", "--", "server", "${KEY}"], { ENV: "e" }))).toEqual([
      expect.stringContaining("args[2]: has ${KEY}, which is not set"),
      expect.stringContaining("args[5]: has ${KEY}, which is not set")
    ])
    const forwarded = (variables: McpConfig.Variables) =>
      McpConfig.readServer(
        { command: "mcp-lifeline", args: ["wrap", "--header", "A: ${TOKEN}", "http://h/"], env_vars: ["TOKEN"] },
        { variables }
      )
    // A secret that a host passes on stays out of the arguments, which everybody on the machine can read.
    expect(forwarded({ TOKEN: "s3cret" }).value?.reach).toMatchObject({
      args: ["wrap", "--header", "A: ${TOKEN}", "http://h/"]
    })
    expect(said(forwarded({}))).toEqual([expect.stringContaining("args[2]: has ${TOKEN}, which is not set")])
    expect(said(read(["serve", "${KEY}"], { ENV: "e" }))).toEqual([expect.stringContaining("args[1]: has ${KEY}")])
  })

  it("[G2:unit] what wrap does not replace is replaced from the environment, also where its entry has a variable of that name", () => {
    const env = { BASE: "of the entry" }
    const argsOf = (args: ReadonlyArray<string>, extra: object = {}, command = "mcp-lifeline") => {
      const found = McpConfig.readServer({ command, args, env, ...extra }, { variables: { BASE: "http://h" } })
      return found.value?.reach._tag === "Stdio" ? found.value.reach.args : said(found)
    }
    expect(argsOf(["wrap", "${BASE}/mcp"])).toEqual(["wrap", "http://h/mcp"])
    const launched = ["wrap", "--", "x"]
    expect(argsOf(["${BASE}/mcp-lifeline/esm/bin.js", ...launched], {}, "node")).toEqual([
      "http://h/mcp-lifeline/esm/bin.js",
      ...launched
    ])
    for (const option of ["--name", "--header-file", "--secret"]) {
      expect(argsOf(["wrap", option, "${BASE}", "--", "x"])).toEqual(["wrap", option, "http://h", "--", "x"])
      expect(argsOf(["wrap", `${option}=\${BASE}`, "--", "x"])).toEqual(["wrap", `${option}=http://h`, "--", "x"])
    }
    for (const option of ["--header", "--client-id", "--client-secret"]) {
      for (const args of [["wrap", "http://h/", option, "${BASE}"], ["wrap", `${option}=\${BASE}`, "http://h/"]]) {
        expect(argsOf(args)).toEqual(args)
      }
      expect(argsOf(["wrap", "server", option, "${BASE}"])).toEqual(["wrap", "server", option, "http://h"])
    }
    const unknown = ["wrap", "--header", "A: ${IN_FILE}", "http://h/"]
    expect(argsOf(unknown, { envFile: ".env" })).toEqual(unknown)
    expect(argsOf(unknown)).toEqual([expect.stringContaining("args[2]: has ${IN_FILE}, which is not set")])
    expect(argsOf(["wrap", "${IN_FILE}"], { envFile: ".env" })).toEqual([expect.stringContaining("args[1]")])
  })

  it("[C18:unit] options by tool stand among what other programs keep under the same name", () => {
    const read = (tools: unknown) => {
      const found = McpConfig.readServer({ command: "x", tools })
      return [found.value?.policy.tools, found.problems.map(({ key, path }) => `${key ?? "wrong"} ${path.join("/")}`)]
    }
    const mine = { timeout: "5 min", retry: "never" }
    expect(read({ "write_*": mine })).toEqual([{ "write_*": mine }, []])
    for (const none of [5, "a", null, true]) expect(read(none)).toEqual([undefined, ["wrong tools"]])
    expect(read({ a: { approval_mode: "approve" } })).toEqual([undefined, ["foreign tools/a/approval_mode"]])
    expect(read({ a: { ...mine, approval_mode: "approve" }, b: true, c: { x: 1, y: 2 } })).toEqual([
      { a: mine },
      ["foreign tools/a/approval_mode", "foreign tools/b", "foreign tools/c"]
    ])
    expect(read({ a: { timout: "5 min" } })[1]).toEqual(["misspelt tools/a/timout"])
    expect(read({ a: { timeout: 30 } })[1]).toEqual(["ambiguous tools/a/timeout"])
    expect(said(McpConfig.readServer({ command: "x", lifeline: { tools: ["*"] } }))).toEqual([
      "lifeline.tools: is an array; accepted: an object of options by the name of the tool"
    ])
    expect(said(McpConfig.readServer({ command: "x", tools: { a: mine }, lifeline: { tools: { b: mine } } }))).toEqual([
      "lifeline.tools: is given twice, here and beside lifeline; keep one"
    ])
    const { problems, value } = McpConfig.readTop({
      mcpServers: {},
      tools: { core: ["x"], shell: { pager: "less" }, "write_*": mine }
    })
    expect(problems.map(({ key, path }) => `${key} ${path.join("/")}`)).toEqual([
      "foreign tools/core",
      "foreign tools/shell/pager"
    ])
    expect(value?.policy.tools).toMatchObject({ "write_*": mine })
  })

  const offers = (raw: object, name?: string) => {
    const { problems, value } = McpConfig.readServer({ command: "x", ...raw }, undefined, { name })
    if (value === undefined) return problems.map(({ message, path }) => `${McpConfig.showPath(path)}: ${message}`)
    const one = new FilteredLists(filtersOf(value.policy))
    return ["read", "write", "other"].filter((tool) => one.has("tools", tool))
  }

  it.each<[object, ReadonlyArray<string>]>([
    [{}, ["read", "write", "other"]],
    // Gemini CLI, Amp.
    [{ includeTools: ["read", "write(path)"] }, ["read", "write"]],
    [{ includeTools: ["*e*"], excludeTools: ["read"] }, ["write", "other"]],
    [{ includeTools: [] }, []],
    // Codex.
    [{ enabled_tools: ["read", "write"], disabled_tools: ["read"] }, ["write"]],
    [{ enabled_tools: [] }, []],
    [{ enabled_tools: ["r*", "write"] }, ["write"]],
    // nanobot.
    [{ enabledTools: ["mcp_mine_read", "write", "mcp_other_other"] }, ["read", "write"]],
    [{ enabledTools: ["mcp__mine__read"] }, ["read"]],
    [{ enabledTools: ["*"] }, ["read", "write", "other"]],
    // Kiro, Roo Code.
    [{ disabledTools: ["read", ""], autoApprove: ["write"], alwaysAllow: ["*"], trust: true }, ["write", "other"]],
    // Copilot.
    [{ tools: ["*"] }, ["read", "write", "other"]],
    [{ tools: ["read"] }, ["read"]],
    [{ tools: [] }, []],
    // Codex: only approvals.
    [{ tools: { read: { approval_mode: "approve" } }, default_tools_approval_mode: "prompt" }, [
      "read",
      "write",
      "other"
    ]],
    // With each other, and with the options of Lifeline.
    [{ tools: ["read", "write"], enabledTools: ["write", "other"] }, ["write"]],
    [{ tools: ["read", "write"], lifeline: { tools: { only: ["w*", "o*"] } } }, ["write"]],
    [{ includeTools: ["*r*"], disabledTools: ["read"], lifeline: { tools: { only: ["*e*"], hide: ["other"] } } }, [
      "write"
    ]],
    [{ disabledTools: ["read"], tools: { hide: ["write"], write: { timeout: "1 min" } } }, ["other"]],
    // What is no list is refused, so that nothing is offered by mistake.
    ...["includeTools", "excludeTools", "enabledTools", "enabled_tools", "disabledTools", "disabled_tools"].flatMap((
      key
    ) =>
      [[null, "null"], [{}, "an object"], [true, "a boolean"], ["read", "a string"]].map(([value, kind]) =>
        [{ [key]: value } as object, [
          `${key}: is ${kind}; accepted: an array of names of tools; to offer all, leave it out`
        ]] as [object, Array<string>]
      )
    ),
    ...[[null, "null"], ["read", "a string"], [1, "a number"]].map(([tools, kind]) =>
      [{ tools } as object, [
        `tools: is ${kind}; accepted: an array of names of tools, or an object of options by tool; to offer all, leave it out`
      ]] as [object, Array<string>]
    ),
    [{ disabled_tools: ["read", 5] }, ["disabled_tools[1]: is a number; accepted: a string"]],
    [{ tools: ["read", {}] }, ["tools[1]: is an object; accepted: a string"]]
  ])("[G19:unit] the lists of hosts say what is offered: %j", (raw, expected) => {
    expect(offers(raw, "mine")).toEqual(expected)
  })

  const unmatched = (raw: object, switches = {}, tools = ["read", "write", "other"]) => {
    const { value } = McpConfig.readServer({ command: "x", ...raw }, undefined, { name: "mine", switches })
    return ListFilter.unmatched("tools", filtersOf(value?.policy ?? {}).tools, tools).map((
      { meant, pattern }
    ) => [pattern, meant])
  }

  it("[G19:unit] a text that a host reads in several ways fits if one of them does, and is reported once if none does", () => {
    expect(unmatched({ includeTools: ["read(path)", "write"] })).toEqual([])
    expect(unmatched({ enabledTools: ["mcp_mine_read", "mcp__mine__write"] })).toEqual([])
    expect(unmatched({ includeTools: ["raed(path)"] })).toEqual([["raed(path)", undefined]])
    expect(unmatched({ enabledTools: ["mcp_mine_none", "mcp_yours_read"] })).toEqual([
      ["mcp_mine_none", undefined],
      ["mcp_yours_read", undefined]
    ])
    // These hosts take such a text as it is, and it is the name of no tool.
    expect(unmatched({ excludeTools: ["read(path)"] })).toEqual([["read(path)", undefined]])
  })

  it.each<[Readonly<Record<string, boolean>>, string, ReadonlyArray<string>]>([
    [{}, "mine", ["read", "write", "other"]],
    [{ "mine_*": false }, "mine", []],
    [{ mine_read: false, yours_write: false, write: false }, "mine", ["write", "other"]],
    [{ "mine_*": false, mine_read: true }, "mine", ["read"]],
    [{ mine_read: true, "mine_*": false, "mine_r*": false }, "mine", ["read"]],
    [{ "mine_re*": true, mine_read: false }, "mine", ["write", "other"]],
    [{ "*": false }, "mine", []],
    [{ "*": false, "m*_write": true }, "mine", ["write"]],
    [{ "*_write": false }, "mine", ["read", "other"]],
    [{ "mi?e_?ead": false }, "mine", ["write", "other"]],
    [{ "mine_": false, mine: false, "": false }, "mine", ["read", "write", "other"]],
    [{ "my_server_*": false }, "my server", []],
    [{ "*er*": false }, "mine", ["read", "write"]]
  ])("[G19:unit] opencode's switches %j of the server %j leave %j", (tools, name, expected) => {
    const { problems, value: top } = McpConfig.readTop({ mcp: {}, tools })
    expect(problems).toEqual([])
    const { value } = McpConfig.readServer({ type: "local", command: ["x"] }, undefined, {
      name,
      switches: top!.switches
    })
    const one = new FilteredLists(filtersOf(value!.policy))
    expect(["read", "write", "other"].filter((tool) => one.has("tools", tool))).toEqual(expected)
    expect(ServerOptions.problems(ServerOptions.merge({ tools: { only: ["r*"] } }, value!.policy))).toEqual([])
  })

  it("[G19:unit] of opencode's switches those are reported that name this server and fit nothing; ours stay ours", () => {
    const switches = { mine_none: false, yours_read: false, "*_none": false, mine_read: false, "mine_*": false }
    expect(unmatched({}, switches)).toEqual([["mine_none", undefined]])
    const { problems, value } = McpConfig.readTop({ mcp: {}, tools: { "mine_*": false, read: { timeout: "1 min" } } })
    expect(problems).toEqual([])
    expect(value?.policy.tools).toMatchObject({ read: { timeout: "1 min" } })
    expect(value?.switches).toEqual({ "mine_*": false })
    // Only opencode has them.
    expect(McpConfig.readTop({ mcpServers: {}, tools: { "mine_*": false } }).value?.switches).toEqual({})
  })

  it.each<[object, string]>([
    [{ tools: { hide: "read" } }, "tools.hide: is a string; accepted: an array of names and patterns"],
    [{ tools: { only: null } }, "tools.only: is null; accepted: an array of names and patterns"],
    [{ tools: { hdie: ["read"] } }, "tools.hdie: is an array; accepted: an object of options"],
    [{ prompts: { hide: "read" } }, "prompts.hide: is a string; accepted: an array of names and patterns"],
    [{ prompts: null }, "prompts: is null; accepted: an object of options"],
    [
      { lifeline: { tools: { only: "read" } } },
      "lifeline.tools.only: is a string; accepted: an array of names and patterns"
    ],
    [{ lifeline: { tools: null } }, "lifeline.tools: is null; accepted: an object of options by the name of the tool"]
  ])("[G19:unit] what is no list of what is offered is refused: %j", (raw, message) => {
    const read = McpConfig.readServer({ command: "x", ...raw })
    expect([said(read), read.problems.map(({ key }) => key)]).toEqual([[message], [undefined]])
  })

  it("[G19:unit] a pattern in a list of names is reported", () => {
    expect(said(McpConfig.readServer({ command: "x", enabled_tools: ["read", "r*"] }))).toEqual([
      'enabled_tools[1]: is read as a name, because this list takes no patterns, and no tool has such a name; write tools: { "only": [..] }'
    ])
  })

  it("[G19:unit] what other programs keep at the top of a file under these names is theirs", () => {
    const { problems, value } = McpConfig.readTop({
      context_servers: {},
      tools: ["x"],
      prompts: { default: "x" },
      resources: ["a"],
      lifeline: { prompts: { hide: ["p"] } }
    })
    expect(problems.map(({ key, path }) => `${key} ${path.join("/")}`)).toEqual([
      "foreign prompts",
      "foreign tools",
      "foreign resources"
    ])
    expect([...value?.policy.prompts?.hide ?? []]).toEqual(["p"])
    const own = McpConfig.readTop({ mcpServers: {}, resources: { hide: ["a"] } })
    expect([...own.value?.policy.resources?.hide ?? []]).toEqual(["a"])
    // Where there are only servers, it was meant for us.
    for (const value of ["a", null, ["a"], 5]) {
      for (const group of ["tools", "prompts", "resources"]) {
        const { problems } = McpConfig.readTop({ mcpServers: {}, [group]: value })
        expect(problems).toEqual([{ path: [group], message: expect.stringMatching(/; accepted: an object .*"only"/) }])
      }
    }
    expect(said(McpConfig.readTop({ mcpServers: {}, prompts: { hid: ["a"] } }) as never)).toEqual([
      'prompts.hid: is not an option of prompts; did you mean "hide"?'
    ])
  })

  it("[C1 X1:unit] what every object has is no variable: it is unset, and reported", () => {
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
      const sources = { variables: {}, places: {}, inputs: {} }
      for (const reference of [`\${${name}}`, `\${env:${name}}`]) {
        const read = McpConfig.readServer({ command: "x", args: [reference] }, sources)
        expect(said(read)).toEqual([expect.stringContaining("which is not set")])
        expect(JSON.stringify(read)).not.toContain("native code")
      }
      const read = McpConfig.readServer({ command: "x", args: [`\${${name}:-d}`] }, sources)
      expect([read.value?.reach, said(read)]).toMatchObject([{ args: ["d"] }, []])
      expect(said(McpConfig.readServer({ command: "x", args: [`\${input:${name}}`] }, sources))).toHaveLength(1)
    }
  })

  it.each([
    ["{${A}${B}}", "{ab}"],
    ["$${A}", "$a"],
    ["${A", "${A"],
    ["${A}}", "a}"],
    ["{A} $A {", "{A} $A {"],
    ["}${A}{${B}", "}a{b"],
    ["${A:-${B}", "a"],
    ["{x{${A}", "{x{a"]
  ])("[G2:unit] in %j references are replaced, and nothing else", (text, expected) => {
    const read = McpConfig.readServer({ command: "x", args: [text] }, { variables: { A: "a", B: "b" } })
    expect([read.value?.reach, said(read)]).toMatchObject([{ args: [expected] }, []])
  })

  it.each([
    [
      { url: "http://h/mcp", headerss: { a: "secret" } },
      'headerss: is not an option of a server; did you mean "headers"?'
    ],
    [
      { command: "x", headerss: { a: "secret" } },
      'headerss: is not an option of a server; did you mean "headers"? That belongs to a server with a url, and this one has a command'
    ],
    [
      { url: "http://h/mcp", comand: "secret" },
      'comand: is not an option of a server; did you mean "command"? That belongs to a server with a command, and this one has a url'
    ],
    [{ command: "x", protocoll: "2025" }, 'protocoll: is not an option of a server; did you mean "protocol"?'],
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
    [{ command: "x", lifeline: { session: "shared" } }, 'lifeline.session: is not an option; did you mean "sessions"?'],
    [
      { command: "x", lifeline: { reconnect: { maxDelayy: 1 } } },
      'lifeline.reconnect.maxDelayy: is not an option of reconnect; did you mean "maxDelay"?'
    ],
    [{ url: "http://h/mcp", serverUrl: "http://h/mcp" }, "serverUrl: is another name of url; keep one"],
    [
      { command: "x", calls: {}, lifeline: { calls: {} } },
      "lifeline.calls: is given twice, here and beside lifeline; keep one"
    ],
    [
      { command: "x", type: "sse" },
      'type: is "sse"; accepted: "stdio" or "local", since this server has a command'
    ],
    [
      { url: "http://h/mcp", type: "ws" },
      expect.stringMatching(/^type: is "ws"; accepted: "auto", "http", "streamable-http", .*"remote" or "sse"$/)
    ],
    [{ command: "x", enabled: true, disabled: true }, "enabled: contradicts disabled; keep one of the two"],
    [{ command: "x", enabled: "no" }, 'enabled: is "no"; accepted: true or false'],
    [
      { command: "x", timeout: -1 },
      expect.stringMatching(/^timeout: is -1; accepted: 1 ms to 7 d, as milliseconds or /)
    ],
    [{ command: "x", stdio: { stdinGrace: "5s", command: "y" } }, "stdio.command: belongs beside stdio, not in it"],
    [
      { command: "x", maxMemory: "1 G" },
      'maxMemory: is "1 G"; accepted: at least 10 MB, as bytes or as a text such as "512 MB" or "1 GiB"'
    ],
    [{ command: "x", stdio: { maxMemory: "1 GB" } }, "stdio.maxMemory: belongs beside stdio, not in it"],
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

  it("[G2:unit] a command may have its arguments with it, null takes a variable away, and env has other names", () => {
    const { problems, value } = McpConfig.readServer({
      type: "local",
      command: ["npx", "-y", "server"],
      args: ["--more"],
      environment: { A: 1, LANG: null },
      envFile: "${workspaceFolder}/.env"
    }, { variables: { workspaceFolder: "no" }, places: { workspaceFolder: "/home/me" } })
    expect(problems).toEqual([])
    expect(value?.reach).toMatchObject({ command: "npx", args: ["-y", "server", "--more"], envFile: "/home/me/.env" })
    expect(value?.reach._tag === "Stdio" && reveal(value.reach.env)).toEqual({ A: "1", LANG: null })
    expect(said(McpConfig.readServer({ command: [] }))).toEqual([
      "command: is empty; accepted: a program, and its arguments"
    ])
    expect(said(McpConfig.readServer({ command: ["x", 5] }))).toEqual(["command[1]: is a number; accepted: a string"])
  })

  it("[G2:unit] values that are taken from variables by name; one that is not set is a problem of the server", () => {
    const raw = {
      url: "https://h/mcp",
      http_headers: { A: "1" },
      bearer_token_env_var: "TOKEN",
      env_http_headers: { "X-Key": "KEY" }
    }
    const { problems, value } = McpConfig.readServer(raw, { variables: { TOKEN: "t", KEY: "k" } })
    expect(problems).toEqual([])
    expect(value?.reach._tag === "Http" && reveal(value.reach.headers)).toEqual({
      A: "1",
      Authorization: "Bearer t",
      "X-Key": "k"
    })
    expect(said(McpConfig.readServer(raw, { variables: { KEY: "k" } }))).toEqual([
      "bearer_token_env_var: names the variable TOKEN, which is not set; set it in the environment"
    ])
    const started = McpConfig.readServer({ command: "x", env: { B: "own" }, env_vars: ["A", "B", "C"] }, {
      variables: { A: "a", B: "b" }
    })
    expect(started.value?.reach._tag === "Stdio" && reveal(started.value.reach.env)).toEqual({ A: "a", B: "own" })
  })

  it.each<[object, object]>([
    [{ timeout: 60_000 }, { timeouts: { request: 60_000 } }],
    [{ timeout: "90s" }, { timeouts: { request: "90s" } }],
    [{ tool_timeout_sec: 45, startup_timeout_sec: 2.5 }, { timeouts: { request: 45_000, connect: 2500 } }],
    [{ timeout: 60_000, lifeline: { timeouts: { request: "5s" } } }, { timeouts: { request: "5s" } }],
    [{ enabled: true }, { lifecycle: { disabled: false } }],
    [{ enabled: false }, { lifecycle: { disabled: true } }]
  ])("[G2:unit] %j means %j", (raw, policy) => {
    const { problems, value } = McpConfig.readServer({ command: "x", ...raw })
    expect(problems).toEqual([])
    expect(value?.policy).toEqual(policy)
  })

  it("[G2:unit] a number that some hosts read as seconds is told and not used; a short one of Lifeline's own is told and used", () => {
    const host = McpConfig.readServer({ command: "x", timeout: 60 })
    expect(host.value?.policy).toEqual({})
    expect(host.problems).toEqual([{
      path: ["timeout"],
      message: "is 60 without a unit, which hosts read as milliseconds or as seconds, and has no effect here; "
        + 'write "60 ms" or "60 s"',
      key: "ambiguous"
    }])
    const own = McpConfig.readServer({ command: "x", lifeline: { timeouts: { request: 30, close: 500 } } })
    expect(own.value?.policy).toEqual({ timeouts: { request: 30, close: 500 } })
    expect(said(own)).toEqual([
      'lifeline.timeouts.request: is 30 without a unit, which is read as milliseconds; write "30 ms" or "30 s"'
    ])
  })

  it("[G2:unit] inputs come from the environment, by their id or in capitals, or from their default in the file", () => {
    const read = (args: ReadonlyArray<string>, variables: McpConfig.Variables, inputs: McpConfig.Variables = {}) =>
      McpConfig.readServer({ command: "x", args }, { variables, inputs })
    expect(read(["${input:api-key}"], { "api-key": "a", API_KEY: "b" }).value?.reach).toMatchObject({ args: ["a"] })
    expect(read(["${input:api-key}"], { API_KEY: "b" }, { "api-key": "c" }).value?.reach).toMatchObject({ args: ["b"] })
    expect(read(["${input:api-key}"], {}, { "api-key": "c" }).value?.reach).toMatchObject({ args: ["c"] })
    expect(read(["${input:api-key:-d}"], {}).value?.reach).toMatchObject({ args: ["d"] })
    expect(said(read(["${input:api-key}"], {}))).toEqual([
      "args[0]: has ${input:api-key}, which is not set; set API_KEY in the environment or write ${input:api-key:-default}"
    ])
  })

  it.each<[string, object, ReadonlyArray<string>]>([
    ["VS Code's settings", { mcp: { servers: { a: { command: "x" } }, inputs: [] }, editor: 1 }, ["mcp", "servers"]],
    ["opencode", { mcp: { a: { type: "local", command: ["x"] } }, theme: "y" }, ["mcp"]],
    ["a server that is called servers", { mcp: { servers: { type: "local", command: ["x"] } } }, ["mcp"]],
    ["Gemini CLI", { mcpServers: { a: { httpUrl: "http://h" } }, mcp: { allowed: ["a"] } }, ["mcpServers"]],
    ["Codex", { model: "y", mcp_servers: { a: { command: "x" } } }, ["mcp_servers"]],
    ["Zed", { context_servers: { a: { source: "custom", command: "x" } }, vim_mode: true }, ["context_servers"]],
    ["Amp", { "amp.mcpServers": { a: { command: "x" } } }, ["amp.mcpServers"]]
  ])("[G2:unit] finds the servers of %s", (_, raw, path) => {
    const { problems, value } = McpConfig.readTop(raw)
    expect(value?.path).toEqual(path)
    expect(problems.filter(({ key }) => key !== "foreign")).toEqual([])
  })

  it("[G2:unit] an empty key of the other kind is none", () => {
    const kindOf = (raw: object) => {
      const read = McpConfig.readServer(raw)
      return read.value === undefined ? said(read) : [read.value.reach._tag, ...said(read)]
    }
    expect(kindOf({ url: "http://h/mcp", env: {}, args: [], cwd: "" })).toEqual(["Http"])
    expect(kindOf({ url: "http://h/mcp", command: "" })).toEqual(["Http"])
    expect(kindOf({ url: "", command: "x", headers: {} })).toEqual(["Stdio"])
    expect(kindOf({ url: "http://h/mcp", command: "x" })).toEqual([
      "url: cannot be combined with command; keep one of the two"
    ])
    expect(kindOf({ url: "", command: "" })).toEqual([expect.stringMatching(/^command: is empty/)])
    expect(kindOf({ url: "" })).toEqual([expect.stringMatching(/^url: is not an address/)])
    expect(kindOf({ command: "" })).toEqual([expect.stringMatching(/^command: is empty/)])
  })

  it("[G2:unit] beside a connector stands how the server is supervised, and nothing else", () => {
    const { problems, value } = McpConfig.readSupervision({
      connector: {},
      disabled: true,
      calls: { retry: "never" },
      command: "x"
    }, ["connector"])
    expect(problems).toEqual([{ path: ["command"], message: "cannot be combined with connector; keep one of them" }])
    expect(value?.policy).toEqual({ calls: { retry: "never" }, lifecycle: { disabled: true } })
  })
})
