import type { Backend } from "@mcp-lifeline/core"
import { RemoteError } from "@mcp-lifeline/core"
import type { Introduction } from "@mcp-lifeline/protocol"
import { Effect, Exit, Redacted, Scope } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Hop from "../src/hop/Hop.js"
import * as HopSecrets from "../src/hop/HopSecrets.js"
import type { Served } from "../src/hop/ServerConversation.js"

const key = Redacted.make("a key that all replicas of this test have in common")
const hop = Hop.make(key, () => {})
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

/** Serves a server until the scope closes. */
const serve = async (served = unknown): Promise<Scope.CloseableScope> => {
  const scope = Effect.runSync(Scope.make())
  await Effect.runPromise(Scope.extend(hop.serve("notes", served), scope))
  return scope
}

const close = (scope: Scope.CloseableScope) => Effect.runPromise(Scope.close(scope, Exit.void))

const post = (body: object): Promise<Response> => {
  const { port } = listener.address() as AddressInfo
  return fetch(`http://127.0.0.1:${port}/cluster/servers/notes`, {
    method: "POST",
    headers: {
      "authorization": Redacted.value(HopSecrets.authorization(key)()),
      "content-type": "application/json",
      "accept": "application/json, text/event-stream"
    },
    body: JSON.stringify(body)
  })
}

/** The status of a request with a long body, which asks for nothing. */
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

  it("[D4][D8] is known once it is connected, also if it refuses `ping`, which counts as the failed call that its backend has seen", async () => {
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
    const over: Array<string | undefined> = []
    const scope = await serve({
      name: "notes",
      backend: () => backend,
      introduction: () => introduction,
      began: () => (error) => void over.push(error)
    })
    const response = await post({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "a replica", version: "1" } }
    })
    expect(await response.text()).toContain(`"serverInfo":{"name":"notes","version":"1"}`)
    expect(over).toEqual(["RemoteError"])
    await close(scope)
  })
})
