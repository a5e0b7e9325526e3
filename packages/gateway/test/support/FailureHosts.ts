import { type HttpFault, HttpFaultServer } from "@mcp-lifeline/testing"
import { assert } from "vitest"
import { type Host, wrap } from "./Host.js"
import { alive } from "./Program.js"
import { scripted } from "./Scripted.js"

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

export const gone = async (pids: ReadonlyArray<number>): Promise<void> => {
  while (pids.some(alive)) await pause(50)
}

/** A host with a server that handles its calls so. `args`: further arguments of `wrap`. */
export const started = async (
  body: string,
  use: (host: Host) => Promise<void>,
  { args = ["--protocol", "2025"], before = "", run = wrap }: {
    readonly args?: ReadonlyArray<string>
    readonly before?: string
    readonly run?: typeof wrap
  } = {}
): Promise<void> => {
  await using host = run([...args, ...scripted(body, "", { before })])
  await host.initialize()
  await use(host)
}

type ServerOptions = Parameters<typeof HttpFaultServer.open>[0]

export const served = async (
  use: (host: Host, server: HttpFaultServer.HttpFaultServer) => Promise<void>,
  serverOptions: ServerOptions = {},
  args: ReadonlyArray<string> = [],
  run = wrap
): Promise<void> => {
  await using server = await HttpFaultServer.open(serverOptions)
  await using host = run([...args, server.url])
  await host.initialize()
  assert.strictEqual(await answer(host, "echo", { message: "before" }), "before")
  await use(host, server)
}

export const echoes = async (host: Host, message: string): Promise<void> =>
  assert.strictEqual(await host.call("echo", { message }), message)

/** What a call ends with: words for the model where it fails, else its result as JSON. */
export const outcome = async (host: Host, name: string, args: object = {}): Promise<string> => {
  const { error, result } = await host.request("tools/call", { name, arguments: args })
  return error?.message ?? JSON.stringify(result)
}

export const waits = (serverOptions?: ServerOptions) => () =>
  served(async (host, server) => {
    server.refuse()
    const called = echoes(host, "waited")
    await pause(200)
    await server.start()
    await called
  }, serverOptions)

export const answer = async (host: Host, name: string, args: object = {}): Promise<string> => {
  for (;;) {
    const { result } = await host.request("tools/call", { name, arguments: args })
    if (result !== undefined) return result["content"][0].text
    await pause(100)
  }
}

/** One call meets a fault and fails with these words, or is answered after all; the next one is answered. */
export const meets = (fault: HttpFault.HttpFault, words?: RegExp, serverOptions?: ServerOptions) => () =>
  served(async (host, server) => {
    server.fail("tools/call", fault, 1)
    const met = await outcome(host, "echo", { message: "met" })
    if (words === undefined) assert.strictEqual(JSON.parse(met).content[0].text, "met", met)
    else assert.match(met, words)
    await echoes(host, "after")
  }, serverOptions)

export const isUnknown = /was sent and its result is unknown/
