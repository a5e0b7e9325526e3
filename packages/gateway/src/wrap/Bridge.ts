/**
 * One host and one server: what the host says goes to the server as it came, and back. The host is answered without the server
 * what it must not wait for: who the server is, and its lists, as far as they are known from before.
 */
import type { Backend } from "@mcp-lifeline/core"
import type { Introduction, Target } from "@mcp-lifeline/protocol"
import { Incoming, JsonRpc, JsonRpcError, Relay } from "@mcp-lifeline/protocol"
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
  ServerCapabilities
} from "@modelcontextprotocol/sdk/types.js"
import { Deferred, Effect, Predicate, Runtime } from "effect"
import { passedOn } from "../hop.js"
import * as Advice from "./Advice.js"
import { announced, type Client, clientOf, unknownServer } from "./introductions.js"
import type { KnownServer, Result } from "./KnownServer.js"
import { emptyList, isList, type ListMethod, lists } from "./KnownServer.js"

/** What a bridge is made of. */
export interface Options {
  readonly name: string
  readonly runtime: Runtime.Runtime<never>
  /** Gives the host a message. */
  readonly write: (message: JSONRPCMessage) => void
  readonly know: (client: Client) => Effect.Effect<KnownServer>
  /** Begins to supervise the server in the name of a client. Called once. */
  readonly open: (client: Client, incoming: Incoming) => Effect.Effect<Backend.Backend>
  /** Ends with why the server cannot be connected unless a person does something. */
  readonly hopeless: (backend: Backend.Backend) => Effect.Effect<string>
  /** Ends with what a person has to do before the server can be used, once that is so: the host is not kept waiting for it. */
  readonly loginNeeded: Effect.Effect<string>
  /** What that is now: nothing waits for a connection then. */
  readonly login: () => string | undefined
  /** Called when there is nothing that the host could be answered with. */
  readonly onFailed: (message: string) => void
}

/** Answers `initialize` no later than this, in milliseconds, whatever the server does: hosts give up after 10 s and more. */
const longestWait = 8000

/** Notifications that are kept for a host that has not said yet that it is initialized. */
const backlog = 1000

/** Least time between attempts that only the host's requests ask for, in milliseconds. */
const leastPause = 1000

/** More pages of a list than this are not read to compare it. */
const maxPages = 100

const asItComes = { safeParse: (data: unknown) => ({ success: true, data }) }

const notificationOf: Readonly<Record<ListMethod, string>> = {
  "tools/list": "notifications/tools/list_changed",
  "prompts/list": "notifications/prompts/list_changed",
  "resources/list": "notifications/resources/list_changed",
  "resources/templates/list": "notifications/resources/list_changed"
}

/** A request of the host that is not answered. */
interface Pending {
  readonly method: string
  readonly cursor: unknown
}

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
  readonly #pending = new Map<RequestId, Pending>()
  /** The lists that the host was given. */
  readonly #given = new Set<ListMethod>()
  #hasBegun = false
  #revivedAt = Number.NEGATIVE_INFINITY
  #held: Array<() => void> | undefined = []
  /** What the host has said after a notification that is just being sent: it is not to overtake that. */
  #behind: Array<JSONRPCMessage> | undefined
  /** The `initialize` that is not answered yet. */
  #introducing: RequestId | undefined
  #begun: Promise<void> = Promise.resolve()

  constructor(options: Options) {
    this.#options = options
    this.#incoming.isRaw = true
    this.#relay = new Relay(
      options.name,
      { onmessage: (message: JSONRPCMessage) => this.#toHost(message) },
      (deliver) => this.#whenInitialized(deliver),
      (settle) => settle()
    )
    this.#target = {
      runtime: options.runtime,
      backend: () => this.#supervised,
      use: (f) => this.#supervised === undefined ? Effect.flatMap(this.#backend, f) : f(this.#supervised)
    }
  }

  /** Takes a message of the host. */
  receive(message: JSONRPCMessage): void {
    if (this.#behind === undefined) this.#take(message)
    else this.#behind.push(message)
  }

  #take(message: JSONRPCMessage): void {
    if (!("method" in message)) this.#relay.answered(message)
    else if ("id" in message) this.#request(message)
    else this.#notification(message)
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

  /** Resolved when the host has been answered everything that it has asked. */
  get settled(): Promise<void> {
    return (async () => {
      while (this.#behind !== undefined) await new Promise((resolve) => setImmediate(resolve))
      await Promise.all([this.#begun, this.#relay.settled])
    })()
  }

  /** Says nothing more to the host. */
  end(): void {
    if (this.#introducing !== undefined) {
      this.#refuse(this.#introducing, JsonRpcError.ourCode, `${this.#options.name} did not answer in time`)
    }
    this.#relay.end()
  }

  // --- from the host

  #request(request: JSONRPCRequest): void {
    const { id, method, params } = request
    if (method === "ping") return this.#reply(id, {})
    if (method === "initialize") return this.#initialize(id, params)
    if (!this.#hasBegun) return this.#refuse(id, JsonRpc.invalidRequest, "the first request must be initialize")
    if (isList(method)) {
      const known = this.#known?.list(method)
      this.#given.add(method)
      if (known !== undefined && params?.["cursor"] === undefined && !this.#isConnected()) return this.#reply(id, known)
    }
    const failFast = this.#options.login() !== undefined
    if (!failFast) this.#revive()
    this.#pending.set(id, { method, cursor: params?.["cursor"] })
    const passed = params === undefined ? request : { ...request, params: passedOn(params) }
    this.#relay.forward(this.#target, passed, false, failFast)
  }

  /** What a person has to mend may have been mended: a program that was missing, for example. */
  #revive(): void {
    const backend = this.#supervised
    const now = performance.now()
    if (backend === undefined || now < this.#revivedAt + leastPause || this.#isConnected()) return
    if (Effect.runSync(backend.status).state !== "PermanentlyFailed") return
    this.#revivedAt = now
    void this.#run(backend.reconnect)
  }

  #notification(notification: JSONRPCNotification): void {
    const { method, params } = notification
    switch (method) {
      case "notifications/initialized": {
        const held = this.#held
        this.#held = undefined
        for (const deliver of held ?? []) deliver()
        return
      }
      case "notifications/cancelled": {
        this.#pending.delete(params?.["requestId"] as RequestId)
        return this.#relay.cancel(notification)
      }
      default:
        // What changes while the server is down, it asks for when it is back.
        if (!this.#isConnected()) return
        void this.#run(this.#target.use((backend) => backend.notify(method, params)))
        this.#holdBack()
    }
  }

  /** A notification is sent some steps later, and a request at once. */
  #holdBack(): void {
    this.#behind = []
    setImmediate(() => {
      const behind = this.#behind ?? []
      this.#behind = undefined
      for (const message of behind) this.receive(message)
    })
  }

  #initialize(id: RequestId, params: unknown): void {
    if (this.#hasBegun) return this.#refuse(id, JsonRpc.invalidRequest, "initialize was sent before")
    const client = clientOf(params)
    if (client === undefined) return this.#refuse(id, JsonRpc.invalidParams, "not an initialize request")
    this.#hasBegun = true
    this.#introducing = id
    this.#begun = this.#run(
      Effect.gen(this, function*() {
        const known = yield* this.#options.know(client)
        this.#known = known
        this.#incoming.protocolVersion = known.introduction?.protocolVersion ?? client.protocolVersion
        this.#incoming.receiver = {
          notified: (notification) => this.#relay.pass(notification),
          asked: (request, signal) => this.#relay.ask(request, signal),
          introduced: (introduction) => this.#introducedBy(introduction)
        }
        const backend = yield* this.#options.open(client, this.#incoming)
        this.#supervised = backend
        yield* Deferred.succeed(this.#backend, backend)
        this.#tell(id, known.introduction ?? (yield* this.#firstIntroduction(backend, client)))
      })
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

  #tell(id: RequestId, said: Introduction | string): void {
    this.#introducing = undefined
    if (typeof said === "string") {
      this.#refuse(id, JsonRpcError.ourCode, said)
      return this.#options.onFailed(said)
    }
    const { capabilities, instructions, protocolVersion, serverInfo } = announced(said)
    this.#isGuessed ||= this.#known?.introduction === undefined
    this.#told = said
    this.#incoming.protocolVersion = protocolVersion
    this.#reply(id, {
      protocolVersion,
      capabilities,
      serverInfo,
      ...(instructions === undefined ? {} : { instructions })
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
          this.#relay.pass({ method: notificationOf[method] })
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
        if (this.#known?.know(method, pages) === true) this.#relay.pass({ method: notificationOf[method] })
      })), { discard: true })
  }

  #whenInitialized(deliver: () => void): void {
    if (this.#held === undefined) return deliver()
    this.#held.push(deliver)
    if (this.#held.length > backlog) this.#held.shift()
  }

  // --- to the host

  #toHost(message: JSONRPCMessage): void {
    if ("method" in message || message.id === undefined) return this.#options.write(message)
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    this.#options.write(this.#answer(message, pending))
  }

  /** The answer to a request, as it came; or, where it is a failure on the way, what is known or advised. */
  #answer(response: JSONRPCResponse, pending: Pending | undefined): JSONRPCMessage {
    const { id } = response
    if ("result" in response) {
      if (pending !== undefined && isList(pending.method)) {
        this.#known?.read(pending.method, pending.cursor, response.result)
      }
      const { resultType: _, ...result } = passedOn(response.result)
      return { ...response, result }
    }
    const { error } = response
    if (pending !== undefined && isList(pending.method)) {
      const isOurs = error.code === JsonRpcError.ourCode && Predicate.hasProperty(error.data, "fate")
      const known = this.#known?.list(pending.method)
      // What a guess has promised, and the server does not have or cannot say, is empty.
      const hasGuessed = this.#isGuessed && this.#told !== undefined
      const empty = hasGuessed && (isOurs || error.code === JsonRpc.methodNotFound)
        ? emptyList(pending.method)
        : undefined
      const result = (isOurs ? known : undefined) ?? empty
      if (result !== undefined) return { jsonrpc: "2.0", id: id as RequestId, result }
    }
    return {
      jsonrpc: "2.0",
      id,
      error: Advice.advised(this.#options.name, error, this.#options.login())
    } as JSONRPCMessage
  }

  #reply(id: RequestId, result: Result): void {
    this.#options.write({ jsonrpc: "2.0", id, result })
  }

  #refuse(id: RequestId, code: number, message: string): void {
    this.#options.write({ jsonrpc: "2.0", id, error: { code, message } })
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
