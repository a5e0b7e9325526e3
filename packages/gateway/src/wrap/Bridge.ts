/**
 * One host and one server: what the host says goes to the server as it came, and back. The host is answered without the server
 * what it must not wait for: who the server is, and its lists, as far as they are known from before.
 */
import type { Backend, Status } from "@mcp-lifeline/core"
import type { Answer, Introduction, Target } from "@mcp-lifeline/protocol"
import {
  asItComes,
  ClientRequest,
  Held,
  Incoming,
  JsonRpc,
  JsonRpcError,
  ListChanges,
  Meta,
  Relay
} from "@mcp-lifeline/protocol"
import { isList, type ListMethod, lists } from "@mcp-lifeline/protocol/listMethods"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Predicate, Runtime, Schedule } from "effect"
import { InOrder, type Said } from "../InOrder.js"
import { isReadable, unreadableParams, unreadableResult } from "../serve/readable.js"
import * as Advice from "./Advice.js"
import { announced, type Client, clientOf, unknownServer } from "./introductions.js"
import type { KnownServer, Result } from "./KnownServer.js"
import { emptyList, maxPages } from "./KnownServer.js"

/** What a bridge is made of. */
export interface Options {
  readonly name: string
  /** Whether the host speaks 2026-07-28, so that each request says what it can do. */
  readonly isStateless: boolean
  /** Whether a call of a tool has a time of ours; else it may take as long as the host waits. */
  readonly isBounded: boolean
  readonly runtime: Runtime.Runtime<never>
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
  readonly #relay: Relay
  readonly #incoming = new Incoming()
  readonly #backend = Effect.runSync(Deferred.make<Backend.Backend>())
  readonly #introduced = Effect.runSync(Deferred.make<Introduction>())
  readonly #target: Target
  #supervised: Backend.Backend | undefined
  #known: KnownServer | undefined
  /** What the host was told of the server. */
  #told: Introduction | undefined
  /** Whether the host was told a guess at any time, because nothing was known of the server. */
  #isGuessed = false
  /** The lists that the host was given. */
  readonly #given = new Set<ListMethod>()
  #hasBegun = false
  /** Whether the last \`initialize\` was refused, because the server could not be used. */
  #isRefused = false
  /** From when on a request may connect the server, on the scale of `performance.now`. */
  #connectableFrom = Number.NEGATIVE_INFINITY
  readonly #held = new Held()
  readonly #inOrder = new InOrder((message) => this.#take(message))
  /** The `initialize` that is not answered yet. */
  #introducing: ClientRequest | undefined

  constructor(options: Options) {
    this.#options = options
    this.#incoming.isRaw = true
    this.#incoming.isStateless = options.isStateless
    this.#relay = new Relay(
      options.name,
      { onmessage: (message: JSONRPCMessage) => this.#toHost(message) },
      { whenReady: this.#held.whenInitialized }
    )
    this.#target = {
      runtime: options.runtime,
      backend: () => this.#supervised,
      use: (f) => this.#supervised === undefined ? Effect.flatMap(this.#backend, f) : f(this.#supervised)
    }
  }

  /** Takes a request of the host. */
  request(request: ClientRequest): void {
    this.#inOrder.receive(request)
  }

  /** Takes any other message of the host. */
  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    this.#inOrder.receive(message)
  }

  /** What is nested too deeply to be passed on is not: whoever waits for an answer gets one. */
  #take(said: Said): void {
    if (said instanceof ClientRequest) {
      if (isReadable(said.params)) this.#request(said)
      else said.answer({ error: unreadableParams(said.method) })
    } else if (!("method" in said)) {
      const error = { code: JsonRpc.internalError, message: "the client's answer is nested too deeply to be passed on" }
      this.#relay.answered(isReadable(said) ? said : { jsonrpc: "2.0", id: said.id, error })
    } else if (isReadable(said)) this.#notification(said)
  }

  /** What the host is told, or would be told, of the server. Starts nothing. */
  async introduce(params: unknown): Promise<Introduction> {
    if (this.#told !== undefined) return announced(this.#told)
    const client = clientOf(params)
    if (client === undefined) return announced(unknownServer(this.#options.name, ""))
    const known = this.#known ?? (await Runtime.runPromise(this.#options.runtime)(this.#options.know(client)))
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

  #request(request: ClientRequest): void {
    const { method, params } = request
    if (method === "ping") return request.answer({ result: {} })
    if (method === "initialize") return this.#initialize(request)
    if (!this.#hasBegun) return request.refuse(JsonRpc.invalidRequest, "the first request must be initialize")
    if (isList(method)) {
      const known = this.#known?.list(method)
      this.#given.add(method)
      if (known !== undefined && params?.["cursor"] === undefined && !this.#isConnected()) {
        return request.answer({ result: known })
      }
    }
    const failFast = this.#options.isLoginNeeded()
    if (!failFast) this.#connectOnRequest()
    this.#relay.forward(this.#target, request, {
      params: params === undefined || this.#options.isStateless ? params : Meta.passedOn(params),
      isBounded: this.#options.isBounded,
      failFast,
      answered: (answer) => request.answer(this.#answerOf(request, answer))
    })
  }

  /** Only a command connects a server whose `reconnect.auto` is false, and there is nobody else to give one. */
  #connectOnRequest(): void {
    const backend = this.#supervised
    const now = performance.now()
    if (!this.#options.isConnectedOnRequest || backend === undefined || now < this.#connectableFrom) return
    if (!isAtRest.has(Effect.runSync(backend.status).state)) return
    this.#connectableFrom = now + leastPause
    void this.#run(Effect.tapError(backend.enable, (error) =>
      Effect.sync(() => {
        const retryAfter = error._tag === "ConnectError" ? error.retryAfter ?? 0 : 0
        this.#connectableFrom = performance.now() + Math.max(leastPause, retryAfter)
      })))
  }

  #notification(notification: JSONRPCNotification): void {
    const { method, params } = notification
    switch (method) {
      case "notifications/initialized":
        return this.#held.release()
      default:
        // What changes while the server is down, it asks for when it is back.
        if (!this.#isConnected()) return
        void this.#run(this.#target.use((backend) => backend.notify(method, params)))
        this.#inOrder.hold()
    }
  }

  #initialize(request: ClientRequest): void {
    if (this.#hasBegun && !this.#isRefused) {
      return request.refuse(JsonRpc.invalidRequest, "initialize was sent before")
    }
    const client = clientOf(request.params)
    if (client === undefined) return request.refuse(JsonRpc.invalidParams, "not an initialize request")
    this.#introducing = request
    if (this.#isRefused) return this.#initializeAgain(request, client)
    this.#hasBegun = true
    void this.#run(
      Effect.gen(this, function*() {
        const known = yield* this.#options.know(client)
        this.#known = known
        this.#incoming.protocolVersion = known.introduction?.protocolVersion ?? client.protocolVersion
        this.#incoming.receiver = {
          notified: (notification) => this.#relay.pass(notification),
          asked: (request, signal) =>
            isReadable(request.params)
              ? this.#relay.ask(request, signal)
              : Promise.reject(new Error(`${request.method} is nested too deeply to be passed on to the client`)),
          drained: this.#options.drained,
          missed: () => void this.#run(this.#compareLists()),
          introduced: (introduction) => this.#introducedBy(introduction)
        }
        const backend = yield* this.#options.open(client, this.#incoming)
        this.#supervised = backend
        yield* Deferred.succeed(this.#backend, backend)
        if (known.introduction === undefined) void this.#run(connectLazy(backend))
        const said = known.introduction ?? (yield* this.#firstIntroduction(backend, client))
        // The server may have come just when its time was over.
        this.#tell(request, known.introduction ?? said)
      })
    )
  }

  /** The server could not be used before; it may have been mended. */
  #initializeAgain(request: ClientRequest, client: Client): void {
    this.#isRefused = false
    this.#connectOnRequest()
    void this.#run(
      Effect.map(
        this.#target.use((backend) => Effect.raceFirst(this.#firstIntroduction(backend, client), demand(backend))),
        (said) => this.#tell(request, said)
      )
    )
  }

  /** What the server says of itself; or, where it does not in time, a guess; or nothing where it never will. */
  #firstIntroduction(backend: Backend.Backend, client: Client): Effect.Effect<Introduction | string> {
    return Effect.raceFirst(
      Deferred.await(this.#introduced),
      Effect.raceFirst(
        Effect.raceFirst(
          this.#options.hopeless(backend),
          Effect.map(
            this.#options.loginNeeded,
            (why) => unknownServer(this.#options.name, client.protocolVersion, why)
          )
        ),
        Effect.delay(Effect.sync(() => unknownServer(this.#options.name, client.protocolVersion)), longestWait)
      )
    )
  }

  #tell(request: ClientRequest, said: Introduction | string): void {
    this.#introducing = undefined
    if (typeof said === "string") {
      this.#isRefused = true
      request.refuse(JsonRpcError.ourCode, said)
      return this.#options.onFailed(said)
    }
    const { capabilities, instructions, protocolVersion, serverInfo } = announced(said)
    this.#isGuessed ||= this.#known?.introduction === undefined
    this.#told = said
    this.#incoming.protocolVersion = protocolVersion
    request.answer({
      result: { protocolVersion, capabilities, serverInfo, ...(instructions === undefined ? {} : { instructions }) }
    })
  }

  // --- from the server

  /** There is a connection. The host cannot be told of other capabilities or another version any more, only of other lists. */
  #introducedBy(introduction: Introduction): undefined {
    this.#known?.introduced(introduction)
    const isFirst = Effect.runSync(Deferred.succeed(this.#introduced, introduction))
    if (this.#told === undefined) return
    if (this.#isGuessed && isFirst) {
      for (const method of ["tools/list", "prompts/list", "resources/list"] as const) {
        if ((introduction.capabilities as ServerCapabilities)[lists[method] as "tools"] !== undefined) {
          this.#relay.pass({ method: ListChanges.notificationOf(method) })
        }
      }
    } else void this.#run(this.#compareLists())
  }

  /** Reads the lists that the host was given once more, and tells it of those that differ. */
  #compareLists(): Effect.Effect<void, unknown> {
    return Effect.forEach([...this.#given], (method) =>
      // A list that cannot be read does not keep the others from being compared.
      Effect.ignore(Effect.gen(this, function*() {
        const pages: Array<Result> = []
        let cursor: unknown
        do {
          const page = (yield* this.#target.use((backend) =>
            backend.request(method, cursor === undefined ? {} : { cursor: cursor as string }, {
              resultSchema: asItComes as never
            })
          )) as unknown as Result
          pages.push(page)
          cursor = page["nextCursor"]
        } while (cursor !== undefined && pages.length < maxPages)
        if (this.#known?.know(method, pages) === true) {
          this.#relay.pass({ method: ListChanges.notificationOf(method) })
        }
      })), { discard: true })
  }

  // --- to the host

  /** Nobody waits for what is left out: of a question the server is told when it is asked. */
  #toHost(message: JSONRPCMessage): void {
    if ("method" in message && isReadable(message)) this.#options.write(message)
  }

  /** The answer to a request, as it came; or, where it is a failure on the way, what is known or advised. */
  #answerOf({ method, params }: ClientRequest, answer: Answer): Answer {
    if ("resultText" in answer) return answer
    if ("result" in answer) {
      if (!isReadable(answer.result)) return { error: unreadableResult(method) }
      if (isList(method)) this.#known?.read(method, params?.["cursor"], answer.result)
      if (this.#options.isStateless) return answer
      const passed: Result = Meta.passedOn(answer.result)
      if (passed["resultType"] === undefined) return passed === answer.result ? answer : { result: passed }
      const { resultType: _, ...result } = passed
      return { result }
    }
    const { error } = answer
    if (isList(method)) {
      const isOurs = JsonRpcError.isOurs(error) && Predicate.hasProperty(error.data, "fate")
      const known = this.#known?.list(method)
      // What a guess has promised, and the server does not have or cannot say, is empty.
      const hasGuessed = this.#isGuessed && this.#told !== undefined
      const empty = hasGuessed && (isOurs || error.code === JsonRpc.methodNotFound) ? emptyList(method) : undefined
      const result = (isOurs ? known : undefined) ?? empty
      if (result !== undefined) return { result }
    }
    const door = this.#options.isBroken() ? "watch" : "wrap"
    return { error: Advice.advised(this.#options.name, error, this.#options.login(), door) }
  }

  #isConnected(): boolean {
    return this.#supervised !== undefined && Effect.runSync(this.#supervised.isConnected)
  }

  #run(effect: Effect.Effect<unknown, unknown>): Promise<void> {
    return Runtime.runPromise(this.#options.runtime)(
      Effect.asVoid(
        Effect.catchAllCause(effect, (cause) => Effect.logDebug(`${this.#options.name}: not done`, cause))
      )
    )
  }
}
