/**
 * Connections to MCP servers over HTTP.
 */
import { ConnectError } from "@mcp-lifeline/core"
import type { Connection, ConnectOptions, Connector, SuspendedSession } from "@mcp-lifeline/core"
import { Check, Problem, TimeSpan } from "@mcp-lifeline/core/internal"
import { Binding, EraMemory, type SdkConnection, SpeaksSessions } from "@mcp-lifeline/protocol"
import type { OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Duration, Effect, ExecutionStrategy, Exit, identity, Predicate, Scope } from "effect"
import type { Dispatcher } from "undici"
import * as AddressKind from "./AddressKind.js"
import { header } from "./Answer.js"
import type { Authorization } from "./Authorization.js"
import { isOpen, isRefusal, mayBeOlder } from "./ConnectFailure.js"
import * as Credentials from "./Credentials.js"
import { Exposure } from "./Exposure.js"
import * as HttpClient from "./HttpClient.js"
import { retryAfter, StatusFailure } from "./HttpFailure.js"
import * as OAuth from "./OAuth.js"
import { toRequestError } from "./Outcome.js"
import * as Proxy from "./Proxy.js"
import * as Reach from "./Reach.js"
import * as StreamableTransport from "./StreamableTransport.js"

export { loginNeeded, loginOf, statusOf } from "./ConnectFailure.js"

/** Options of a connector over HTTP. */
export interface Options {
  /** The address of the MCP endpoint. A user and password in it are sent as basic authentication. */
  readonly url: string | URL
  /** Headers for every request. */
  readonly headers?: Credentials.Headers | undefined
  /** Returns the headers of each request, so that tokens can change. Called once more if the server refuses them (401). */
  readonly headerProvider?: Credentials.HeaderProvider | undefined
  /** For OAuth: a provider of the official SDK. Its token overrides an `authorization` in the headers. */
  readonly authProvider?: OAuthClientProvider | undefined
  /** Another source of tokens, instead of an `authProvider`. Cannot be combined with one. */
  readonly authorization?: Authorization | undefined
  /**
   * `streamable` is Streamable HTTP, `sse` the older HTTP+SSE. Default `auto`: Streamable HTTP, or HTTP+SSE if the server answers
   * `initialize` with 400, 404 or 405 and without JSON-RPC.
   */
  readonly transport?: "auto" | "streamable" | "sse" | undefined
  /**
   * The era of the protocol. `2025`: the revisions with sessions, up to 2025-11-25. `2026`: the revision without sessions, 2026-07-28, in
   * which each request is independent; over Streamable HTTP only. `auto`: whichever the server speaks. The connector finds this out by one
   * request (`server/discover`) before the first connection. If the server has sessions, the connector remembers this for a day, or until
   * the server refuses a connection. Default `auto`.
   */
  readonly protocol?: "auto" | "2025" | "2026" | undefined
  /** How long a TCP and TLS connection may take. Default 10 s. */
  readonly connectTimeout?: TimeSpan.TimeSpan | undefined
  /** How long the DELETE that ends the session at close may take. Default 2 s. */
  readonly closeTimeout?: TimeSpan.TimeSpan | undefined
  /**
   * The longest message of the server, in bytes after decompression. The connector drops a longer one while it arrives, and only its own
   * request fails. At least 1024; default 64 MiB.
   */
  readonly maxMessageBytes?: number | undefined
  /**
   * How many sockets the requests in flight share. Further requests wait for a socket. At least 1; default 64. Another 8 sockets are for
   * what must not wait behind requests: the stream from the server, pings, cancellations, and answers of the client. Cannot be combined
   * with a dispatcher or a fetch, which have limits of their own.
   */
  readonly maxSockets?: number | undefined
  /**
   * Whether the server is a part of the same program, in a network of its own: then no proxy of the environment is used, and nobody is told that
   * credentials go there without encryption. Default false.
   */
  readonly ownNetwork?: boolean | undefined
  /**
   * An undici dispatcher through which the connector sends everything. The connector does not close it. Default: one for each connection,
   * without idle limits, through the proxies that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name. The connector reads these when it is made, and
   * accepts them without a scheme (`host:port`).
   */
  readonly dispatcher?: Dispatcher | undefined
  /**
   * A fetch that the connector uses for everything instead of undici, including OAuth. It must stream the response, respect the signal, and
   * follow no redirect if `redirect` is `manual`. Its own time limits apply. Cannot be combined with a dispatcher.
   */
  readonly fetch?: FetchLike | undefined
}

/** Defaults of the options. */
export const defaults = {
  transport: "auto",
  protocol: "auto",
  connectTimeout: Duration.seconds(10),
  closeTimeout: Duration.seconds(2),
  maxMessageBytes: 64 * 1024 * 1024,
  maxSockets: 64
} as const

const address: Check.Check = (value, path) => {
  const url = URL.canParse(String(value)) ? new URL(String(value)) : undefined
  return url !== undefined && (url.protocol === "http:" || url.protocol === "https:") ? [] : [{
    path,
    message: "is not an address; accepted: an absolute one that begins with http:// or https://"
  }]
}

const headerCheck: Check.Check = (value, path) =>
  Credentials.isHeader(String(path.at(-1)), value) ? [] : [{
    path,
    message:
      "is not a valid HTTP header; accepted: a name without spaces, and a value in one line of Latin-1 characters"
  }]

/** Returns all problems with options. `make` throws them as an `InvalidOptions`. */
export const problems = (options: Options): ReadonlyArray<Problem.Problem> => {
  const { dispatcher, fetch } = options
  const found = [...check({ ...options, url: options.url ?? "" }, [])]
  const own = fetch !== undefined ? "fetch" : dispatcher !== undefined ? "dispatcher" : undefined
  if (own !== undefined && options.maxSockets !== undefined) {
    found.push({
      path: ["maxSockets"],
      message: `cannot be combined with ${own}, which has a limit of its own; keep one of the two`
    })
  }
  if (options.authProvider !== undefined && options.authorization !== undefined) {
    found.push({ path: ["authorization"], message: "cannot be combined with authProvider; keep one of the two" })
  }
  if (options.transport === "sse" && options.protocol === "2026") {
    found.push({
      path: ["protocol"],
      message: "cannot be combined with transport sse, which exists only in the older revisions; keep one of the two"
    })
  }
  if (fetch !== undefined && dispatcher !== undefined) {
    return [...found, { path: ["fetch"], message: "cannot be combined with dispatcher; keep one of the two" }]
  }
  return found.length > 0 || fetch !== undefined || dispatcher !== undefined || options.ownNetwork === true
    ? found
    : Proxy.problems(new URL(String(options.url)), process.env)
}

const check = Check.options(
  {
    url: address,
    headers: Check.values(headerCheck, "an object of strings"),
    headerProvider: Check.is(
      (value) => Effect.isEffect(value) || Predicate.isFunction(value),
      "a function or an Effect"
    ),
    authProvider: Check.object,
    authorization: Check.is(
      (value) => Predicate.hasProperty(value, "tokens") && Predicate.hasProperty(value, "renew"),
      "an Authorization, which only code can give"
    ),
    transport: Check.oneOf("auto", "streamable", "sse"),
    protocol: Check.oneOf("auto", "2025", "2026"),
    connectTimeout: Check.span(1, 3_600_000),
    closeTimeout: Check.span(0, 3_600_000),
    maxMessageBytes: Check.whole(1024, Infinity),
    maxSockets: Check.whole(1, 10_000),
    ownNetwork: Check.flag,
    dispatcher: Check.object,
    fetch: Check.func
  } satisfies Record<keyof Required<Options>, Check.Check>,
  "a server with a url"
)

/**
 * A fetch as connectors use it for OAuth: it uses the proxies that the environment names, reads at most 1 MiB of an answer, and goes to this
 * machine, its link or a private network only where the server is there itself, or to what `isChosen`.
 */
export const fetchFor = (server: URL, isChosen?: (address: URL) => boolean): Effect.Effect<FetchLike> =>
  Effect.gen(function*() {
    const undici = yield* HttpClient.undici
    const reach = Reach.make({ server, isChosen })
    yield* Effect.promise(() => reach.locate())
    return HttpClient.makeOAuthFetch({
      undici,
      connectTimeout: Duration.toMillis(defaults.connectTimeout),
      proxies: Proxy.fromEnvironment(server, process.env),
      reach
    })
  })

/** Whether such a fetch has failed because the address is where nothing may be sent. */
export const isOutOfReach = (error: unknown): error is Error => Reach.refusalIn(error) !== undefined

/** Whether an address is one of this machine, of its link or of a private network, as far as that is seen without looking it up. */
export const isLocal = ({ hostname }: URL): boolean => {
  const kind = AddressKind.ofHost(hostname)
  return kind !== undefined && kind !== "public"
}

/** The older transport, which is loaded only for a server that needs it. */
const sse = Effect.promise(() => import("./SseTransport.js"))

/** The transport without sessions, which is not loaded with `2025`. */
const stateless = Effect.promise(() => import("./StatelessTransport.js"))

/**
 * A connector to the MCP server at an address. Throws an `InvalidOptions` that names every option that is not accepted or does not exist;
 * it shows neither address nor headers.
 *
 * Closing a connection ends its session (DELETE) and leaves no socket, timer or listener behind.
 */
export const make = (options: Options): Connector => {
  const wrong = problems(options)
  if (Problem.some(wrong)) throw Problem.refuse("", wrong)
  const given = new URL(String(options.url))
  const url = new URL(given)
  url.username = url.password = url.hash = ""
  const target = url.origin + url.pathname
  const transport = options.transport ?? defaults.transport
  const protocol = transport === "sse" ? "2025" : options.protocol ?? defaults.protocol
  const closeTimeout = TimeSpan.millis(options.closeTimeout ?? defaults.closeTimeout)
  const connectTimeout = TimeSpan.millis(options.connectTimeout ?? defaults.connectTimeout)
  const maxMessageBytes = options.maxMessageBytes ?? defaults.maxMessageBytes
  const maxSockets = options.maxSockets ?? defaults.maxSockets

  const authorization = options.authProvider === undefined
    ? options.authorization
    : OAuth.make(options.authProvider, given)

  const reach = Reach.make({ server: url, isChosen: (address) => authorization?.isChosen?.(address) === true })
  const exposure = new Exposure(url, target, options.headers ?? {})

  const isOwn = options.ownNetwork === true
  const proxies = options.dispatcher === undefined && options.fetch === undefined && !isOwn
    ? Proxy.fromEnvironment(url, process.env)
    : Proxy.none

  /** What an attempt that takes too long waits for. */
  const texts = {
    login: `${target}: OAuth is under way: its server does not answer, or a login waits for a person`,
    silent: `${target} has not answered: it may be starting, or hang`
  }

  /** Not every error of the protocol says of what address it speaks. */
  const located = (error: ConnectError): ConnectError => {
    const { backend, cause, message, permanent, reason, retryAfter } = error
    const where = message.includes(target) ? "" : `${target}: `
    const advice = protocol === "2025" && EraMemory.namesStateless(error) ? '; write protocol: "auto" for it' : ""
    return where + advice === ""
      ? error
      : new ConnectError({ backend, cause, permanent, reason, retryAfter, message: where + message + advice })
  }

  const makeClient = Effect.map(HttpClient.undici, (undici) => {
    const { dispatcher } = options
    const sockets = { undici, connectTimeout, proxies, reach }
    const dispatchers = dispatcher === undefined
      ? HttpClient.makeDispatchers(sockets, maxSockets)
      : { calls: dispatcher, prompt: dispatcher }
    const own = options.fetch ?? (dispatcher && HttpClient.makeFetch(undici, dispatcher))
    const credentials = (isOwn ? identity : exposure.watch.bind(exposure))(Credentials.make({
      url: given,
      headers: options.headers ?? {},
      headerProvider: options.headerProvider,
      authorization,
      fetch: own === undefined ? HttpClient.makeOAuthFetch(sockets) : HttpClient.withinReach(own, reach)
    }))
    return HttpClient.make({
      undici,
      credentials,
      dispatchers,
      owned: dispatcher === undefined,
      proxy: proxies.used,
      fetch: options.fetch
    })
  })

  const heartbeat = (client: HttpClient.HttpClient): NonNullable<Connection["heartbeat"]> => ({ authenticated }) =>
    client.probe({ method: "OPTIONS", url, headers: {}, prompt: true }, authenticated).pipe(
      Effect.mapError((failure) => toRequestError(failure, target)),
      Effect.flatMap((answer) => {
        if (answer.status < 500 && answer.status !== 429) return Effect.void
        return Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.fail(toRequestError(
            new StatusFailure({
              status: answer.status,
              detail: "to OPTIONS",
              error: undefined,
              retryAfter: retryAfter(header(answer, "retry-after"), now),
              renewable: false,
              authorized: authenticated,
              session: false
            }),
            target
          )))
      })
    )

  const connectWith = (
    kind: "streamable" | "sse",
    connectOptions: ConnectOptions
  ): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      connectOptions.onAttempt?.(() => authorization?.isRunning() === true ? texts.login : texts.silent)
      const client = yield* makeClient
      const adapter = kind === "sse"
        ? yield* Effect.flatMap(sse, ({ make }) => make({ client, url, target, maxMessageBytes }))
        : yield* streamable(client)
      const connection = yield* (yield* Binding.load(connectOptions)).connect(adapter, connectOptions)
      return { ...connection, heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError(located))

  const streamable = (client: HttpClient.HttpClient) =>
    StreamableTransport.make({ client, makeClient, url, target, closeTimeout, maxMessageBytes })

  const connectStateless = (
    connectOptions: ConnectOptions
  ): Effect.Effect<Connection, ConnectError | SpeaksSessions.SpeaksSessions, Scope.Scope> =>
    Effect.gen(function*() {
      connectOptions.onAttempt?.(() => authorization?.isRunning() === true ? texts.login : texts.silent)
      const client = yield* makeClient
      const { ParameterHeaders, make } = yield* stateless
      const parameters = new ParameterHeaders(target)
      const adapter = yield* make({ client, url, target, maxMessageBytes, parameters })
      const connection = yield* (yield* Binding.load(connectOptions)).connectStateless(adapter, "http", connectOptions)
      return { ...parameters.over(connection), heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError((error) => error._tag === "ConnectError" ? located(error) : error))

  const memory = new EraMemory.EraMemory()

  /** Asks what the server speaks, unless that is remembered. */
  const connectAuto = (connectOptions: ConnectOptions): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const withSessions = memory.watch(connectSessions(connectOptions)).pipe(
        Effect.tap(() => Effect.sync(() => memory.remember(now)))
      )
      /** Not remembered: the server may speak both, and have failed. */
      const decided = (refused: ConnectError) =>
        Effect.mapError(connectSessions(connectOptions), (error) => EraMemory.mayBeStateless(error) ? refused : error)
      return memory.hasSessions(now)
        ? withSessions
        : Effect.catchAll(
          connectStateless(connectOptions),
          (error): Effect.Effect<Connection, ConnectError, Scope.Scope> => {
            if (error._tag === "SpeaksSessions") return withSessions
            return isOpen(error) ? decided(error) : Effect.fail(error)
          }
        )
    })

  const connectAnew = (connectOptions: ConnectOptions): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    protocol === "2025"
      ? connectSessions(connectOptions)
      : protocol === "auto"
      ? connectAuto(connectOptions)
      : Effect.catchTag(
        connectStateless(connectOptions),
        "SpeaksSessions",
        (other) => Effect.fail(SpeaksSessions.incompatible(target, other))
      )

  const connectSessions = (connectOptions: ConnectOptions): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    transport !== "auto"
      ? connectWith(transport, connectOptions)
      : connectWith("streamable", connectOptions).pipe(
        Effect.catchIf(
          mayBeOlder,
          (error) => Effect.mapError(connectWith("sse", connectOptions), (older) => isRefusal(older) ? older : error)
        )
      )

  /** Goes on with the session that an attempt is offered, where the server still knows it. */
  const resume = (
    session: SuspendedSession,
    connectOptions: ConnectOptions
  ): Effect.Effect<Connection | SdkConnection.NotResumedReason, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const client = yield* makeClient
      const { resume } = yield* Binding.load(connectOptions)
      const outcome = yield* resume(yield* streamable(client), connectOptions, session)
      return typeof outcome === "string" ? outcome : { ...outcome, heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError(located))

  /**
   * Makes a new session where the server did not say whether it knows the old one. If that can be made, the network is back: the
   * old one is asked for once more, and where it goes on, the new one ends.
   */
  const connectOrResume = (
    session: SuspendedSession,
    connectOptions: ConnectOptions
  ): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const scope = yield* Effect.flatMap(Effect.scope, (parent) => Scope.fork(parent, ExecutionStrategy.sequential))
      const anew = yield* Scope.extend(connectAnew(connectOptions), scope)
      const resumed = yield* Effect.orElseSucceed(resume(session, connectOptions), () => "unanswered" as const)
      if (typeof resumed === "string") return anew
      yield* Effect.uninterruptible(Scope.close(scope, Exit.void))
      return resumed
    })

  return {
    transport: "http",
    overlap: true,
    heartbeat: true,
    target,
    warning: () => exposure.warning,
    connect: (connectOptions) => {
      const { resume: session } = connectOptions
      if (session?.held !== true) return connectAnew(connectOptions)
      return Effect.flatMap(resume(session, connectOptions), (outcome) => {
        if (typeof outcome !== "string") return Effect.succeed(outcome)
        return outcome === "forgotten" ? connectAnew(connectOptions) : connectOrResume(session, connectOptions)
      })
    }
  }
}
