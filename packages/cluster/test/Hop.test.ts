import type { Backend } from "@mcp-lifeline/core"
import { RemoteError, Sending } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect, Exit, Scope } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Hop from "../src/hop/Hop.js"
import type { Served } from "../src/hop/ServerConversation.js"
import * as PeerServer from "./support/PeerServer.js"

const { key } = PeerServer
const hop = Hop.make(key, () => "here", () => {})
const listener = createServer((request, response) => void hop.handle(request, response, request.url ?? ""))
beforeEach(() => new Promise<void>((resolve) => void listener.listen(0, "127.0.0.1", resolve)))
afterEach(() => {
  listener.closeAllConnections()
  return new Promise<void>((resolve) => void listener.close(() => resolve()))
})

const backend = () => {
  throw new Error("nothing is asked of it")
}

const unknown: Served = { name: "notes", backend, introduction: () => undefined }

const serve = async (served = unknown): Promise<Scope.CloseableScope> => {
  const scope = Effect.runSync(Scope.make())
  await Effect.runPromise(Scope.extend(hop.serve("notes", served), scope))
  return scope
}

const close = (scope: Scope.CloseableScope) => Effect.runPromise(Scope.close(scope, Exit.void))

const post = (content: object): Promise<Response> => {
  const { port } = listener.address() as AddressInfo
  const body = JSON.stringify(content)
  return fetch(`http://127.0.0.1:${port}/cluster/servers/notes`, {
    method: "POST",
    headers: {
      ...PeerServer.signedFor("here", { target: "/cluster/servers/notes", body }),
      "content-type": "application/json",
      "accept": "application/json, text/event-stream"
    },
    body
  })
}

const status = async (): Promise<number> => {
  const response = await post({ text: "x".repeat(100_000) })
  await response.text()
  return response.status
}

describe("a server for other replicas", () => {
  it("[D4] is served again before it has ended to be served the first time", async () => {
    const first = await serve()
    const second = await serve()
    await close(first)
    expect(await status()).toBe(400)
    await close(second)
    expect(await status()).toBe(404)
  })

  it("[D13:real][D1] is reached although the clock of its owner is wrong: each request is sent again, and carried out once", async () => {
    const heard: Array<string> = []
    const address = await PeerServer.withFastClock("owner", ({ method }, response, body) => {
      const { id, method: asked } = body === "" ? { id: undefined, method: "" } : JSON.parse(body)
      heard.push(`${method} ${asked}`)
      if (id === undefined) return void response.writeHead(method === "GET" ? 405 : 202).end()
      const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "notes", version: "1" } }
      response.writeHead(200, { "content-type": "application/json" }).end(
        JSON.stringify({ jsonrpc: "2.0", id, result })
      )
    })
    try {
      const connector = hop.connector("notes", { owner: "owner", address, generation: 1 })
      const program = Effect.flatMap(
        connector.connect({ report: () => {} }),
        (connection) => Sending.ask(connection, "tools/call", { name: "write" }, { timeout: 60_000 })
      )
      expect(await Effect.runPromise(Effect.scoped(program))).toMatchObject({ serverInfo: { name: "notes" } })
      expect(heard.filter((line) => line === "POST initialize" || line === "POST tools/call")).toEqual([
        "POST initialize",
        "POST tools/call"
      ])
    } finally {
      PeerServer.closeAll()
    }
  })

  it("[D13] is not reached where the address of its owner is not sealed", async () => {
    const connector = hop.connector("notes", { owner: "owner", address: undefined, generation: 1 })
    const failed = Effect.scoped(Effect.flip(connector.connect({ report: () => {} })))
    expect(await Effect.runPromise(failed)).toMatchObject({
      reason: "unreachable",
      permanent: false,
      message: expect.stringContaining("not sealed with the key of this cluster")
    })
  })

  it("[D4] is left when nobody has a connection any more", async () => {
    const scope = await serve()
    await status()
    let isLeft = false
    const left = Effect.runPromise(hop.left).then(() => {
      isLeft = true
    })
    await status()
    expect(isLeft).toBe(false)
    listener.closeAllConnections()
    await left
    await close(scope)
  })

  it("[D4][D8] is known once it is connected, also if it refuses `ping`", async () => {
    let introduction: Introduction | undefined
    const refusesPing = Effect.sync(() => {
      introduction = {
        protocolVersion: "2025-06-18",
        capabilities: {},
        serverInfo: { name: "notes", version: "1" },
        instructions: undefined,
        sessionId: undefined
      }
    }).pipe(
      Effect.zipRight(
        Effect.fail(new RemoteError({ backend: "notes", method: "ping", code: -32_601, message: "Method not found" }))
      )
    )
    const backend = { ping: () => refusesPing } as unknown as Backend.Backend
    const scope = await serve({
      name: "notes",
      backend: () => backend,
      introduction: () => introduction
    })
    const response = await post({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "a replica", version: "1" } }
    })
    expect(await response.text()).toContain(`"serverInfo":{"name":"notes","version":"1"}`)
    await close(scope)
  })
})
