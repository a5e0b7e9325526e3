/** Serves a session here if it lives here, otherwise by passing the request to its home. */
import * as Body from "@mcp-lifeline/http-server/Body"
import * as Caller from "@mcp-lifeline/http-server/Caller"
import { type McpEndpoint, repeatedHeader, type Unsent } from "@mcp-lifeline/http-server/McpEndpoint"
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import { Era, Shares } from "@mcp-lifeline/protocol"
import type { JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Cause, Effect, FiberId, FiberSet, Schedule, type Scope } from "effect"
import { type IncomingMessage, ServerResponse } from "node:http"
import type { ClusterKeys } from "../ClusterKey.js"
import type { Replica } from "../ClusterStore.js"
import * as ReplicaRequests from "../hop/ReplicaRequests.js"
import type { ReplicaId } from "../LeaseRules.js"
import * as Messages from "./Messages.js"
import * as Passage from "./Passage.js"
import type { SessionHomes } from "./SessionHomes.js"

export interface Options {
  readonly key: ClusterKeys
  readonly homes: SessionHomes
  readonly seal: Seal
  readonly endpoint: Pick<McpEndpoint, "handle" | "has">
  readonly onError: (error: unknown) => void
  /** How long a client waits for an answer to begin, in milliseconds. Default 60,000. */
  readonly longest?: number | undefined
}

/** Neither throws. */
export interface SessionRouter {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** From another replica. True if the path is that of these. */
  readonly handlePassed: (request: IncomingMessage, response: ServerResponse, path: string) => boolean
  /**
   * From now on takes no calls from other replicas, which wait until this one has gone; but what calls under way here may need: answers to
   * servers' questions, cancellations, and streams.
   */
  readonly leave: () => void
  /** No call is on its way to another replica, and what others sent before they could know of `leave` has come. */
  readonly drained: Effect.Effect<void>
}

export const path = "/cluster/sessions"

/** As its receiver found the sender. The client's own credentials are not passed on. */
const callerHeader = "lifeline-caller"

/** With streams; one session may have half. */
const maxRouted = 4000

const [pause, look, lookForCalls, onItsWay] = [300, 1000, 20, 100]

const forbidden = { status: 403, message: "This is for other replicas of the cluster" }
const tryAgain = {
  status: 503,
  message: "No replica of the gateway can serve the session at the moment; try again",
  headers: { "Retry-After": "1" },
  isRead: true
}
const tooMany = {
  status: 429,
  message: "Too many requests of the session are on their way to the replica on which it lives; try again",
  headers: { "Retry-After": "1" }
}

interface Routed {
  /** `undefined`: this replica serves it as soon as it has a lease. */
  readonly session: string | undefined
  readonly born: ReplicaId | undefined
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: Buffer
  /** Since when its client waits, by `performance.now`. */
  since: number
  /** A replica may have taken it. The next one decides whether it can be carried out twice. */
  isLost: boolean
}

export const refusePassed: SessionRouter["handlePassed"] = (_, response, asked) => {
  if (asked !== path) return false
  refuse(response, ReplicaRequests.misdirected)
  return true
}

/** When the scope closes, every request on its way gets an answer. */
export const make = (
  { endpoint, homes, key, longest = 60_000, onError, seal }: Options
): Effect.Effect<SessionRouter, never, Scope.Scope> =>
  Effect.gen(function*() {
    const requests = ReplicaRequests.make({ keys: key, own: homes.own, failed: onError })
    const agents = yield* Passage.agents
    const routing = yield* FiberSet.make<void>()
    const fork = yield* FiberSet.runtime(routing)<never>()
    const all = new Map<Routed, () => void>()
    const bodies = new Shares(ReplicaRequests.maxBodies)
    const routes = new Shares(maxRouted)
    const refusing = new Set<ReplicaId>()
    const watching = new Map<ReplicaId, Set<() => void>>()
    let isLeaving = false
    let isClosed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isClosed = true
        for (const stop of all.values()) stop()
      })
    )

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

    const whenGone = (home: ReplicaId, gone: () => void): () => void => {
      const before = watching.get(home)
      const callbacks = before ?? new Set()
      callbacks.add(gone)
      if (before === undefined) {
        watching.set(home, callbacks)
        fork(Effect.map(homes.gone(home), () => {
          watching.delete(home)
          refusing.delete(home)
          for (const one of callbacks) one()
        }))
      }
      return () => void callbacks.delete(gone)
    }

    const passed = ({ address, id }: Replica, one: Routed): Effect.Effect<Passage.Outcome> =>
      address === undefined ? Effect.succeed("notSent") : Effect.async<Passage.Outcome>((resume) => {
        const { body, isLost, request, response } = one
        const method = request.method ?? ""
        const done = (outcome: Passage.Outcome): void => {
          forget()
          resume(Effect.succeed(outcome))
        }
        const abort = Passage.pass({
          request,
          response,
          body,
          agents,
          onBegun: () => {
            one.since = Number.POSITIVE_INFINITY
          },
          url: address.replace(/\/$/, "") + path,
          isCautious: refusing.has(id),
          sign: (headers) => requests.sign(id, { method, target: path, headers, body }),
          headers: {
            [callerHeader]: Caller.encode(Caller.of(request)),
            ...(isLost ? { [repeatedHeader]: "1" } : {})
          }
        }, done)
        const forget = whenGone(id, () => done(abort()))
        return Effect.sync(() => {
          forget()
          if (abort() === "lost") one.isLost = true
        })
      })

    /** Returns whether the client has all that it will get. */
    const followed = (home: Replica, one: Routed, outcome: Passage.Outcome): Effect.Effect<boolean> =>
      Effect.suspend(() => {
        const { body, request, response } = one
        if (outcome === "done") return Effect.succeed(true)
        if (outcome === "failed" || outcome === "refused") {
          Messages.answerWithout(response, body, outcome === "failed" || one.isLost ? "unknown" : "notSent")
          return Effect.succeed(true)
        }
        if (outcome === "lost" || one.since === Number.POSITIVE_INFINITY) one.since = performance.now()
        if (outcome === "lost") {
          one.isLost = true
          // A client opens its stream again.
          if (request.method === "GET" && response.headersSent) response.end()
          else if (response.headersSent && !Passage.isStreaming(response)) response.destroy()
          if (response.writableEnded || response.destroyed) return Effect.succeed(true)
        }
        if (outcome === "notTaken") {
          refusing.add(home.id)
          whenGone(home.id, () => undefined)
        }
        return Effect.as(Effect.timeoutOption(homes.gone(home.id), pause), false)
      })

    const route = (one: Routed): Effect.Effect<void> =>
      Effect.gen(function*() {
        const { body, born, request, response, session } = one
        while (true) {
          const home = session === undefined
            ? yield* homes.here
            : yield* Effect.retry(homes.find(session, born), Schedule.spaced(pause))
          if (home.id === homes.own() && !response.headersSent) {
            if (one.isLost) request.headers[repeatedHeader] = "1"
            return guarded(response, () => endpoint.handle(Body.returned(request, body), response, unsent))
          }
          if (yield* followed(home, one, yield* passed(home, one))) return
        }
      }).pipe(Effect.orDie)

    const conclude = (one: Routed): void => {
      const { body, isLost, response } = one
      if (response.destroyed || response.writableEnded) return
      const requests = Messages.requestsIn(body)
      const isStreaming = Passage.isStreaming(response)
      if (requests.length > 0 && (isLost || isStreaming)) {
        return Messages.answerWithout(response, body, isLost ? "unknown" : "notSent")
      }
      if (isStreaming) response.end()
      else refuse(response, { ...tryAgain, id: requests[0]?.id })
    }

    const begin = (one: Routed): void => {
      if (isClosed) return conclude(one)
      one.response.once("close", () => all.get(one)?.())
      const fiber = fork(
        route(one).pipe(
          Effect.catchAllCause((cause) =>
            Effect.sync(() => Cause.isInterruptedOnly(cause) ? undefined : failed(one.response, Cause.squash(cause)))
          ),
          Effect.onInterrupt(() => Effect.sync(() => conclude(one)))
        )
      )
      all.set(one, () => fiber.unsafeInterruptAsFork(FiberId.none))
      fiber.addObserver(() => all.delete(one))
    }

    const late = Effect.sync(() => {
      const now = performance.now()
      for (const [{ since }, stop] of all) if (now - since > longest) stop()
    })
    yield* Effect.forkScoped(Effect.interruptible(Effect.forever(Effect.zipRight(Effect.sleep(look), late))))

    const sessionOf = ({ headers }: IncomingMessage): string | undefined => {
      const id = headers["mcp-session-id"]
      return typeof id !== "string" || headers["mcp-protocol-version"] === Era.statelessVersion ? undefined : id
    }

    const roomFor = (
      request: IncomingMessage,
      response: ServerResponse,
      session: string | undefined
    ): Body.Room | undefined => {
      const sharer = Caller.of(request).subject || (session ?? "")
      if (!routes.take(sharer)) return undefined
      const room = Body.roomFor(bodies, request, session)
      response.once("close", () => {
        routes.release(sharer)
        room(0)
      })
      return (bytes) => bytes === 0 || room(bytes)
    }

    /** Not sent before this replica's lease ended. */
    const unsent: Unsent = (response, body) =>
      guarded(response, () => {
        const request = response.req
        const session = sessionOf(request)
        const born = session === undefined ? undefined : seal.open(session)?.home
        const isLost = request.headers[repeatedHeader] !== undefined
        if (response.headersSent) Passage.noteStream(response)
        const one: Routed = { session, born, request, response, body, since: performance.now(), isLost }
        if (roomFor(request, response, session)?.(body.length) === true) begin(one)
        else conclude(one)
      })

    /** Left to the replica that passed it on. */
    const unsentThere: Unsent = (response) => {
      if (response.headersSent) response.end(Passage.notTakenMark)
      else refuse(response, ReplicaRequests.misdirected)
    }

    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      delete request.headers[repeatedHeader]
      const session = sessionOf(request)
      if (session === undefined) return endpoint.handle(request, response, unsent)
      if (endpoint.has(session) && homes.own() !== undefined) return endpoint.handle(request, response, unsent)
      const claims = seal.open(session)
      if (claims === undefined || homes.isHere(session, claims.home)) return endpoint.handle(request, response, unsent)
      response.on("error", () => undefined)
      const room = roomFor(request, response, session)
      if (room === undefined) return Body.skim(request, tooMany, ({ refusal }) => refuse(response, refusal))
      const arrived = (body: Buffer): void =>
        begin({ session, born: claims.home, request, response, body, since: performance.now(), isLost: false })
      if (request.method === "GET" || request.method === "DELETE") return arrived(Buffer.alloc(0))
      Body.readBytes(request, ReplicaRequests.maxBody, (body) =>
        guarded(response, () => {
          if (body._tag === "Refused") refuse(response, body.refusal)
          else arrived(body.bytes)
        }), room)
    }

    /** Frees the ids of requests: the client gets the answers to what follows. */
    const cancel = (request: IncomingMessage, requests: ReadonlyArray<JSONRPCRequest>): void => {
      for (const { id } of requests) {
        const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: id } }
        endpoint.handle(Body.returned(request, Buffer.from(JSON.stringify(message))), new ServerResponse(request))
      }
    }

    const takeKnown = (request: IncomingMessage, response: ServerResponse): void =>
      Body.readBytes(request, ReplicaRequests.maxBody, (body) =>
        guarded(response, () => {
          const requests = body._tag === "Refused" ? [] : Messages.requestsIn(body.bytes)
          // See `leave`.
          if (body._tag === "Refused" || (isLeaving && requests.length > 0)) {
            response.removeHeader(Passage.takenHeader)
            return refuse(response, ReplicaRequests.misdirected)
          }
          cancel(request, requests)
          endpoint.handle(Body.returned(request, body.bytes), response, unsentThere)
        }))

    return {
      handle: (request, response) => guarded(response, () => handle(request, response)),
      handlePassed: (request, response, asked) => {
        if (asked !== path) return false
        requests.admit(request, response, (request) => {
          const home = homes.own()
          if (home === undefined) return refuse(response, ReplicaRequests.misdirected)
          const caller = Caller.decode(String(request.headers[callerHeader]))
          if (caller === undefined) return refuse(response, forbidden)
          Caller.note(request, caller)
          response.setHeader(Passage.takenHeader, home)
          const isRepeated = request.headers[repeatedHeader] !== undefined
          if (request.method === "POST" && (isLeaving || isRepeated)) takeKnown(request, response)
          else endpoint.handle(request, response, unsentThere)
        })
        return true
      },
      leave: () => {
        isLeaving = true
      },
      drained: Effect.zipRight(
        Effect.sleep(onItsWay),
        Effect.repeat(Effect.sleep(lookForCalls), {
          until: () => [...all.keys()].every(({ request }) => request.method === "GET")
        })
      )
    }
  })
