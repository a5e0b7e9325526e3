import { Redacted } from "effect"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "vitest"
import * as ReplicaPaths from "../src/hop/ReplicaPaths.js"

const key = (letter: string) => Redacted.make(letter.repeat(40))

describe("paths for the other replicas alone", () => {
  it("[D8][X6] answer who knows the key of the cluster, without their prefix, and nobody else", async () => {
    const paths = ReplicaPaths.make(key("a"), "/cluster/gateway")
    const server = createServer((request, response) => {
      const path = (request.url ?? "").replace(/\?.*/s, "")
      const isTheirs = paths.handle(request, response, path, ({ url }, _, path) => response.end(`${path} ${url}`))
      if (!isTheirs) response.writeHead(404).end()
    }).listen(0, "127.0.0.1")
    try {
      await once(server, "listening")
      const { port } = server.address() as AddressInfo
      const ask = async (path: string, authorization?: string) => {
        const headers = authorization === undefined ? undefined : { authorization }
        const response = await fetch(`http://127.0.0.1:${port}${path}`, headers && { headers })
        return [response.status, await response.text()]
      }
      const own = Redacted.value(paths.authorization())
      const foreign = Redacted.value(ReplicaPaths.make(key("b"), "/cluster/gateway").authorization())
      expect(await ask("/cluster/gateway/api/logs?limit=1", own)).toEqual([200, "/api/logs /api/logs?limit=1"])
      for (const authorization of [undefined, "", "Bearer", foreign, `${own}x`]) {
        const [status, text] = await ask("/cluster/gateway/api/logs", authorization)
        expect([authorization, status, text]).toEqual([authorization, 403, expect.stringContaining("other replicas")])
      }
      for (const path of ["/cluster/gateway", "/cluster/gatewayapi", "/api/logs"]) {
        expect(await ask(path, own)).toEqual([404, ""])
      }
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  it("[X6] need a long key", () => {
    expect(() => ReplicaPaths.make(Redacted.make("short"), "/a")).toThrow(RangeError)
  })
})
