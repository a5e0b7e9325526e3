import { HttpFaultServer } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { connect, type Socket } from "node:net"
import { listening } from "../../../testing/test/support/listening.js"
import { ask, isConnected, serve, untilStatus } from "../support/Gateway.js"
import { describe, expect, test } from "../support/vitest.js"

const listen = (server: Server) => Effect.map(listening(server), (url) => Number(new URL(url).port))

describe("a remote server behind the gateway", () => {
  test.scopedLive("[X2:real] leads to no request to this machine, and changes nothing at the gateway", function*() {
    const hits: Array<string> = []
    const sentinel = yield* listen(createServer((request, response) => {
      hits.push(`${request.method} ${request.url}`)
      response.end("{}")
    }))
    const target = { base: `http://127.0.0.1:${sentinel}` }
    let registrations = 0
    // What the internet is here: each name but those of this machine leads to it, through a proxy.
    const answers: Record<string, (response: ServerResponse, host: string) => unknown> = {
      "/mcp": (response, host) => {
        const named = host === "named.example"
          ? { "www-authenticate": `Bearer resource_metadata="${target.base}/meta"` }
          : {}
        response.writeHead(401, named).end()
      },
      "/.well-known/oauth-protected-resource/mcp": (response, host) =>
        host === "issuer.example"
          ? response.end(JSON.stringify({ resource: `http://${host}/mcp`, authorization_servers: [target.base] }))
          : response.writeHead(404).end(),
      "/.well-known/oauth-authorization-server": (response, host) => {
        registrations++
        response.end(JSON.stringify({
          issuer: `http://${host}`,
          authorization_endpoint: "https://login.example/authorize",
          token_endpoint: "https://login.example/token",
          registration_endpoint: `${target.base}/api/servers/good/disable`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"]
        }))
      }
    }
    const internet = yield* listen(createServer((request: IncomingMessage, response: ServerResponse) => {
      const found = answers[request.url ?? ""]
      if (found === undefined) response.writeHead(404).end()
      else found(response, String(request.headers.host))
    }))
    const proxy = createServer().on("connect", (_: IncomingMessage, socket: Socket) => {
      const to = connect(internet, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"))
      to.on("error", () => socket.destroy())
      socket.on("error", () => to.destroy())
      socket.pipe(to).pipe(socket)
    })
    const http = `http://127.0.0.1:${yield* listen(proxy)}`
    const good = yield* HttpFaultServer.make()
    const { base } = yield* serve(
      {
        good: { url: good.url },
        named: { url: "http://named.example/mcp" },
        issuer: { url: "http://issuer.example/mcp" },
        registers: { url: "http://registers.example/mcp" }
      },
      [],
      { HTTP_PROXY: http, HTTPS_PROXY: http, NO_PROXY: "127.0.0.1,localhost" }
    )
    yield* untilStatus(base, isConnected, "good")
    for (const name of ["named", "issuer", "registers"]) {
      const { lastError } = yield* untilStatus(base, ({ lastError }) => lastError !== undefined, name)
      expect({ name, message: JSON.stringify(lastError) })
        .toEqual({ name, message: expect.stringContaining(`127.0.0.1:${sentinel} is an address of this machine`) })
    }
    expect(registrations).toBeGreaterThan(0)
    expect(hits).toEqual([])
    // The gateway itself in place of it, whose address everybody could guess.
    target.base = base
    yield* ask(`${base}/api/servers/registers/reconnect`, "POST")
    yield* untilStatus(base, ({ lastError }) => JSON.stringify(lastError).includes(new URL(base).host), "registers")
    expect((yield* untilStatus(base, () => true, "good")).state).toBe("Connected")
  })
})
