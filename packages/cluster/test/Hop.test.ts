import { Effect, Exit, Redacted, Scope } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import * as Hop from "../src/hop/Hop.js"
import * as HopSecrets from "../src/hop/HopSecrets.js"

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

/** Serves a server until the scope closes. */
const serve = async (): Promise<Scope.CloseableScope> => {
  const scope = Effect.runSync(Scope.make())
  const served = { name: "notes", backend, introduction: () => undefined }
  await Effect.runPromise(Scope.extend(hop.serve("notes", served), scope))
  return scope
}

const close = (scope: Scope.CloseableScope) => Effect.runPromise(Scope.close(scope, Exit.void))

/** The status of a request with a long body, which asks for nothing. */
const status = async (): Promise<number> => {
  const { port } = listener.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/cluster/servers/notes`, {
    method: "POST",
    headers: {
      "authorization": Redacted.value(HopSecrets.authorization(key)),
      "content-type": "application/json",
      "accept": "application/json, text/event-stream"
    },
    body: JSON.stringify({ text: "x".repeat(100_000) })
  })
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
})
