/**
 * One MCP session over one transport. `Parts` of the official SDK are given at run time: its schemas and its Client take 27 MB, which a
 * program that only relays messages does not need.
 */
import type { Cancel, Connection, ConnectOptions, Loss, Method, RequestError, RequestOptions } from "@mcp-lifeline/core"
import { ConnectError, Sending, SuspendedSession } from "@mcp-lifeline/core"
import { Ending } from "@mcp-lifeline/core/internal"
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
import type { AdapterTransport, TransportSession } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import * as Answers from "./Answers.js"
import * as Era from "./Era.js"
import { misused, refused, textOf, toConnectError, toRequestError, unsupported } from "./Failures.js"
import * as Initialize from "./Initialize.js"
import * as JsonRpc from "./JsonRpc.js"
import { Link } from "./Link.js"
import { fieldsOf, kindsOfAll } from "./listenFilter.js"
import * as Meta from "./Meta.js"
import { Requests } from "./Requests.js"
import * as Timers from "./Timers.js"

/** Another client, for which Lifeline makes the connection, with the capabilities of the options and no others. */
export interface Relay {
  /** What the client requests. Default: 2025-11-25. */
  readonly protocolVersion: string | undefined
  /**
   * Answers every request of the server except `ping`. An error with a `code` goes to the server unchanged. The signal is aborted when the
   * server cancels the request or the connection ends.
   */
  readonly request: (
    request: { readonly method: string; readonly params?: Record<string, unknown> | undefined },
    signal: AbortSignal
  ) => Promise<Result>
  /**
   * Whether the client speaks 2026-07-28: each of its requests has its capabilities, and it gets the questions of a server without sessions
   * unchanged, in place of a result. Default false.
   */
  readonly isStateless?: boolean | undefined
  /** While the client does not read, a promise that is resolved when it does. Default: it always reads. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  /** Whether the client decodes results, and gets them unchanged and unchecked. Default false. */
  readonly isRaw?: boolean | undefined
}

/** Connectors pass this on unchanged. */
export interface Options extends ConnectOptions {
  readonly relay?: Relay | undefined
}

/** In `initialize`, unless the caller gives another one. */
export const clientInfo: Implementation = { name: "lifeline", version: "0.0.0" }

export interface Answering {
  readonly start: (link: Link, log: (message: string) => void) => Promise<void>
  readonly notify: (method: string, params: Record<string, unknown> | undefined) => Promise<void>
}

export interface Parts {
  readonly answering: (options: Options, capabilities: ClientCapabilities, runtime: Runtime.Runtime<never>) => Answering
  /** Why a value cannot be the schema of a result; undefined if it can. */
  readonly wrong: (schema: unknown) => Error | undefined
  readonly decode: (
    method: Method,
    result: Record<string, unknown>,
    schema: unknown
  ) => Exit.Exit<unknown, RequestError>
  readonly decodeStateless: Parts["decode"]
  /** If it matches the protocol. */
  readonly readQuestion: <M extends keyof Questions>(
    method: M,
    question: unknown
  ) => Exit.Exit<Questions[M], RequestError>
}

export interface Questions {
  readonly "elicitation/create": ElicitRequest
  readonly "sampling/createMessage": CreateMessageRequest
  readonly "roots/list": ListRootsRequest
}

/**
 * Initializes a session over a transport that has not been started.
 *
 * Starts the transport, and closes it with the scope; if `initialize` fails or is interrupted, at once. There is no time limit. Pending
 * requests end as soon as the transport reports that it is closed.
 */
export const connect = (
  parts: Parts,
  transport: AdapterTransport,
  options: Options
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.catchTag(allOrNothing(open(parts, transport, options)), "NotResumed", Effect.die)

/** Over a transport that has not been started. Gives the reason if it cannot resume the session. */
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
 * `forgotten`: the server refuses requests in the session, so Lifeline makes a new one. `unanswered`: the server was silent for 5 s (for 1
 * s while a call waits), failed, or closed the connection.
 */
export type NotResumedReason = "forgotten" | "unanswered"

const open = (
  parts: Parts,
  transport: AdapterTransport,
  options: Options,
  suspended?: SuspendedSession<Suspended>
): Effect.Effect<Connection, ConnectError | NotResumed, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const runFork = Runtime.runFork(runtime)
    const log = (message: string): void => {
      runFork(Effect.logDebug(`MCP: ${message.slice(0, 200)}`))
    }
    let requests = new Requests(transport, log, yield* Timers.current)
    const link = new Link(transport, {
      get requests() {
        return requests
      },
      notified: (notification) => options.report({ _tag: "Notification", notification }),
      log,
      startsLater: options.relay?.isRaw !== true
    })
    const capabilities = Initialize.capabilitiesOf(options.handlers, options.capabilities)
    const answering = parts.answering(options, capabilities, runtime)

    let closing = false
    const ending = new Ending()
    const lose = (loss: Loss): void => {
      if (closing || !ending.claim(loss)) return
      link.refuse(loss)
      requests.endUnsent(loss)
      ending.tell()
      // A server that has forgotten the session refuses each request by itself. Else the core decides about requests: `suspend` or `fail`.
      if (loss.kind !== "session" && (transport.suspend === undefined || !ending.isHeard)) link.end(loss)
    }
    transport.onlost = lose
    transport.drained = options.relay?.drained
    transport.onclose = () => lose({ kind: "closed", message: "the transport was closed" })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        link.end({ kind: "closed", message: "the connection was closed" })
        return Effect.promise(() => transport.close())
      })
    )
    yield* Effect.tryPromise({ try: () => answering.start(link, log), catch: toConnectError })
    const hear = ({ capabilities }: InitializeResult): void => {
      const kinds = kindsOfAll(fieldsOf(capabilities))
      if (kinds.length === 0) return
      transport.onhearing = (hears) => {
        const hearing = { announced: hears ? kinds : [], unannounced: hears ? [] : kinds }
        options.report({ _tag: "Hearing", hearing })
      }
    }
    const begin = Effect.gen(function*() {
      const server = yield* initialize(requests, {
        protocolVersion: options.relay?.protocolVersion ?? Initialize.latestVersion,
        capabilities,
        clientInfo: options.clientInfo ?? clientInfo
      })
      transport.setProtocolVersion?.(server.protocolVersion)
      hear(server)
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
      hear(known.server)
      transport.goOn?.((id) => requests.has(id))
      requests.moveTo(transport, log)
      return true
    }
    // What nobody waits for has time.
    const isAwaited = options.beside !== undefined && Option.isSome(yield* options.beside(Effect.void))
    const patience = isAwaited ? awaitedResumeTimeout : resumeTimeout
    const server = suspended === undefined
      ? yield* begin
      : yield* resumed(requests, transport, suspended, patience, goOn)

    const failed = (error: RequestError): RequestError => {
      if (error.reason === "session") lose({ kind: "session", message: error.message, cause: error })
      return error
    }
    // The handshake has told what the client can do.
    const given = (params: unknown): unknown =>
      options.relay?.isStateless === true && Predicate.isRecord(params) ? Meta.passedOn(params) : params

    const send = (
      method: Method,
      params: unknown,
      options: RequestOptions,
      settle: Sending.Settle<unknown>
    ): Cancel => {
      const wrong = options.resultSchema === undefined ? undefined : parts.wrong(options.resultSchema)
      if (link.ended !== undefined) return Sending.refuse(settle, refused(link.ended))
      if (wrong !== undefined) return Sending.refuse(settle, misused(wrong))
      const id = requests.send(method, given(params), options, (answer) =>
        settle(
          Exit.isSuccess(answer)
            ? Answers.decode(parts.decode, method, answer.value, options)
            : Exit.mapError(answer, failed)
        ))
      return (reason) => requests.cancel(id, textOf(reason))
    }

    const notify: Connection["notify"] = (method, params) =>
      Effect.suspend(() => {
        if (link.ended !== undefined) return Effect.fail(refused(link.ended))
        return Effect.tryPromise({
          try: () => answering.notify(method, params),
          catch: (error) => failed(toRequestError(error, "notSent"))
        })
      })

    transport.measure?.((usage) => options.report({ _tag: "Usage", usage }))
    return {
      serverInfo: server.serverInfo,
      capabilities: server.capabilities,
      instructions: server.instructions,
      protocolVersion: server.protocolVersion,
      sessionId: transport.sessionId,
      peer: transport.peer,
      stateful: transport.stateful,
      look: transport.look,
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
      send: send as Connection["send"],
      notify,
      onLost: ending.onLost,
      fail: (loss) => {
        if (loss.isWedged === true) transport.condemn?.(loss)
        link.end(loss)
      }
    }
  })

interface Suspended {
  readonly requests: Requests
  readonly server: InitializeResult
  readonly session: TransportSession
}

class NotResumed extends Data.TaggedError("NotResumed")<{ readonly reason: NotResumedReason }> {}

/** For the ping in an old session, in milliseconds. */
const resumeTimeout = 5000

/** The same while a call waits. A new session then shows whether the network is back. (V10) */
const awaitedResumeTimeout = 1000

/** If the server cannot be reached, a new session is impossible, too. */
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

/** Resumes the session in the same step in which the answer to the ping arrives. */
const resumed = (
  requests: Requests,
  transport: AdapterTransport,
  suspended: SuspendedSession<Suspended>,
  timeout: number,
  goOn: (from: SuspendedSession<Suspended>) => boolean
): Effect.Effect<InitializeResult, ConnectError | NotResumed> =>
  Effect.async<InitializeResult, ConnectError | NotResumed>((resume) => {
    const { knows } = suspended
    if (knows === undefined) return resume(Exit.fail(new NotResumed({ reason: "forgotten" })))
    const { server, session } = knows
    transport.borrow?.(session)
    const id = requests.send("ping", undefined, { timeout }, (answer) => {
      const why = Exit.isFailure(answer) ? Cause.failureOption(answer.cause) : Option.none()
      // Who does not support ping may know the session.
      const known = Option.isNone(why) || (why.value.reason === "remote" && why.value.code === JsonRpc.methodNotFound)
      if (!known) return resume(Exit.fail(notResumed(why.value)))
      resume(goOn(suspended) ? Exit.succeed(server) : Exit.fail(new NotResumed({ reason: "forgotten" })))
    })
    return Effect.sync(() => requests.cancel(id, ""))
  })

/** Once more where the server names another version that both know. */
const initialize = (
  requests: Requests,
  params: InitializeRequest["params"],
  isRepeated = false
): Effect.Effect<InitializeResult, ConnectError> =>
  Effect.async<Record<string, unknown>, RequestError>((resume) => {
    const id = requests.send("initialize", params, { timeout: Number.POSITIVE_INFINITY }, resume)
    return Effect.sync(() => requests.cancel(id, ""))
  }).pipe(
    Effect.flatMap(Initialize.read),
    Effect.catchAll((refused) => {
      const other = isRepeated ? undefined : Era.common(refused.data, params.protocolVersion)
      return other === undefined
        ? Effect.fail(toConnectError(refused))
        : initialize(requests, { ...params, protocolVersion: other }, true)
    }),
    Effect.filterOrFail(
      ({ protocolVersion }) => Initialize.versions.includes(protocolVersion),
      ({ protocolVersion }) => unsupported(protocolVersion)
    )
  )
