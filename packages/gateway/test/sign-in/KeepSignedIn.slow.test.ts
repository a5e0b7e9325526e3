import { Effect } from "effect"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import * as AuthServer from "../../../sign-in/test/support/AuthServer.js"
import * as Signer from "../../../sign-in/test/support/Signer.js"
import { gateway } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { Host } from "../support/Host.js"
import * as Program from "../support/Program.js"
import { expect, test } from "../support/vitest.js"

const page = readFileSync(new URL("../../../../docs/tasks/keep-signed-in.md", import.meta.url), "utf8")

const commands = [
  ...new Set(
    [...page.matchAll(/(?:^|`)((?:MCP_LIFELINE_CLIENT_SECRET=\S+ )?mcp-lifeline [^`#\n]+)/gm)].map(([, command = ""]) =>
      command.trim()
    )
  )
]

const programs = Effect.map(folder, (folder) => {
  const bin = join(folder, "bin")
  mkdirSync(bin)
  const scripts = { "mcp-lifeline": `exec "${process.execPath}" "${gateway}" "$@"`, npx: `shift; exec "$@"` }
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  return bin
})

test.scopedLive("[A2] the page about staying signed in: each of its commands does what it says", function*() {
  const server = yield* AuthServer.make
  const state = yield* folder
  const env = { MCP_LIFELINE_STATE: state, PATH: [yield* programs, process.env["PATH"]].join(delimiter) }
  const played = new Set<string>()
  const start = (command: string) => {
    expect(commands).toContain(command)
    played.add(command)
    const real = command.replace("https://docs.example/mcp", server.url).replace("https://login.example", server.origin)
    return Program.start(["-c", real], env, ["sh"])
  }
  const run = Effect.fnUntraced(function*(command: string) {
    const program = yield* start(command)
    expect({ ...yield* program.ended, stderr: program.stderr() }).toEqual({ code: 0, signal: null, stderr: "" })
    return program.stdout()
  })
  const logout = Effect.map(
    run("mcp-lifeline logout https://docs.example/mcp"),
    (said) => expect(said).toContain("Signed out")
  )

  const login = yield* start("mcp-lifeline login https://docs.example/mcp")
  const [, address = ""] = yield* login.prints(/^ {2}(http:\S+)$/m)
  yield* Signer.visit(address)
  expect((yield* login.ended).code).toBe(0)
  expect(yield* run("mcp-lifeline auth")).toContain(server.url)

  const [, json = ""] = /```json\n(.*?)```/s.exec(page) ?? []
  const { docs } = JSON.parse(json.replace("https://docs.example/mcp", server.url)).mcpServers
  yield* Effect.promise(async () => {
    await using host = Host.start(docs.command, docs.args, { ...process.env, ...env })
    await host.initialize()
    await host.call("ask")
    server.expire()
    await host.call("ask")
    server.end()
    const { error } = await host.request("tools/call", { name: "ask", arguments: {} })
    expect(error?.message).toContain(`${server.origin}/authorize`)
  })
  expect(server.authorizations).toHaveLength(1)

  yield* logout
  yield* run(
    "MCP_LIFELINE_CLIENT_SECRET=... mcp-lifeline login https://docs.example/mcp --client-credentials --client-id my-agent --client-issuer https://login.example"
  )
  yield* logout
  // Clients of a gateway have logins of their own, which other tests begin and end.
  expect([...played].toSorted()).toEqual(commands.filter((one) => !one.includes("--client ci")).toSorted())
})
