import { ConnectError } from "@mcp-lifeline/core"
import type { Connection, ConnectOptions, Connector, Report, SuspendedSession } from "@mcp-lifeline/core"
import { ByteSize, Problem, TimeSpan } from "@mcp-lifeline/core/options"
import { Arrivals, Binding, Era, EraMemory, machineAddresses, SpeaksSessions } from "@mcp-lifeline/protocol"
import type { SdkConnection } from "@mcp-lifeline/protocol"
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js"
import { Clock, Duration, Effect, Either, ExecutionStrategy, Exit, Fiber, identity, Scope } from "effect"
import * as AddressKind from "./AddressKind.js"
import { header } from "./Answer.js"
import { hasNoSessions, isOpen, isRefusal, mayBeOlder } from "./ConnectFailure.js"
import * as Credentials from "./Credentials.js"
import * as Dispatchers from "./Dispatchers.js"
import { Exposure } from "./Exposure.js"
import * as HttpClient from "./HttpClient.js"
import { retryAfter, StatusFailure } from "./HttpFailure.js"
import { defaults, type Options, problems } from "./HttpOptions.js"
import * as OAuth from "./OAuth.js"
import { toRequestError } from "./Outcome.js"
import * as Proxy from "./Proxy.js"
import * as Reach from "./Reach.js"
import * as SecretHeaders from "./SecretHeaders.js"
import * as StreamableTransport from "./StreamableTransport.js"

export { loginNeeded, loginOf, statusOf } from "./ConnectFailure.js"
export { defaults, type Options, problems } from "./HttpOptions.js"

/**
 * A fetch for OAuth: uses the environment's proxies, reads at most 1 MiB of an answer, and reaches this machine, its link or a private
 * network only if the server is there itself, or at what `isChosen`.
 */
export const fetchFor = (server: URL, isChosen?: (address: URL) => boolean): Effect.Effect<FetchLike> =>
  Effect.gen(function*() {
    const undici = yield* Dispatchers.undici
    const reach = Reach.make({ server, isChosen })
    yield* Effect.promise(() => reach.locate())
    return Dispatchers.makeOAuthFetch({
      undici,
      connectTimeout: Duration.toMillis(defaults.connectTimeout),
      proxies: Proxy.fromEnvironment(server, process.env),
      reach
    })
  })

/** Whether such a fetch failed because nothing may be sent to the address. */
export const isOutOfReach = (error: unknown): error is Error => Reach.refusalIn(error) !== undefined

/** Whether an address is of this machine, its link or a private network, as far as that shows without a DNS lookup. */
export const isLocal = ({ hostname }: URL): boolean => {
  const kind = AddressKind.ofHost(hostname)
  return kind !== undefined && kind !== "public"
}

/** Loaded only if needed. */
const sse = Effect.promise(() => import("./SseTransport.js"))

const divided = (headers: NonNullable<Options["headers"]>): readonly [Credentials.Headers, SecretHeaders.Readings] => {
  const known: Record<string, Credentials.Headers[string]> = {}
  const readings: Record<string, SecretHeaders.Readings[string]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (Effect.isEffect(value)) readings[name] = value as SecretHeaders.Readings[string]
    else known[name] = value as Credentials.Headers[string]
  }
  return [known, readings]
}

interface Attempt extends ConnectOptions {
  readonly secretHeaders: Credentials.SecretHeaders | undefined
}

/** Not loaded with `2025`. */
const stateless = Effect.promise(() => import("./StatelessTransport.js"))

/**
 * A connector to the MCP server at an address. Throws an `InvalidOptions` that names every unaccepted or unknown option, and shows neither
 * address nor headers.
 *
 * Closing a connection ends its session (DELETE) and leaves no socket, timer or listener.
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
  const startLimit = TimeSpan.millis(options.startLimit ?? defaults.startLimit)
  const maxMessageBytes = ByteSize.Bytes(options.maxMessageBytes ?? defaults.maxMessageBytes)
  const maxSockets = options.maxSockets ?? defaults.maxSockets

  const authorization = options.authProvider === undefined
    ? options.authorization
    : OAuth.make(options.authProvider, given)

  const reach = Reach.make({ server: url, isChosen: (address) => authorization?.isChosen?.(address) === true })
  const [headers, readings] = divided(options.headers ?? {})
  const hasReadings = Object.keys(readings).length > 0
  const exposure = new Exposure(url, target, options.headers ?? {})

  const isOwn = options.ownNetwork === true
  const proxies = options.dispatcher === undefined && options.fetch === undefined && !isOwn
    ? Proxy.fromEnvironment(url, process.env)
    : Proxy.none

  const isSigningIn = (): boolean => authorization?.isRunning() === true

  const texts = {
    login: `${target}: OAuth is under way: its server does not answer, or a login waits for a person`,
    silent: `${target} has not answered: it may be starting, or hang`
  }

  /** Not every protocol error names the address. */
  const located = (error: ConnectError): ConnectError => {
    const { backend, cause, message, permanent, reason, retryAfter } = error
    const where = message.includes(target) ? "" : `${target}: `
    const advice = protocol === "2025" && EraMemory.namesStateless(error) ? '; write protocol: "auto" for it' : ""
    return where + advice === ""
      ? error
      : new ConnectError({ backend, cause, permanent, reason, retryAfter, message: where + message + advice })
  }

  const arrivals = new Arrivals.Arrivals()
  const worker = { isSingle: false }
  const makeClient = ({ secretHeaders }: Attempt) =>
    Effect.map(Dispatchers.undici, (undici) => {
      const { dispatcher } = options
      const sockets = { undici, connectTimeout, proxies, reach }
      const dispatchers = dispatcher === undefined
        ? Dispatchers.makeDispatchers(sockets, maxSockets)
        : { calls: dispatcher, prompt: dispatcher, answerless: dispatcher }
      const own = options.fetch ?? (dispatcher && Dispatchers.makeFetch(undici, dispatcher))
      const credentials = (isOwn ? identity : exposure.watch.bind(exposure))(Credentials.make({
        url: given,
        headers,
        secretHeaders,
        headerProvider: options.headerProvider,
        authorization,
        fetch: own === undefined ? Dispatchers.makeOAuthFetch(sockets) : Dispatchers.withinReach(own, reach)
      }))
      return HttpClient.make({
        undici,
        origin: url.origin,
        credentials,
        dispatchers,
        owned: dispatcher === undefined,
        proxy: proxies.used,
        fetch: options.fetch,
        sign: options.sign,
        arrivals
      })
    })

  const heartbeat = (client: HttpClient.HttpClient): NonNullable<Connection["heartbeat"]> => ({ authenticated }) =>
    client.probe(url, authenticated).pipe(
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

  const connecting: Report = {
    _tag: "Attempt",
    describe: () => isSigningIn() ? texts.login : texts.silent,
    isSigningIn
  }

  const connectWith = (
    kind: "streamable" | "sse",
    connectOptions: Attempt,
    onOpen?: () => void
  ): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      connectOptions.report(connecting)
      const { beside } = connectOptions
      const client = yield* makeClient(connectOptions)
      const adapter = kind === "sse"
        ? yield* Effect.flatMap(sse, ({ make }) => make({ client, url, target, maxMessageBytes, beside, onOpen }))
        : yield* streamable(client, connectOptions)
      const connection = yield* (yield* Binding.load(connectOptions)).connect(adapter, connectOptions)
      return { ...connection, heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError(located))

  const streamable = (client: HttpClient.HttpClient, attempt: Attempt) =>
    StreamableTransport.make({
      client,
      makeClient: makeClient(attempt),
      url,
      target,
      closeTimeout,
      startLimit,
      worker,
      maxMessageBytes,
      beside: attempt.beside
    })

  const connectStateless = (
    connectOptions: Attempt
  ): Effect.Effect<Connection, ConnectError | SpeaksSessions.SpeaksSessions, Scope.Scope> =>
    Effect.gen(function*() {
      connectOptions.report(connecting)
      const client = yield* makeClient(connectOptions)
      const { ParameterHeaders, make } = yield* stateless
      const parameters = new ParameterHeaders(target)
      const adapter = yield* make({ client, url, target, maxMessageBytes, parameters, beside: connectOptions.beside })
      const connection = yield* (yield* Binding.load(connectOptions)).connectStateless(adapter, "http", connectOptions)
      hasBeenStateless = true
      return { ...parameters.over(connection, yield* Effect.runtime<never>()), heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError((error) => error._tag === "ConnectError" ? located(error) : error))

  const memory = new EraMemory.EraMemory()
  let hasBeenStateless = false

  /** Asks for the era, unless remembered. If nothing is heard, `initialize` decides in the same attempt. */
  const connectAuto = (connectOptions: Attempt): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      memory.adopt(connectOptions.known)
      const withSessions = memory.watch(connectSessions(connectOptions)).pipe(
        Effect.tap(() => Effect.sync(() => memory.remember(now)))
      )
      if (memory.hasSessions(now)) return yield* withSessions
      // A failed server of both eras is asked again next time.
      const initialized = hasBeenStateless ? connectSessions(connectOptions) : withSessions
      const scope = yield* Effect.flatMap(Effect.scope, (parent) => Scope.fork(parent, ExecutionStrategy.sequential))
      // Only one question at a time is hedged.
      let isAsking = true
      const beside: ConnectOptions["beside"] = (work) =>
        isAsking ? connectOptions.beside?.(work) ?? Effect.succeedNone : Effect.succeedNone
      const asked = yield* Effect.fork(Scope.extend(connectStateless({ ...connectOptions, beside }), scope))
      if (yield* isSilent(asked, Era.silenceLimit(connectOptions.timeout))) {
        isAsking = false
        const session = yield* Effect.either(initialized)
        // Its answer may be on the way.
        if (Either.isLeft(session) && hasNoSessions(session.left)) {
          isAsking = true
          return yield* Effect.catchTag(Fiber.join(asked), "SpeaksSessions", () => Effect.fail(session.left))
        }
        yield* Fiber.interrupt(asked)
        yield* Scope.close(scope, Exit.void)
        return yield* session
      }
      return yield* Effect.catchAll(
        Fiber.join(asked),
        (error): Effect.Effect<Connection, ConnectError, Scope.Scope> => {
          if (error._tag === "SpeaksSessions") return withSessions
          return isOpen(error)
            ? Effect.mapError(initialized, (refused) => EraMemory.mayBeStateless(refused) ? error : refused)
            : Effect.fail(error)
        }
      )
    })

  /** The time in which a person logs in does not count. */
  const isSilent = (asked: Fiber.Fiber<unknown, unknown>, millis: number): Effect.Effect<boolean> =>
    Fiber.await(asked).pipe(
      Effect.timeoutTo({ duration: millis, onSuccess: () => false, onTimeout: () => true }),
      Effect.repeat({ while: (silent) => silent && isSigningIn() })
    )

  const connectAnew = (connectOptions: Attempt): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    protocol === "2025"
      ? connectSessions(connectOptions)
      : protocol === "auto"
      ? connectAuto(connectOptions)
      : Effect.catchTag(
        connectStateless(connectOptions),
        "SpeaksSessions",
        (other) => Effect.fail(SpeaksSessions.incompatible(target, other))
      )

  const connectSessions = (connectOptions: Attempt): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    transport !== "auto"
      ? connectWith(transport, connectOptions)
      : connectWith("streamable", connectOptions).pipe(
        Effect.catchIf(mayBeOlder, (error) => {
          let isOpen = false
          const older = connectWith("sse", connectOptions, () => (isOpen = true))
          // Of the attempt that came farther.
          return Effect.mapError(older, (refused) => isOpen || isRefusal(refused) ? refused : error)
        })
      )

  const resume = (
    session: SuspendedSession,
    connectOptions: Attempt
  ): Effect.Effect<Connection | SdkConnection.NotResumedReason, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const client = yield* makeClient(connectOptions)
      const { resume } = yield* Binding.load(connectOptions)
      const outcome = yield* resume(yield* streamable(client, connectOptions), connectOptions, session)
      return typeof outcome === "string" ? outcome : { ...outcome, heartbeat: heartbeat(client) }
    }).pipe(Effect.mapError(located))

  /**
   * Makes a new session if the server did not say whether it knows the old one. If that succeeds, the network is back: the old one is tried
   * again, and if it goes on, the new one ends.
   */
  const connectOrResume = (
    session: SuspendedSession,
    connectOptions: Attempt
  ): Effect.Effect<Connection, ConnectError, Scope.Scope> =>
    Effect.gen(function*() {
      const scope = yield* Effect.flatMap(Effect.scope, (parent) => Scope.fork(parent, ExecutionStrategy.sequential))
      const anew = yield* Scope.extend(connectAnew(connectOptions), scope)
      // Unhedged: the network is back.
      const again = resume(session, { ...connectOptions, beside: undefined })
      const resumed = yield* Effect.orElseSucceed(again, () => "unanswered" as const)
      if (typeof resumed === "string") return anew
      yield* Effect.uninterruptible(Scope.close(scope, Exit.void))
      return resumed
    })

  const connectAttempt = (connectOptions: Attempt): Effect.Effect<Connection, ConnectError, Scope.Scope> => {
    const { resume: session } = connectOptions
    if (session?.held !== true) return connectAnew(connectOptions)
    return Effect.flatMap(resume(session, connectOptions), (outcome) => {
      if (typeof outcome !== "string") return Effect.succeed(outcome)
      return outcome === "forgotten" ? connectAnew(connectOptions) : connectOrResume(session, connectOptions)
    })
  }

  return {
    transport: "http",
    overlap: true,
    heartbeat: true,
    target,
    addresses: machineAddresses,
    startLimit: () => startLimit,
    status: () => ({ connectorWarning: exposure.warning, signIn: authorization?.needed?.() }),
    connect: (connectOptions) => {
      if (!hasReadings) return connectAttempt({ ...connectOptions, secretHeaders: undefined })
      connectOptions.report({ _tag: "Attempt", describe: () => "a value of headers is still being read" })
      return Effect.flatMap(
        SecretHeaders.read(readings),
        (secretHeaders) => connectAttempt({ ...connectOptions, secretHeaders })
      )
    }
  }
}
