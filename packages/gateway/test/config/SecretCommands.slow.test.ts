import { describe, expect, it } from "@effect/vitest"
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

const source = `
import { createHash } from "node:crypto"
console.error("started with", process.env.API_KEY)
let rest = ""
process.stdin.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n")
  rest = lines.pop()
  for (const line of lines) {
    const { id, method, params } = JSON.parse(line)
    if (id === undefined) continue
    const answer = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id, result }))
    if (method === "initialize") answer({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "keyed", version: "1" } })
    else if (method === "tools/list") answer({ tools: [{ name: "key", inputSchema: { type: "object" }, annotations: { readOnlyHint: true } }] })
    else if (method === "tools/call") answer({ content: [{ type: "text", text: process.pid + " " + createHash("sha256").update(process.env.API_KEY ?? "").digest("hex") }] })
    else console.log(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } }))
  }
})
`

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

const doors: Record<string, Open> = {
  connect: ({ server }) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => connect(server as never, { name: "keyed" })),
        (client) => Effect.promise(() => client.close())
      ),
      (client) => ({
        call: (name) => Effect.promise(async () => textOf(await client.callTool({ name }))),
        seen: Effect.sync(() => JSON.stringify(client.status))
      })
    ),
  connectAll: ({ server }) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.promise(() => connectAll({ mcpServers: { keyed: server } } as never)),
        (fleet) => Effect.promise(() => fleet.close())
      ),
      (fleet) => ({
        call: (name) => Effect.promise(async () => textOf(await fleet.callTool({ name: `keyed__${name}` }))),
        seen: Effect.sync(() => JSON.stringify(fleet.status))
      })
    ),
  wrap: ({ args, path }) =>
    Effect.gen(function*() {
      const state = join(path, "state")
      const host = yield* Effect.acquireRelease(
        Effect.sync(() =>
          wrap(["--log", join(path, "log.jsonl"), "--record", join(path, "record.jsonl"), ...args], { state })
        ),
        (host) => Effect.promise(() => host[Symbol.asyncDispose]())
      )
      yield* Effect.promise(() => host.initialize())
      return {
        call: (name) => Effect.promise(() => host.call(name)),
        seen: Effect.sync(() =>
          [
            host.stderr,
            JSON.stringify(host.messages),
            filesIn(state),
            ...["log.jsonl", "record.jsonl"].map((one) => readFileSync(join(path, one), "utf8"))
          ].join("\n")
        )
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
          const pages = yield* Effect.forEach(
            ["/", "/api/status", "/api/servers/keyed", "/api/history", "/metrics"],
            get
          )
          const { stderr, stdout } = yield* command("status", "--json")
          return [...pages, stdout, stderr, program.stdout(), program.stderr(), filesIn(env.MCP_LIFELINE_STATE)].join(
            "\n"
          )
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
  return {
    path,
    command,
    line: command.map((word) => `"${word}"`).join(" "),
    write: (text: string) => writeFileSync(file, text)
  }
})

describe("secrets from a command", () => {
  it.scopedLive.each(Object.keys(doors))(
    "[S14:real] a server that is started gets the value, after kill -9 the new one, and nobody sees it: %s",
    (name) =>
      Effect.gen(function*() {
        const { command, line, path, write } = yield* prepared
        const [one, two] = [newSecret(), newSecret()]
        write(one)
        const door = yield* (doors[name] as Open)({
          path,
          server: {
            command: process.execPath,
            args: [join(path, "server.mjs")],
            env: { API_KEY: { command, timeout: "1 min" } },
            reconnect: { initialDelay: 1 }
          },
          args: [
            "--secret",
            `API_KEY=${line}`,
            ...options("reconnect.initialDelay=1"),
            "--",
            process.execPath,
            join(path, "server.mjs")
          ]
        })
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
        const seen = yield* door.seen
        expect(seen).not.toContain(one)
        expect(seen).not.toContain(two)
      })
  )

  it.scopedLive("[S14:real] a server over HTTP gets the value with each connection, and nobody sees it", () =>
    Effect.gen(function*() {
      const { command, path, write } = yield* prepared
      const server = yield* HttpFaultServer.make()
      const [one, two] = [newSecret(), newSecret()]
      write(one)
      const door = yield* (doors["serve"] as Open)({
        path,
        server: {
          url: server.url,
          headers: { Authorization: { command, timeout: "1 min", prefix: "Bearer " } },
          reconnect: { initialDelay: 1 }
        },
        args: []
      })
      yield* door.call("echo")
      const sent = () => server.seen.at(-1)?.headers["authorization"]
      expect(new Set(server.seen.map(({ headers }) => headers["authorization"]))).toEqual(new Set([`Bearer ${one}`]))
      write(two)
      server.sessions.clear()
      while (sent() !== `Bearer ${two}`) yield* door.call("echo")
      const seen = yield* door.seen
      expect(seen).not.toContain(one)
      expect(seen).not.toContain(two)
    }))

  it.scopedLive("[S14:real] a command that fails is retried, and the status names the server's field, the program and the exit code", () =>
    Effect.gen(function*() {
      const { command, path, write } = yield* prepared
      write("exit 9")
      const { base, env, program } = yield* Gateway.serveHere({
        keyed: {
          command: process.execPath,
          args: [join(path, "server.mjs")],
          env: { API_KEY: { command, timeout: "1 min" } },
          reconnect: { initialDelay: 1, maxDelay: 20 }
        },
        absent: { url: "http://127.0.0.1:9/mcp", headers: { "X-Key": { command: ["no-such-password-manager"] } } }
      })
      const failed = yield* Gateway.untilStatus(base, ({ lastError }) => lastError !== undefined, "keyed")
      expect(failed.lastError.message).toMatch(/env\.API_KEY: .+ exited with code 9: run it in a terminal/)
      const absent = yield* Gateway.untilStatus(base, ({ lastError }) => lastError !== undefined, "absent")
      expect(absent).toMatchObject({ state: "PermanentlyFailed" })
      expect(absent.lastError.message).toMatch(
        /headers\.X-Key: command "no-such-password-manager" was not found in PATH/
      )
      write(newSecret())
      yield* Gateway.untilStatus(base, Gateway.isConnected, "keyed")
      expect(program.stdout() + program.stderr() + filesIn(env.MCP_LIFELINE_STATE)).not.toContain("not to be shown")
    }))

  it.scopedLive("[S14:real] `check` runs the command, as it starts the server, and shows nothing of it", () =>
    Effect.gen(function*() {
      const { command, path, write } = yield* prepared
      const secret = newSecret()
      write(secret)
      const file = join(path, "mcp.json")
      writeFileSync(
        file,
        JSON.stringify({
          mcpServers: {
            keyed: {
              command: process.execPath,
              args: ["server.mjs"],
              cwd: ".",
              env: { API_KEY: { command: [...command.slice(0, 1), "./manager.mjs", "./key"] } }
            },
            wrong: { command: "x", env: { API_KEY: { command: [], shell: true } } }
          }
        })
      )
      const { code, stderr, stdout } = yield* Program.run(["check", "--connect", file], {
        MCP_LIFELINE_STATE: join(path, "state")
      })
      expect(stdout + stderr).toMatch(/connected: keyed 1, .*, tools: 1/)
      expect(stdout + stderr).toMatch(/mcpServers\.wrong\.env\.API_KEY\.command: is no command/)
      expect(stdout + stderr).not.toContain(secret)
      expect(code).toBe(1)
    }))
})
