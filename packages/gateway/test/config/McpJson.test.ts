import { describe, expect, it } from "@effect/vitest"
import { ServerOptions } from "@mcp-lifeline/extensions"
import { decodeFilters, FilteredLists } from "@mcp-lifeline/extensions/internal"
import { Effect, Either, Redacted } from "effect"
import { Backends, McpJson } from "mcp-lifeline"
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { inspect } from "node:util"
import * as Problem from "../../src/document/Problem.js"
import { stateFolder } from "../support/Host.js"

const parse = (source: string, env: Record<string, string> = {}) =>
  Either.getOrThrow(McpJson.parse("mcp.json", source, env))

const problems = (source: string, env: Record<string, string> = {}) => parse(source, env).problems.map(Problem.show)

const broken = (source: string) =>
  Either.match(McpJson.parse("mcp.json", source, {}), {
    onLeft: ({ problem }) => Problem.show(problem),
    onRight: () => "not broken"
  })

const reveal = (secrets: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(secrets).map(([key, value]) => [key, Redacted.isRedacted(value) ? Redacted.value(value) : value])
  )

const envOf = (entry: ReturnType<typeof parse>["entries"][number] | undefined) =>
  entry?.server._tag === "Stdio" ? reveal(entry.server.env) : {}

describe("McpJson", () => {
  it("[G2:unit] reads stdio and url entries, with comments and trailing commas", () => {
    const { entries, problems } = parse(`// my servers
{
  "mcpServers": {
    /* files */
    "files": { "command": "npx", "args": ["-y", "server-files", "/data"], "env": { "LEVEL": 3, "DEBUG": true }, "cwd": "work" },
    "docs": { "type": "http", "url": "https://host.example/mcp", "headers": { "Authorization": "Bearer secret-1" } },
    "bare": { "command": "serve", },
  },
}`)
    expect(problems).toEqual([])
    expect(entries.map(({ name }) => name)).toEqual(["files", "docs", "bare"])
    const [files, docs, bare] = entries.map(({ server }) => server)
    expect(files).toMatchObject({ _tag: "Stdio", command: "npx", args: ["-y", "server-files", "/data"], cwd: "work" })
    expect(envOf(entries[0])).toEqual({ LEVEL: "3", DEBUG: "true" })
    expect(docs).toMatchObject({ _tag: "Http", url: "https://host.example/mcp", transport: "streamable" })
    expect(docs?._tag === "Http" && reveal(docs.headers)).toEqual({ Authorization: "Bearer secret-1" })
    expect(bare).toMatchObject({ args: [], env: {}, cwd: undefined })
  })

  it.each([
    ["VS Code's servers", `{"servers": {"a": {"type": "stdio", "command": "x"}}, "inputs": []}`, "Stdio"],
    ["serverUrl", `{"mcpServers": {"a": {"serverUrl": "http://h/mcp"}}}`, "Http"],
    ["httpUrl", `{"mcpServers": {"a": {"httpUrl": "http://h/mcp", "timeout": 5000}}}`, "Http"],
    ["a byte order mark", `\uFEFF{"mcpServers": {"a": {"url": "http://h/mcp"}}}`, "Http"],
    ["keys of other programs", `{"mcpServers":{"a":{"command":"x","alwaysAllow":["y"],"type":"stdio"}}}`, "Stdio"]
  ])("[G2:unit] knows the dialect: %s", (_, source, tag) => {
    const { entries, problems } = parse(source)
    expect(problems).toEqual([])
    expect(entries.map(({ server }) => server._tag)).toEqual([tag])
  })

  it("[G2:unit] reads Codex's TOML, with the lines of its keys", () => {
    const source = `model = "m"

[mcp_servers.docs]
url = "https://host.example/mcp"
bearer_token_env_var = "TOKEN"
startup_timeout_sec = 20

[mcp_servers.files]
command = "npx"
args = ["-y", "files"]
enabled = false
[mcp_servers.files.env]
ROOT = "\${HOME}"

[mcp_servers.bad]
command = "x"
args = [
  "a",
  5
]
`
    const { entries, names, notices, problems } = Either.getOrThrow(
      McpJson.parse("config.toml", source, { TOKEN: "secret-1", HOME: "/home/me" })
    )
    const numbered = ["config.toml:19: mcp_servers.bad.args[1]: is a number; accepted: a string"]
    expect(problems.map(Problem.show)).toEqual(numbered)
    const foreign = ["config.toml:1: model: belongs to another program and has no effect here"]
    expect(notices.map(Problem.show)).toEqual(foreign)
    expect(names).toEqual(["docs", "files", "bad"])
    const [docs, files] = entries
    expect(docs).toMatchObject({ name: "docs", policy: { timeouts: { connect: 20_000 } } })
    expect(docs?.server._tag === "Http" && reveal(docs.server.headers)).toEqual({ Authorization: "Bearer secret-1" })
    expect(files).toMatchObject({ server: { command: "npx" }, policy: { lifecycle: { disabled: true } } })
    expect(envOf(files)).toEqual({ ROOT: "/home/me" })
    const broken = Either.flip(McpJson.parse("config.toml", "[mcp_servers.a]\ncommand = \n", {}))
    expect(Problem.show(Either.getOrThrow(broken).problem)).toMatch(/^config\.toml:2: not valid TOML: /)
  })

  it("[G2:unit] reads opencode's file, whose references have no dollar", () => {
    const { entries, notices, problems } = parse(
      `{ "theme": "x", "mcp": {
        "a": { "type": "local", "command": ["bun", "x"], "environment": { "A": "{env:A}" }, "enabled": false },
        "b": { "type": "remote", "url": "https://h/mcp", "headers": { "K": "{env:K}" } },
        "c": { "type": "remote", "url": "https://h/mcp", "headers": { "K": "{file:k}" } } } }`,
      { A: "1" }
    )
    expect(problems.map(Problem.show)).toEqual([
      expect.stringMatching(/^mcp\.json:3: mcp\.b\.headers\.K: has \$\{env:K\}, which is not set; /),
      expect.stringMatching(/^mcp\.json:4: mcp\.c\.headers\.K: has \$\{file:k\}, which is not known; /)
    ])
    expect(notices).toHaveLength(1)
    expect(entries).toHaveLength(1)
    const server = entries[0]?.server
    expect(server).toMatchObject({ command: "bun", args: ["x"] })
    expect(envOf(entries[0])).toEqual({ A: "1" })
  })

  it("[G19:unit] what opencode's file switches off is hidden, without a notice", () => {
    const { entries, notices, problems } = parse(`{
      "mcp": { "a": { "type": "local", "command": ["x"] }, "b": { "type": "local", "command": ["y"] } },
      "tools": { "a_write": false, "b_*": false } }`)
    expect([problems, notices]).toEqual([[], []])
    const offered = entries.map(({ policy }) => new FilteredLists(decodeFilters(ServerOptions.filtersOf(policy))))
    expect(offered.map((one) => ["read", "write"].filter((tool) => one.has("tools", tool)))).toEqual([["read"], []])
  })

  it("[G2:unit] one notice names all keys of other programs", () => {
    const { notices, problems } = parse(`{ "$schema": "x", "mcpServers": {
      "a": { "command": "x", "autoApprove": ["y"], "trust": true, "timeout": 60000 },
      "b": { "url": "http://h/mcp", "autoApprove": [], "oauth": {}, "timeout": 30 } },
      "inputs": [] }`)
    expect(problems).toEqual([])
    expect(notices.map(Problem.show)).toEqual([
      expect.stringMatching(/^mcp\.json:3: mcpServers\.b\.timeout: is 30 without a unit, /),
      "mcp.json:2: mcpServers.a.autoApprove: belongs to another program and has no effect here; nor have trust, oauth, inputs"
    ])
  })

  it("[G2:unit] inputs with a default are not said to have no effect, because that is used", () => {
    const { entries, notices, problems } = parse(`{
      "servers": { "a": { "command": "x", "args": ["\${input:lifeline-test-input}"] } },
      "inputs": [{ "id": "lifeline-test-input", "default": "y" }] }`)
    expect([problems, notices]).toEqual([[], []])
    expect(entries[0]?.server).toMatchObject({ args: ["y"] })
  })

  it("[G2:unit] the workspace is the folder of the file, or the one around .vscode", () => {
    const args = (file: string) => {
      const source =
        `{"servers": {"a": {"command": "x", "args": ["\${workspaceFolder}", "\${workspaceFolderBasename}\${/}"]}}}`
      const server = Either.getOrThrow(McpJson.parse(file, source, {})).entries[0]?.server
      return server?._tag === "Stdio" ? server.args : []
    }
    expect(args("/work/project/.vscode/mcp.json")).toEqual(["/work/project", "project/"])
    expect(args("/work/project/.mcp.json")).toEqual(["/work/project", "project/"])
  })

  it("[G4:unit] a server's identity differs for each way to start or reach another one, and says nothing of secrets", () => {
    const identity = (entry: object, folder = "/a") =>
      Backends.fromEntries(parse(JSON.stringify({ mcpServers: { a: entry } })).entries, folder).backends[0]?.identity
    const stdio = { command: "node", args: ["a.js"], env: { TOKEN: "s3cret" }, cwd: "x", protocol: "2025" }
    const http = { url: "https://mcp.example/", headers: { "X-Key": "s3cret" }, type: "http" }
    const differing = [
      [stdio, [{ command: "deno" }, { args: [] }, { env: { TOKEN: "other" } }, { cwd: "y" }, { protocol: "2026" }]],
      [http, [{ url: "https://mcp.example/b" }, { headers: { "X-Key": "other" } }, { type: "sse" }]]
    ] as const
    const options = { reconnect: { initialDelay: "1 second" }, lifecycle: { lazy: true } }
    for (const [own, others] of differing) {
      expect(identity(own)).toMatch(/^[\w+/=]+$/)
      expect(identity({ ...own, ...options })).toBe(identity(own))
      for (const other of others) expect(identity({ ...own, ...other })).not.toBe(identity(own))
    }
    expect(identity(stdio, "/b")).not.toBe(identity(stdio))
  })

  it("[G2:unit] envFile is read from the folder of the file, below env; one that is not there stops its server", async () => {
    using folder = stateFolder()
    writeFileSync(join(folder.path, ".env"), "# secrets\nA=from-file\nexport B='from file'\n")
    const { entries } = parse(`{"mcpServers": {
        "a": { "command": "x", "env": { "A": "own" }, "envFile": ".env" },
        "b": { "command": "x",
          "envFile": "not-there.env" } }}`)
    const [problems, complete] = await Effect.runPromise(Backends.completed(entries, folder.path))
    const { backends } = Backends.fromEntries(complete, folder.path)
    expect(backends.map(({ id }) => id)).toEqual(["a"])
    expect(envOf(complete[0])).toEqual({ A: "own", B: "from file" })
    const missing = `mcpServers.b.envFile: names ${join(folder.path, "not-there.env")}, and there is no such file`
    expect(problems.map(Problem.show)).toEqual([`mcp.json:4: ${missing}; create it, or leave envFile out`])
    expect(inspect(backends, { depth: 20 })).not.toContain("from-file")
  })

  it("[X1] an envFile of several servers is read once: two readers of a pipe would share what is in it", async () => {
    using folder = stateFolder()
    const file = join(folder.path, ".env")
    execFileSync("mkfifo", [file])
    const { entries } = parse(
      `{"mcpServers": {"a": {"command": "x", "envFile": ".env"}, "b": {"command": "x", "envFile": "${file}"}}}`
    )
    const completing = Effect.runPromise(Backends.completed(entries, folder.path))
    await writeFile(file, "A=1")
    const [problems, complete] = await completing
    expect(problems).toEqual([])
    expect(complete.map((entry) => Object.keys(envOf(entry)))).toEqual([["A"], ["A"]])
  })

  it("[G2:unit] keeps type sse, disabled and the options under lifeline", () => {
    const { entries } = parse(
      `{"mcpServers": {"a": {"type": "sse", "url": "http://h/sse", "disabled": true, "lifeline": {"keepalive": {"interval": "1 minute"}}}}}`
    )
    expect(entries[0]).toMatchObject({
      policy: { keepalive: { interval: "1 minute" }, lifecycle: { disabled: true } },
      server: { transport: "sse" }
    })
  })

  it("[G2:unit] names file, line, key and remedy of each bad entry, and keeps the good ones", () => {
    const source = `{
  "mcpServers": {
    "good": { "command": "x" },
    "both": {
      "command": "x",
      "url": "http://h/mcp"
    },
    "neither": { "args": [] },
    "args": {
      "command": "x",
      "args": [
        "--port",
        8080
      ]
    },
    "address": { "url": "ftp://h" },
    "unset": {
      "command": "x",
      "env": { "TOKEN": "\${NOT_THERE}" }
    },
    "input": { "command": "x", "args": ["\${input:key}"] },
    "text": "npx x",
    "off": { "command": "x", "disabled": "yes" },
    "later": { "url": "http://h/mcp" }
  }
}`
    const { entries } = parse(source)
    expect(entries.map(({ name }) => name)).toEqual(["good", "later"])
    expect(problems(source)).toEqual([
      "mcp.json:6: mcpServers.both.url: cannot be combined with command; keep one of the two",
      "mcp.json:8: mcpServers.neither: has neither command (a program to start) nor url (an address)",
      "mcp.json:13: mcpServers.args.args[1]: is a number; accepted: a string",
      "mcp.json:16: mcpServers.address.url: is not an address; accepted: one that begins with http:// or https://",
      "mcp.json:19: mcpServers.unset.env.TOKEN: has ${NOT_THERE}, which is not set; set NOT_THERE in the environment or write "
      + "${NOT_THERE:-default}",
      "mcp.json:21: mcpServers.input.args[0]: has ${input:key}, which is not set; set KEY in the environment or write "
      + "${input:key:-default}",
      "mcp.json:22: mcpServers.text: is a string; accepted: an object with a command or a url",
      'mcp.json:23: mcpServers.off.disabled: is "yes"; accepted: true or false'
    ])
  })

  it("[G2:unit] a server of an extension of Zed is no problem, and what looks like one and has a command is started", () => {
    const { entries, names, notices, problems } = parse(`{ "context_servers": {
      "ext": { "source": "extension", "enabled": true, "settings": { "token": "secret" } },
      "own": { "source": "extension", "command": "x" },
      "other": { "source": "custom" } } }`)
    expect(names).toEqual(["ext", "own", "other"])
    expect(entries.map(({ name }) => name)).toEqual(["own"])
    expect(notices.map(Problem.show)).toEqual([
      "mcp.json:2: context_servers.ext: is a server of an extension of Zed, which only Zed starts; it is left out here",
      "mcp.json:3: context_servers.own.source: belongs to another program and has no effect here, wherever it stands"
    ])
    const neither = ["mcp.json:4: context_servers.other: has neither command (a program to start) nor url (an address)"]
    expect(problems.map(Problem.show)).toEqual(neither)
  })

  it("[G2:unit] refuses a name that is there twice", () => {
    const source = `{"mcpServers": {\n"a": {"command": "x"},\n"b": {"command": "x"},\n"a": {"command": "y"}}}`
    expect(parse(source).entries.map(({ name }) => name)).toEqual(["b"])
    expect(problems(source)).toHaveLength(1)
    expect(problems(source)[0]).toContain("mcpServers.a: appears more than once")
  })

  it("[G2:unit] refuses a key that is there twice, at any depth of an entry, at its second place", () => {
    const source = `{"mcpServers": {
      "a": { "command": "x",
        "command": "y" },
      "b": { "command": "x", "env": { "A": "1",
        "A": "2" } },
      "c": { "command": "x" } } }`
    expect(parse(source).entries.map(({ name }) => name)).toEqual(["c"])
    expect(problems(source)).toEqual([
      "mcp.json:3: mcpServers.a.command: appears more than once; keep one",
      "mcp.json:5: mcpServers.b.env.A: appears more than once; keep one"
    ])
  })

  it("[G2:unit] reads groups of options in an entry, under lifeline and at the top, the nearest first", () => {
    const { entries, problems } = parse(`{
      "lifeline": { "timeouts": { "wait": "1s" } },
      "keepalive": { "interval": "1 min", "timeout": "3s" },
      "mcpServers": {
        "a": { "command": "x", "keepalive": { "interval": "2 min" } },
        "b": { "command": "x", "lifeline": { "keepalive": { "timeout": "5s" } } }
      }
    }`)
    expect(problems).toEqual([])
    expect(entries.map(({ policy }) => policy)).toEqual([
      { timeouts: { wait: "1s" }, keepalive: { interval: "2 min", timeout: "3s" } },
      { timeouts: { wait: "1s" }, keepalive: { interval: "1 min", timeout: "5s" } }
    ])
  })

  it("[G15] sessions at the top are for all servers that do not say it, and a notice says who cannot have its own", () => {
    const source = `{
      "lifeline": { "sessions": "per-client" },
      "mcpServers": {
        "a": { "command": "x" },
        "b": { "command": "x", "lifeline": { "sessions": "shared" } },
        "c": { "command": "x", "disabled": true },
        "d": { "command": "x", "lifeline": { "sessions": "per-client" } }
      }
    }`
    const { entries, notices, problems } = parse(source)
    expect(problems).toEqual([])
    expect(entries.map(({ sessions }) => sessions)).toEqual(["per-client", "shared", "per-client", "per-client"])
    const notice = (at: string, names: string) =>
      `mcp.json:${at}: clients of MCP 2026-07-28 have no sessions, so the gateway does not offer them the servers of which each client `
      + `has its own: ${names}`
    expect(notices.map(Problem.show)).toEqual([notice("2: lifeline.sessions", "a, d")])
    const ownOnly = [notice("7: mcpServers.d.lifeline.sessions", "d")]
    expect(parse(source.replace("per-client", "shared")).notices.map(Problem.show)).toEqual(ownOnly)
    expect(parse(source.replaceAll("per-client", "shared")).notices).toEqual([])
    // A client that the gateway knows needs no session to be told from others.
    const clients = '"clients": { "ci": { "token": "0123456789abcdef0123456789abcdef" } }'
    const known = parse(source.replace('"sessions"', `${clients}, "sessions"`))
    expect([known.notices, known.problems]).toEqual([[], []])
    const unknown = ['mcp.json:2: lifeline.sessions: is "own"; accepted: "shared" or "per-client"']
    expect(parse(source.replace("per-client", "own")).problems.map(Problem.show)).toEqual(unknown)
    const misspelt = ['mcp.json:2: lifeline.session: is not an option; did you mean "sessions"?']
    expect(parse(source.replace("sessions", "session")).problems.map(Problem.show)).toEqual(misspelt)
  })

  it("[D1] placement is for a server that all clients share", () => {
    const source = (lifeline: object, top: object = {}) =>
      JSON.stringify({ lifeline: top, mcpServers: { a: { command: "x", lifeline } } })
    for (const placement of ["one", "each", undefined]) {
      const { entries, problems } = parse(source({ placement, sessions: "shared" }, { sessions: "per-client" }))
      expect([entries[0]?.placement, problems]).toEqual([placement, []])
    }
    for (const [own, top] of [[{ sessions: "per-client" }, {}], [{}, { sessions: "per-client" }]]) {
      for (const placement of ["one", "each"]) {
        const { entries, problems } = parse(source({ placement, ...own }, top))
        expect([entries, problems.map(Problem.show)]).toEqual([[], [
          "mcp.json:1: mcpServers.a.lifeline.placement: is for a server that all clients share; of this one each client has its own "
          + '(sessions "per-client"): keep one of the two'
        ]])
      }
      expect(parse(source(own ?? {}, top)).problems).toEqual([])
    }
    const two = ['mcp.json:1: mcpServers.a.lifeline.placement: is "two"; accepted: "one" or "each"']
    expect(parse(source({ placement: "two" })).problems.map(Problem.show)).toEqual(two)
    const atTop = [expect.stringMatching(/^mcp.json:1: lifeline.placement: is not an option; .* It has no effect$/)]
    expect(parse(source({}, { placement: "one" })).problems.map(Problem.show)).toEqual(atTop)
  })

  it("[G2:unit] an option for all servers that is not acceptable stops all, and says where it stands", () => {
    const source =
      `{\n"keepalive": { "interval": "soon" },\n"lifeline": { "calls": 5 },\n"mcpServers": { "a": { "command": "x" } } }`
    expect(parse(source).entries).toEqual([])
    expect(problems(source)).toEqual([
      'mcp.json:2: keepalive.interval: is "soon"; accepted: 1 s to 24 h',
      "mcp.json:3: lifeline.calls: is 5; accepted: an object of options"
    ])
  })

  it("[G2:unit] what only a connector knows is a problem at its key, too", () => {
    const { entries } = parse(`{"mcpServers": {
      "header": { "url": "http://h/mcp",
        "headers": { "A": "one\\ntwo" } },
      "address": { "url": "http://[" },
      "grace": { "command": "x", "stdio": { "stdinGrace": "5s",
        "termGrace": "1h", "maxMessageByts": 1 } },
      "method": { "command": "x", "keepalive": {
        "method": "options" } },
      "era": { "url": "http://h/mcp", "type": "sse", "protocol": "2026",
        "http": { "maxSockets": 0 } },
      "good": { "command": "x", "stdio": { "stdinGrace": "5s" } }
    }}`)
    const { backends, problems } = Backends.fromEntries(entries, "/")
    expect(backends.map(({ id }) => id)).toEqual(["good"])
    expect(problems.map(Problem.show)).toEqual([
      expect.stringMatching(/^mcp\.json:3: mcpServers\.header\.headers\.A: is not a valid HTTP header; accepted: /),
      expect.stringMatching(/^mcp\.json:4: mcpServers\.address\.url: is not an address; accepted: /),
      expect.stringMatching(/^mcp\.json:6: mcpServers\.grace\.stdio\.termGrace: is "1h"; accepted: 0 ms to 10 min/),
      expect.stringMatching(/maxMessageByts: is not an option of .*did you mean "maxMessageBytes"\?$/),
      expect.stringMatching(/^mcp\.json:8: mcpServers\.method\.keepalive\.method: is "options"; accepted: "ping"/),
      expect.stringMatching(/^mcp\.json:10: mcpServers\.era\.http\.maxSockets: is 0; accepted: a whole number/),
      expect.stringMatching(/^mcp\.json:9: mcpServers\.era\.protocol: cannot be combined with transport sse/)
    ])
  })

  it("[G2:unit] says at which line a file is broken", () => {
    expect(broken(`{\n  "mcpServers": {\n    "a": { "command" "x" }\n  }\n}`)).toMatch(/^mcp\.json:3: not valid JSON: /)
    expect(broken("")).toMatch(/^mcp\.json:1: not valid JSON: /)
    const refused = [
      ["[]", "1: is an array; accepted: an object with mcpServers, an object of servers by name"],
      ["{}", "1: mcpServers: is missing; accepted: an object of servers by name"],
      [`{\n"mcpServer": {}}`, '2: mcpServer: is not an option of an mcp.json; did you mean "mcpServers"?'],
      [`{\n"mcpServers": []}`, "2: mcpServers: is an array; accepted: an object of servers by name"]
    ] as const
    for (const [text, problem] of refused) expect(broken(text)).toBe(`mcp.json:${problem}`)
  })

  it("[C10:unit] shows no value of env and headers, neither in what it gives nor in its problems", () => {
    const secret = "hunter2-hunter2"
    const started = (env: object) => ({ command: "x", env })
    const b = { url: "http://h/mcp", headers: { B: secret } }
    const bad = { c: started({ C: [secret] }), d: started({ D: `\${bad name:-${secret}}` }) }
    const read = parse(JSON.stringify({ mcpServers: { a: started({ A: secret }), b, ...bad } }))
    expect(read.entries).toHaveLength(2)
    expect(read.problems).toHaveLength(2)
    expect(inspect(read, { depth: 20 })).not.toContain(secret)
    expect(JSON.stringify(read)).not.toContain(secret)
  })
})

describe("an envFile", () => {
  it("[G2:unit] as editors on Windows write it has the same variables: a byte order mark, line ends, backslashes", async () => {
    using folder = stateFolder()
    writeFileSync(join(folder.path, ".env"), "\uFEFFONE=1\r\nTWO=C:\\notes\\new\r\n")
    const { entries } = parse(`{"mcpServers": {"a": {"command": "x", "envFile": ".env", "env": {"THREE": "3"}}}}`)
    const [problems, [entry]] = await Effect.runPromise(Backends.completed(entries, folder.path))
    expect(problems).toEqual([])
    expect(Object.entries(envOf(entry))).toEqual([["ONE", "1"], ["TWO", "C:\\notes\\new"], ["THREE", "3"]])
  })
})
