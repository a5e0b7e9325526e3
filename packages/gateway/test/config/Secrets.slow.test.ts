import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { everything } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const secret = (name: string) => `${name}-${randomBytes(9).toString("hex")}`

const chatty = `
  const { API_PASSWORD, FROM_FILE, FROM_VARIABLE } = process.env
  console.error("started with", API_PASSWORD, FROM_FILE, FROM_VARIABLE, process.argv.join(" "))
  process.exit(3)`

const events = (url: string, headers: Record<string, string>, begun: () => Promise<unknown>) =>
  Effect.promise(async () => {
    const response = await fetch(url, { headers })
    const [, text] = await Promise.all([
      begun(),
      (async () => {
        let text = ""
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
          text += chunk
          if (/^event: status\n.*\n\n/m.test(text) && /^event: event\n.*\n\n/m.test(text)) break
        }
        return text
      })()
    ])
    return text
  })

describe("secrets of a configuration", () => {
  test.scopedLive.each(["text", "json"])(
    "[C10] none is in the API, on the page, in metrics, in logs as %s, in what commands print, or in ps",
    function*(format) {
      const kinds = ["argument", "assigned", "env", "file", "variable", "header", "query", "password", "token"] as const
      const all = kinds.map((kind) => [kind, secret(kind)] as const)
      const secrets = Object.fromEntries(all) as Record<typeof kinds[number], string>
      const path = yield* folder
      const working = yield* HttpFaultServer.make()
      const failing = yield* HttpFaultServer.make()
      // It says what it was sent.
      failing.fail(
        () => true,
        (turn, carryOut) =>
          HttpFault.status(500, { body: `it was sent ${turn.url} ${JSON.stringify(turn.headers)}` })(turn, carryOut)
      )
      const login = yield* AuthServer.make
      writeFileSync(join(path, "secrets.env"), `FROM_FILE=${secrets.file}\n`)
      const file = join(path, "mcp.json")
      const keys = { headers: { "X-Api-Key": secrets.header, Authorization: `Bearer ${secrets.variable}` } }
      const withSecrets = (url: string) =>
        `${url}?api_key=${secrets.query}`.replace("//", `//user:${secrets.password}@`)
      const invalid = { "X-Api-Key": secrets.header, "in valid": secrets.header }
      const mcpServers = {
        every: { command: process.execPath, args: [everything, "stdio"], env: { API_PASSWORD: secrets.env } },
        chatty: {
          command: process.execPath,
          args: ["-e", chatty, "--", "--api-key", secrets.argument, `--token=${secrets.assigned}`],
          env: { API_PASSWORD: secrets.env, FROM_VARIABLE: "${A_SECRET}" },
          envFile: "secrets.env"
        },
        missing: { command: "/no/such/program", args: ["--password", secrets.argument] },
        working: { url: `${working.url}?api_key=${secrets.query}`, ...keys },
        failing: { url: `${failing.url}?api_key=${secrets.query}`, ...keys },
        dead: { url: withSecrets("http://127.0.0.1:1/mcp") },
        bad: { url: withSecrets("ftp://127.0.0.1:1/mcp"), headers: invalid },
        login: { url: login.url }
      }
      writeFileSync(file, JSON.stringify({ mcpServers }))
      const own = { MCP_LIFELINE_STATE: join(path, "state"), MCP_LIFELINE_TOKEN: secrets.token }
      const env = { ...own, A_SECRET: secrets.variable, CI: "1" }
      const args = ["serve", "--port", "0", "--config", file, "--log-format", String(format)]
      const program = yield* Program.start(args, env)
      const [, base = ""] = yield* program.prints(/Serving (http:[^\s"]+)\/mcp/)
      const headers = { authorization: `Bearer ${secrets.token}` }
      const get = (path: string, init: RequestInit = {}) =>
        Effect.promise(() => fetch(`${base}${path}`, { headers, ...init }).then((answer) => answer.text()))
      const asJson = { ...headers, "content-type": "application/json" }
      const post = (path: string, body: string | null = null) => get(path, { method: "POST", headers: asJson, body })
      const isNamed = (name: string) => (one: { readonly name: string }) => one.name === name
      const statusOf = (name: string) =>
        Effect.map(get("/api/status"), (text) => JSON.parse(text).servers.find(isNamed(name)))
      const seen: Array<string> = []
      const look = <A extends string>(output: Effect.Effect<A>) =>
        Effect.tap(output, (text) => Effect.sync(() => seen.push(text)))

      const { url: address } = JSON.parse(yield* post("/api/servers/login/login"))
      yield* Signer.visit(address)
      const states: Record<string, string> = { every: "Connected", working: "Connected", login: "Connected" }
      for (const [name, state] of Object.entries(states)) {
        while ((yield* statusOf(name)).state !== state) yield* Effect.sleep("20 millis")
      }
      for (const name of ["chatty", "missing", "failing", "dead"]) {
        while ((yield* statusOf(name)).lastError === undefined) yield* Effect.sleep("20 millis")
      }
      const tokens = login.presented.filter((one) => one !== undefined)
      expect(tokens.length).toBeGreaterThan(0)

      for (const name of ["chatty", "failing", "dead", "missing", "working", "login"]) {
        yield* look(post(`/api/servers/${name}/reconnect`))
      }
      yield* look(post("/api/call", JSON.stringify({ name: "failing__echo" })))
      yield* look(events(`${base}/api/events`, headers, () => Effect.runPromise(post("/api/servers/dead/reconnect"))))
      for (const path of ["/", "/health", "/ready", "/metrics"]) yield* look(get(path))
      for (const path of ["status", "logs?limit=500", "tools", "openapi.json"]) yield* look(get(`/api/${path}`))
      // What they print does not depend on the gateway's log.
      const commands = ["status", "status --json", "tools", "logs --limit 500", "logs --json", "reconnect failing"]
      const others = ["call failing__echo", "auth", `check ${file}`, `check ${file} --json`]
      for (const line of format === "json" ? [] : [...commands, ...others]) {
        const command = line.split(" ")
        const { stderr, stdout } = yield* Program.run(command, env)
        seen.push(stdout, stderr)
      }
      seen.push(execFileSync("ps", ["-ww", "-o", "args=", "-p", String(program.pid)], { encoding: "utf8" }))
      program.signal("SIGTERM")
      yield* program.ended
      seen.push(program.stdout(), program.stderr())

      const text = seen.join("\n")
      // What is looked through holds what it is to hold.
      for (const name of Object.keys(mcpServers).filter((name) => name !== "bad")) expect(text).toContain(name)
      expect(text).toContain("started with ***")
      expect(text).toContain("it was sent /mcp")
      for (const [name, value] of [...Object.entries(secrets), ...tokens.map((one) => ["access", one] as const)]) {
        const at = text.indexOf(value)
        const around = at === -1 ? "" : text.slice(Math.max(0, at - 200), at + 100)
        expect({ name, around }).toEqual({ name, around: "" })
      }
    }
  )
})
