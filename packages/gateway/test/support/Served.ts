import type { Fleet } from "@mcp-lifeline/core"
import * as Authentication from "@mcp-lifeline/http-server/Authentication"
import { anyone } from "@mcp-lifeline/http-server/Caller"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Deferred, Effect, type Redacted } from "effect"
import { Endpoint, ServerPool } from "mcp-lifeline"
import { request } from "node:http"
import * as Gateway from "../../src/http-api/Gateway.js"
import type { Member } from "../../src/pool/ClientGroup.js"
import { ClientServers, type Pool } from "../../src/pool/ClientServers.js"
import * as GroupFleet from "../../src/pool/GroupFleet.js"
import type { ListChange } from "../../src/pool/ListChange.js"
import { opened } from "./TestClient.js"

export const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

/** A fleet as all servers that there are; they say nothing by themselves. */
export const serversOf = Effect.fnUntraced(function*(fleet: Fleet.Fleet) {
  const pool = yield* ServerPool.make([])
  const notScripted = Effect.dieMessage("not scripted")
  const group = {
    sessions: "shared" as const,
    listsChanged: (change: ListChange): void => members.forEach((member) => member.listsChanged(change))
  }
  const members = new Set<Member>()
  const servers = Object.values(yield* fleet.status).map(({ backend, target, transport }): ServerPool.Server => ({
    id: backend,
    connector: { target, transport } as never
  }))
  const shared = yield* GroupFleet.over(
    group,
    () => Effect.succeed({ fleet, introduction: () => undefined, apply: notScripted })
  )
  const scripted: Pool = {
    sharedFleet: shared,
    settings: { servers: () => [] } as never,
    changes: Effect.never,
    run: Effect.runFork,
    leave: (member) => void members.delete(member)
  }
  return {
    ...pool,
    shared,
    servers: () => servers,
    apply: () => notScripted,
    join: (member: Member) => {
      members.add(member)
      return new ClientServers(scripted, member)
    }
  } satisfies ServerPool.ServerPool
})

export interface Options extends Partial<Endpoint.Options> {
  readonly token?: Redacted.Redacted
}

export const bind = (token?: Redacted.Redacted) =>
  Endpoint.bind({
    host: "127.0.0.1",
    port: 0,
    authentication: token && Authentication.byToken(() => [{ caller: anyone, tokens: [token] }])
  })

/** A served fleet. Clients are not offered its status, unless the options say so. */
export const serve = Effect.fnUntraced(function*(fleet: Fleet.Fleet, { token, ...options }: Options = {}) {
  const bound = yield* bind(token)
  return yield* Endpoint.serve({
    ...bound,
    servers: yield* serversOf(fleet),
    hasStatus: () => false,
    introductionWait: 0,
    ...options
  })
})

/** Servers, once they are ready; without keepalive, unless they say otherwise. `about`: what the API reports in addition. */
export const pool = Effect.fnUntraced(function*(
  all: ReadonlyArray<ServerPool.Server>,
  { about, token }: { readonly about?: Partial<Gateway.About>; readonly token?: Redacted.Redacted } = {}
) {
  const servers = yield* ServerPool.make(all.map((one) => ({ keepalive: { method: "none" }, ...one })))
  const known = { ...yield* Gateway.about(servers), ...about }
  const { url } = yield* Endpoint.serve({
    ...yield* bind(token),
    servers,
    about: known,
    introductionWait: 0,
    drain: 0
  })
  yield* servers.shared.fleet.ready
  return { base: new URL(url).origin, fleet: servers.shared.fleet, servers, url }
})

/** A connected client of the official SDK, its stream for notifications open; closed with the scope. */
export const connected = Effect.fnUntraced(function*(url: string, headers: Record<string, string> = {}) {
  const streaming = yield* Deferred.make<void>()
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers },
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (init?.method === "GET") Deferred.unsafeDone(streaming, Effect.void)
      return response
    }
  })
  const client = yield* opened(async () => {
    const client = new Client({ name: "test", version: "1" })
    await client.connect(transport as Transport)
    return client
  }, (client) => client.close())
  yield* Deferred.await(streaming)
  return { client, transport }
})

export const rejection = (promise: Promise<unknown>) =>
  Effect.promise(() => promise.then(() => undefined, (error: unknown) => error as Record<string, unknown>))

/** A bare HTTP request, for headers that fetch does not let a caller set. */
export const bare = (url: string, method: string, headers: Record<string, string>, body?: string) =>
  Effect.async<{ readonly status: number; readonly body: string; readonly session: string }>((resume) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      let received = ""
      response.setEncoding("utf8").on("data", (chunk: string) => received += chunk)
      const session = String(response.headers["mcp-session-id"] ?? "")
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode ?? 0, body: received, session })))
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end(body)
  })

export const accept = { Accept: "application/json, text/event-stream", "Content-Type": "application/json" }

export const initialize = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
})

export const nothing = () => Effect.succeed(text(""))
