import { ScriptedConnector } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { Clients, ServerPool, StateFolder } from "mcp-lifeline"
import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { folder } from "../../../testing/test/support/folder.js"
import * as ServerCache from "../../src/cache/ServerCache.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { Talk } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const { tool } = ScriptedConnector
const keepalive = { method: "none" } as const

const offer = {
  tools: [tool("echo"), tool("sum")],
  prompts: [{ name: "greet" }],
  resources: [{ name: "readme", uri: "file:///readme" }],
  resourceTemplates: [{ name: "files", uriTemplate: "file:///{path}" }]
}

const up = () => {
  const connector = ScriptedConnector.make()
  connector.offer = offer
  return connector
}

const down = () => {
  const connector = ScriptedConnector.make()
  connector.otherwise = { connect: "fail" }
  return connector
}

const seen = (path: string, servers: ReadonlyArray<ServerPool.Server>, apply: ReadonlyArray<ServerPool.Server> = []) =>
  Effect.scoped(Effect.gen(function*() {
    const kept = yield* ServerCache.make
    const made = yield* ServerPool.make(servers, { kept })
    const { begin } = yield* Clients.make({ servers: made, hasStatus: () => false })
    if (apply.length > 0) yield* made.apply(apply)
    return yield* Effect.promise(async () => {
      const client = new Talk(begin)
      const { instructions } = await client.initialize()
      const names = async (method: string, kind: string, key: string): Promise<ReadonlyArray<string>> =>
        (await client.result(method))[kind].map((entry: Record<string, string>) => entry[key])
      return {
        instructions: instructions as string | undefined,
        tools: await names("tools/list", "tools", "name"),
        prompts: await names("prompts/list", "prompts", "name"),
        resources: await names("resources/list", "resources", "uri"),
        resourceTemplates: await names("resources/templates/list", "resourceTemplates", "uriTemplate")
      }
    })
  })).pipe(Effect.provide(StateFolder.layerAt(path)))

const nothing = { instructions: undefined, tools: [], prompts: [], resources: [], resourceTemplates: [] }

const all = {
  tools: ["o__echo", "o__sum"],
  prompts: ["o__greet"],
  resources: ["file:///readme"],
  resourceTemplates: ["file:///{path}"]
}

describe.each([["shared"], ["per-client"]] as const)(
  "the lists of a %s server after a restart of the gateway",
  (sessions) => {
    const server = (
      connector: ScriptedConnector.ScriptedConnector,
      options: Partial<ServerPool.Server> = {}
    ): ServerPool.Server => ({ id: "o", connector, keepalive, sessions, identity: "one", ...options })

    test.scopedLive("[G4] stay while it is down, and while it is lazy and nobody has called it", function*() {
      const path = join(yield* folder, "state")
      expect(yield* seen(path, [server(down())])).toEqual(nothing)
      expect(yield* seen(path, [server(up())])).toMatchObject(all)
      expect(yield* seen(path, [server(down())])).toMatchObject(all)
      const lazy = up()
      expect(yield* seen(path, [server(lazy, { lifecycle: { lazy: true } })])).toMatchObject(all)
      expect(lazy.connections).toHaveLength(0)
    })

    test.scopedLive("[G4] are those of another server where its entry is another, also after a save of the file", function*() {
      const path = join(yield* folder, "state")
      yield* seen(path, [server(up())])
      expect(yield* seen(path, [server(down(), { identity: "two" })])).toEqual(nothing)
      expect(yield* seen(path, [server(down(), { identity: undefined })])).toEqual(nothing)
      expect(yield* seen(path, [server(down(), { id: "p" })])).toMatchObject({ tools: ["p__echo", "p__sum"] })
      const other = up()
      other.offer = { ...offer, tools: [tool("other")] }
      yield* seen(path, [server(up())], [server(other, { identity: "two" })])
      expect((yield* seen(path, [server(down())])).tools).toEqual(all.tools)
      expect((yield* seen(path, [server(down(), { identity: "two" })])).tools).toEqual(["o__other"])
      expect((yield* seen(path, [server(down())], [server(down(), { identity: "two" })])).tools).toEqual(["o__other"])
    })

    test.scopedLive("[G19, G4] are not those of other filters", function*() {
      const path = join(yield* folder, "state")
      const tools = { hide: ["echo"] }
      expect((yield* seen(path, [server(up(), { tools })])).tools).toEqual(["o__sum"])
      expect((yield* seen(path, [server(down(), { tools })])).tools).toEqual(["o__sum"])
      expect(yield* seen(path, [server(down())])).toEqual(nothing)
      expect(yield* seen(path, [server(down(), { tools: { hide: ["sum"] } })])).toEqual(nothing)
    })

    test.scopedLive("[G4, X1] are nothing where the file is not what was written, and what fits of it where it is of the right form", function*() {
      const path = join(yield* folder, "state")
      yield* seen(path, [server(up())])
      const servers = join(path, "servers")
      const write = (text: string) => readdirSync(servers).forEach((name) => writeFileSync(join(servers, name), text))
      for (const text of ["", "{", "[]", "null", '{"introduction":{},"lists":{}}']) {
        write(text)
        expect(yield* seen(path, [server(down())])).toEqual(nothing)
      }
      const entries = [null, 7, {}, { name: "" }, { name: 7 }, tool("ok"), tool("ok")]
      const introduction = { capabilities: {}, protocolVersion: "2025-11-25", instructions: "Be kind" }
      write(
        JSON.stringify({ introduction, lists: { "tools/list": { tools: entries }, "prompts/list": { prompts: 7 } } })
      )
      expect(yield* seen(path, [server(down())])).toEqual({
        ...nothing,
        tools: ["o__ok"],
        instructions: sessions === "shared" ? expect.stringContaining("Be kind") : undefined
      })
    })
  }
)

describe("a gateway that is killed and started again", () => {
  test.scopedLive("[G4:real] lists the tools of a server that is down, and of one that waits for its first call", function*() {
    const chatty = fileURLToPath(new URL("../fixtures/chatty.mjs", import.meta.url))
    const script = join(yield* folder, "server.mjs")
    writeFileSync(script, `import ${JSON.stringify(chatty)}`)
    const servers = {
      dead: { command: process.execPath, args: [script] },
      lazy: { command: process.execPath, args: [chatty], lifecycle: { lazy: true } }
    }
    const first = yield* Gateway.serve(servers)
    yield* Gateway.untilStatus(first.base, Gateway.isConnected, "dead")
    yield* Gateway.ask(`${first.base}/api/call`, "POST", { name: "lazy__pid" })
    const { body: before } = yield* Gateway.ask(`${first.base}/api/tools`)
    expect(before.tools.map(({ server }: { readonly server: string }) => server)).toContain("lazy")
    // What is killed writes nothing any more.
    const kept = Effect.sync(() => readdirSync(join(first.env["MCP_LIFELINE_STATE"]!, "servers")))
    yield* kept.pipe(
      Effect.delay("20 millis"),
      Effect.repeat({ until: (names) => names.filter((name) => name.endsWith(".json")).length === 2 })
    )
    Program.kill(first.program.pid)
    yield* Program.gone(first.program.pid)
    rmSync(script)

    const second = yield* Program.start(["serve", "--port", "0", "--config", first.file], first.env)
    const [, base = ""] = yield* second.prints(/Serving (http:[^\s"]+)\/mcp/)
    yield* Gateway.untilStatus(base, ({ attempt }) => attempt > 0, "dead")
    const { body: after } = yield* Gateway.ask(`${base}/api/tools`)
    expect(after.tools).toEqual(before.tools.map((tool: object) => ({ ...tool, stale: true })))
    const status = yield* Gateway.ask(`${base}/api/servers/lazy`)
    expect(status.body).toMatchObject({ state: "Idle", stale: true })
  })
})
