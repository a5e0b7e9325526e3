import { Redacted } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import * as ReplicaPaths from "../src/hop/ReplicaPaths.js"

const key = (letter: string) => Redacted.make(letter.repeat(40))
const options = { own: () => "here", failed: () => {} }

describe("paths for the other replicas alone", () => {
  it("[D8][X6] answer who knows the key of the cluster, without their prefix, and nobody else", async () => {
    const paths = ReplicaPaths.make({ ...options, keys: key("a") }, "/cluster/gateway")
    const server = createServer((request, response) => {
      const path = (request.url ?? "").replace(/\?.*/s, "")
      const isTheirs = paths.handle(request, response, path, ({ url }, _, path) => response.end(`${path} ${url}`))
      if (!isTheirs) response.writeHead(404).end()
    }).listen(0, "127.0.0.1")
    try {
      await once(server, "listening")
      const { port } = server.address() as AddressInfo
      const address = `http://127.0.0.1:${port}`
      const ask = async (path: string, letter = "a", purpose?: "login") => {
        const keys = key(letter)
        const asking = ReplicaPaths.make({ ...options, keys, purpose }, "").to({ id: "here", address })
        const response = await asking.fetch(asking.baseUrl + path)
        return [response.status, await response.text()]
      }
      expect(await ask("/cluster/gateway/api/logs?limit=1")).toEqual([200, "/api/logs /api/logs?limit=1"])
      const others = [ask("/cluster/gateway/api/logs", "b"), ask("/cluster/gateway/api/logs", "a", "login")]
      for (const answer of await Promise.all(others)) {
        expect(answer).toEqual([403, expect.stringContaining("other replicas")])
      }
      for (const path of ["/cluster/gateway", "/cluster/gatewayapi", "/api/logs"]) {
        expect(await ask(path)).toEqual([404, ""])
      }
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it("[X6] need a long key", () => {
    expect(() => ReplicaPaths.make({ ...options, keys: Redacted.make("short") }, "/a")).toThrow(RangeError)
  })
})
