import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { Effect, type Scope } from "effect"
import { createServer } from "node:http"
import { listening } from "../../../testing/test/support/listening.js"
import type { GatewayStatus, Server } from "../../src/http-api/GatewayStatus.js"
import type { Gateways, ReplicaName } from "../../src/replica/Gateways.js"

export const prefix = "/inside"

/** What it answers: a status, a body and headers, nothing at all, or something that is no answer of a gateway. */
export type Answer =
  | readonly [status: number, body: unknown, headers?: Readonly<Record<string, string>>]
  | "silence"
  | "nonsense"

export interface MadeUpReplica {
  readonly name: ReplicaName
  /** By method and path, without a query: `GET /api/status`. Anything else is answered with 404. */
  readonly answers: Map<string, Answer>
  /** What it was asked, with its authorization: `GET /api/logs?limit=1 as ours`. */
  readonly asked: Array<string>
}

export const make = (id: string): Effect.Effect<MadeUpReplica, never, Scope.Scope> =>
  Effect.gen(function*() {
    const answers = new Map<string, Answer>()
    const asked: Array<string> = []
    const address = yield* listening(createServer((request, response) => {
      const path = (request.url ?? "").slice(prefix.length)
      asked.push(`${request.method} ${path} as ${request.headers["x-proof"]}`)
      const answer = answers.get(`${request.method} ${path.replace(/\?.*/s, "")}`) ?? [404, "?"]
      if (answer === "silence") return
      if (answer === "nonsense") return void response.writeHead(200, { "content-type": "application/json" }).end("{}")
      const [status, body, headers] = answer
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
    }))
    return { name: { id, address }, answers, asked }
  })

export const gatewaysOf = (
  others: () => ReadonlyArray<ReplicaName>
): Gateways & { readonly handler: () => Handler | undefined } => {
  let answering: Handler | undefined
  return {
    own: () => ({ id: "here", address: "http://127.0.0.1:1" }),
    others,
    ownedSince: () => undefined,
    api: ({ address }) => ({
      baseUrl: address + prefix,
      fetch: (url, init) =>
        fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), "x-proof": "ours" } })
    }),
    logins: ({ address }) => ({ baseUrl: `${address}/logins`, fetch }),
    answer: (handler) => Effect.sync(() => void (answering = handler)),
    handler: () => answering
  }
}

export const serverOf = (name: string, given: Partial<Server> = {}): Server => ({
  name,
  state: "Connected",
  since: 1,
  generation: 1,
  transport: "stdio",
  target: name,
  server: null,
  sessions: "shared",
  counts: { tools: 1, prompts: 0, resources: 0 },
  stale: false,
  calls: { total: 1, failed: 0, givenUp: 0, inFlight: 1, p50Millis: 1 },
  history: [],
  warnings: [],
  ...given
})

export const statusOf = (id: string, servers: ReadonlyArray<Server> = []): GatewayStatus => ({
  gateway: { name: "mcp-lifeline", version: "1", url: `http://${id}/mcp`, pid: 1, startedAt: 2, clients: 3 },
  servers
})
