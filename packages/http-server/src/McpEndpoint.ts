/** The MCP endpoint over HTTP, in both eras of the protocol. A session belongs to the caller that began it. */
import { type Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { Era, Initialize, JsonRpc, Meta, Quota, Shares } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, RequestId } from "@modelcontextprotocol/sdk/types.js"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import * as Body from "./Body.js"
import * as Caller from "./Caller.js"
import { ClientSession } from "./ClientSession.js"
import { ClientSessions, type Home, idleWithServers, sessionNotFound } from "./ClientSessions.js"
import type { Begin } from "./Conversation.js"
import { Conversations } from "./eras/Conversations.js"
import * as Conversing from "./eras/conversing.js"
import { isStateless } from "./eras/Envelope.js"
import { EventBudget } from "./EventBudget.js"
import type { Arrived, Unsent } from "./Exchange.js"
import * as Headers from "./Headers.js"
import type { Limits } from "./Limits.js"
import { internalError, notTakenHeader, type Refusal, refuse } from "./Refusal.js"
import { randomSecret, type Seal } from "./SealedId.js"
import * as SealedId from "./SealedId.js"
import * as SessionRecords from "./SessionRecords.js"
import { StatelessRequests } from "./StatelessRequests.js"
import { subscriptionLimits } from "./subscriptionLimits.js"

export type { Home } from "./ClientSessions.js"
export type { Unsent } from "./Exchange.js"

export interface Options {
  readonly begin: Begin
  /** Seals the ids of sessions. Default: sessions end with this process. */
  readonly seal?: Seal | undefined
  /** Stores what does not fit into ids. Default: that ends with this process. */
  readonly records?: SessionRecords.SessionRecords | undefined
  readonly limits?: Limits | undefined
  readonly onError: (error: unknown) => void
  /** For replicas that serve the same sessions. Default: all sessions live here. */
  readonly home?: Home | undefined
  /** Called when a client has ended its session. Must not throw. */
  readonly onEnded?: ((id: string) => void) | undefined
  /** Whether a caller may use servers that each client has for itself. Default: nobody without a session. */
  readonly hasOwnServers?: ((caller: Caller.Caller) => boolean) | undefined
}

export interface McpEndpoint {
  readonly sessions: () => number
  /**
   * Never throws. `unsent`: takes the response if the request was not sent before everything here was forgotten, and can be carried out elsewhere; must
   * not throw. Default: the client gets an error that says so.
   */
  readonly handle: (request: IncomingMessage, response: ServerResponse, unsent?: Unsent) => void
  readonly has: (id: string) => boolean
  /** Ends all sessions and requests of a caller here, for good. `why`: a statement. */
  readonly endOf: (caller: Caller.Caller, why: string) => void
  /** Ends all sessions here; clients can go on elsewhere, or begin anew. `why`: a statement. */
  readonly forget: (why: string) => Promise<void>
  readonly close: () => Promise<void>
}

const defaults = {
  maxSessions: 1000,
  maxBodyBytes: mebibytes(16),
  maxBodiesBytes: mebibytes(64),
  maxCalls: 1000,
  maxOpenCalls: 10_000,
  maxOpenBytes: mebibytes(256),
  maxKeptBytes: mebibytes(64)
} as const

const maxOwnServers = 128

/** Between keepalives, and removals of unused sessions, in milliseconds. */
export const tickInterval = 15_000

/** Of one POST, in the only version that has batches. */
const maxBatch = 100
const batchVersion = "2025-03-26"

const shuttingDown: Refusal = {
  status: 503,
  message: "The gateway is shutting down",
  headers: { "Retry-After": "1", [notTakenHeader]: "1" }
}

const notAllowed: Refusal = {
  status: 405,
  message: "Only POST, GET and DELETE are served here",
  headers: { Allow: "GET, POST, DELETE" }
}

const sessionIdMissing: Refusal = {
  status: 400,
  message: "The header Mcp-Session-Id is missing: send the id that the answer to initialize had"
}

const invalidMessage = (message: string, id: JsonRpc.Illegible["id"]): Refusal => ({
  status: 400,
  code: JsonRpc.invalidRequest,
  message,
  id,
  isRead: true
})

const namesStateless = (headers: IncomingHttpHeaders): boolean =>
  headers["mcp-protocol-version"] === Era.statelessVersion

/** One that names an older version in `_meta` is none: some clients do that. */
const speaksStateless = (message: JSONRPCMessage): boolean =>
  "method" in message && isStateless(message) &&
  !Initialize.versions.includes(Meta.of(message.params)[Meta.keys.protocolVersion] as string)

/** Another replica may have carried out the request, and has gone without an answer. With any value. */
export const repeatedHeader = "lifeline-repeated"

export const make = (
  { begin, hasOwnServers = () => false, home, onEnded, onError, ...options }: Options
): McpEndpoint => {
  const limits = { ...defaults, ...options.limits } as {
    readonly [K in keyof typeof defaults]: K extends `${string}Bytes` ? Bytes : number
  }
  const seal = options.seal ?? SealedId.make(randomSecret())
  const records = options.records ?? SessionRecords.inMemory()
  const own = (): number => options.limits?.maxOwnServers?.() ?? maxOwnServers
  const most = { count: limits.maxOpenCalls, bytes: limits.maxOpenBytes }
  const open = new Quota({ holder: { ...most, item: most.bytes }, all: most })
  const subscriptions = new Quota(options.limits?.subscriptions ?? subscriptionLimits)
  const budget = new EventBudget(limits.maxKeptBytes)
  const sessions = new ClientSessions({
    begin,
    budget,
    seal,
    records,
    limits: { ...limits, maxOwnServers: own },
    open,
    subscriptions,
    onError,
    home
  })
  const statelessRequests = new StatelessRequests({
    stateless: new Conversations({
      begin: Conversing.begin(begin),
      hasOwnServers,
      maxClients: limits.maxSessions,
      idleTime: idleWithServers,
      ownServers: sessions.ownServers
    }),
    budget,
    maxCalls: limits.maxCalls,
    open,
    subscriptions,
    onError
  })
  const bodies = new Shares(limits.maxBodiesBytes)
  let isClosed = false
  const beating = setInterval(() => {
    sessions.tick()
    statelessRequests.tick()
  }, tickInterval)
  beating.unref()

  const failed = (response: ServerResponse, error: unknown): void => {
    onError(error)
    refuse(response, { status: 500, code: JsonRpc.internalError, message: internalError })
  }

  const attempt = (response: ServerResponse, work: () => Refusal | undefined): void => {
    try {
      const refusal = isClosed ? shuttingDown : work()
      if (refusal !== undefined) refuse(response, refusal)
    } catch (error) {
      failed(response, error)
    }
  }

  /** `about`: the id of the message that a refusal answers. */
  const find = (
    id: string,
    request: IncomingMessage,
    response: ServerResponse,
    use: (session: ClientSession) => Refusal | undefined,
    about: RequestId | null = null
  ): void =>
    sessions.find(id, Caller.of(request), (found) =>
      attempt(
        response,
        () => found instanceof ClientSession ? use(found) : { ...found, id: about, isRead: request.complete }
      ))

  const batch = (
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    values: ReadonlyArray<unknown>,
    arrived: Arrived
  ) =>
    find(id, request, response, (session) => {
      const problem = session.version !== batchVersion
        ? `batches are only in version ${batchVersion} of the protocol`
        : values.length === 0 || values.length > maxBatch
        ? `a batch has 1 to ${maxBatch} messages`
        : undefined
      if (problem !== undefined) return invalidMessage(problem, null)
      const messages: Array<JSONRPCMessage> = []
      for (const value of values) {
        const read = JsonRpc.read(value)
        if (read._tag === "Illegible") return invalidMessage(read.reason, read.id)
        messages.push(read.message)
      }
      return session.post(messages, true, response, arrived)
    })

  const message = (
    request: IncomingMessage,
    response: ServerResponse,
    message: JSONRPCMessage,
    arrived: Arrived
  ): void => {
    const { headers } = request
    const id = headers["mcp-session-id"]
    const version = headers["mcp-protocol-version"] as string | undefined
    if (speaksStateless(message) || namesStateless(headers)) {
      return attempt(response, () => statelessRequests.post(message, request, Caller.of(request), response, arrived))
    }
    const isRequest = JsonRpc.isRequest(message)
    const about = isRequest ? message.id : null
    const wrongVersion = Headers.checkVersion(version)
    if (wrongVersion !== undefined) return refuse(response, { ...wrongVersion, id: about, isRead: true })
    const begins = isRequest && message.method === "initialize"
    if (id === undefined) {
      if (!begins) return refuse(response, { ...sessionIdMissing, id: about, isRead: true })
      return attempt(response, () => sessions.begin(message, Caller.of(request), response))
    }
    if (begins) {
      const text = "A session has one initialize: send it without Mcp-Session-Id to begin another one"
      return refuse(response, invalidMessage(text, about))
    }
    find(String(id), request, response, (session) => session.post([message], false, response, arrived), about)
  }

  const post = (request: IncomingMessage, response: ServerResponse, unsent: Unsent | undefined): void => {
    const refusal = Headers.checkPost(request.headers)
    if (refusal !== undefined) return refuse(response, refusal)
    const id = request.headers["mcp-session-id"]
    const hasSession = id !== undefined && !namesStateless(request.headers)
    if (hasSession && !sessions.mayKnow(String(id), Caller.of(request))) {
      return Body.skim(request, sessionNotFound, ({ refusal }) => attempt(response, () => refusal))
    }
    const room = Body.roomFor(bodies, request, hasSession ? String(id) : undefined)
    Body.read(request, limits.maxBodyBytes, (body) => {
      attempt(response, () => {
        if (body._tag === "Refused") return body.refusal
        const isRepeated = request.headers[repeatedHeader] !== undefined
        const arrived = { bytes: body.size, isRepeated, unsent }
        if (Array.isArray(body.value) && id !== undefined) {
          batch(request, response, String(id), body.value, arrived)
          return undefined
        }
        const read = JsonRpc.read(body.value)
        if (read._tag === "Message") message(request, response, read.message, arrived)
        else if (id === undefined) return invalidMessage(read.reason, read.id)
        else find(String(id), request, response, () => invalidMessage(read.reason, read.id))
        return undefined
      })
    }, room)
  }

  const get = (request: IncomingMessage, response: ServerResponse): void => {
    const { headers } = request
    if (namesStateless(headers)) {
      return refuse(response, {
        status: 405,
        message: "Only POST is served in this version",
        headers: { Allow: "POST" }
      })
    }
    const id = headers["mcp-session-id"]
    const refusal = Headers.checkGet(headers) ?? (id === undefined ? sessionIdMissing : undefined)
      ?? Headers.checkVersion(headers["mcp-protocol-version"] as string | undefined)
    if (refusal !== undefined) return refuse(response, refusal)
    find(String(id), request, response, (session) => {
      session.listen(response, headers["last-event-id"] as string | undefined)
      return undefined
    })
  }

  const remove = (request: IncomingMessage, response: ServerResponse): void => {
    const { headers } = request
    const id = headers["mcp-session-id"]
    if (id === undefined) return refuse(response, sessionIdMissing)
    find(String(id), request, response, () => {
      void sessions.end(String(id)).then(() => {
        onEnded?.(String(id))
        response.writeHead(200).end()
      })
      return undefined
    })
  }

  return {
    sessions: () => sessions.size,
    has: (id) => sessions.has(id),
    endOf: (caller, why) => {
      sessions.endOf(caller, why)
      statelessRequests.endOf(caller, why)
    },
    forget: async (why) => {
      await Promise.all([sessions.forget(why), statelessRequests.forget(why)])
    },
    handle: (request, response, unsent) => {
      response.on("error", () => undefined)
      attempt(response, () => {
        switch (request.method) {
          case "POST":
            return void post(request, response, unsent)
          case "GET":
            return void get(request, response)
          case "DELETE":
            return void remove(request, response)
          default:
            return notAllowed
        }
      })
    },
    close: async () => {
      isClosed = true
      clearInterval(beating)
      await Promise.all([statelessRequests.close(), sessions.close()])
    }
  }
}
