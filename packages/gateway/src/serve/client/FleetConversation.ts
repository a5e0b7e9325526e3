/**
 * One client of the gateway, and the servers behind it: what it asks goes to the server that has what it names, as it came, and
 * back.
 */
import type { Client, Conversation, Resumed } from "@mcp-lifeline/http-server/Conversation"
import * as Translation from "@mcp-lifeline/http-server/translation"
import { ClientRequest, type Introduction, JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import { isLevel } from "@mcp-lifeline/protocol/Level"
import { isList, lists } from "@mcp-lifeline/protocol/listMethods"
import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate, Runtime } from "effect"
import { InOrder, type Said } from "../../InOrder.js"
import { type Client as Introduced, clientOf } from "../../wrap/introductions.js"
import type { Changing, Kind } from "../EncodedLists.js"
import * as JsonRpcError from "../JsonRpcError.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { HolderFleet } from "../pool/HolderFleet.js"
import { isReadable, unreadableParams } from "../readable.js"
import * as StatusTool from "../StatusTool.js"
import { ClientRelay } from "./ClientRelay.js"
import { ClientSubscriptions } from "./ClientSubscriptions.js"
import * as Destination from "./Destination.js"
import type { GatewayContext } from "./GatewayContext.js"
import { explain } from "./misfit.js"
import { NameResolver, type ResolvedName } from "./NameResolver.js"

/** Resources that one client may subscribe to. */
const maxSubscriptions = 10_000

/** Stands between one client and the servers. */
export class FleetConversation implements Conversation {
  readonly #context: GatewayContext
  readonly #client: Client
  readonly #relay: ClientRelay
  readonly #servers: ClientServers
  readonly #names: NameResolver
  readonly #subscriptions: ClientSubscriptions
  readonly #onClose: () => void
  /** What the client has said in `initialize`. */
  #introduced: Introduced | undefined
  /** Ends the measurement of the client's session, if it has one. */
  #sessionEnded: (() => void) | undefined
  readonly #inOrder = new InOrder((message) => this.#take(message))
  #closing: Promise<void> | undefined

  constructor(context: GatewayContext, client: Client, resumed: Resumed | undefined, onClose: () => void) {
    const relay = new ClientRelay(context, client)
    this.#context = context
    this.#client = client
    this.#relay = relay
    this.#onClose = onClose
    this.#subscriptions = new ClientSubscriptions({
      notify: (server, notification) => relay.pass(notification, server),
      remember: (wishes) => client.remember(wishes),
      fleets: () => this.#servers.fleets
    }, resumed?.wishes.subscriptions.slice(0, maxSubscriptions))
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
    if (resumed !== undefined) this.#resume(resumed)
  }

  request(request: ClientRequest): void {
    this.#inOrder.receive(request)
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    this.#inOrder.receive(message)
  }

  #take(said: Said): void {
    if (this.#closing !== undefined) return
    if (said instanceof ClientRequest) this.#request(said)
    else if ("method" in said) this.#notification(said)
    else this.#relay.answered(said)
  }

  introduce(): Promise<Introduction> {
    const { introduction, isReady, introductionWait, ready, runtime } = this.#context
    if (isReady()) return Promise.resolve(introduction())
    return Runtime.runPromise(runtime)(Effect.timeoutOption(ready, introductionWait)).then(introduction)
  }

  close(why: string): Promise<void> {
    this.#closing ??= this.#close(why)
    return this.#closing
  }

  async #close(why: string): Promise<void> {
    this.#sessionEnded?.()
    this.#subscriptions.close()
    this.#onClose()
    const ended = Runtime.runPromise(this.#context.runtime)(this.#servers.close)
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

  #request(request: ClientRequest): void {
    const { method, params } = request
    if (method === "ping") return request.answer({ result: {} })
    const operation = this.#context.operations.begin(method, params)
    request.traced = (params) => operation.passedOn(params)
    request.onOver((error) => operation.end(error))
    this.#relay.guard(request, () => this.#handle(request))
  }

  #handle(request: ClientRequest): void {
    const { method, params } = request
    if (method === "initialize") return this.#initialize(request)
    if (this.#introduced === undefined) {
      return request.refuse(JsonRpc.invalidRequest, "the first request must be initialize")
    }
    if (isList(method)) return this.#list(request, lists[method])
    if (Destination.isRouted(method)) return this.#call(request, method)
    switch (method) {
      case "logging/setLevel": {
        const level = params?.["level"]
        if (!isLevel(level)) return this.#misfit(request, method)
        return this.#answerOnce(request, this.#subscriptions.want(level))
      }
      case "resources/subscribe":
      case "resources/unsubscribe": {
        const uri = params?.["uri"]
        if (!Predicate.isString(uri)) return this.#misfit(request, method)
        if (method === "resources/subscribe") return this.#subscribe(request, uri)
        return this.#answerOnce(request, this.#subscriptions.unsubscribe(uri))
      }
      default:
        return request.answer({ error: JsonRpcError.methodNotFound(method) })
    }
  }

  #notification(notification: JSONRPCNotification): void {
    const { method } = notification
    if (method === "notifications/initialized") return this.#relay.initialized()
    const { own } = this.#servers
    if (own === undefined) return
    own.tell(notification)
    this.#inOrder.hold()
  }

  #initialize(request: ClientRequest): void {
    if (this.#introduced !== undefined) return request.refuse(JsonRpc.invalidRequest, "initialize was sent before")
    const client = this.#introduce(request.params)
    if (client === undefined) return request.refuse(JsonRpc.invalidParams, "not an initialize request")
    const { introduction, isReady, introductionWait, ready } = this.#context
    const answer = (): void => {
      const { capabilities, instructions, serverInfo } = introduction()
      const said = { protocolVersion: client.protocolVersion, capabilities, serverInfo }
      request.answer({ result: instructions === undefined ? said : { ...said, instructions } })
    }
    if (isReady()) answer()
    else this.#relay.after(request, Effect.timeoutOption(ready, introductionWait), answer)
  }

  #introduce(params: unknown): Introduced | undefined {
    const client = clientOf(params)
    if (client === undefined) return undefined
    const { agreedVersion, operations, transport } = this.#context
    const protocol = agreedVersion(client.protocolVersion)
    if (this.#client.isStateless !== true) this.#sessionEnded = operations.beginSession({ protocol, transport })
    this.#introduced = { ...client, protocolVersion: protocol }
    return this.#introduced
  }

  /** Goes on with what was asked for before, as far as it is still there. */
  #resume({ initialize, wishes: { level, subscriptions } }: Resumed): void {
    this.#introduce(initialize)
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

  #list(request: ClientRequest, kind: Kind): void {
    const list = Effect.suspend(() => this.#context.list(kind, this.#servers.fleets))
    const ready = this.#servers.need()
    this.#relay.after(
      request,
      ready === undefined ? list : Effect.zipRight(ready, list),
      (resultText) => request.answer({ resultText })
    )
  }

  #subscribe(request: ClientRequest, uri: string): void {
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

  #call(request: ClientRequest, method: Destination.Method): void {
    const { params } = request
    if (!isReadable(params)) return request.answer({ error: unreadableParams(method) })
    const destination = Destination.of(method, params)
    if (destination === undefined) return this.#misfit(request, method)
    const { kind, name } = destination
    const send = ({ fleet, route: { backend, original } }: ResolvedName): void =>
      this.#relay.send(request, backend, {
        params: Translation.enabled(destination.under(original), this.#abilities(fleet, backend.id)),
        arrived: (result) => Destination.arrived(method, destination, original, result)
      })
    const { hasStatus, status } = this.#context
    const said = hasStatus() ? StatusTool.asked(method, name) : undefined
    if (said !== undefined) {
      const report = status(this.#servers.fleets)
      return this.#relay.after(request, report, (report) => request.answer({ result: said(report) }))
    }
    const resolved = this.#names.find(kind, name)
    if (resolved === undefined) this.#relay.after(request, this.#names.resolve(kind, name), send)
    else send(resolved)
  }

  /** What a server is told in a request that the client can do, if it was not told that in a session. */
  #abilities(fleet: HolderFleet, server: string): unknown {
    return fleet.knowsItsClient(server) ? undefined : this.#introduced?.capabilities
  }

  #misfit(request: ClientRequest, method: Parameters<typeof explain>[0]): void {
    const explained = Effect.promise(() => explain(method, request.params))
    this.#relay.after(request, explained, (error) => request.answer({ error }))
  }

  /** Answers what the client wished once it is remembered: whoever has the answer loses nothing when the gateway is killed. */
  #answerOnce(request: ClientRequest, remembered: Promise<void>): void {
    this.#relay.after(request, Effect.promise(() => remembered), () => request.answer({ result: {} }), "unknown")
  }
}
