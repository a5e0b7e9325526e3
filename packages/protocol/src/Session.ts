/**
 * One MCP session over one transport, as a core Connection. What it needs of the official SDK at run time is given to it
 * (`Parts`): the SDK's schemas and its Client take 27 MB, which a program that only relays does without.
 */
import type { Connection, ConnectOptions, Loss, Method, RequestError, RequestOptions } from "@mcp-lifeline/core"
import { ConnectError, SuspendedSession } from "@mcp-lifeline/core"
import type {
  ClientCapabilities,
  CreateMessageRequest,
  ElicitRequest,
  Implementation,
  InitializeRequest,
  InitializeResult,
  ListRootsRequest,
  Result
} from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { Cause, Data, Effect, Exit, Option, Predicate, Runtime } from "effect"
import { constVoid } from "effect/Function"
import type { AdapterTransport, TransportSession } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import { capabilitiesOf } from "./capabilities.js"
import { misused, refused, textOf, toConnectError, toRequestError, unsupported } from "./Failures.js"
import * as Initialize from "./Initialize.js"
import { Link } from "./Link.js"
import * as Meta from "./Meta.js"
import { Requests } from "./Requests.js"

/**
 * Another client in whose name a connection is made: its capabilities are those of the options, and nothing is added to
 * them.
 */
export interface Relay {
  /** The version that the client asks for. Default: the SDK's own. */
  readonly protocolVersion: string | undefined
  /**
   * Answers every request of the server but `ping`, in place of handlers. What it rejects with is answered as it stands,
   * where it has a `code`. The signal is aborted when the server cancels or the connection ends.
   */
  readonly request: (
    request: { readonly method: string; readonly params?: Record<string, unknown> | undefined },
    signal: AbortSignal
  ) => Promise<Result>
  /**
   * Whether that client speaks 2026-07-28: each of its requests says what it can do, and it is given what a server without sessions asks
   * as that comes, in place of a result. Default false.
   */
  readonly isStateless?: boolean | undefined
  /** Resolved when that client takes more, where it does not take now what it is given. Default: it takes everything. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** Whether that client decodes results: they are handed on as they come, unchecked. Default false. */
  readonly isRaw?: boolean | undefined
}

/** What a connection reports and asks while it lives, and for whom it is made. Connectors pass it on as they get it. */
export interface Options extends ConnectOptions {
  readonly relay?: Relay | undefined
}

/** What is sent in `initialize` unless the caller says otherwise. */
export const clientInfo: Implementation = { name: "lifeline", version: "0.0.0" }

/**
 * How long the loss of a session is kept back while requests are in flight, in milliseconds since one of them was last
 * settled and altogether: the server answers, so that each may yet be refused by itself, and what is refused may be sent
 * again. What is cut off may not. A timer that is `late` by so much fires in a process that was held up, and that has not read
 * yet what came meanwhile: it is set anew, at most so many times.
 */
const refusalGrace = { quiet: 500, total: 2000, late: 50, renewals: 5 }

/** Answers what the server asks, over a link that it starts. */
export interface Answering {
  readonly start: (link: Link, log: (message: string) => void) => Promise<void>
  readonly notify: (method: string, params: Record<string, unknown> | undefined) => Promise<void>
}

/** What a session is made of beside its transport. */
export interface Parts {
  readonly answering: (options: Options, capabilities: ClientCapabilities, runtime: Runtime.Runtime<never>) => Answering
  /** Why something cannot be the schema of a result, or nothing where it can. */
  readonly wrong: (schema: unknown) => Error | undefined
  readonly decode: (
    method: Method,
    result: Record<string, unknown>,
    schema: unknown
  ) => Exit.Exit<unknown, RequestError>
  /** The same of the result of a server without sessions. */
  readonly decodeStateless: Parts["decode"]
  /** A question of a server without sessions, if it fits the protocol. */
  readonly readQuestion: <M extends keyof Questions>(
    method: M,
    question: unknown
  ) => Exit.Exit<Questions[M], RequestError>
}

/** What servers without sessions may ask. */
export interface Questions {
  readonly "elicitation/create": ElicitRequest
  readonly "sampling/createMessage": CreateMessageRequest
  readonly "roots/list": ListRootsRequest
}

/**
 * Initialises an MCP session over a transport that has not been started.
 *
 * The transport is started here, and closed with the scope or, when `initialize` fails or is interrupted, at once. There is
 * no time limit of its own on `initialize`. Pending requests end as soon as the transport reports that it is closed.
 */
export const connect = (
  parts: Parts,
  transport: AdapterTransport,
  options: Options
): Effect.Effect<Connection, ConnectError, Scope.Scope> => allOrNothing(open(parts, transport, options))

/** Goes on with a suspended session, over a transport that has not been started; or says why not. */
export const resume = (
  parts: Parts,
  transport: AdapterTransport,
  options: Options,
  session: SuspendedSession
): Effect.Effect<Connection | NotResumedReason, ConnectError, Scope.Scope> =>
  allOrNothing(open(parts, transport, options, session as SuspendedSession<Suspended>)).pipe(
    Effect.catchTag("NotResumed", ({ reason }) => Effect.succeed(reason))
  )

/**
 * Why a session does not go on. `forgotten`: the server refuses what it is asked in its name, so a new one is in order.
 * `unanswered`: it did not say, because it was silent for 5 s, failed, or closed the connection.
 */
export type NotResumedReason = "forgotten" | "unanswered"

function open(
  parts: Parts,
  transport: AdapterTransport,
  options: Options
): Effect.Effect<Connection, ConnectError, Scope.Scope>
function open(
  parts: Parts,
  transport: AdapterTransport,
  options: Options,
  suspended: SuspendedSession<Suspended>
): Effect.Effect<Connection, ConnectError | NotResumed, Scope.Scope>
function open(
  parts: Parts,
  transport: AdapterTransport,
  options: Options,
  suspended?: SuspendedSession<Suspended>
): Effect.Effect<Connection, ConnectError | NotResumed, Scope.Scope> {
  return Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const runFork = Runtime.runFork(runtime)
    const log = (message: string): void => {
      runFork(Effect.logDebug(`MCP: ${message.slice(0, 200)}`))
    }
    let requests = new Requests(transport, log, suspended?.knows?.requests.nextId())
    const link = new Link(transport, {
      get requests() {
        return requests
      },
      onNotification: options.onNotification,
      log
    })
    const capabilities = capabilitiesOf(options.handlers, options.capabilities)
    const answering = parts.answering(options, capabilities, runtime)

    let closing = false
    let lost: Loss | undefined
    let told = false
    let grace: ReturnType<typeof setTimeout> | undefined
    let graceEnds: number | undefined
    let renewals = 0
    let onLost: ((loss: Loss) => void) | undefined
    const tell = (): void => {
      clearTimeout(grace)
      if (closing || told || lost === undefined) return
      told = true
      onLost?.(lost)
    }
    const tellSoon = (): void => {
      const now = performance.now()
      graceEnds ??= now + refusalGrace.total
      clearTimeout(grace)
      const due = Math.min(now + refusalGrace.quiet, graceEnds)
      grace = setTimeout(() => {
        const late = performance.now() - due
        if (late < refusalGrace.late || renewals++ >= refusalGrace.renewals) return tell()
        graceEnds = due + late + refusalGrace.quiet
        tellSoon()
      }, due - now)
    }
    const lose = (loss: Loss): void => {
      if (closing || told) return
      lost ??= loss
      link.refuse(lost)
      if (loss.kind === "session" && requests.size > 0) return tellSoon()
      tell()
      // Where the session may go on, it is for the core to say what becomes of the requests: `suspend` or `fail`.
      if (loss.kind !== "session" && (transport.suspend === undefined || onLost === undefined)) link.end(loss)
    }
    transport.onlost = lose
    transport.drained = options.relay?.drained
    transport.onclose = () => lose({ kind: "closed", message: "the transport was closed" })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        clearTimeout(grace)
        link.end({ kind: "closed", message: "the connection was closed" })
        return Effect.promise(() => transport.close())
      })
    )
    yield* Effect.tryPromise({ try: () => answering.start(link, log), catch: toConnectError })
    const begin = Effect.gen(function*() {
      const server = yield* initialize(requests, {
        protocolVersion: options.relay?.protocolVersion ?? Initialize.latestVersion,
        capabilities,
        clientInfo: options.clientInfo ?? clientInfo
      })
      transport.setProtocolVersion?.(server.protocolVersion)
      yield* Effect.tryPromise({
        try: () => answering.notify("notifications/initialized", undefined),
        catch: toConnectError
      })
      return server
    })
    const goOn = (from: SuspendedSession<Suspended>): boolean => {
      const known = from.take()
      if (known === undefined) return false
      requests = known.requests
      transport.goOn?.((id) => requests.has(id))
      requests.moveTo(transport, log)
      return true
    }
    const server = suspended === undefined ? yield* begin : yield* resumed(requests, transport, suspended, goOn)

    const failed = (error: RequestError): RequestError => {
      if (error.reason === "session") lose({ kind: "session", message: error.message, cause: error })
      return error
    }
    const ended = (): void => {
      if (lost === undefined || told || closing) return
      if (requests.size === 0) tell()
      else tellSoon()
    }

    // A server with sessions was told in the handshake what the client can do.
    const given = (params: unknown): unknown =>
      options.relay?.isStateless === true && Predicate.isRecord(params) ? Meta.passedOn(params) : params

    const send = (
      method: Method,
      params: unknown,
      options: RequestOptions,
      settle: (exit: Exit.Exit<unknown, RequestError>) => void
    ): () => void => {
      const { cancelReason, resultSchema } = options
      const wrong = resultSchema === undefined ? undefined : parts.wrong(resultSchema)
      if (link.ended !== undefined) {
        settle(Exit.fail(refused(link.ended)))
        return constVoid
      }
      if (wrong !== undefined) {
        settle(Exit.fail(misused(wrong)))
        return constVoid
      }
      const id = requests.send(method, given(params), options, (answer) => {
        ended()
        settle(
          Exit.isSuccess(answer)
            ? parts.decode(method, answer.value, resultSchema)
            : Exit.mapError(answer, failed)
        )
      })
      return () => {
        requests.cancel(id, textOf(cancelReason?.()))
        ended()
      }
    }

    const request = (method: Method, params: unknown, options: RequestOptions): Effect.Effect<unknown, RequestError> =>
      Effect.async<unknown, RequestError>((resume) => Effect.sync(send(method, params, options, resume)))

    const notify: Connection["notify"] = (method, params) =>
      Effect.suspend(() => {
        if (link.ended !== undefined) return Effect.fail(refused(link.ended))
        return Effect.tryPromise({
          try: () => answering.notify(method, params),
          catch: (error) => failed(toRequestError(error, "notSent"))
        })
      })

    return {
      serverInfo: server.serverInfo,
      capabilities: server.capabilities,
      instructions: server.instructions,
      protocolVersion: server.protocolVersion,
      sessionId: transport.sessionId,
      peer: transport.peer,
      stateful: transport.stateful,
      resumed: suspended !== undefined,
      suspend: (loss) => {
        const session = closing ? undefined : transport.suspend?.()
        if (session === undefined) return undefined
        link.release(loss, session.answerable)
        return new SuspendedSession<Suspended>({
          knows: { requests, server, session },
          isAwaited: () => requests.size > 0,
          end: Effect.suspend(() => {
            requests.end({ kind: "closed", message: "the session was ended" })
            return session.end
          })
        })
      },
      request: request as Connection["request"],
      send: send as Connection["send"],
      notify,
      onLost: (callback) => {
        onLost = callback
        if (told && lost !== undefined) callback(lost)
      },
      fail: (loss) => link.end(loss)
    }
  })
}

/** What is known of a session that outlived its connection. */
interface Suspended {
  readonly requests: Requests
  readonly server: InitializeResult
  readonly session: TransportSession
}

/** A session does not go on. */
class NotResumed extends Data.TaggedError("NotResumed")<{ readonly reason: NotResumedReason }> {}

/** How long the server may take to say that it still knows a session, in milliseconds. */
const resumeTimeout = 5000

/** What a failure to ask for a session says of it. Where nobody was reached, a new one cannot be made either. */
const notResumed = ({ cause, reason }: RequestError): ConnectError | NotResumed => {
  const why = cause instanceof ConnectError ? cause.reason : reason
  switch (why) {
    case "timeout":
    case "server":
    case "closed":
      return new NotResumed({ reason: "unanswered" })
    case "refused":
    case "unreachable":
    case "tls":
    case "rateLimited":
      if (cause instanceof ConnectError) return cause
  }
  return new NotResumed({ reason: "forgotten" })
}

/** JSON-RPC "method not found": from a server that knows no ping, but the session. */
const methodNotFound = -32601

/** Asks the server whether it knows the session, and goes on with it in the step in which the answer comes. */
const resumed = (
  requests: Requests,
  transport: AdapterTransport,
  suspended: SuspendedSession<Suspended>,
  goOn: (from: SuspendedSession<Suspended>) => boolean
): Effect.Effect<InitializeResult, ConnectError | NotResumed> =>
  Effect.async<InitializeResult, ConnectError | NotResumed>((resume) => {
    const { knows } = suspended
    if (knows === undefined) return resume(Exit.fail(new NotResumed({ reason: "forgotten" })))
    const { server, session } = knows
    transport.borrow?.(session)
    const id = requests.send("ping", undefined, { timeout: resumeTimeout }, (answer) => {
      const error = Exit.isFailure(answer) ? Cause.failureOption(answer.cause) : Option.none()
      const known = Option.isNone(error) || (error.value.reason === "remote" && error.value.code === methodNotFound)
      if (!known) return resume(Exit.fail(notResumed(error.value)))
      resume(goOn(suspended) ? Exit.succeed(server) : Exit.fail(new NotResumed({ reason: "forgotten" })))
    })
    return Effect.sync(() => requests.cancel(id, ""))
  })

/** Begins the session. Takes as long as the server does. */
const initialize = (
  requests: Requests,
  params: InitializeRequest["params"]
): Effect.Effect<InitializeResult, ConnectError> =>
  Effect.async<Record<string, unknown>, RequestError>((resume) => {
    const id = requests.send("initialize", params, { timeout: Number.POSITIVE_INFINITY }, resume)
    return Effect.sync(() => requests.cancel(id, ""))
  }).pipe(
    Effect.flatMap(Initialize.read),
    Effect.mapError(toConnectError),
    Effect.filterOrFail(
      ({ protocolVersion }) => Initialize.versions.includes(protocolVersion),
      ({ protocolVersion }) => unsupported(protocolVersion)
    )
  )
