/**
 * The official SDK's Client as a core Connection.
 */
import type {
  ConnectError,
  Connection,
  ConnectOptions,
  Fate,
  Loss,
  Method,
  RequestError,
  RequestOptions
} from "@mcp-lifeline/core"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import type { AnySchema } from "@modelcontextprotocol/sdk/server/zod-compat.js"
import type { RequestOptions as SdkRequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js"
import type { ClientRequest, Implementation, Notification, Result } from "@modelcontextprotocol/sdk/types.js"
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js"
import type { jsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/types.js"
import type { Scope } from "effect"
import { Effect, Runtime } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import { allOrNothing } from "./allOrNothing.js"
import { Cancellation } from "./Cancellation.js"
import { misused, refused, toConnectError, toRequestError } from "./Failures.js"
import { Link } from "./Link.js"
import * as ResultSchemas from "./ResultSchemas.js"
import * as ServerRequests from "./ServerRequests.js"

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
}

/** What a connection reports and asks while it lives, and for whom it is made. Connectors pass it on as they get it. */
export interface Options extends ConnectOptions {
  readonly relay?: Relay | undefined
}

/** What is sent in `initialize` unless the caller says otherwise. */
export const clientInfo: Implementation = { name: "lifeline", version: "0.0.0" }

/** The longest time that a JavaScript timer can hold; a longer one would fire at once. */
const maxTimer = 2_147_483_647

const timer = (millis: number): number => Math.min(millis, maxTimer)

/**
 * How long the loss of a session is kept back while requests are in flight, in milliseconds since one of them was last
 * settled and altogether: the server answers, so that each may yet be refused by itself, and what is refused may be sent
 * again. What is cut off may not.
 */
const refusalGrace = { quiet: 500, total: 2000 }

/** The SDK makes a JSON Schema compiler for each Client, which only `Client.callTool` uses; nobody calls that here. */
const noValidator: jsonSchemaValidator = {
  getValidator: <T>() => (input: unknown) => ({ valid: true, data: input as T & {}, errorMessage: undefined })
}

/**
 * Initialises an MCP session over a transport that has not been started.
 *
 * The transport is started here, and closed with the scope or, when `initialize` fails or is interrupted, at once. There is
 * no time limit of its own on `initialize`. Pending requests end as soon as the transport reports that it is closed.
 */
export const connect = (
  transport: AdapterTransport,
  options: Options
): Effect.Effect<Connection, ConnectError, Scope.Scope> => allOrNothing(open(transport, options))

const open = (
  transport: AdapterTransport,
  options: Options
): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<never>()
    const client = new Client(options.clientInfo ?? clientInfo, {
      capabilities: ServerRequests.capabilities(options.handlers, options.capabilities),
      jsonSchemaValidator: noValidator
    })
    ServerRequests.register(client, options.handlers, runtime)
    const { relay } = options
    if (relay !== undefined) {
      client.fallbackRequestHandler = ({ method, params }, { signal }) => relay.request({ method, params }, signal)
    }
    client.fallbackNotificationHandler = (notification: Notification) => {
      options.onNotification(notification)
      return Promise.resolve()
    }

    const link = new Link(transport, relay?.protocolVersion)
    const runFork = Runtime.runFork(runtime)
    client.onerror = (error) => {
      link.markMisfit(error)
      // The SDK's texts may end with whole messages.
      runFork(Effect.logDebug(`MCP client: ${error.message.slice(0, 200)}`))
    }

    let closing = false
    let lost: Loss | undefined
    let told = false
    let inFlight = 0
    let grace: ReturnType<typeof setTimeout> | undefined
    let graceEnds: number | undefined
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
      grace = setTimeout(tell, Math.min(refusalGrace.quiet, graceEnds - now))
    }
    const lose = (loss: Loss): void => {
      if (closing || told) return
      lost ??= loss
      link.refuse(lost)
      if (loss.kind === "session" && inFlight > 0) return tellSoon()
      tell()
      if (loss.kind !== "session") link.end(loss)
    }
    transport.onlost = lose
    transport.onclose = () => lose({ kind: "closed", message: "the transport was closed" })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closing = true
        clearTimeout(grace)
        link.end({ kind: "closed", message: "the connection was closed" })
        return Effect.promise(() => transport.close())
      })
    )
    yield* Effect.tryPromise({
      try: () => client.connect(link, { timeout: maxTimer }),
      catch: (error) => toConnectError(error, link.ended)
    })

    const failed = (error: unknown, method: string, fate: Fate): RequestError => {
      const failure = toRequestError(error, {
        method,
        hasSession: transport.sessionId !== undefined,
        loss: link.ended,
        fate
      })
      if (failure.reason === "session") lose({ kind: "session", message: failure.message, cause: failure })
      return failure
    }

    const request = (method: Method, params: unknown, options: RequestOptions): Effect.Effect<unknown, RequestError> =>
      Effect.async<unknown, RequestError>((resume) => {
        if (link.ended !== undefined) return resume(Effect.fail(refused(link.ended)))
        const wrong = options.resultSchema === undefined ? undefined : ResultSchemas.wrong(options.resultSchema)
        if (wrong !== undefined) return resume(Effect.fail(misused(wrong)))
        const cancellation = new Cancellation()
        const total = totalTimer(cancellation, options)
        const settled = () => {
          clearTimeout(total)
          inFlight--
          if (lost === undefined || told || closing) return
          if (inFlight === 0) tell()
          else tellSoon()
        }
        inFlight++
        client.request(
          (params === undefined ? { method } : { method, params }) as ClientRequest,
          (options.resultSchema as AnySchema | undefined) ?? ResultSchemas.byMethod[method],
          sdkOptions(cancellation, options)
        ).then(
          (result) => {
            settled()
            resume(Effect.succeed(result))
          },
          (error: unknown) => {
            settled()
            // Everything before the answer is classified: what is left is what was thrown over it.
            resume(Effect.fail(failed(error, method, "answered")))
          }
        )
        return Effect.sync(() => cancellation.abort(textOf(options.cancelReason?.())))
      })

    const notify: Connection["notify"] = (method, params) =>
      Effect.suspend(() => {
        if (link.ended !== undefined) return Effect.fail(refused(link.ended))
        return Effect.tryPromise({
          try: () => client.notification((params === undefined ? { method } : { method, params }) as never),
          catch: (error) => failed(error, method, "notSent")
        })
      })

    return {
      serverInfo: client.getServerVersion() ?? { name: "", version: "" },
      capabilities: client.getServerCapabilities() ?? {},
      instructions: client.getInstructions(),
      protocolVersion: link.protocolVersion ?? "",
      sessionId: transport.sessionId,
      peer: transport.peer,
      stateful: transport.stateful,
      request: request as Connection["request"],
      notify,
      onLost: (callback) => {
        onLost = callback
        if (told && lost !== undefined) callback(lost)
      },
      fail: (loss) => link.end(loss)
    }
  })

/** A reason of a cancellation as the SDK sends it; it makes a text of whatever it is given, and must not fail at that. */
const textOf = (reason: unknown): string => {
  try {
    return reason === undefined ? "the caller cancelled the request" : String(reason)
  } catch {
    return "cancelled"
  }
}

/** The SDK looks at `maxTotalTimeout` only when progress arrives; this one needs none. */
const totalTimer = (
  cancellation: Cancellation,
  options: RequestOptions
): ReturnType<typeof setTimeout> | undefined => {
  const bound = options.maxTotalTimeout
  if (bound === undefined || (options.resetTimeoutOnProgress !== true && bound >= options.timeout)) return undefined
  return setTimeout(
    () => cancellation.abort(new McpError(ErrorCode.RequestTimeout, "Maximum total timeout exceeded")),
    timer(bound)
  )
}

const sdkOptions = (cancellation: Cancellation, options: RequestOptions): SdkRequestOptions => {
  const result: SdkRequestOptions = { signal: cancellation.signal, timeout: timer(options.timeout) }
  if (options.resetTimeoutOnProgress !== undefined) result.resetTimeoutOnProgress = options.resetTimeoutOnProgress
  if (options.onprogress !== undefined) result.onprogress = options.onprogress
  if (options.task !== undefined) result.task = options.task
  return result
}
