/**
 * One client of the gateway, and the servers behind it: what it asks goes to the server that has what it names, as it came, and
 * back.
 */
import type { Client, Conversation, Resumed } from "@mcp-lifeline/http-server/Conversation"
import * as Translation from "@mcp-lifeline/http-server/translation"
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import {
  type ClientRequest,
  Initialize,
  type Introduction,
  JsonRpc,
  JsonRpcError as Failure
} from "@mcp-lifeline/protocol"
import { isLevel } from "@mcp-lifeline/protocol/Level"
import { lists as fields } from "@mcp-lifeline/protocol/listMethods"
import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate } from "effect"
import { ClientRelay, type Passed, type Resolved } from "../../conversation/ClientRelay.js"
import { type Checked, invalidParams, methodNotFound } from "../../conversation/errors.js"
import {
  type Handler,
  type Handshake,
  introducedFirst,
  lists,
  ownMethods,
  ping,
  pipeline,
  readable,
  type Step
} from "../../conversation/Handler.js"
import { type Client as Introduced, clientOf, introducing } from "../../conversation/introductions.js"
import type { Fibers } from "../../Fibers.js"
import type { Changing, Kind } from "../EncodedLists.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { HolderFleet } from "../pool/HolderFleet.js"
import type { ServerPool } from "../pool/ServerPool.js"
import * as StatusTool from "../StatusTool.js"
import { ClientSubscriptions } from "./ClientSubscriptions.js"
import * as Destination from "./Destination.js"
import { NameResolver, type ResolvedName } from "./NameResolver.js"

/** Resources that one client may subscribe to. */
const maxSubscriptions = 10_000

/** What the conversations of all clients share. */
export interface GatewayContext {
  readonly fibers: Fibers
  readonly servers: ServerPool
  /** What a client is told of us, once the shared servers have been waited for at the start: it has their instructions. */
  readonly introduction: Effect.Effect<Introduction>
  /** Whether clients are offered the status of the servers. */
  readonly hasStatus: () => boolean
  /** How the servers are that a client can use. */
  readonly status: (fleets: ReadonlyArray<HolderFleet>) => Effect.Effect<StatusTool.Report>
  /** The answer to the method of a list, for a client that can use these servers. */
  readonly list: (kind: Kind, fleets: ReadonlyArray<HolderFleet>) => Effect.Effect<string>
  /** What a person has to do to sign in to a server, as it is now. */
  readonly login: (server: string) => string | undefined
  /** Measures the requests and the sessions of clients. */
  readonly operations: ServerOperations.ServerOperations
  /** What carries the messages of clients. */
  readonly transport: ServerOperations.Session["transport"]
}

/** Measures each request, from here to its end. */
const measured = ({ begin }: ServerOperations.ServerOperations): Step => (next) => (request) => {
  const operation = begin(request.method, request.params)
  request.traced = (params) => operation.passedOn(params)
  request.onOver((error) => operation.end(error))
  next(request)
}

/** Stands between one client and the servers. */
export class FleetConversation implements Conversation {
  readonly #context: GatewayContext
  readonly #client: Client
  readonly #relay: ClientRelay
  readonly #handle: Handler
  readonly #servers: ClientServers
  readonly #names: NameResolver
  readonly #subscriptions: ClientSubscriptions
  readonly #onClose: () => void
  /** What the client has said in `initialize`. */
  #introduced: Introduced | undefined
  /** Ends the measurement of the client's session, if it has one. */
  #sessionEnded: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(context: GatewayContext, client: Client, resumed: Resumed | undefined, onClose: () => void) {
    const relay: ClientRelay = new ClientRelay({
      name: "the gateway",
      client,
      fork: context.fibers.fork,
      handle: (request) => this.#handle(request),
      tell: (notification) => {
        this.#servers.own?.tell(notification)
        return this.#servers.own !== undefined
      },
      login: context.login,
      door: () => "serve"
    })
    this.#context = context
    this.#client = client
    this.#relay = relay
    this.#onClose = onClose
    this.#subscriptions = new ClientSubscriptions({
      notify: (server, notification) => relay.pass(notification, server),
      saveSettings: (settings) => client.saveSettings(settings),
      fleets: () => this.#servers.fleets
    }, resumed?.settings.subscriptions.slice(0, maxSubscriptions))
    this.#servers = context.servers.join({
      client: () => client.isStateless === true ? undefined : this.#introduced,
      hasRoom: (count) => client.startsServers?.(count) ?? true,
      opened: () => this.#subscriptions.join(),
      logged: (server, notification) => {
        if (this.#subscriptions.wants(notification.params?.["level"])) relay.pass(notification, server)
      },
      listsChanged: (kinds) => this.listsChanged(kinds),
      notified: (server, notification) => relay.pass(notification, server),
      asked: (server, request, signal) => relay.ask(server, request, signal)
    })
    this.#names = new NameResolver(this.#servers)
    const handshake: Handshake = {
      hasBegun: () => this.#introduced !== undefined,
      initialize: (request, client) => this.#initialize(request, client)
    }
    const catalogue = lists((request, method) => this.#list(request, fields[method]))
    const own = ownMethods({
      "logging/setLevel": (request) => this.#setLevel(request),
      "resources/subscribe": (request) => this.#subscribe(request),
      "resources/unsubscribe": (request) => this.#unsubscribe(request)
    })
    this.#handle = pipeline(
      [ping, measured(context.operations), readable, introducedFirst(handshake), catalogue, own],
      relay.toServer((request) => this.#resolve(request))
    )
    if (resumed !== undefined) this.#resume(resumed)
  }

  request(request: ClientRequest): void {
    if (this.#closing === undefined) this.#relay.receive(request)
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (this.#closing === undefined) this.#relay.receive(message)
  }

  introduce(): Promise<Introduction> {
    return this.#context.fibers.promise(this.#context.introduction)
  }

  close(why: string): Promise<void> {
    this.#closing ??= this.#close(why)
    return this.#closing
  }

  async #close(why: string): Promise<void> {
    this.#sessionEnded?.()
    this.#subscriptions.close()
    this.#onClose()
    const ended = this.#context.fibers.promise(this.#servers.close)
    await Promise.all([this.interrupt(why), ended])
    this.#relay.end()
  }

  /** Tells the client of lists that have changed. */
  listsChanged(kinds: ReadonlyArray<Changing>): void {
    for (const kind of kinds) this.#relay.pass({ method: `notifications/${kind}/list_changed` })
  }

  /** Answers all that is not answered yet: that `why`. Ends when that is done. */
  interrupt(why: string): Promise<void> {
    return this.#client.requests.interrupt(why)
  }

  /** Ends when no request of the client is without an answer. */
  get settled(): Promise<void> {
    return this.#client.requests.settled
  }

  // --- from the client

  #initialize(request: ClientRequest, said: Introduced): void {
    const { protocolVersion } = this.#introduce(said)
    this.#relay.after(
      request,
      this.#context.introduction,
      (introduction) => request.answer(introducing({ ...introduction, protocolVersion }))
    )
  }

  #introduce(client: Introduced): Introduced {
    const { operations, transport } = this.#context
    const asked = client.protocolVersion
    const protocol = Initialize.versions.includes(asked) ? asked : Initialize.latestVersion
    if (this.#client.isStateless !== true) this.#sessionEnded = operations.beginSession({ protocol, transport })
    return this.#introduced = { ...client, protocolVersion: protocol }
  }

  /** Goes on with what was asked for before, as far as it is still there. */
  #resume({ initialize, settings: { level, subscriptions } }: Resumed): void {
    const client = clientOf(initialize)
    if (client !== undefined) this.#introduce(client)
    this.#relay.initialized()
    if (isLevel(level)) void this.#subscriptions.want(level)
    for (const uri of subscriptions.slice(0, maxSubscriptions)) {
      this.#servers.run(
        Effect.ignore(
          Effect.flatMap(
            this.#names.resolve("resources", uri),
            (resolved) => this.#subscriptions.subscribe(uri, resolved, true)
          )
        )
      )
    }
  }

  #list(request: ClientRequest, kind: Kind): boolean {
    const list = Effect.suspend(() => this.#context.list(kind, this.#servers.fleets))
    const ready = this.#servers.need()
    this.#relay.after(
      request,
      ready === undefined ? list : Effect.zipRight(ready, list),
      (resultText) => request.answer({ resultText })
    )
    return true
  }

  #setLevel(request: ClientRequest): void {
    const level = request.params?.["level"]
    if (!isLevel(level)) return this.#misfit(request, "logging/setLevel")
    this.#answerOnce(request, this.#subscriptions.want(level))
  }

  #subscribe(request: ClientRequest): void {
    const uri = request.params?.["uri"]
    if (!Predicate.isString(uri)) return this.#misfit(request, "resources/subscribe")
    if (this.#subscriptions.size >= maxSubscriptions) {
      return request.refuse(Failure.ourCode, `${maxSubscriptions} resources are subscribed to, the maximum`)
    }
    const subscribed = Effect.flatMap(this.#names.resolve("resources", uri), (resolved) => {
      const server = resolved.route.backend.id
      const said = resolved.fleet.introduction(server)
      return said !== undefined && said.capabilities.resources?.subscribe !== true
        ? Effect.succeed(server)
        : Effect.as(this.#subscriptions.subscribe(uri, resolved), undefined)
    })
    this.#relay.after(request, subscribed, (without) =>
      without === undefined
        ? request.answer({ result: {} })
        : request.refuse(JsonRpc.methodNotFound, `${without} does not tell of changes of its resources`), "unknown")
  }

  #unsubscribe(request: ClientRequest): void {
    const uri = request.params?.["uri"]
    if (!Predicate.isString(uri)) return this.#misfit(request, "resources/unsubscribe")
    this.#answerOnce(request, this.#subscriptions.unsubscribe(uri))
  }

  /** The server that has what a request names. What none can be asked is answered here. */
  #resolve(request: ClientRequest): Resolved {
    const { method, params } = request
    if (!Destination.isRouted(method)) return void request.answer({ error: methodNotFound(method) })
    const destination = Destination.of(method, params)
    if (destination === undefined) return void this.#misfit(request, method)
    const { kind, name } = destination
    const { hasStatus, login, servers, status } = this.#context
    const said = hasStatus() ? StatusTool.asked(method, name) : undefined
    if (said !== undefined) {
      const report = status(this.#servers.fleets)
      return void this.#relay.after(request, report, (report) => request.answer({ result: said(report) }))
    }
    const passed = ({ fleet, route: { backend, original } }: ResolvedName): Passed => ({
      backend,
      params: Translation.withCapabilities(destination.under(original), this.#abilities(fleet, backend.id)),
      isBounded: servers.hasTimeout(backend.id),
      failFast: login(backend.id) !== undefined,
      arrived: (result) => Destination.arrived(method, destination, original, result)
    })
    const resolved = this.#names.find(kind, name)
    return resolved === undefined ? Effect.map(this.#names.resolve(kind, name), passed) : passed(resolved)
  }

  /** What a server is told in a request that the client can do, if it was not told that in a session. */
  #abilities(fleet: HolderFleet, server: string): unknown {
    return fleet.knowsItsClient(server) ? undefined : this.#introduced?.capabilities
  }

  #misfit(request: ClientRequest, method: Checked): void {
    const explained = Effect.promise(() => invalidParams(method, request.params))
    this.#relay.after(request, explained, (error) => request.answer({ error }))
  }

  /** Answers a change of the settings once it is saved: whoever has the answer loses nothing when the gateway is killed. */
  #answerOnce(request: ClientRequest, saved: Promise<void>): void {
    this.#relay.after(request, Effect.promise(() => saved), () => request.answer({ result: {} }), "unknown")
  }
}
