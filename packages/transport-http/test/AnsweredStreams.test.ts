import { Bytes } from "@mcp-lifeline/core/text"
import { HttpExchange, HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import * as Credentials from "../src/Credentials.js"
import * as Dispatchers from "../src/Dispatchers.js"
import * as HttpClient from "../src/HttpClient.js"
import * as Proxy from "../src/Proxy.js"
import * as Reach from "../src/Reach.js"
import * as StatelessTransport from "../src/StatelessTransport.js"
import * as StreamableTransport from "../src/StreamableTransport.js"

const hour = 3_600_000
const sockets = 2

const clientOf = async (url: URL) => {
  const undici = await Effect.runPromise(Dispatchers.undici)
  const parts = { undici, connectTimeout: hour, proxies: Proxy.none, reach: Reach.make({ server: url }) }
  const credentials = Credentials.make({ url, headers: {}, headerProvider: undefined, authorization: undefined, fetch })
  return HttpClient.make({
    origin: "http://127.0.0.1",
    undici,
    credentials,
    dispatchers: Dispatchers.makeDispatchers(parts, sockets),
    owned: true,
    proxy: undefined
  })
}

const transports = {
  "with sessions": (client: HttpClient.HttpClient, url: URL) =>
    StreamableTransport.make({
      client,
      makeClient: Effect.succeed(client),
      url,
      target: url.href,
      closeTimeout: 1000,
      startLimit: 75_000,
      worker: { isSingle: false },
      maxMessageBytes: Bytes(1_000_000)
    }),
  "without sessions": (client: HttpClient.HttpClient, url: URL) =>
    StatelessTransport.make({
      client,
      url,
      target: url.href,
      maxMessageBytes: Bytes(1_000_000),
      parameters: new StatelessTransport.ParameterHeaders(url.href)
    })
}

describe.concurrent.each(Object.entries(transports))("%s", (_, make) => {
  it("[T14:real] answered streams that a server leaves open give way to calls that wait for a socket", async () => {
    await using server = await HttpFaultServer.open()
    server.hook = ({ message, response }) => {
      const answer = { jsonrpc: "2.0", id: message?.id, result: { content: [] } }
      HttpExchange.sse(response).write(HttpExchange.event(answer))
      return true
    }
    const url = new URL(server.url)
    const transport = await Effect.runPromise(make(await clientOf(url), url))
    const answered = new Set<unknown>()
    await new Promise<void>((resolve) => {
      transport.onmessage = (message) => {
        answered.add((message as { readonly id: number }).id)
        if (answered.size === 20) resolve()
      }
      for (let id = 0; id < 20; id++) {
        const params = { name: "echo", arguments: {} }
        transport.send({ jsonrpc: "2.0", id, method: "tools/call", params }).catch(() => {})
      }
    })
    assert.isAtMost(server.sockets.size, sockets)
    await transport.close()
  })
})
