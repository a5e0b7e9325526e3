import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Raw from "../../../http-server/test/support/RawEndpoint.js"
import { everything } from "../../../testing/test/support/Built.js"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually } from "../../../testing/test/support/Processes.js"
import * as Gateway from "../support/Gateway.js"
import * as Program from "../support/Program.js"
import { describe, expect, test } from "../support/vitest.js"

const servers = { every: { command: process.execPath, args: [everything, "stdio"] } }

const [oldKey, newKey] = ["o".repeat(32), "n".repeat(32)]

const readings = (program: Program.Program, file: string): number =>
  program.stdout().split("\n").filter((line) => line.includes(`${file}: read again: `)).length

const ping = { id: 1, method: "ping" }

const as = (token: string) => ({ authorization: `Bearer ${token}` })

describe("secrets that change while clients are connected", () => {
  test.scopedLive(
    "[G26:real] a client goes on from the old token and key to the new ones, with its session, a call in progress and its stream",
    function*() {
      const path = yield* folder
      const [tokens, keys] = [join(path, "token"), join(path, "key")]
      writeFileSync(tokens, "old-token-of-sixteen\n")
      writeFileSync(keys, `${oldKey}\n`)
      const files = ["--token-file", tokens, "--session-key-file", keys]
      const { base, command, file, program } = yield* Gateway.serve(servers, files)
      const url = `${base}/mcp`
      const save = Effect.fnUntraced(function*(token: string, key: string) {
        const before = [tokens, keys].map((file) => readings(program, file))
        writeFileSync(tokens, token)
        writeFileSync(keys, key)
        yield* program.until(() =>
          [tokens, keys].every((file, index) => readings(program, file) > before[index]!) ? true : undefined
        )
      })
      let token = "old-token-of-sixteen"
      const [opened, ended] = [new Set<string>(), new Set<string>()]
      const transport = new StreamableHTTPClientTransport(new URL(url), {
        fetch: async (input, init) => {
          const headers = new Headers(init?.headers)
          headers.set("authorization", `Bearer ${token}`)
          const response = await fetch(input, { ...init, headers })
          if (init?.method !== "GET" || !response.ok || response.body === null) return response
          opened.add(token)
          const noted = new TransformStream({ flush: () => void ended.add("a stream has ended") })
          return new Response(response.body.pipeThrough(noted), response)
        }
      })
      const client = new Client({ name: "official", version: "1" })
      const changes: Array<string> = []
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes.push("tools"))
      yield* Effect.promise(() => client.connect(transport as Transport))
      const { sessionId } = transport
      yield* eventually(() => (opened.size > 0 ? true : undefined))
      const echo = () => client.callTool({ name: "every__echo", arguments: { message: "hi" } })
      // Of somebody who never learns the new token.
      const left = yield* Effect.promise(() => fetch(`${base}/api/events`, { headers: as("old-token-of-sixteen") }))
      const other = yield* Effect.promise(() => Raw.begin(url, undefined, as("old-token-of-sixteen")))
      const listening = yield* Effect.promise(() =>
        fetch(url, { headers: { ...as("old-token-of-sixteen"), ...other, accept: "text/event-stream" } })
      )
      const progress: Array<number> = []
      const long = client.callTool(
        { name: "every__trigger-long-running-operation", arguments: { duration: 20, steps: 20 } },
        undefined,
        { onprogress: ({ progress: done }) => void progress.push(done), timeout: 300_000 }
      )
      yield* eventually(() => (progress.length > 0 ? true : undefined))

      yield* save("new-token-of-sixteen\nold-token-of-sixteen\n", `${newKey}\n${oldKey}\n`)
      yield* Effect.promise(echo)
      token = "new-token-of-sixteen"
      yield* Effect.promise(echo)
      // A session from this time is sealed with the new key, and one from before still opens, also when the gateway starts again.
      const later = yield* Effect.promise(() => Raw.begin(url, undefined, as("old-token-of-sixteen")))
      expect((yield* command("status", "--json")).code).toBe(0)

      yield* save("new-token-of-sixteen\n", `${newKey}\n`)
      yield* Effect.promise(echo)
      const statusOf = (token: string, session: Record<string, string> = {}) =>
        Effect.promise(async () => (await Raw.send(url, "POST", { ...session, ...as(token) }, ping)).status)
      const tokensOfAll = ["old-token-of-sixteen", "wrong", "new-token-of-sixteen"]
      const statuses = yield* Effect.forEach(tokensOfAll, (token) => statusOf(token, later))
      expect(statuses).toEqual([401, 401, 200])
      // Commands find the token that is asked for now.
      expect((yield* command("status", "--json")).code).toBe(0)
      expect([left.status, listening.status]).toEqual([200, 200])
      // They end: with the old token, nobody goes on to read.
      yield* Effect.promise(() => Promise.all([left.text(), listening.text()]))

      expect(JSON.stringify(yield* Effect.promise(() => long))).toContain("Long running operation completed")
      expect(transport.sessionId).toBe(sessionId)
      // The client's stream was never broken, and still carries what concerns it.
      expect([...opened, ...ended]).toEqual(["old-token-of-sixteen"])
      writeFileSync(file, readFileSync(file, "utf8").replace(`"every"`, `"others"`))
      yield* eventually(() => (changes.length > 0 ? true : undefined))
      yield* Effect.promise(() => client.close())
      expect(program.stdout() + program.stderr()).not.toContain(newKey)
    },
    400_000
  )
})
