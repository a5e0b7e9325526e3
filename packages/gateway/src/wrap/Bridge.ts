/** Passes messages between one host and one server, unchanged. Where the host must not wait, it gets what the server answered earlier. */
import type { Backend } from "@mcp-lifeline/core"
import { firstOf, Handle, Kind } from "@mcp-lifeline/core/internal"
import { anyone } from "@mcp-lifeline/http-server/Caller"
import { PassedSubscriptions } from "@mcp-lifeline/http-server/PassedSubscriptions"
import { noRoom, roomOfOne } from "@mcp-lifeline/http-server/subscriptionLimits"
import type { ClientRequest, Introduction } from "@mcp-lifeline/protocol"
import { asItComes, Incoming, JsonRpc, JsonRpcError, ListChanges, ListWatch, Meta } from "@mcp-lifeline/protocol"
import { isList, type ListMethod } from "@mcp-lifeline/protocol/listMethods"
import * as TaskMarks from "@mcp-lifeline/protocol/TaskMarks"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Either, FiberId, Predicate, Stream } from "effect"
import { isDeepStrictEqual } from "node:util"
import type { Audit } from "../audit/Audit.js"
import { audited } from "../audit/audited.js"
import { ClientRelay, type Resolved, type UpstreamRequest } from "../conversation/ClientRelay.js"
import { fault } from "../conversation/errors.js"
import { type Handler, introducedFirst, lists, ping, pipeline, readable, type Step } from "../conversation/Handler.js"
import { announced, type Client, clientOf, introducing, unknownServer } from "../conversation/introductions.js"
import type { Fibers } from "../text/Fibers.js"
import { type CachedAnswers, emptyList } from "./CachedAnswers.js"
import * as Demand from "./Demand.js"

export interface Options {
  readonly name: string
  /** Whether the host speaks 2026-07-28: each of its requests has its capabilities. `beginSession` changes it. */
  readonly isStateless: boolean
  /** Whether Lifeline limits how long a tool call takes. */
  readonly isBounded: boolean
  readonly fibers: Fibers
  /** For a message that belongs to no request of the host. */
  readonly write: (message: JSONRPCNotification | JSONRPCRequest) => void
  /** If the host does not read, a promise that resolves when it has read enough. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  readonly loadCache: (client: Client) => Effect.Effect<CachedAnswers>
  /** Called once. */
  readonly open: (client: Client, incoming: Incoming, cache: CachedAnswers) => Effect.Effect<Backend.Backend>
  /** Default: calls are not recorded. */
  readonly audit?: Audit | undefined
  /** Whether only the next change of its files starts the server. */
  readonly isBroken: () => boolean
  /** `reconnect.auto=false`: only a request of the host reconnects the server. */
  readonly isConnectedOnRequest: boolean
  /** Succeeds, with the reason, when only a person can help, other than by a login. */
  readonly permanentFailure: (backend: Backend.Backend) => Effect.Effect<string>
  /** Succeeds, with what to do, when a login is needed first. The host does not wait for it. */
  readonly loginNeeded: Effect.Effect<string>
  /** What a person has to do now to log in. */
  readonly login: () => string | undefined
  /** Then no call waits for a connection. */
  readonly isLoginNeeded: () => boolean
  /** Called when `initialize` was refused. */
  readonly onFailed: (message: string) => void
}

/** In milliseconds: hosts give up after 10 s or more; those of Cline, which drop the server for the whole run, after 3 s. */
const initializeTimeout = ({ clientInfo }: Client): number => /\bcline\b/i.test(clientInfo.name) ? 2000 : 8000

/** For a remembered list: longer than the silence of which a caller may make a suspicion. */
const listTimeout = "2.5 seconds"

/** In milliseconds: hosts give up after 5 s or more. */
const discoverTimeout = 4000

const isSame = (one: Client, other: Client | undefined): boolean =>
  one.protocolVersion === other?.protocolVersion && isDeepStrictEqual(one.capabilities, other.capabilities)

export class Bridge {
  readonly #options: Options
  readonly #relay: ClientRelay
  readonly #handle: Handler
  readonly #incoming = new Incoming()
  readonly #side: { isStateless: boolean; readonly write: Options["write"] }
  #isStarted = false
  #unusable = Deferred.unsafeMake<string>(FiberId.none)
  readonly #opened = Deferred.unsafeMake<Backend.Backend>(FiberId.none)
  #backend: Backend.Backend | undefined
  readonly #introduced = Effect.unsafeMakeLatch()
  #introduction: Introduction | undefined
  #cache: CachedAnswers | undefined
  /** Whether an answer to the host's `initialize` was one, because nothing was known of the server. */
  #hasAnnouncedPlaceholder = false
  readonly #watch: ListWatch.ListWatch
  #hasBegun = false
  #client: Client | undefined
  #isRefused = false
  readonly #subscriptions = new PassedSubscriptions(roomOfOne())
  readonly #attempts = new Demand.RequestedAttempts()
  /** Not answered yet. */
  #introducing: ClientRequest | undefined

  constructor(options: Options) {
    const { fibers, isStateless, login, name, write } = options
    this.#options = options
    this.#side = { isStateless, write }
    this.#incoming.isRaw = true
    this.#incoming.isStateless = isStateless
    this.#relay = new ClientRelay({
      name,
      client: this.#side,
      fork: fibers.fork,
      handle: (request) => this.#handle(request),
      notifyServers: (notification) => this.#notify(notification),
      login,
      door: () => options.isBroken() ? "watch" : "wrap"
    })
    this.#watch = ListWatch.make({
      target: {
        fork: fibers.fork,
        backend: () => this.#backend,
        use: (f) => Effect.flatMap(Deferred.await(this.#opened), f)
      },
      schemaOf: () => asItComes,
      onChanged: (kinds) => {
        for (const method of ListChanges.notificationsOf(kinds)) this.#relay.pass({ method })
      },
      onRead: (method, pages) => {
        const isMarked = this.#backend !== undefined && Handle.runsTasks(this.#backend)
        this.#cache?.update(method, isMarked ? pages.map(TaskMarks.list) : pages)
      }
    })
    const handshake = introducedFirst({
      hasBegun: () => this.#hasBegun,
      mayBeginAgain: () => this.#isRefused,
      initialize: (request, client) => this.#initialize(request, client)
    })
    const cachedLists = lists((request, method) => this.#list(request, method))
    const audit = audited(options.audit, {
      who: () => ({ caller: anyone, introduced: this.#client }),
      named: () => ({ server: name, isHidden: false })
    })
    this.#handle = pipeline(
      [ping, audit, readable, handshake, cachedLists, this.#limited],
      (request) => this.#relay.send(request, () => this.#resolve(request))
    )
  }

  readonly #limited: Step = (next) => (request) => {
    const excess = this.#subscriptions.note(request)
    if (excess === undefined) next(request)
    else request.refuse(JsonRpcError.ourCode, noRoom(excess))
  }

  request(request: ClientRequest): void {
    this.#relay.receive(request)
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    this.#relay.receive(message)
  }

  /** If nothing is remembered, starts the server and waits for it, or says why nothing is known yet. */
  introduce(params: unknown): Promise<Introduction | string> {
    const client = clientOf(params)
    return client === undefined
      ? Promise.resolve("the client does not name itself")
      : this.#options.fibers.promise(this.#discovered(client))
  }

  /** Possible if the host has only asked who the server is, and says the same of itself again. */
  beginSession(params: unknown): boolean {
    if (this.#hasBegun || this.#client === undefined || !isSame(this.#client, clientOf(params))) return false
    this.#side.isStateless = false
    this.#incoming.isStateless = false
    return true
  }

  /** Refuses an open `initialize`, and sends nothing more to the host. */
  end(): void {
    this.#introducing?.refuse(JsonRpcError.ourCode, `${this.#options.name} did not answer in time`)
    this.#relay.end()
  }

  /** Returns whether it has answered. Where the server may still answer, the cached list comes after `listTimeout`. */
  #list(request: ClientRequest, method: ListMethod): boolean {
    if (request.params?.["cursor"] !== undefined || this.#cache?.get(method) === undefined) return false
    const isAnswering = this.#backend !== undefined && this.#isConnected() && !Handle.isInDoubt(this.#backend)
    if (!isAnswering) return this.#remember(request, method)
    const late = Effect.sync(() => {
      if (request.isOver) return
      // The server owes an answer, which says whether it lives.
      request.clientLeft()
      this.#remember(request, method)
      // Its late answer is nobody's.
      this.#watch.compare()
    })
    this.#run(Effect.delay(late, listTimeout))
    return false
  }

  #remember(request: ClientRequest, method: ListMethod): boolean {
    const cached = this.#cache?.get(method)
    if (cached === undefined) return false
    this.#watch.given(method, undefined, cached)
    this.#relay.answer(request, cached)
    return true
  }

  #resolve(request: ClientRequest): Resolved {
    const { isBounded, isLoginNeeded } = this.#options
    const { isStateless } = this.#side
    const { method, params } = request
    const failFast = isLoginNeeded()
    if (!failFast) this.#connectOnRequest()
    const upstream = (backend: Backend.Backend): UpstreamRequest => ({
      backend,
      params: params === undefined || isStateless ? params : Meta.passedOn(params),
      isBounded,
      failFast,
      ...(isList(method) ? this.#asList(request, method) : {})
    })
    return this.#backend === undefined
      ? Effect.map(Deferred.await(this.#opened), upstream)
      : Either.right(upstream(this.#backend))
  }

  /** If the list cannot be read, the host gets the cached one. */
  #asList(request: ClientRequest, method: ListMethod): Pick<UpstreamRequest, "resultForClient" | "resultForError"> {
    const { params } = request
    return {
      resultForClient: (result) => {
        this.#watch.given(method, params, result)
        this.#cache?.addPage(method, params?.["cursor"], result)
        return result
      },
      resultForError: (error) => {
        const isOurs = JsonRpcError.isOurs(error) && Predicate.hasProperty(error.data, "fate")
        // The placeholder has announced all lists: those that the server lacks, or cannot send now, are empty.
        const empty = this.#hasAnnouncedPlaceholder && (isOurs || error.code === JsonRpc.methodNotFound)
          ? emptyList(method)
          : undefined
        const instead = (isOurs ? this.#cache?.get(method) : undefined) ?? empty
        this.#watch.given(method, undefined, instead)
        return instead
      }
    }
  }

  #connectOnRequest(): void {
    const backend = this.#options.isConnectedOnRequest ? this.#backend : undefined
    const attempt = backend && this.#attempts.next(backend)
    if (attempt !== undefined) this.#run(attempt)
  }

  /** Drops notifications while the server is down: after a reconnect, it asks for what it needs. Returns whether one is sent. */
  #notify({ method, params }: JSONRPCNotification): boolean {
    const backend = this.#backend
    if (backend === undefined || !this.#isConnected()) return false
    this.#run(backend.notify(method, params))
    return true
  }

  #initialize(request: ClientRequest, client: Client): void {
    this.#introducing = request
    this.#client = client
    if (this.#isRefused) return this.#initializeAgain(request, client)
    this.#hasBegun = true
    this.#run(
      Effect.gen(this, function*() {
        yield* this.#started(client)
        const introduction = this.#cache?.introduction ?? (yield* this.#firstIntroduction(client))
        // The server may have answered just when its time was over.
        this.#introduce(request, this.#cache?.introduction ?? introduction)
      }),
      request
    )
  }

  #started(client: Client): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      if (this.#isStarted) return yield* Effect.asVoid(Deferred.await(this.#opened))
      this.#isStarted = true
      const { drained, loadCache, name, open } = this.#options
      const cache = this.#cache = yield* loadCache(client)
      this.#incoming.protocolVersion = cache.introduction?.protocolVersion ?? client.protocolVersion
      this.#incoming.receiver = {
        notified: (notification) => this.#relay.pass(notification),
        asked: (request, signal) => this.#relay.ask(name, request, signal),
        drained,
        heard: (hearing) => this.#watch.heard(hearing),
        introduced: (introduction) => this.#introducedBy(introduction)
      }
      const backend = this.#backend = yield* open(client, this.#incoming, cache)
      this.#noteUnusable(backend)
      this.#run(this.#watch.work)
      this.#run(Stream.runForEach(backend.events, ({ _tag }) =>
        Effect.sync(() => {
          if (_tag === "Installed") this.#watch.compare()
        })))
      yield* Deferred.succeed(this.#opened, backend)
      // The host gets the real lists.
      if (cache.introduction === undefined) this.#run(Demand.connectIdle(backend))
    })
  }

  #noteUnusable(backend: Backend.Backend): void {
    const unusable = this.#unusable
    this.#run(Effect.flatMap(this.#options.permanentFailure(backend), (why) => Deferred.succeed(unusable, why)))
  }

  /** For a host without a session. */
  #discovered(client: Client): Effect.Effect<Introduction | string> {
    return Effect.gen(this, function*() {
      const { loadCache, loginNeeded, name } = this.#options
      const known = this.#cache?.introduction ?? (yield* loadCache(client)).introduction
      if (known !== undefined) return announced(known)
      this.#client ??= client
      yield* this.#started(client)
      const why = yield* firstOf(
        Effect.asVoid(this.#introduced.await),
        Deferred.await(this.#unusable),
        loginNeeded,
        Effect.delay(Effect.succeed(`${name} has not answered yet: initialize waits longer`), discoverTimeout)
      )
      const introduction = this.#cache?.introduction
      return introduction === undefined ? why ?? name : announced(introduction)
    })
  }

  /** After a refusal: the server may have been repaired. */
  #initializeAgain(request: ClientRequest, client: Client): void {
    this.#isRefused = false
    this.#connectOnRequest()
    this.#run(
      Effect.gen(this, function*() {
        const backend = yield* Deferred.await(this.#opened)
        this.#unusable = Deferred.unsafeMake(FiberId.none)
        this.#noteUnusable(backend)
        this.#introduce(request, yield* firstOf(this.#firstIntroduction(client), Demand.repeated(backend)))
      }),
      request
    )
  }

  /** A placeholder if the server does not answer in time; a text if it cannot be used. */
  #firstIntroduction(client: Client): Effect.Effect<Introduction | string> {
    const { loginNeeded, name } = this.#options
    const unknown = () => unknownServer(name, client.protocolVersion)
    return firstOf(
      Effect.map(this.#introduced.await, () => this.#introduction ?? unknown()),
      Deferred.await(this.#unusable),
      Effect.map(loginNeeded, unknown),
      Effect.delay(Effect.sync(unknown), initializeTimeout(client))
    )
  }

  #introduce(request: ClientRequest, introduction: Introduction | string): void {
    this.#introducing = undefined
    if (typeof introduction === "string") {
      this.#isRefused = true
      request.refuse(JsonRpcError.ourCode, introduction)
      return this.#options.onFailed(introduction)
    }
    this.#hasAnnouncedPlaceholder ||= this.#cache?.introduction === undefined
    this.#incoming.protocolVersion = introduction.protocolVersion
    request.answer(introducing(announced(introduction)))
  }

  /** The host has its answer to `initialize`: it can only be notified of changed lists. */
  #introducedBy(introduction: Introduction): undefined {
    this.#cache?.updateIntroduction(introduction)
    const isFirst = this.#introduction === undefined
    this.#introduction ??= introduction
    this.#introduced.unsafeOpen()
    if (this.#hasAnnouncedPlaceholder && isFirst) {
      const capabilities: ServerCapabilities = introduction.capabilities
      for (const kind of ["tools", "prompts", "resources"] as const) {
        if (capabilities[kind] !== undefined) this.#relay.pass({ method: Kind.changeOf(kind) })
      }
      this.#watch.forget()
    }
  }

  #isConnected(): boolean {
    return this.#backend !== undefined && Handle.stateOf(this.#backend) === "Connected"
  }

  /** If the work fails, `request` is answered with an error. */
  #run(work: Effect.Effect<void, unknown>, request?: ClientRequest): void {
    const { fibers, name } = this.#options
    fibers.fork(Effect.catchAllCause(work, (cause) => {
      if (request === undefined) return Effect.logDebug(`${name}: not done`, cause)
      request.answer({ error: fault })
      return Effect.logError("a request failed inside the gateway", cause)
    }))
  }
}
