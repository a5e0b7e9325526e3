import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { gateway } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { pairs } from "../../../testing/test/support/pairs.js"
import { serveHere, untilStatus } from "../support/Gateway.js"
import { fixture } from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const numbers =
  `{"id":9007199254740993,"one":1.0,"huge":1e400,"zero":-0,"small":1E-07,"in":[568105584918935294,{"price":10.50}]}`
const schema = `"properties":{"n":{"type":"integer","maximum":9223372036854775807,"multipleOf":1.0}}`

const started = (command: string, args: ReadonlyArray<string>, env: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] })),
    (child) =>
      Effect.promise(async () => {
        child.stdin.end()
        child.kill()
        if (child.exitCode === null && child.signalCode === null) await once(child, "close")
      })
  )

const servers = ["stdio sessions", "stdio both", "json sessions", "events sessions", "json both", "events both"]

type Server = { readonly command: string; readonly args: Array<string> } | { readonly url: string }

const server = (kind: string): Effect.Effect<Server, never, Scope.Scope> => {
  const { args, command } = fixture("numbers", ...kind.split(" "))
  if (kind.startsWith("stdio")) return Effect.succeed({ args, command })
  return Effect.flatMap(started(command, args), (child) =>
    Effect.promise(async () => {
      const [url] = await once(createInterface({ input: child.stdout }), "line") as [string]
      return { url }
    }))
}

type Say = (text: string) => Effect.Effect<ReadonlyArray<string>>
type Door = (server: Server) => Effect.Effect<Say, never, Scope.Scope>

const isAnswer = (text: string): boolean => "id" in JSON.parse(text)

const wrap: Door = Effect.fnUntraced(function*(server) {
  const state = yield* folder
  const line = "url" in server ? [server.url] : ["--", server.command, ...server.args]
  const host = yield* started(process.execPath, [gateway, "wrap", ...line], { MCP_LIFELINE_STATE: state })
  const lines = createInterface({ input: host.stdout })[Symbol.asyncIterator]()
  return (text) =>
    Effect.promise(async () => {
      host.stdin.write(`${text}\n`)
      const said: Array<string> = []
      while (said.length === 0 || !isAnswer(said.at(-1)!)) said.push((await lines.next()).value as string)
      return said
    })
})

const serve: Door = Effect.fnUntraced(function*(server) {
  const { base } = yield* serveHere({ s: { ...server, lifeline: { prefix: "" } } })
  yield* untilStatus(base, ({ state }) => state === "Connected", "s")
  let session: string | undefined
  return (text) =>
    Effect.promise(async () => {
      const { method, params } = JSON.parse(text)
      const version: string | undefined = params._meta?.["io.modelcontextprotocol/protocolVersion"]
      const response = await fetch(`${base}/mcp`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          ...(session === undefined ? {} : { "mcp-session-id": session }),
          ...(version === undefined ? {} : {
            "mcp-protocol-version": version,
            "mcp-method": method,
            ...(params.name === undefined ? {} : { "mcp-name": params.name })
          })
        },
        body: text
      })
      session ??= response.headers.get("mcp-session-id") ?? undefined
      const body = await response.text()
      return body.startsWith("{") ? [body] : [...body.matchAll(/^data: (.+)$/gm)].map(([, one]) => one!)
    })
})

const doors: Readonly<Record<string, Door>> = { wrap, serve }

const client = `{"name":"test","version":"1"}`
const envelope =
  `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":${client},`
  + `"io.modelcontextprotocol/clientCapabilities":{}`

const clients = {
  "a client with a session": {
    first:
      `{"jsonrpc":"2.0","id":"first","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":${client}}}`,
    meta: `"x":3.0`
  },
  "a client of 2026-07-28": {
    first: `{"jsonrpc":"2.0","id":"first","method":"server/discover","params":{"_meta":{${envelope}}}}`,
    meta: `${envelope},"x":3.0`
  }
}

describe("[W10] numbers pass as they are written", () => {
  const callers = Object.entries(doors).flatMap((door) =>
    Object.entries(clients).map((client) => [door, client] as const)
  )
  for (const [[[door, open], [who, { first, meta }]], kind] of pairs(callers, servers, 3)) {
    test.scopedLive(`${door}, ${who}, ${kind}`, function*() {
      const say = yield* open(yield* server(kind))
      yield* say(first)
      const list = yield* say(`{"jsonrpc":"2.0","id":"list","method":"tools/list","params":{"_meta":{${meta}}}}`)
      expect(list.at(-1)).toContain(schema)
      const said = yield* say(
        `{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"add","arguments":${numbers},"_meta":{"progressToken":7,${meta}},"y":4.0}}`
      )
      expect(said.at(-1)).toContain(`"structuredContent":${numbers}`)
      expect(said.at(-1)).toContain(`"x":2.0`)
      const sent: string = JSON.parse(said.at(-1)!).result.content[0].text
      expect(sent).toContain(`"arguments":${numbers}`)
      expect(sent).toContain(`"x":3.0`)
      expect(sent).toContain(`"y":4.0`)
      if (!kind.startsWith("json")) expect(said[0]).toContain(`"progress":1.0,"total":4.50`)
    }, 60_000)
  }
})
