/**
 * Serves a client's session on any replica: here if it lives here, and otherwise by passing the request on to the replica on which it does.
 */
import * as Body from "@mcp-lifeline/http-server/Body"
import { type McpEndpoint, repeatedHeader } from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import { Shares } from "@mcp-lifeline/http-server/Shares"
import { Era, JsonRpc, JsonRpcError } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, FiberSet, Option, Redacted, Schedule, type Scope } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { ClusterKey } from "../ClusterKey.js"
import type { Replica } from "../ClusterStore.js"
import * as HopSecrets from "../hop/HopSecrets.js"
import * as Passage from "./Passage.js"
import type { SessionHomes } from "./SessionHomes.js"

/** What a router needs. */
export interface Options {
  readonly key: ClusterKey
  readonly homes: SessionHomes
  readonly seal: Seal
  /** Serves the sessions that live here, and clients without sessions. */
  readonly endpoint: Pick<McpEndpoint, "handle" | "has">
  /** Called with each internal failure. */
  readonly onError: (error: unknown) => void
}

/** See the head of the file. Neither function throws. */
export interface SessionRouter {
  /** Answers a client. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Answers a request that another replica has passed on. True if the path is that of these. */
  readonly handlePassed: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  /** From now on takes no requests of other replicas: they wait until this one has gone, and then go on without it. */
  readonly leave: () => void
  /** Ends when no request but streams of clients is on its way to another replica. */
  readonly drained: Effect.Effect<void>
}

const path = "/cluster/sessions"
const authorizationHeader = "lifeline-authorization"
const homeHeader = "lifeline-home"

/** The largest body, in bytes, and that of all together. */
const [maxBody, maxBodies] = [16 * 1024 * 1024, 64 * 1024 * 1024]

/** How long a client waits for the new home of its session at most, in milliseconds, and how long between two tries. */
const [longest, pause] = [60_000, 300]

const forbidden = { status: 403, message: "This is for other replicas of the cluster" }
const notTaken = {
  status: 421,
  message: "This replica is not the one that the request is for",
  headers: { [Passage.refusedHeader]: "1" }
}
const tooLong = {
  status: 503,
  message: "No replica of the gateway can serve the session at the moment; try again",
  headers: { "Retry-After": "1" },
  isRead: true
}
const why = "the replica of the gateway on which the session lived has gone"

const messagesIn = (body: Buffer): ReadonlyArray<JSONRPCMessage> => {
  try {
    const value: unknown = JSON.parse(body.toString())
    return (Array.isArray(value) ? value : [value]).flatMap((one) => {
      const read = JsonRpc.read(one)
      return read._tag === "Message" ? [read.message] : []
    })
  } catch {
    return []
  }
}

/** Answers requests of which nobody knows what became of them. */
const answerUnknown = (response: ServerResponse, body: Buffer): void => {
  const requests = messagesIn(body).filter(JsonRpc.isRequest)
  const error = JsonRpcError.interrupted(why, "unknown")
  const texts = requests.map(({ id }) => JSON.stringify({ jsonrpc: "2.0", id, error }))
  if (!response.headersSent) {
    const isBatch = body.toString("latin1", 0, 100).trimStart().startsWith("[")
    response.writeHead(200, { "Content-Type": "application/json" })
    return void response.end(isBatch ? `[${texts.join(",")}]` : texts[0])
  }
  if (String(response.getHeader("content-type")).startsWith("text/event-stream")) {
    for (const text of texts) response.write(Passage.event(text))
    response.end()
  } else response.destroy()
}

/** While a replica serves no sessions: the same as `handlePassed` of one that has left. */
export const refusePassed: SessionRouter["handlePassed"] = (_, response, asked) => {
  if (asked !== path) return false
  refuse(response, notTaken)
  return true
}

/** Routes until the scope closes. */
export const make = (
  { endpoint, homes, key, onError, seal }: Options
): Effect.Effect<SessionRouter, never, Scope.Scope> =>
  Effect.gen(function*() {
    const authorization = HopSecrets.authorization(key)
    const calls = yield* FiberSet.make<void>()
    const forkCall = yield* FiberSet.runtime(calls)<never>()
    const forkStream = yield* FiberSet.makeRuntime<never>()
    const agents = yield* Effect.acquireRelease(
      Effect.sync(() => new Passage.Agents()),
      (agents) => Effect.sync(() => agents.destroy())
    )
    const bodies = new Shares(maxBodies)
    let isLeaving = false

    const failed = (response: ServerResponse, error: unknown): void => {
      onError(error)
      refuse(response, { status: 500, message: "Internal error of the gateway; its log has more" })
    }
    const guarded = (response: ServerResponse, work: () => void): void => {
      try {
        work()
      } catch (error) {
        failed(response, error)
      }
    }

    /** Passes a request on, until the other replica has answered or has gone. */
    const passed = (
      home: Replica,
      request: IncomingMessage,
      response: ServerResponse,
      body: Buffer
    ): Effect.Effect<Passage.Outcome> => {
      const passing = Effect.async<Passage.Outcome>((resume) => {
        const abort = Passage.pass({
          request,
          response,
          body,
          agents,
          url: home.address.replace(/\/$/, "") + path,
          headers: { [authorizationHeader]: Redacted.value(authorization), [homeHeader]: home.id }
        }, (outcome) => resume(Effect.succeed(outcome)))
        return Effect.sync(abort)
      })
      return Effect.raceFirst(passing, Effect.as(homes.gone(home.id), "lost" as const))
    }

    /** Answers a request for which no home was found in time. */
    const giveUp = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
      if (request.headers[repeatedHeader] !== undefined) answerUnknown(response, body)
      else refuse(response, tooLong)
    }

    /** Serves a request of a session that does not live here, as far as is known. */
    const route = (
      session: string,
      born: string | undefined,
      request: IncomingMessage,
      response: ServerResponse,
      body: Buffer
    ): Effect.Effect<void> =>
      Effect.gen(function*() {
        let until = performance.now() + longest
        while (true) {
          const found = yield* homes.find(session, born).pipe(
            Effect.retry(Schedule.spaced(pause)),
            Effect.timeoutOption(until - performance.now()),
            Effect.orDie
          )
          if (Option.isNone(found)) return giveUp(request, response, body)
          const home = found.value
          if (home.id === homes.own() && !response.headersSent) {
            return guarded(response, () => endpoint.handle(Body.returned(request, body), response))
          }
          const outcome = yield* passed(home, request, response, body)
          if (outcome === "done") return
          if (outcome === "lost") {
            // A client opens its stream again.
            if (request.method === "GET" && response.headersSent) return void response.end()
            // The next home decides whether it can be done twice.
            request.headers[repeatedHeader] = "1"
            until = performance.now() + longest
          }
          // While one stops, its connections end: to ask it again would be to wonder what became of that.
          yield* Effect.timeoutOption(homes.gone(home.id), outcome === "refused" ? until - performance.now() : pause)
        }
      })

    /** Ends when the client has gone. */
    const clientGone = (response: ServerResponse): Effect.Effect<void> =>
      Effect.async((resume) => {
        if (response.destroyed) return resume(Effect.void)
        response.once("close", () => resume(Effect.void))
      })

    const begin = (
      session: string,
      born: string | undefined,
      request: IncomingMessage,
      response: ServerResponse,
      body: Buffer
    ): void => {
      const routed = route(session, born, request, response, body).pipe(
        Effect.catchAllCause((cause) => Effect.sync(() => failed(response, Cause.squash(cause))))
      )
      const fork = request.method === "GET" ? forkStream : forkCall
      fork(Effect.raceFirst(routed, clientGone(response)))
    }

    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      const { headers } = request
      const id = headers["mcp-session-id"]
      if (typeof id !== "string" || headers["mcp-protocol-version"] === Era.statelessVersion) {
        return endpoint.handle(request, response)
      }
      if (endpoint.has(id) && homes.own() !== undefined) return endpoint.handle(request, response)
      const claims = seal.open(id)
      // It answers that there is no such session.
      if (claims === undefined || homes.isHere(id, claims.home)) return endpoint.handle(request, response)
      response.on("error", () => undefined)
      if (request.method === "GET" || request.method === "DELETE") {
        return begin(id, claims.home, request, response, Buffer.alloc(0))
      }
      Body.readBytes(
        request,
        maxBody,
        (body) =>
          guarded(response, () => {
            if (body._tag === "Refused") refuse(response, body.refusal)
            else begin(id, claims.home, request, response, body.bytes)
          }),
        Body.roomFor(bodies, request, id)
      )
    }

    return {
      handle: (request, response) => guarded(response, () => handle(request, response)),
      handlePassed: (request, response, asked) => {
        if (asked !== path) return false
        guarded(response, () => {
          const { [authorizationHeader]: given, [homeHeader]: home } = request.headers
          if (!HopSecrets.isAllowed(authorization, String(given))) return refuse(response, forbidden)
          if (isLeaving || home === undefined || home !== homes.own()) return refuse(response, notTaken)
          endpoint.handle(request, response)
        })
        return true
      },
      leave: () => {
        isLeaving = true
      },
      drained: FiberSet.awaitEmpty(calls)
    }
  })
