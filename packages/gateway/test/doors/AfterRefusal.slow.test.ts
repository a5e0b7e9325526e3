import { HttpFaultServer } from "@mcp-lifeline/testing"
import { once } from "node:events"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "vitest"
import { chain, type Door, doors } from "../support/CallDoors.js"

interface Proxy extends AsyncDisposable {
  readonly url: string
  readonly ids: ReadonlyArray<string>
}

const proxy = async (target: string): Promise<Proxy> => {
  const ids: Array<string> = []
  const server = createServer(async (incoming, response) => {
    const parts: Array<Buffer> = []
    for await (const part of incoming) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    const message = body.length === 0 ? undefined : JSON.parse(body.toString())
    const isCall = message?.method === "tools/call"
    if (isCall) ids.push(message.params._meta["mcp-lifeline/callId"])
    const isRefused = isCall && ids.length === 1
    const outgoing = request(target, { method: incoming.method!, headers: incoming.headers }, (answer) => {
      if (isRefused) answer.resume().on("end", () => response.writeHead(404).end())
      else answer.pipe(response.writeHead(answer.statusCode!, answer.headers))
    })
    response.on("close", () => outgoing.destroy())
    outgoing.on("error", () => response.destroy()).end(body)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    ids,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

const tools = {
  pay: { run: () => ({ content: [{ type: "text", text: "paid" }] }) },
  look: { run: () => ({ content: [{ type: "text", text: "seen" }] }), annotations: { readOnlyHint: true } }
}

/** What is done with refused calls, the tool, how often its first call is sent, and what comes of it. */
const cases = [
  ["resend", "pay", 2, /^paid$/],
  ["safe", "pay", 1, /result is unknown .*HTTP 404.*no proof/],
  ["safe", "look", 2, /^seen$/]
] as const

const all: ReadonlyArray<readonly [string, Door, ReadonlyArray<(typeof cases)[number]>]> = [
  ...Object.entries(doors).map(([name, door]) => [name, door, cases] as const),
  ["wrap behind serve", chain, cases.slice(0, 1)]
]

describe.concurrent.each(all)("%s", (_, door, cases) => {
  it.each(cases)(
    "[C16:real] a call that was passed on and then refused, with %s: %s is sent %i times, with one id",
    async (afterRefusal, tool, times, says) => {
      await using server = await HttpFaultServer.open({ tools })
      await using between = await proxy(server.url)
      await door({ url: between.url }, { calls: { afterRefusal, callId: true } }, async (call) => {
        assert.match(await call(tool), says)
        assert.strictEqual(server.applied.length, times)
        // Another call has another id, and the caller's own is kept.
        await call("look")
        await call("look", { _meta: { "mcp-lifeline/callId": "mine" } })
      })
      const ids = [...new Set(between.ids)]
      assert.strictEqual(between.ids.length, times + 2)
      assert.deepStrictEqual([ids.length, ids[2]], [3, "mine"])
      for (const id of ids.slice(0, 2)) assert.match(id, /^[0-9a-f-]{36}$/)
    }
  )
})
