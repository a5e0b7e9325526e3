import { Backend, type Connector } from "@mcp-lifeline/core"
import { type Bytes, mebibytes } from "@mcp-lifeline/core/text"
import { Filters, type PinStore, ServerOptions } from "@mcp-lifeline/extensions"
import type { Conversation as HttpConversation } from "@mcp-lifeline/http-server/Conversation"
import { EraRouter } from "@mcp-lifeline/http-server/EraRouter"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import * as State from "@mcp-lifeline/sign-in/State"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import * as Temperaments from "@mcp-lifeline/state/Temperaments"
import type * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import type { JSONRPCNotification, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Option, Schedule, type Scope, Stream } from "effect"
import type { Audit } from "../audit/Audit.js"
import { opened } from "../audit/opened.js"
import { catalogFrom } from "../cache/GroupCache.js"
import { mayShowCached, offerOf } from "../cache/offer.js"
import * as ServerCache from "../cache/ServerCache.js"
import type { Client } from "../conversation/introductions.js"
import { endLeft } from "../process/processRecords.js"
import { StartError, type UsageError } from "../text/Errors.js"
import * as Fibers from "../text/Fibers.js"
import * as StandardError from "../text/StandardError.js"
import type { Wrap } from "./Arguments.js"
import { Bridge, type Options as BridgeOptions } from "./Bridge.js"
import * as ByHand from "./byHand.js"
import { CachedAnswers } from "./CachedAnswers.js"
import { recorded } from "./recorded.js"
import { Recorder } from "./Recorder.js"
import * as Server from "./Server.js"
import { StdioHost } from "./StdioHost.js"
import { WatchedVersion } from "./WatchedVersion.js"

/** For open requests, after the host has closed its end. A host that wants an end before sends SIGTERM. */
const drainTime = "5 minutes"

const lookTime = "1 second"

/** A host that has closed its end is gone if it reads nothing of what waits for it in `looks`, and one more for each `bytes`. */
const unread = { looks: 10, bytes: mebibytes(0.25) }

/** After so many attempts that show that no MCP server is there, `initialize` is refused. */
const maxNoServerFailures = 2

/** The process ended, or something else answered. */
const noServerReasons: ReadonlySet<string> = new Set([
  "closed",
  "spawn",
  "protocol",
  "notFound",
  "incompatible",
  "redirect"
])

const permanentFailure = (signIn: SignIn | undefined) => (backend: Backend.Backend): Effect.Effect<string> => {
  const failed = backend.events.pipe(
    Stream.filterMap((event) =>
      event._tag === "AttemptFailed" && noServerReasons.has(event.error.reason)
        ? Option.some(event.error.message)
        : Option.none()
    ),
    Stream.drop(maxNoServerFailures - 1)
  )
  const gaveUp = backend.status.changes.pipe(
    Stream.filterMap(({ lastError, state }) =>
      state === "PermanentlyFailed" ? Option.some(lastError ?? "the server cannot be used") : Option.none()
    ),
    Stream.filterEffect(() =>
      signIn === undefined
        ? Effect.succeed(true)
        : Effect.map(signIn.state, ({ _tag }) => _tag !== "LoginNeeded" && _tag !== "Later")
    )
  )
  return Stream.runHead(Stream.merge(failed, gaveUp)).pipe(
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )
}

const requiredActions = (signIn: SignIn): Stream.Stream<string> =>
  Stream.changes(Stream.filterMap(signIn.changes, (state) => Option.fromNullable(State.toDo(state))))

/** Also when no login is possible. */
const loginNeeded = (signIn: SignIn | undefined): Effect.Effect<string> =>
  signIn === undefined ? Effect.never : signIn.changes.pipe(
    Stream.filter(State.isBlocking),
    Stream.map(State.show),
    Stream.runHead,
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )

const stateNow = (signIn: SignIn | undefined): State.State =>
  // Reads a Ref, which is synchronous, so that `Bridge` can ask without a fiber.
  signIn === undefined ? { _tag: "NotAsked" } : Effect.runSync(signIn.state)

const loadCache = ({ pinStore, policy, server }: WrapContext, client: Client, { fork }: Fibers.Fibers) =>
  Effect.gen(function*() {
    const files = yield* ServerCache.make
    const offer = offerOf(policy)
    const identity = {
      server: offer === undefined ? server : { server, offer },
      cwd: process.cwd(),
      protocolVersion: client.protocolVersion,
      clientName: client.clientInfo.name,
      capabilities: client.capabilities
    }
    return new CachedAnswers(
      (yield* mayShowCached(policy, pinStore)) ? Option.getOrUndefined(yield* files.get(identity)) : undefined,
      (server) => void fork(files.set(identity, server)),
      Filters.ofResults(ServerOptions.filtersOf(policy))
    )
  })

interface WrapContext {
  readonly name: string
  /** Its command or address, under which its answers are cached. */
  readonly server: unknown
  readonly connector: Connector
  readonly policy: ServerOptions.ServerOptions
  /** With the option `pin`. */
  readonly pinStore?: PinStore.PinStore | undefined
  readonly signIn: SignIn | undefined
  /** If the files of the servers are watched. */
  readonly watched: Map<Backend.Backend, WatchedVersion> | undefined
  readonly audit?: Audit | undefined
  readonly log: Recorder | undefined
  readonly record: Recorder | undefined
}

const supervise = (
  { connector, log, name, pinStore, policy, server, signIn, watched }: WrapContext,
  version: WatchedVersion,
  ...[client, incoming, { cached: { introduction, lists } }]: Parameters<BridgeOptions["open"]>
): Effect.Effect<Backend.Backend, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const temperaments = yield* Temperaments.make
    const backend = yield* Backend.make(name, {
      ...ServerOptions.forBackend(policy, pinStore),
      discovery: { mode: "learn", ...policy.discovery },
      catalogMemory: { remembered: introduction && catalogFrom({ introduction, lists }), keep: () => {} },
      temperamentMemory: temperaments.of({ server, cwd: process.cwd() }),
      connector: watched === undefined ? incoming.around(connector) : version.around(incoming.around(connector)),
      clientInfo: client.clientInfo,
      capabilities: client.capabilities
    }).pipe(Effect.orDie)
    if (watched !== undefined) {
      yield* Effect.acquireRelease(
        Effect.sync(() => watched.set(backend, version)),
        () => Effect.sync(() => watched.delete(backend))
      )
      yield* Effect.forkScoped(version.follow(backend))
    }
    if (signIn !== undefined) {
      const { reconnectWhenDone } = yield* Effect.promise(() => import("@mcp-lifeline/sign-in/SignIn"))
      yield* reconnectWhenDone(signIn, backend)
    }
    if (log !== undefined) {
      yield* Effect.forkScoped(
        Stream.runForEach(backend.events, (event) => Effect.sync(() => log.write("event", { ...event })))
      )
    }
    return backend
  })

type Write = (message: JSONRPCNotification | JSONRPCRequest) => void

interface Conversation extends Pick<HttpConversation, "introduce" | "receive" | "request"> {
  /** For a host without a session. */
  readonly endStreams: () => void
}

const openConversation = (
  context: WrapContext,
  { drained, onFailed, write }: Pick<BridgeOptions, "drained" | "onFailed" | "write">
): Effect.Effect<Conversation, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<Scope.Scope | StateFolder>()
    const fibers = yield* Fibers.make()
    const { name, record } = context
    const bridge = (write: Write, isStateless: boolean): Bridge => {
      const version = new WatchedVersion()
      return new Bridge({
        name,
        isStateless,
        isBounded: context.policy.timeouts?.request !== undefined,
        fibers,
        write,
        drained,
        loadCache: (client) => Effect.provide(loadCache(context, client, fibers), runtime),
        open: (...given) => Effect.provide(supervise(context, version, ...given), runtime),
        audit: context.audit,
        isBroken: () => version.isBroken,
        isConnectedOnRequest: context.policy.reconnect?.auto === false,
        permanentFailure: permanentFailure(context.signIn),
        loginNeeded: loginNeeded(context.signIn),
        login: () => State.toDo(stateNow(context.signIn)),
        isLoginNeeded: () => State.isBlocking(stateNow(context.signIn)),
        onFailed
      })
    }
    const router = new EraRouter(name, bridge, (message) => {
      record?.write("to the host", { message })
      write(message)
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => router.end()))
    const conversation: Conversation = {
      introduce: (params) => router.introduce(params),
      request: (request) => router.request(request),
      receive: (message) => router.receive(message),
      endStreams: () => router.endStreams()
    }
    return record === undefined ? conversation : recorded(record, conversation)
  })

const recorder = (file: string | undefined, secrets?: Secrets.Secrets) =>
  Effect.acquireRelease(
    Effect.sync(() => file === undefined ? undefined : new Recorder(file, StandardError.line, secrets)),
    (recorder) => Effect.promise(async () => recorder?.close())
  )

const restartOnChange = ({ audit, log, record, server, watch }: Wrap, { name, watched }: WrapContext) =>
  Effect.gen(function*() {
    if (watch === undefined || watched === undefined || server._tag !== "Command") return
    const Watch = yield* Effect.promise(() => import("./Watch.js"))
    const { fork } = yield* Fibers.make()
    const { path } = yield* StateFolder
    const own = [path, audit?.file, log, record].filter((one) => one !== undefined)
    yield* Watch.start(Watch.watched(watch.glob, server.command, server.args), own, (file) => {
      StandardError.line(`mcp-lifeline: ${file} has changed; ${name} is restarted`)
      for (const [backend, version] of watched) {
        fork(
          Effect.catchAll(version.restart(backend), ({ message }) =>
            Effect.sync(() => {
              const next = version.isBroken ? "; the next change of a watched file starts it again" : ""
              StandardError.line(`mcp-lifeline: ${name} does not start: ${message}${next}`)
            }))
        )
      }
    })
  })

const overStdio = (context: WrapContext, byHand: ByHand.Advice, longest: Bytes | undefined) =>
  Effect.gen(function*() {
    const { ppid } = process
    ByHand.advise(byHand)
    const over = yield* Deferred.make<void, StartError>()
    const conversation = yield* openConversation(context, {
      write: (message) => host.write(message),
      drained: () => host.drained(),
      onFailed: (message) => Deferred.unsafeDone(over, Effect.fail(new StartError({ message })))
    })
    const host: StdioHost = new StdioHost(process.stdin, process.stdout, {
      conversation,
      onEnd: (why) =>
        Deferred.unsafeDone(
          over,
          why === "stdin"
            ? Effect.void
            : Effect.fail(new StartError({ message: "the host no longer reads the answers" }))
        )
    }, longest)
    yield* Effect.addFinalizer(() => Effect.promise(() => host.flushed()))
    const isOrphaned = Effect.repeat(Effect.sync(() => process.ppid !== ppid), {
      until: (isOrphaned) => isOrphaned,
      schedule: Schedule.spaced(lookTime)
    })
    yield* Effect.raceFirst(Deferred.await(over), isOrphaned)
    // The host does not end them any more, and `settled` would wait for them.
    conversation.endStreams()
    // What was piped in is answered. Who has ended without a word reads nothing, nor who leaves the same output unread.
    const isGone = Effect.gen(function*() {
      let before = 0
      const hasTime = (looks: number) => looks < unread.looks + before / unread.bytes
      for (let looks = 0; hasTime(looks) && process.ppid === ppid;) {
        yield* Effect.sleep(lookTime)
        looks = host.unread > 0 && host.unread >= before ? looks + 1 : 0
        before = host.unread
      }
    })
    const isServed = Effect.promise(() => host.settled.then(() => host.flushed()))
    yield* Effect.timeoutOption(Effect.race(isServed, isGone), drainTime)
  })

const printLogins = (name: string, signIn: SignIn) =>
  Effect.forkScoped(
    Stream.runForEach(requiredActions(signIn), (text) => Effect.sync(() => StandardError.line(`${name}: ${text}`)))
  )

export const serve = (
  server: Pick<WrapContext, "connector" | "name" | "server">,
  byHand: ByHand.Advice,
  longest: Bytes | undefined
): Effect.Effect<void, StartError, Scope.Scope | StateFolder> =>
  overStdio(
    { ...server, policy: {}, signIn: undefined, watched: undefined, log: undefined, record: undefined },
    byHand,
    longest
  )

/** Loaded only if tools are compared. */
const pinStoreOf = (name: string, { server }: Wrap, { pin = "off" }: ServerOptions.ServerOptions) =>
  pin === "off"
    ? Effect.succeed(undefined)
    : Effect.flatMap(Effect.promise(() => import("@mcp-lifeline/state/ToolPins")), (ToolPins) =>
      Effect.map(ToolPins.make, ({ of }) =>
        of(name, server._tag === "Address" ? { url: server.url } : { command: server.command, args: server.args })))

export const run = (wrap: Wrap): Effect.Effect<void, StartError | UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    yield* endLeft
    const name = Server.nameOf(wrap)
    const { connector, signIn } = yield* Server.make(wrap, StandardError.write)
    const read = yield* Server.readPolicy(wrap, connector)
    const policy = wrap.pin === undefined ? read : { ...read, pin: wrap.pin }
    if (signIn !== undefined) yield* printLogins(name, signIn)
    const context: WrapContext = {
      name,
      server: wrap.server,
      connector,
      policy,
      pinStore: yield* pinStoreOf(name, wrap, policy),
      signIn,
      watched: wrap.watch === undefined ? undefined : new Map(),
      audit: yield* opened(wrap.audit),
      log: yield* recorder(wrap.log),
      record: yield* recorder(wrap.record, Server.secretsIn(wrap))
    }
    context.record?.write("record", {
      note: "everything that passed, also what is private: read it before you share it"
    })
    yield* restartOnChange(wrap, context)
    yield* overStdio(context, ByHand.wrap, wrap.maxMessage)
  })
