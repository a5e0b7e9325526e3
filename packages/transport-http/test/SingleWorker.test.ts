import { assert, describe, it } from "@effect/vitest"
import { Backend } from "@mcp-lifeline/core"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Deferred, Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

/** Answers one request after another; its stream is one of them, and takes as long as it is open. `slow`: calls wait for this. */
const oneAfterAnother = (isSingle: boolean, slow: Promise<void> | undefined) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly methods: Array<string>; readonly close: () => void }>((resume) => {
      const methods: Array<string> = []
      let last: Promise<unknown> = Promise.resolve()
      const answer = async (request: IncomingMessage, response: ServerResponse, body: string) => {
        const { id, method } = body === "" ? {} as { id?: number; method?: string } : JSON.parse(body)
        methods.push(method ?? String(request.method))
        if (request.method === "GET") {
          response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
          if (isSingle) await new Promise((closed) => response.once("close", closed))
          return
        }
        if (id === undefined) return void response.writeHead(202).end()
        if (method === "tools/call") await slow
        const result = method === "initialize"
          ? { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "one", version: "1" } }
          : method === "tools/list"
          ? { tools: [] }
          : { content: [] }
        response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "s" })
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
      }
      const server = createServer(async (request, response) => {
        const body = await text(request)
        const turn = () => response.destroyed ? undefined : answer(request, response, body)
        last = isSingle ? last.then(turn, turn) : Promise.resolve(turn())
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({
          url: `http://127.0.0.1:${port}/mcp`,
          methods,
          close: () => {
            server.close()
            server.closeAllConnections()
          }
        }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )

const connected = (url: string, connector = HttpConnector.make({ url, transport: "streamable", protocol: "2025" })) =>
  Backend.make("one", { connector, keepalive: { method: "none" } })

describe("a server that answers nothing while its stream is open", () => {
  it.scopedLive("[T4:real] has it closed after a call without an answer, and in its later sessions", () =>
    Effect.gen(function*() {
      const { methods, url } = yield* oneAfterAnother(true, undefined)
      const backend = yield* connected(url)
      for (let call = 0; call < 3; call++) yield* backend.callTool({ name: "any" })
      assert.lengthOf(methods.filter((method) => method === "GET"), 1)
      yield* backend.reconnect
      yield* backend.callTool({ name: "any" })
      assert.lengthOf(methods.filter((method) => method === "initialize"), 2)
      assert.lengthOf(methods.filter((method) => method === "GET"), 1)
    }))

  it.scopedLive("[T4:real] a server that is only slow keeps its stream, or has it again", () =>
    Effect.gen(function*() {
      const slow = yield* Deferred.make<void>()
      const { methods, url } = yield* oneAfterAnother(false, Effect.runPromise(Deferred.await(slow)))
      const backend = yield* connected(url)
      yield* Effect.fork(Effect.delay(Deferred.succeed(slow, undefined), 5000))
      yield* backend.callTool({ name: "any" })
      assert.isAtMost(methods.filter((method) => method === "GET").length, 2)
      yield* backend.reconnect
      const before = methods.filter((method) => method === "GET").length
      yield* backend.callTool({ name: "any" })
      assert.isAtLeast(methods.filter((method) => method === "GET").length, before)
    }))
})
