/**
 * `mcp-lifeline wrap`: one server behind one host, until the host has gone.
 */
import { Backend, type Connector, type Policy } from "@mcp-lifeline/core"
import type { Conversation as HttpConversation } from "@mcp-lifeline/http-server/Conversation"
import { EraRouter } from "@mcp-lifeline/http-server/EraRouter"
import { ClientRequests, type Incoming, responseOf } from "@mcp-lifeline/protocol"
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import * as State from "@mcp-lifeline/sign-in/State"
import { StateFolder } from "@mcp-lifeline/state/StateFolder"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest } from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Fiber, Option, type Scope, Stream } from "effect"
import { constVoid } from "effect/Function"
import type { Client } from "../conversation/introductions.js"
import { StartError, type UsageError } from "../Errors.js"
import * as Fibers from "../Fibers.js"
import * as ServerCache from "../known/ServerCache.js"
import * as StandardError from "../StandardError.js"
import type { Http, Wrap } from "./Arguments.js"
import { Bridge, type Options as BridgeOptions } from "./Bridge.js"
import { KnownServer } from "./KnownServer.js"
import { Recorder } from "./Recorder.js"
import * as Server from "./Server.js"
import { StdioHost } from "./StdioHost.js"
import { WatchedVersion } from "./WatchedVersion.js"

/** How long what the host has asked may take once it has closed its end, in milliseconds. */
const lastAnswers = 800

/** So many answers that no MCP server gives are enough to call it none. */
const enough = 2

/** Why attempts fail where somebody is there, and is no MCP server: it ended, or answered something else. */
const isNoServer: ReadonlySet<string> = new Set(["closed", "spawn", "protocol", "notFound", "incompatible", "redirect"])

/** Ends with why a server that has never answered cannot be used unless a person does something other than to log in. */
const hopeless = (signIn: SignIn | undefined) => (backend: Backend.Backend): Effect.Effect<string> => {
  const failed = backend.events.pipe(
    Stream.filterMap((event) =>
      event._tag === "AttemptFailed" && isNoServer.has(event.error.reason)
        ? Option.some(event.error.message)
        : Option.none()
    ),
    Stream.drop(enough - 1)
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

/** What a person has to do about a sign-in, each time that it is something else. */
const toDo = (signIn: SignIn): Stream.Stream<string> =>
  Stream.changes(Stream.filterMap(signIn.changes, (state) => Option.fromNullable(State.toDo(state))))

/** Ends with what a person has to do, once the server asks for a login or there can be none. */
const loginNeeded = (signIn: SignIn | undefined): Effect.Effect<string> =>
  signIn === undefined ? Effect.never : signIn.changes.pipe(
    Stream.filter(State.isBlocking),
    Stream.map(State.show),
    Stream.runHead,
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )

/** How far a sign-in is now. */
const stateNow = (signIn: SignIn | undefined): State.State =>
  // Reads a Ref, which is synchronous, so that `Bridge` can ask without a fiber.
  signIn === undefined ? { _tag: "NotAsked" } : Effect.runSync(signIn.state)

/** What is known of the server for a client, from the state folder. */
const know = (server: unknown, client: Client, { fork }: Fibers.Fibers) =>
  Effect.gen(function*() {
    const files = yield* ServerCache.make
    const identity = {
      server,
      cwd: process.cwd(),
      protocolVersion: client.protocolVersion,
      clientName: client.clientInfo.name,
      capabilities: client.capabilities
    }
    return new KnownServer(
      Option.getOrUndefined(yield* files.get(identity)),
      (kept) => void fork(files.set(identity, kept))
    )
  })

/** What all conversations of one program share. */
interface Wrapped {
  readonly name: string
  /** All that tells it apart from others. */
  readonly server: unknown
  readonly connector: Connector
  /** The options of its supervision that are given. */
  readonly policy: Policy.PolicyOptions
  readonly signIn: SignIn | undefined
  /** The servers that run, where their files are watched. */
  readonly watched: Map<Backend.Backend, WatchedVersion> | undefined
  readonly log: Recorder | undefined
  readonly record: Recorder | undefined
}

/** Supervises the server for a client of the host. */
const open = (
  { connector, log, name, policy, signIn, watched }: Wrapped,
  version: WatchedVersion,
  client: Client,
  incoming: Incoming
): Effect.Effect<Backend.Backend, never, Scope.Scope> =>
  Effect.gen(function*() {
    const backend = yield* Backend.make(name, {
      ...policy,
      discovery: { mode: "learn", ...policy.discovery },
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

/** Takes a message for the host that is about no request of its own. */
type Write = (message: JSONRPCNotification | JSONRPCRequest) => void

/** What a host says to the server, and is answered. */
interface Conversation extends Pick<HttpConversation, "introduce" | "receive" | "request"> {
  /** Whether no host without a session waits for anything. */
  readonly isIdle: () => boolean
  /** Called now and then: ends calls to which such a host did not come back. */
  readonly tick: () => void
  /** Ends the streams of changes of such a host. */
  readonly endStreams: () => void
}

/** The conversation, with what passes written to a file. */
const recorded = (record: Recorder, conversation: Conversation): Conversation => {
  const recorded = new ClientRequests()
  const said = (message: JSONRPCMessage): void => record.write("to the host", { message })
  return {
    ...conversation,
    request: (request) => {
      const { id, method, params } = request
      const message: JSONRPCRequest = { jsonrpc: "2.0", id, method, params }
      record.write("from the host", { message })
      conversation.request(recorded.openFor(request, message, {
        say: (_, message) => {
          said(message)
          request.say(message)
        },
        answer: (_, answer) => {
          said(responseOf(id, answer))
          request.answer(answer)
        },
        cancelled: (_, reason) => {
          const params = { requestId: id, ...(reason === undefined ? {} : { reason }) }
          record.write("from the host", { message: { jsonrpc: "2.0", method: "notifications/cancelled", params } })
        }
      }))
    },
    receive: (message) => {
      record.write("from the host", { message })
      conversation.receive(message)
    }
  }
}

/** Begins a conversation with a host; it is over when the scope closes. */
const converse = (
  wrapped: Wrapped,
  { drained, isShared, onFailed, write }: Pick<BridgeOptions, "drained" | "onFailed"> & {
    readonly write: Write
    /** Whether requests of several hosts may come here, which nobody can tell apart. */
    readonly isShared?: boolean
  }
): Effect.Effect<Conversation, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const runtime = yield* Effect.runtime<Scope.Scope | StateFolder>()
    const fibers = yield* Fibers.make()
    const { name, record } = wrapped
    const bridge = (write: Write, isStateless: boolean): Bridge => {
      const version = new WatchedVersion()
      return new Bridge({
        name,
        isStateless,
        isBounded: wrapped.policy.timeouts?.request !== undefined,
        fibers,
        write,
        drained,
        know: (client) => Effect.provide(know(wrapped.server, client, fibers), runtime),
        open: (client, incoming) => Effect.provide(open(wrapped, version, client, incoming), runtime),
        isBroken: () => version.isBroken,
        isConnectedOnRequest: wrapped.policy.reconnect?.auto === false,
        hopeless: hopeless(wrapped.signIn),
        loginNeeded: loginNeeded(wrapped.signIn),
        login: () => State.toDo(stateNow(wrapped.signIn)),
        isLoginNeeded: () => State.isBlocking(stateNow(wrapped.signIn)),
        onFailed
      })
    }
    const router = new EraRouter(name, bridge, (message) => {
      record?.write("to the host", { message })
      write(message)
    }, isShared)
    yield* Effect.addFinalizer(() => Effect.sync(() => router.end()))
    const conversation: Conversation = {
      introduce: () => router.introduce(),
      request: (request) => router.request(request),
      receive: (message) => router.receive(message),
      isIdle: () => router.isIdle,
      tick: () => router.tick(),
      endStreams: () => router.endStreams()
    }
    return record === undefined ? conversation : recorded(record, conversation)
  })

const recorder = (file: string | undefined) =>
  Effect.acquireRelease(
    Effect.sync(() => file === undefined ? undefined : new Recorder(file, StandardError.line)),
    (recorder) => Effect.promise(async () => recorder?.close())
  )

/** Restarts what runs when its files change. What goes wrong then is told by the attempts that fail. */
const watching = ({ server, watch }: Wrap, { name, watched }: Wrapped) =>
  Effect.gen(function*() {
    if (watch === undefined || watched === undefined || server._tag !== "Command") return
    const Watch = yield* Effect.promise(() => import("./Watch.js"))
    const { fork } = yield* Fibers.make()
    yield* Watch.start(Watch.watched(watch.glob, server.command, server.args), (file) => {
      StandardError.line(`mcp-lifeline: ${file} has changed; ${name} is restarted`)
      for (const [backend, version] of watched) {
        fork(
          Effect.catchAll(version.restart(backend), ({ message }) =>
            Effect.sync(() => {
              const next = version.isBroken ? "; the next change of a watched file starts it" : ""
              StandardError.line(`mcp-lifeline: ${name} does not start: ${message}${next}`)
            }))
        )
      }
    })
  })

/** Serves the host that has started us until it closes its end. */
const overStdio = (wrapped: Wrapped) =>
  Effect.gen(function*() {
    const over = yield* Deferred.make<void, StartError>()
    const conversation = yield* converse(wrapped, {
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
    })
    yield* Effect.addFinalizer(() => Effect.promise(() => host.flushed()))
    yield* Deferred.await(over)
    // They would be waited for in vain.
    conversation.endStreams()
    yield* Effect.timeoutOption(Effect.promise(() => host.settled), lastAnswers)
  })

/** Serves hosts over HTTP until interrupted. */
const overHttp = (http: Http, wrapped: Wrapped) =>
  Effect.gen(function*() {
    const HttpHost = yield* Effect.promise(() => import("./HttpHost.js"))
    const HttpToken = yield* Effect.promise(() => import("./HttpToken.js"))
    const token = yield* HttpToken.find(http, process.env)
    const state = yield* Effect.context<StateFolder>()
    const fibers = yield* Fibers.make()
    const url = yield* HttpHost.serve({ port: http.port, token: token.value }, (write) => {
      let conversation: Conversation | undefined
      // It begins in this step, and is over when its fiber is.
      const life = fibers.fork(
        converse(wrapped, { write, isShared: true, onFailed: constVoid }).pipe(
          Effect.flatMap((begun) => {
            conversation = begun
            return Effect.never
          }),
          Effect.scoped,
          Effect.provide(state)
        )
      )
      if (conversation === undefined) throw new Error("the conversation has not begun")
      return { ...conversation as Conversation, close: () => fibers.promise(Effect.asVoid(Fiber.interrupt(life))) }
    })
    StandardError.line(`Serving ${wrapped.name} at ${url}`)
    StandardError.line(HttpToken.line(token, process.stderr.isTTY))
    return yield* Effect.never
  })

/** Says on standard error what a person has to do. */
const sayLogins = (name: string, signIn: SignIn) =>
  Effect.forkScoped(
    Stream.runForEach(toDo(signIn), (text) => Effect.sync(() => StandardError.line(`${name}: ${text}`)))
  )

/** Serves the host that has started us by one connector. */
export const serve = (
  server: Pick<Wrapped, "connector" | "name" | "server">
): Effect.Effect<void, StartError, Scope.Scope | StateFolder> =>
  overStdio({ ...server, policy: {}, signIn: undefined, watched: undefined, log: undefined, record: undefined })

/** The options of supervision. Their reader is loaded only where some are given. */
const policyOf = ({ options }: Wrap, connector: Connector): Effect.Effect<Policy.PolicyOptions, UsageError> =>
  options.length === 0
    ? Effect.succeed({})
    : Effect.flatMap(Effect.promise(() => import("./Supervision.js")), ({ read }) => read(options, connector))

/** Stands between the host and the server until the host closes its end. */
export const run = (wrap: Wrap): Effect.Effect<void, StartError | UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const name = Server.nameOf(wrap)
    const { connector, signIn } = yield* Server.make(wrap, StandardError.write)
    const policy = yield* policyOf(wrap, connector)
    if (signIn !== undefined) yield* sayLogins(name, signIn)
    const wrapped: Wrapped = {
      name,
      server: wrap.server,
      connector,
      policy,
      signIn,
      watched: wrap.watch === undefined ? undefined : new Map(),
      log: yield* recorder(wrap.log),
      record: yield* recorder(wrap.record)
    }
    yield* watching(wrap, wrapped)
    yield* wrap.http === undefined ? overStdio(wrapped) : overHttp(wrap.http, wrapped)
  })
