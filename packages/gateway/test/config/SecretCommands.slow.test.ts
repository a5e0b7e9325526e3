import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect, type Scope } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { connect, connectAll } from "../../../promise/src/index.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Gateway from "../support/Gateway.js"
import { options, wrap } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { listing, scripted } from "../support/Scripted.js"
import { describe, expect, test } from "../support/vitest.js"

const source = scripted(
  `const { createHash } = await import("node:crypto")
  send(said(process.pid + " " + createHash("sha256").update(process.env.API_KEY ?? "").digest("hex")))`,
  "",
  {
    capabilities: { tools: {} },
    before: `if (heard.length === 1) console.error("started with", process.env.API_KEY)
    ${listing({ name: "key", annotations: { readOnlyHint: true } })}`
  }
).at(-1)!

/** What a password manager does: writes the secret, or fails as the file says. It complains with the secret. */
const manager = `
import { readFileSync } from "node:fs"
const text = readFileSync(process.argv[2], "utf8")
console.error("this is not to be shown:", text)
if (text.startsWith("exit ")) process.exit(Number(text.slice(5)))
console.log(text)
`

interface Door {
  readonly call: (tool: string) => Effect.Effect<string>
  readonly seen: Effect.Effect<string>
}

interface Where {
  readonly path: string
  readonly server: Record<string, unknown>
  readonly args: ReadonlyArray<string>
}

type Open = (where: Where) => Effect.Effect<Door, unknown, Scope.Scope>

const textOf = (result: any): string => result.content[0].text

const filesIn = (path: string): string =>
  readdirSync(path, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) =>
    readFileSync(join(one.parentPath, one.name), "utf8")
  ).join("\n")

interface Client {
  readonly callTool: (params: { readonly name: string }) => Promise<unknown>
  readonly status: unknown
  readonly close: () => Promise<void>
}

const through = (client: () => Promise<Client>, prefix = ""): ReturnType<Open> =>
  Effect.acquireRelease(Effect.promise(client), (client) => Effect.promise(() => client.close())).pipe(
    Effect.map((client) => ({
      call: (name) => Effect.promise(async () => textOf(await client.callTool({ name: prefix + name }))),
      seen: Effect.sync(() => JSON.stringify(client.status))
    }))
  )

const doors: Record<string, Open> = {
  connect: ({ server }) => through(() => connect(server as never, { name: "keyed" })),
  connectAll: ({ server }) => through(() => connectAll({ mcpServers: { keyed: server } } as never), "keyed__"),
  wrap: ({ args, path }) =>
    Effect.gen(function*() {
      const state = join(path, "state")
      const [log, record] = [join(path, "log.jsonl"), join(path, "record.jsonl")]
      const host = yield* Effect.acquireRelease(
        Effect.sync(() => wrap(["--log", log, "--record", record, ...args], { state })),
        (host) => Effect.promise(() => host[Symbol.asyncDispose]())
      )
      yield* Effect.promise(() => host.initialize())
      const files = () => [filesIn(state), ...[log, record].map((one) => readFileSync(one, "utf8"))]
      return {
        call: (name) => Effect.promise(() => host.call(name)),
        seen: Effect.sync(() => [host.stderr, JSON.stringify(host.messages), ...files()].join("\n"))
      }
    }),
  serve: ({ server }) =>
    Effect.gen(function*() {
      const { base, command, env, program } = yield* Gateway.serveHere({ keyed: server }, ["--log-format", "json"])
      const get = (path: string) => Effect.map(Gateway.ask(`${base}${path}`), ({ body }) => JSON.stringify(body))
      yield* Gateway.untilStatus(base, Gateway.isConnected, "keyed")
      return {
        call: (name) =>
          Effect.map(Gateway.ask(`${base}/api/call`, "POST", { name: `keyed__${name}` }), ({ body }) => textOf(body)),
        seen: Effect.gen(function*() {
          const paths = ["/", "/api/status", "/api/servers/keyed", "/api/history", "/metrics"]
          const pages = yield* Effect.forEach(paths, get)
          const { stderr, stdout } = yield* command("status", "--json")
          const said = [stdout, stderr, program.stdout(), program.stderr()]
          return [...pages, ...said, filesIn(env.MCP_LIFELINE_STATE)].join("\n")
        })
      }
    })
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")
const newSecret = (): string => `secret-${randomBytes(9).toString("hex")}`

const prepared = Effect.gen(function*() {
  const path = yield* folder
  for (const [name, text] of Object.entries({ "server.mjs": source, "manager.mjs": manager })) {
    writeFileSync(join(path, name), text)
  }
  const file = join(path, "key")
  const command = [process.execPath, join(path, "manager.mjs"), file]
  const line = command.map((word) => `"${word}"`).join(" ")
  const server = [process.execPath, join(path, "server.mjs")] as const
  const keyed = { command: server[0], args: [server[1]], env: { API_KEY: { command, timeout: "1 min" } } }
  return { path, command, line, server, keyed, write: (text: string) => writeFileSync(file, text) }
})

const expectNone = (text: string, secrets: ReadonlyArray<string>): void => {
  for (const secret of secrets) expect(text).not.toContain(secret)
}

describe("secrets from a command", () => {
  test.scopedLive.each(Object.keys(doors))(
    "[S14:real] a server that is started gets the value, after kill -9 the new one, and nobody sees it: %s",
    function*(name) {
      const { keyed, line, path, server, write } = yield* prepared
      const [one, two] = [newSecret(), newSecret()]
      write(one)
      const args = ["--secret", `API_KEY=${line}`, ...options("reconnect.initialDelay=1"), "--", ...server]
      const door = yield* (doors[name] as Open)({ path, server: { ...keyed, reconnect: { initialDelay: 1 } }, args })
      const [pid = "", first] = (yield* door.call("key")).split(" ")
      expect(first).toBe(digest(one))
      write(two)
      process.kill(Number(pid), "SIGKILL")
      let answer = [pid]
      // The first call may be the one that finds out.
      while (answer[0] === pid) {
        answer = (yield* Effect.catchAllCause(door.call("key"), () => Effect.succeed(pid))).split(" ")
      }
      expect(answer[1]).toBe(digest(two))
      expectNone(yield* door.seen, [one, two])
    }
  )

  test.scopedLive("[S14:real] a server over HTTP gets the value with each connection, and nobody sees it", function*() {
    const { command, path, write } = yield* prepared
    const server = yield* HttpFaultServer.make()
    const [one, two] = [newSecret(), newSecret()]
    write(one)
    const headers = { Authorization: { command, timeout: "1 min", prefix: "Bearer " } }
    const remote = { url: server.url, headers, reconnect: { initialDelay: 1 } }
    const door = yield* (doors["serve"] as Open)({ path, server: remote, args: [] })
    yield* door.call("echo")
    const sent = () => server.seen.at(-1)?.headers["authorization"]
    expect(new Set(server.seen.map(({ headers }) => headers["authorization"]))).toEqual(new Set([`Bearer ${one}`]))
    write(two)
    server.sessions.clear()
    while (sent() !== `Bearer ${two}`) yield* door.call("echo")
    expectNone(yield* door.seen, [one, two])
  })

  test.scopedLive("[S14:real] a command that fails is retried, and the status names the server's field, the program and the exit code", function*() {
    const { keyed, write } = yield* prepared
    write("exit 9")
    const { base, env, program } = yield* Gateway.serveHere({
      keyed: { ...keyed, reconnect: { initialDelay: 1, maxDelay: 20 } },
      absent: { url: "http://127.0.0.1:9/mcp", headers: { "X-Key": { command: ["no-such-password-manager"] } } }
    })
    const failed = yield* Gateway.untilStatus(base, ({ lastError }) => lastError !== undefined, "keyed")
    expect(failed.lastError.message).toMatch(/env\.API_KEY: .+ exited with code 9: run it in a terminal/)
    const absent = yield* Gateway.untilStatus(base, ({ lastError }) => lastError !== undefined, "absent")
    expect(absent).toMatchObject({ state: "PermanentlyFailed" })
    const notFound = /headers\.X-Key: command "no-such-password-manager" was not found in PATH/
    expect(absent.lastError.message).toMatch(notFound)
    write(newSecret())
    yield* Gateway.untilStatus(base, Gateway.isConnected, "keyed")
    expect(program.stdout() + program.stderr() + filesIn(env.MCP_LIFELINE_STATE)).not.toContain("not to be shown")
  })

  test.scopedLive("[S14:real] `check` runs the command, as it starts the server, and shows nothing of it", function*() {
    const { command, path, write } = yield* prepared
    const secret = newSecret()
    write(secret)
    const file = join(path, "mcp.json")
    const env = { API_KEY: { command: [...command.slice(0, 1), "./manager.mjs", "./key"] } }
    const keyed = { command: process.execPath, args: ["server.mjs"], cwd: ".", env }
    const wrong = { command: "x", env: { API_KEY: { command: [], shell: true } } }
    writeFileSync(file, JSON.stringify({ mcpServers: { keyed, wrong } }))
    const own = { MCP_LIFELINE_STATE: join(path, "state") }
    const { code, stderr, stdout } = yield* Program.run(["check", "--connect", file], own)
    expect(stdout + stderr).toMatch(/connected: scripted 1, .*, tools: 1/)
    expect(stdout + stderr).toMatch(/mcpServers\.wrong\.env\.API_KEY\.command: is no command/)
    expect(stdout + stderr).not.toContain(secret)
    expect(code).toBe(1)
  })
})
