/**
 * One host and one server: what the host says goes to the server as it came, and back. The host is answered without the server
 * what it must not wait for: who the server is, and its lists, as far as they are known from before.
 */
import type { Backend, Status } from "@mcp-lifeline/core"
import { firstOf, stateOf } from "@mcp-lifeline/core/internal"
import type { ClientRequest, Introduction } from "@mcp-lifeline/protocol"
import { asItComes, Incoming, JsonRpc, JsonRpcError, ListChanges, Meta } from "@mcp-lifeline/protocol"
import { isList, type ListMethod, lists as fields } from "@mcp-lifeline/protocol/listMethods"
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  Result,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate, Schedule } from "effect"
import { ClientRelay, type Passed, type Resolved } from "../conversation/ClientRelay.js"
import { fault } from "../conversation/errors.js"
import {
  type Handler,
  type Handshake,
  introducedFirst,
  lists,
  ping,
  pipeline,
  readable
} from "../conversation/Handler.js"
import { announced, type Client, clientOf, introducing, unknownServer } from "../conversation/introductions.js"
import type { Fibers } from "../Fibers.js"
import { emptyList, type KnownServer, maxPages } from "./KnownServer.js"

/** What a bridge is made of. */
export interface Options {
  readonly name: string
  /** Whether the host speaks 2026-07-28, so that each request says what it can do. */
  readonly isStateless: boolean
  /** Whether a call of a tool has a time of ours; else it may take as long as the host waits. */
  readonly isBounded: boolean
  readonly fibers: Fibers
  /** Gives the host a message that is about no request of its own. */
  readonly write: (message: JSONRPCNotification | JSONRPCRequest) => void
  /** Resolved when the host takes more, where it does not read what it is given. */
  readonly drained?: (() => Promise<void> | undefined) | undefined
  readonly know: (client: Client) => Effect.Effect<KnownServer>
  /** Begins to supervise the server in the name of a client. Called once. */
  readonly open: (client: Client, incoming: Incoming) => Effect.Effect<Backend.Backend>
  /** Whether the server has ended as it was started after a change of its files, and only the next one starts it. */
  readonly isBroken: () => boolean
  /** Whether only a request of the host connects a server that was lost (`reconnect.auto=false`). */
  readonly isConnectedOnRequest: boolean
  /** Ends with why the server cannot be connected unless a person does something. */
  readonly hopeless: (backend: Backend.Backend) => Effect.Effect<string>
  /** Ends with what a person has to do before the server can be used, once that is so: the host is not kept waiting for it. */
  readonly loginNeeded: Effect.Effect<string>
  /** What a person has to do now. */
  readonly login: () => string | undefined
  /** Whether the server cannot be used before that: nothing waits for a connection then. */
  readonly isLoginNeeded: () => boolean
  /** Called when there is nothing that the host could be answered with. */
  readonly onFailed: (message: string) => void
}

/** Answers `initialize` no later than this, in milliseconds, whatever the server does: hosts give up after 10 s and more. */
const longestWait = 8000

/** Asks for an attempt, or brings it forward, as long as somebody waits: soon after a failure none is made (R13). */
const demand = (backend: Backend.Backend): Effect.Effect<never> =>
  Effect.zipRight(Effect.ignore(Effect.retry(backend.ping(), Schedule.spaced("100 millis"))), Effect.never)

/** Least time between attempts on request, in milliseconds. */
const leastPause = 1000

/** Connects a server that waits for its first call: nothing is known yet that the host could be answered with. */
const connectLazy = (backend: Backend.Backend) =>
  Effect.flatMap(backend.status, ({ state }) => state === "Idle" ? backend.enable : Effect.void)

/** States that only a command leaves where `reconnect.auto` is false. */
const isAtRest: ReadonlySet<Status["state"]> = new Set(["Disconnected", "PermanentlyFailed"])

/** Stands between one host and one server. */
export class Bridge {
  readonly #options: Options
  readonly #relay: ClientRelay
  readonly #handle: Handler
  readonly #incoming = new Incoming()
  /** Opened when there is a backend. */
  readonly #opened = Effect.unsafeMakeLatch()
  #backend: Backend.Backend | undefined
  /** Opened when the server has said what it is. */
  readonly #introduced = Effect.unsafeMakeLatch()
  #introduction: Introduction | undefined
  #known: KnownServer | undefined
  /** What the host was told of the server. */
  #told: Introduction | undefined
  /** Whether the host was told a guess at any time, because nothing was known of the server. */
  #isGuessed = false
  /** The lists that the host was given. */
  readonly #given = new Set<ListMethod>()
  #hasBegun = false
  /** Whether the last `initialize` was refused, because the server could not be used. */
  #isRefused = false
  /** From when on a request may connect the server, on the scale of `performance.now`. */
  #connectableFrom = Number.NEGATIVE_INFINITY
  /** The `initialize` that is not answered yet. */
  #introducing: ClientRequest | undefined

  constructor(options: Options) {
    const { fibers, isStateless, login, name, write } = options
    this.#options = options
    this.#incoming.isRaw = true
    this.#incoming.isStateless = isStateless
    this.#relay = new ClientRelay({
      name,
      client: { isStateless, write },
      fork: fibers.fork,
      handle: (request) => this.#handle(request),
      tell: (notification) => this.#tell(notification),
      login,
      door: () => options.isBroken() ? "watch" : "wrap"
    })
    const handshake: Handshake = {
      hasBegun: () => this.#hasBegun,
      mayBeginAgain: () => this.#isRefused,
      initialize: (request, client) => this.#initialize(request, client)
    }
    const known = lists((request, method) => this.#list(request, method))
    this.#handle = pipeline(
      [ping, readable, introducedFirst(handshake), known],
      this.#relay.toServer((request) => this.#resolve(request))
    )
  }

  /** Takes a request of the host. */
  request(request: ClientRequest): void {
    this.#relay.receive(request)
  }

  /** Takes any other message of the host. */
  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    this.#relay.receive(message)
  }

  /** What the host is told, or would be told, of the server. Starts nothing. */
  async introduce(params: unknown): Promise<Introduction> {
    if (this.#told !== undefined) return announced(this.#told)
    const client = clientOf(params)
    if (client === undefined) return announced(unknownServer(this.#options.name, ""))
    const known = this.#known ?? (await this.#options.fibers.promise(this.#options.know(client)))
    this.#isGuessed ||= known.introduction === undefined
    return announced(known.introduction ?? unknownServer(this.#options.name, client.protocolVersion))
  }

  /** Says nothing more to the host. */
  end(): void {
    const message = `${this.#options.name} did not answer in time`
    this.#introducing?.refuse(JsonRpcError.ourCode, message)
    this.#relay.end()
  }

  // --- from the host

  /** A list that is known, while the server cannot be asked for it. */
  #list(request: ClientRequest, method: ListMethod): boolean {
    this.#given.add(method)
    const known = this.#known?.list(method)
    if (known === undefined || request.params?.["cursor"] !== undefined || this.#isConnected()) return false
    request.answer({ result: known })
    return true
  }

  #resolve(request: ClientRequest): Resolved {
    const { isBounded, isLoginNeeded, isStateless } = this.#options
    const { method, params } = request
    const failFast = isLoginNeeded()
    if (!failFast) this.#connectOnRequest()
    const passed = (backend: Backend.Backend): Passed => ({
      backend,
      params: params === undefined || isStateless ? params : Meta.passedOn(params),
      isBounded,
      failFast,
      ...(isList(method) ? this.#asList(method, params?.["cursor"]) : {})
    })
    return this.#backend === undefined ? Effect.map(this.#opening, passed) : passed(this.#backend)
  }

  /** A list is known from then on; where it cannot be read, what is known of it is given. */
  #asList(method: ListMethod, cursor: unknown): Pick<Passed, "arrived" | "instead"> {
    return {
      arrived: (result) => {
        this.#known?.read(method, cursor, result)
        return result
      },
      instead: (error) => {
        const isOurs = JsonRpcError.isOurs(error) && Predicate.hasProperty(error.data, "fate")
        // What a guess has promised, and the server does not have or cannot say, is empty.
        const hasGuessed = this.#isGuessed && this.#told !== undefined
        const empty = hasGuessed && (isOurs || error.code === JsonRpc.methodNotFound) ? emptyList(method) : undefined
        return (isOurs ? this.#known?.list(method) : undefined) ?? empty
      }
    }
  }

  /** Only a command connects a server whose `reconnect.auto` is false, and there is nobody else to give one. */
  #connectOnRequest(): void {
    const backend = this.#backend
    const now = performance.now()
    if (!this.#options.isConnectedOnRequest || backend === undefined || now < this.#connectableFrom) return
    if (!isAtRest.has(stateOf(backend))) return
    this.#connectableFrom = now + leastPause
    this.#run(Effect.tapError(backend.enable, (error) =>
      Effect.sync(() => {
        const retryAfter = error._tag === "ConnectError" ? error.retryAfter ?? 0 : 0
        this.#connectableFrom = performance.now() + Math.max(leastPause, retryAfter)
      })))
  }

  /** What changes while the server is down, it asks for when it is back. */
  #tell({ method, params }: JSONRPCNotification): boolean {
    const backend = this.#backend
    if (backend === undefined || !this.#isConnected()) return false
    this.#run(backend.notify(method, params))
    return true
  }

  #initialize(request: ClientRequest, client: Client): void {
    this.#introducing = request
    if (this.#isRefused) return this.#initializeAgain(request, client)
    this.#hasBegun = true
    this.#run(
      Effect.gen(this, function*() {
        const { drained, know, name, open } = this.#options
        const known = yield* know(client)
        this.#known = known
        this.#incoming.protocolVersion = known.introduction?.protocolVersion ?? client.protocolVersion
        this.#incoming.receiver = {
          notified: (notification) => this.#relay.pass(notification),
          asked: (request, signal) => this.#relay.ask(name, request, signal),
          drained,
          missed: () => this.#run(this.#compareLists),
          introduced: (introduction) => this.#introducedBy(introduction)
        }
        const backend = yield* open(client, this.#incoming)
        this.#backend = backend
        yield* this.#opened.open
        if (known.introduction === undefined) this.#run(connectLazy(backend))
        const said = known.introduction ?? (yield* this.#firstIntroduction(backend, client))
        // The server may have come just when its time was over.
        this.#introduce(request, known.introduction ?? said)
      }),
      request
    )
  }

  /** The server could not be used before; it may have been mended. */
  #initializeAgain(request: ClientRequest, client: Client): void {
    this.#isRefused = false
    this.#connectOnRequest()
    this.#run(
      Effect.gen(this, function*() {
        const backend = yield* this.#opening
        this.#introduce(request, yield* firstOf(this.#firstIntroduction(backend, client), demand(backend)))
      }),
      request
    )
  }

  /** What the server says of itself; or, where it does not in time, a guess; or nothing where it never will. */
  #firstIntroduction(backend: Backend.Backend, client: Client): Effect.Effect<Introduction | string> {
    const { hopeless, loginNeeded, name } = this.#options
    const unknown = (why?: string) => unknownServer(name, client.protocolVersion, why)
    return firstOf(
      Effect.map(this.#introduced.await, () => this.#introduction ?? unknown()),
      hopeless(backend),
      Effect.map(loginNeeded, unknown),
      Effect.delay(Effect.sync(unknown), longestWait)
    )
  }

  #introduce(request: ClientRequest, said: Introduction | string): void {
    this.#introducing = undefined
    if (typeof said === "string") {
      this.#isRefused = true
      request.refuse(JsonRpcError.ourCode, said)
      return this.#options.onFailed(said)
    }
    this.#isGuessed ||= this.#known?.introduction === undefined
    this.#told = said
    this.#incoming.protocolVersion = said.protocolVersion
    request.answer(introducing(announced(said)))
  }

  // --- from the server

  /** There is a connection. The host cannot be told of other capabilities or another version any more, only of other lists. */
  #introducedBy(introduction: Introduction): undefined {
    this.#known?.introduced(introduction)
    const isFirst = this.#introduction === undefined
    this.#introduction ??= introduction
    this.#introduced.unsafeOpen()
    if (this.#told === undefined) return
    if (this.#isGuessed && isFirst) {
      for (const method of ["tools/list", "prompts/list", "resources/list"] as const) {
        if ((introduction.capabilities as ServerCapabilities)[fields[method] as "tools"] !== undefined) {
          this.#relay.pass({ method: ListChanges.notificationOf(method) })
        }
      }
    } else this.#run(this.#compareLists)
  }

  /** Reads the lists that the host was given once more, and tells it of those that differ. */
  get #compareLists(): Effect.Effect<void> {
    return Effect.forEach([...this.#given], (method) =>
      // A list that cannot be read does not keep the others from being compared.
      Effect.ignore(Effect.gen(this, function*() {
        const pages: Array<Result> = []
        let cursor: unknown
        do {
          const backend = yield* this.#opening
          const page = (yield* backend.request(method, cursor === undefined ? {} : { cursor: cursor as string }, {
            resultSchema: asItComes as never
          })) as unknown as Result
          pages.push(page)
          cursor = page["nextCursor"]
        } while (cursor !== undefined && pages.length < maxPages)
        if (this.#known?.know(method, pages) === true) {
          this.#relay.pass({ method: ListChanges.notificationOf(method) })
        }
      })), { discard: true })
  }

  /** The backend, once there is one. */
  get #opening(): Effect.Effect<Backend.Backend> {
    return Effect.flatMap(
      this.#opened.await,
      () => this.#backend === undefined ? Effect.never : Effect.succeed(this.#backend)
    )
  }

  #isConnected(): boolean {
    return this.#backend !== undefined && stateOf(this.#backend) === "Connected"
  }

  /** Runs what nobody waits for but a request, if one does: that is answered when this breaks. */
  #run(work: Effect.Effect<void, unknown>, request?: ClientRequest): void {
    const { fibers, name } = this.#options
    fibers.fork(Effect.catchAllCause(work, (cause) => {
      if (request === undefined) return Effect.logDebug(`${name}: not done`, cause)
      request.answer({ error: fault })
      return Effect.logError("a request failed inside the gateway", cause)
    }))
  }
}
