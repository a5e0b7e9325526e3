import { describe, expect, it } from "@effect/vitest"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect, Either, Option } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as BehindWrap from "../../src/check/behindWrap.js"
import * as McpJson from "../../src/config/McpJson.js"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lifeline-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** What `check` finds behind the servers of a file, by their names: a command or address, or what is said instead. */
const found = (mcpServers: object, env: Readonly<Record<string, string>> = {}, lifeline: object = {}) =>
  Effect.gen(function*() {
    const path = yield* folder
    const parsed = McpJson.parse(join(path, "mcp.json"), JSON.stringify({ lifeline, mcpServers }), env)
    const { entries, problems } = Either.getOrThrow(parsed)
    expect(problems).toEqual([])
    const all = yield* Effect.provide(BehindWrap.find(entries, path), StateFolder.layerAt(join(path, "state")))
    return {
      ...all,
      targets: Object.fromEntries(
        entries.map(({ name }) => [
          name,
          all.servers.get(name)?.connector.target ??
            [...all.problems, ...all.notices].find(({ key }) => key.startsWith(`mcpServers.${name}.`))?.message
        ])
      )
    }
  })

describe("what is behind wrap", () => {
  it.scopedLive("[G2] [W7] is found in every form in which hosts start it", () =>
    Effect.gen(function*() {
      const behind = ["wrap", "--", "node", "a.mjs"]
      const { hidden, targets } = yield* found({
        plain: { command: "mcp-lifeline", args: behind },
        path: { command: "/opt/bin/mcp-lifeline", args: ["wrap", "node", "a.mjs"] },
        adopted: { command: "/usr/bin/node", args: ["/usr/local/bin/mcp-lifeline", ...behind] },
        file: { command: "node", args: ["--no-warnings", "/x/gateway/esm/bin.js", ...behind] },
        npx: { command: "npx", args: ["-y", "mcp-lifeline@1.2.3", ...behind] },
        list: { command: ["npx", "-y", "mcp-lifeline", ...behind] },
        windows: { command: "cmd", args: ["/c", "mcp-lifeline", ...behind] },
        shell: { command: "sh", args: ["-c", "npx -y mcp-lifeline wrap -- node 'a.mjs'"] },
        quoted: { command: "sh", args: ["-c", `'/x y'/mcp-lifeline wrap -- "no"de a.mjs`] },
        shellFile: { command: "sh", args: ["-c", "node /x/mcp-lifeline/esm/bin.js wrap -- node a.mjs"] },
        package: { command: "npx", args: ["-y", "-p", "mcp-lifeline", "mcp-lifeline", ...behind] },
        exec: { command: "npm", args: ["exec", "--", "mcp-lifeline", ...behind] },
        dlx: { command: "pnpm", args: ["dlx", "mcp-lifeline", ...behind] },
        options: {
          command: "mcp-lifeline",
          args: ["wrap", "--name", "x", "--option", "timeouts.connect=1s", ...behind.slice(1)]
        },
        url: { command: "mcp-lifeline", args: ["wrap", "--transport", "sse", "https://docs.example/mcp?key=x"] },
        other: { command: "node", args: ["a.mjs"] },
        serve: { command: "mcp-lifeline", args: ["serve", "--stdio"] }
      })
      expect([...hidden]).toEqual([])
      expect(targets).toEqual({
        ...Object.fromEntries(
          [
            ...[
              "plain",
              "path",
              "adopted",
              "file",
              "npx",
              "list",
              "windows",
              "shell",
              "quoted",
              "shellFile",
              "package"
            ],
            ...["exec", "dlx", "options"]
          ].map((name) => [name, "node a.mjs"])
        ),
        url: "https://docs.example/mcp",
        other: undefined,
        serve: undefined
      })
    }))

  it.scopedLive("[G2] where it cannot be seen, check says so, and does not take the answers of wrap for it", () =>
    Effect.gen(function*() {
      const { hidden, targets } = yield* found({
        ssh: { command: "ssh", args: ["host", "mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        docker: { command: "docker", args: ["run", "-i", "image", "mcp-lifeline", "wrap", "node", "a.mjs"] },
        shell: { command: "sh", args: ["-c", "cd /x && exec mcp-lifeline wrap -- node a.mjs"] },
        windows: { command: "cmd", args: ["/c", "mcp-lifeline", "wrap", "--", "%APPDATA%\\a.exe"] },
        both: { command: "cmd", args: ["/c", "mcp-lifeline", "wrap", "http://h/?a=1&b=2"] },
        lines: { command: "sh", args: ["-c", "mcp-lifeline wrap -- node\na.mjs"] },
        nested: { command: "sh", args: ["-c", `sh -c "'/x/mcp-lifeline' wrap -- node a.mjs"`] },
        variable: { command: "sh", args: ["-c", "TOKEN=abc/s3cret-token npx mcp-lifeline wrap -- node a.mjs"] },
        word: { command: "TOKEN=abc/s3cret-token", args: ["mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        again: { command: "mcp-lifeline", args: ["wrap", "--", "npx", "mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        script: { command: "node", args: ["srv.mjs", "mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        through: { command: "npx", args: ["-y", "x", "-e", ".env", "--", "mcp-lifeline", "wrap", "--", "node"] },
        evaluated: { command: "node", args: ["--eval=0", "mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        npm: { command: "npm", args: ["mcp-lifeline", "wrap", "--", "node", "a.mjs"] },
        eaten: { command: "npm", args: ["exec", "mcp-lifeline", "wrap", "--name", "x", "--", "node", "a.mjs"] },
        read: {
          command: "mcp-lifeline",
          args: ["wrap", "--client-id", "a", "--client-secret", "${CS}", "http://h/"],
          env: { CS: { command: ["pass", "cs"] } }
        }
      })
      const instead = "so that check cannot see the server behind wrap; try what stands behind wrap by itself"
      const shell = `a shell makes its command line, ${instead}`
      expect(targets).toEqual({
        ssh: `ssh starts it, ${instead}`,
        docker: `docker starts it, ${instead}`,
        shell,
        windows: shell,
        both: shell,
        lines: shell,
        nested: shell,
        variable: shell,
        word: `another program starts it, ${instead}`,
        again: `wrap starts wrap again, ${instead}`,
        script: `node starts it with arguments that check does not know, ${instead}`,
        through: `npx starts it with arguments that check does not know, ${instead}`,
        evaluated: `node starts it with arguments that check does not know, ${instead}`,
        npm: `npm starts it with arguments that check does not know, ${instead}`,
        eaten: `npm takes options that stand there without -- for its own, ${instead}`,
        read: `a command gives it the credentials of its client, ${instead}`
      })
      expect([...hidden]).toEqual(Object.keys(targets))
    }))

  it.scopedLive("[G2] a server of each client is none that check can see", () =>
    Effect.gen(function*() {
      const own = { sessions: "per-client" }
      const entry = { command: "mcp-lifeline", args: ["wrap", "--header", "A: ${WHO}", "http://h/"], lifeline: own }
      const { problems, targets } = yield* found({ own: { ...entry, env: { WHO: "${client.name}" } } }, {}, {
        clients: { a: { token: "a-token-that-is-long-enough-for-this" } }
      })
      expect(problems).toEqual([])
      expect(targets).toEqual({
        own: expect.stringMatching(/^it is started for each client, .* cannot see the server/)
      })
    }))

  it.scopedLive("[G2] [W7] the options of wrap count beside those of its entry", () =>
    Effect.gen(function*() {
      const args = ["wrap", "--option", "timeouts.connect=1s", "--", "node", "a.mjs"]
      const all = yield* found({ a: { command: "mcp-lifeline", args } })
      const connector = Option.getOrThrow(Option.fromNullable(all.servers.get("a"))).connector
      const given = { id: "a", connector: StdioConnector.make({ command: "x" }) }
      const timeouts = { connect: "9s", request: "8s" } as const
      expect(BehindWrap.instead({ ...given, timeouts }, all)).toMatchObject({
        id: "a",
        connector,
        timeouts: { connect: "1s", request: "8s" }
      })
      expect(BehindWrap.instead({ ...given, id: "b" }, all)).toEqual({ ...given, id: "b" })
    }))

  it.scopedLive("[G2] wrap is started as its entry starts it, to see whether that is possible", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const program = (name: string, text: string): string => {
        writeFileSync(join(path, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
        return join(path, name)
      }
      const lifeline = program("mcp-lifeline", '[ "$1 $GIVEN" = "--version yes" ]')
      // It says its own version, as npm does, unless there is -- before the option.
      const npm = program("npm", '[ "$*" = "exec -y -- mcp-lifeline --version" ]')
      const args = ["wrap", "--", "node", "a.mjs"]
      const { servers } = yield* found({
        given: { command: lifeline, args, env: { GIVEN: "yes" } },
        missing: { command: lifeline, args },
        npm: { command: npm, args: ["exec", "-y", "mcp-lifeline", ...args] },
        folder: { command: npm, args: ["exec", "-y", "--", "mcp-lifeline", ...args] }
      })
      const started = yield* Effect.forEach(
        servers,
        ([name, { start }]) => Effect.map(Effect.isSuccess(start), (isStarted) => [name, isStarted] as const)
      )
      expect(Object.fromEntries(started)).toEqual({ given: true, missing: false, npm: true, folder: true })
    }))

  it.scopedLive("[G2] what wrap refuses is a problem of the entry", () =>
    Effect.gen(function*() {
      const { hidden, problems, targets } = yield* found({
        option: { command: "mcp-lifeline", args: ["wrap", "--optoin", "x", "--", "node"] },
        http: { command: "mcp-lifeline", args: ["wrap", "--http", "--", "node"] },
        help: { command: "mcp-lifeline", args: ["wrap", "--help"] },
        value: { command: "mcp-lifeline", args: ["wrap", "--option", "timeouts.connect=-1", "--", "node"] },
        variable: {
          command: "mcp-lifeline",
          args: ["wrap", "--header", "A: ${B}", "http://h.test/"],
          env: { B: null }
        },
        unset: {
          command: "mcp-lifeline",
          args: ["wrap", "--header", "A: ${PATH}", "http://h.test/"],
          env: { PATH: null }
        }
      })
      expect(problems).toHaveLength(6)
      expect([...hidden]).toHaveLength(6)
      expect(targets).toEqual({
        option: expect.stringContaining("wrap refuses them: unknown option --optoin; did you mean --option?"),
        http: expect.stringContaining("--http serves a URL"),
        help: expect.stringContaining("--help only shows"),
        value: expect.stringContaining("timeouts.connect"),
        variable: expect.stringContaining("the header A has ${B}, which is not set"),
        unset: expect.stringContaining("the header A has ${PATH}, which is not set")
      })
    }))
})
