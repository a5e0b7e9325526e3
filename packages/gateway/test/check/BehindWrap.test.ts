import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Option } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as BehindWrap from "../../src/check/behindWrap.js"
import * as McpJson from "../../src/config/McpJson.js"
import { describe, expect, test } from "../support/vitest.js"

const found = (mcpServers: object, env: Readonly<Record<string, string>> = {}, lifeline: object = {}) =>
  Effect.gen(function*() {
    const path = yield* folder
    const parsed = McpJson.parse(join(path, "mcp.json"), JSON.stringify({ lifeline, mcpServers }), env)
    const { entries, problems } = Either.getOrThrow(parsed)
    expect(problems).toEqual([])
    const all = yield* Effect.provide(BehindWrap.find(entries, path), StateFolder.layerAt(join(path, "state")))
    const said = [...all.problems, ...all.notices]
    const targetOf = (name: string) =>
      all.servers.get(name)?.connector.target ?? said.find(({ key }) => key.startsWith(`mcpServers.${name}.`))?.message
    return { ...all, targets: Object.fromEntries(entries.map(({ name }) => [name, targetOf(name)])) }
  })

const lifeline = (...args: ReadonlyArray<string>) => ({ command: "mcp-lifeline", args })

describe("what is behind wrap", () => {
  test.scopedLive("[G2] [W7] is found in every form in which adopt starts it, and in no other", function*() {
    const behind = ["wrap", "--", "node", "a.mjs"]
    const adopted = {
      plain: { command: "mcp-lifeline", args: behind },
      path: { command: "/opt/bin/mcp-lifeline", args: ["wrap", "node", "a.mjs"] },
      file: { command: "/usr/bin/node", args: ["/x/gateway/esm/bin.js", ...behind] },
      npx: { command: "npx", args: ["-y", "mcp-lifeline@1.2.3", ...behind] },
      list: { command: ["npx", "-y", "mcp-lifeline", ...behind] },
      windows: { command: "cmd", args: ["/c", "npx", "-y", "mcp-lifeline", ...behind] },
      options: lifeline("wrap", "--name", "x", "--option", "timeouts.connect=1s", ...behind.slice(1))
    }
    const others = {
      ssh: { command: "ssh", args: ["host", "mcp-lifeline", ...behind] },
      shell: { command: "sh", args: ["-c", "mcp-lifeline wrap -- node a.mjs"] },
      variable: { command: "cmd", args: ["/c", "mcp-lifeline", "wrap", "--", "%APPDATA%\\a.exe"] },
      evaluated: { command: "node", args: ["--eval=0", "mcp-lifeline", ...behind] },
      through: { command: "npx", args: ["-y", "x", "mcp-lifeline", ...behind] }
    }
    const unseen = {
      again: lifeline("wrap", "--", "npx", "mcp-lifeline", ...behind),
      read: {
        ...lifeline("wrap", "--client-id", "a", "--client-secret", "${CS}", "http://h/"),
        env: { CS: { command: ["pass", "cs"] } }
      }
    }
    const { hidden, targets } = yield* found({
      ...adopted,
      ...others,
      ...unseen,
      url: lifeline("wrap", "--transport", "sse", "https://docs.example/mcp?key=x"),
      other: { command: "node", args: ["a.mjs"] },
      serve: lifeline("serve", "--stdio")
    })
    const toEach = (all: object, text: string) => Object.fromEntries(Object.keys(all).map((name) => [name, text]))
    const instead = "so that check cannot see the server behind wrap; try what stands behind wrap by itself"
    expect([...hidden]).toEqual(Object.keys({ ...others, ...unseen }))
    expect(targets).toEqual({
      ...toEach(adopted, "node a.mjs"),
      ...toEach(others, `it is not started as adopt starts it, ${instead}`),
      again: `wrap starts wrap again, ${instead}`,
      read: `a command gives it the credentials of its client, ${instead}`,
      url: "https://docs.example/mcp",
      other: undefined,
      serve: undefined
    })
  })

  test.scopedLive("[G2] a server of each client is none that check can see", function*() {
    const own = { sessions: "per-client" }
    const entry = { command: "mcp-lifeline", args: ["wrap", "--header", "A: ${WHO}", "http://h/"], lifeline: own }
    const clients = { clients: { a: { token: "a-token-that-is-long-enough-for-this" } } }
    const { problems, targets } = yield* found({ own: { ...entry, env: { WHO: "${client.name}" } } }, {}, clients)
    expect(problems).toEqual([])
    const unseen = { own: expect.stringMatching(/^it is started for each client, .* cannot see the server/) }
    expect(targets).toEqual(unseen)
  })

  test.scopedLive("[G2] [W7] the options of wrap count beside those of its entry", function*() {
    const args = ["wrap", "--option", "timeouts.connect=1s", "--", "node", "a.mjs"]
    const all = yield* found({ a: { command: "mcp-lifeline", args } })
    const connector = Option.getOrThrow(Option.fromNullable(all.servers.get("a"))).connector
    const given = { id: "a", connector: StdioConnector.make({ command: "x" }) }
    const timeouts = { connect: "9s", request: "8s" } as const
    const patient = { id: "a", connector, timeouts: { connect: "1s", request: "8s" } }
    expect(BehindWrap.instead({ ...given, timeouts }, all)).toMatchObject(patient)
    expect(BehindWrap.instead({ ...given, id: "b" }, all)).toEqual({ ...given, id: "b" })
  })

  test.scopedLive("[G2] wrap is started as its entry starts it, to see whether that is possible", function*() {
    const path = yield* folder
    const program = (name: string, text: string): string => {
      writeFileSync(join(path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
      return join(path, name)
    }
    const lifeline = program("mcp-lifeline", '[ "$1 $GIVEN" = "--version yes" ]')
    const npx = program("npx", '[ "$*" = "-y mcp-lifeline --version" ]')
    const args = ["wrap", "--", "node", "a.mjs"]
    const { servers } = yield* found({
      given: { command: lifeline, args, env: { GIVEN: "yes" } },
      missing: { command: lifeline, args },
      npx: { command: npx, args: ["-y", "mcp-lifeline", ...args] }
    })
    const started = yield* Effect.forEach(
      servers,
      ([name, { start }]) => Effect.map(Effect.isSuccess(start), (isStarted) => [name, isStarted] as const)
    )
    expect(Object.fromEntries(started)).toEqual({ given: true, missing: false, npx: true })
  })

  test.scopedLive("[G2] what wrap refuses is a problem of the entry", function*() {
    const { hidden, problems, targets } = yield* found({
      option: lifeline("wrap", "--optoin", "x", "--", "node"),
      help: lifeline("wrap", "--help"),
      value: lifeline("wrap", "--option", "timeouts.connect=-1", "--", "node"),
      variable: { ...lifeline("wrap", "--header", "A: ${B}", "http://h.test/"), env: { B: null } },
      unset: { ...lifeline("wrap", "--header", "A: ${PATH}", "http://h.test/"), env: { PATH: null } }
    })
    expect(problems).toHaveLength(5)
    expect([...hidden]).toHaveLength(5)
    expect(targets).toEqual({
      option: expect.stringContaining("wrap refuses them: unknown option --optoin; did you mean --option?"),
      help: expect.stringContaining("--help only shows"),
      value: expect.stringContaining("timeouts.connect"),
      variable: expect.stringContaining("the header A has ${B}, which is not set"),
      unset: expect.stringContaining("the header A has ${PATH}, which is not set")
    })
  })
})
