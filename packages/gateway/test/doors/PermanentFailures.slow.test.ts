import type { Connector } from "@mcp-lifeline/core"
import { HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { type Message, options, stateFolder, wrap } from "../support/Host.js"
import { scripted } from "../support/Scripted.js"
import { gateway } from "../support/Talk.js"

interface Refusing extends AsyncDisposable {
  readonly args: ReadonlyArray<string>
  readonly connector: Connector
  readonly tool: string
  readonly refuse: () => void
  readonly accept: () => void
  readonly attempts: () => number
  readonly says: RegExp
}

const overHttp = (retryAfter: number | undefined) => async (): Promise<Refusing> => {
  const server = await HttpFaultServer.open()
  let accept = (): void => undefined
  return {
    args: ["--protocol", "2025", "--header", "Authorization: Bearer worn-out", server.url],
    connector: HttpConnector.make({ url: server.url, transport: "streamable", protocol: "2025" }),
    tool: "echo",
    refuse: () => {
      accept = server.fail("initialize", HttpFault.status(401, { retryAfter }))
      server.sessions.clear()
    },
    accept: () => accept(),
    attempts: () => server.count("initialize"),
    says: /HTTP 401/,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]()
  }
}

const initialized = (version: string) =>
  `answer({ protocolVersion: "${version}", capabilities, serverInfo: { name: "old", version: "1" } })`

const incompatible = [`send(${initialized("1990-01-01")})`, /1990-01-01/] as const

/** Frames its messages as language servers do. */
const framed = [
  `const body = JSON.stringify({ jsonrpc: "2.0", ...${initialized("2025-06-18")} })
  process.stdout.write("Content-Length: " + body.length + "\\r\\n\\r\\n" + body)`,
  /Content-Length headers/
] as const

const overStdio = ([answering, says]: readonly [string, RegExp]) => async (): Promise<Refusing> => {
  const folder = stateFolder()
  const [journal, refusal] = [join(folder.path, "journal"), join(folder.path, "refusal")]
  const [dashes = "", command = "", ...args] = scripted(`send(said("fine"))`, journal, {
    before: `
      const { existsSync } = await import("node:fs")
      if (method === "initialize" && existsSync(${JSON.stringify(refusal)})) {
        ${answering}
        return
      }
    `
  })
  return {
    args: ["--protocol", "2025", dashes, command, ...args],
    connector: StdioConnector.make({ command, args, protocol: "2025" }),
    tool: "tool-0",
    refuse: () => writeFileSync(refusal, ""),
    accept: () => rmSync(refusal),
    attempts: () => existsSync(journal) ? readFileSync(journal, "utf8").length : 0,
    says,
    [Symbol.asyncDispose]: () => Promise.resolve(folder[Symbol.dispose]())
  }
}

type Call = () => Promise<Message>
type Door = (server: Refusing, pace: string, use: (call: Call) => Promise<void>) => Promise<void>

const paced = (pace: string) => ({ demandInterval: pace, maxDelay: pace }) as { demandInterval: "1h"; maxDelay: "1h" }

const throughServe: Door = (server, pace, use) =>
  Effect.gen(function*() {
    server.refuse()
    const { client } = yield* gateway([{ id: "o", connector: server.connector, reconnect: paced(pace) }])
    const one = yield* client()
    yield* Effect.promise(() => use(() => one.request("tools/call", { name: `o__${server.tool}`, arguments: {} })))
  }).pipe(Effect.scoped, Effect.runPromise)

/** `wrap`, which remembers the server, and so stays when it refuses. */
const throughWrap: Door = async (server, pace, use) => {
  using state = stateFolder()
  const args = [...options(`reconnect.demandInterval=${pace}`, `reconnect.maxDelay=${pace}`), ...server.args]
  {
    await using host = wrap(args, { state: state.path })
    await host.initialize()
    await host.result("tools/list")
  }
  server.refuse()
  await using host = wrap(args, { state: state.path })
  await host.initialize()
  await use(() => host.request("tools/call", { name: server.tool, arguments: {} }))
}

const doors = [["serve", throughServe], ["wrap", throughWrap]] as const

const untilFailed = async (call: Call): Promise<Message> => {
  for (;;) {
    const answer = await call()
    if (answer.error?.data?.state === "PermanentlyFailed") return answer
  }
}

describe.concurrent.each(doors)("%s", (door, through) => {
  it.each(
    [
      ["HTTP, 401", overHttp(undefined), "1h"],
      ["HTTP, 401 with Retry-After", overHttp(3600), "1ms"],
      ["stdio, incompatible", overStdio(incompatible), "1h"],
      ["stdio, framed by headers", overStdio(framed), "1h"]
    ] as const
  )(`[R13:real] ${door}: no number of calls makes more attempts than the pace allows: %s`, async (_, make, pace) => {
    await using server = await make()
    await through(server, pace, async (call) => {
      await untilFailed(call)
      const before = server.attempts()
      for (let round = 0; round < 5; round++) {
        for (const { error } of await Promise.all(Array.from({ length: 20 }, call))) {
          assert.deepInclude(error?.data, { fate: "notSent", state: "PermanentlyFailed" })
          assert.match(error?.message ?? "", server.says)
          assert.match(
            error?.message ?? "",
            /cannot be connected.*Once somebody has fixed the cause, make the same call/s
          )
        }
      }
      assert.strictEqual(server.attempts(), before)
    })
  })

  it.each(
    [["HTTP", overHttp(undefined)], ["stdio", overStdio(incompatible)], ["stdio, framed", overStdio(framed)]] as const
  )(
    `[R13:real] ${door}: what was mended is found by a call: %s`,
    async (_, make) => {
      await using server = await make()
      await through(server, "10ms", async (call) => {
        await untilFailed(call)
        server.accept()
        for (;;) {
          const { error, result } = await call()
          if (result !== undefined) break
          assert.deepInclude(error?.data, { fate: "notSent" })
        }
      })
    }
  )
})
