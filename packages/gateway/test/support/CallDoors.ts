import type { ByteSize } from "@mcp-lifeline/core"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { Effect } from "effect"
import { connect, type ConnectOptions, supervisedTransport } from "../../../promise/src/index.js"
import { gateway } from "../../../testing/test/support/Built.js"
import { serveHere, untilStatus } from "./Gateway.js"
import { options as asArguments, stateFolder, wrap } from "./Host.js"
import * as TestClient from "./TestClient.js"

export type Server =
  | {
    readonly command: string
    readonly args: Array<string>
    readonly env?: Record<string, string>
    readonly maxMemory?: ByteSize
  }
  | { readonly url: string }

/** Calls a tool; gives its text, or the message of the error. */
export type Call = (tool: string, params?: object) => Promise<string>

export type Door = (
  server: Server,
  options: Readonly<Record<string, object>>,
  use: (call: Call) => Promise<void>
) => Promise<void>

/** Heartbeats that find a silent server in a second. */
export const impatient = { keepalive: { interval: "1 s", timeout: "300 ms", suspectInterval: "300 ms" } }

export const millis = (millis: number) => ({ arguments: { millis } })

/** Calls a tool that answers with the id of its process, until another process does. */
export const anotherThan = async (pid: string, call: Call, tool: string): Promise<string> => {
  for (;;) {
    const said = await call(tool)
    if (/^\d+$/.test(said) && said !== pid) return said
  }
}

export const outcome = (result: Promise<unknown>): Promise<string> =>
  result.then(
    (result) => (result as { readonly content: ReadonlyArray<{ readonly text: string }> }).content[0]!.text,
    (error: Error) => error.message
  )

const calling = (client: Client, prefix = ""): Call => (name, params) =>
  outcome(client.callTool({ name: `${prefix}${name}`, ...params }))

const served: Door = (server, options, use) =>
  Effect.gen(function*() {
    const { base } = yield* serveHere({ s: { ...server, lifeline: { discovery: { mode: "learn" }, ...options } } })
    yield* untilStatus(base, ({ state }) => state === "Connected", "s")
    yield* Effect.promise(async () => {
      const client = await TestClient.open(`${base}/mcp`)
      await use(calling(client, "s__"))
      await client.close()
    })
  }).pipe(Effect.scoped, Effect.runPromise)

const wrapping = (server: Server, options: Parameters<Door>[1]): ReadonlyArray<string> => [
  ...asArguments(...Object.entries(options).map(([group, all]) => `${group}=${JSON.stringify(all)}`)),
  ...("maxMemory" in server ? ["--max-memory", String(server.maxMemory)] : []),
  ...("url" in server ? [server.url] : ["--", server.command, ...server.args])
]

export const doors: Readonly<Record<string, Door>> = {
  connect: async (server, options, use) => {
    const client = await connect(server, options as ConnectOptions)
    await use(calling(client))
    await client.close()
  },
  supervisedTransport: async (server, options, use) => {
    const client = new Client({ name: "test", version: "1" })
    await client.connect(supervisedTransport(server, options as ConnectOptions))
    await use(calling(client))
    await client.close()
  },
  wrap: async (server, options, use) => {
    using state = stateFolder()
    await using host = wrap(wrapping(server, options), { state: state.path })
    await host.initialize()
    await use(async (name, params) => {
      const { error, result } = await host.request("tools/call", { name, arguments: {}, ...params })
      return error === undefined ? outcome(Promise.resolve(result)) : error.message
    })
  },
  serve: served
}

/** A chain: `serve` in front of `wrap`. */
export const chain: Door = async (server, options, use) => {
  using state = stateFolder()
  const args = [gateway, "wrap", ...wrapping(server, options)]
  await served({ command: process.execPath, args, env: { XDG_STATE_HOME: state.path } }, options, use)
}
