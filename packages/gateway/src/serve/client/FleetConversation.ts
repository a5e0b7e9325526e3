/**
 * One client of the gateway, and the servers behind it: what it asks goes to the server that has what it names, as it came, and
 * back.
 */
import type { ServerNotification } from "@mcp-lifeline/core"
import { Initialize, type Introduction, JsonRpc, JsonRpcError as Failure } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate, Runtime } from "effect"
import * as Translation from "../../eras/translation.js"
import type { Client, Conversation, Resumed } from "../../http/Conversation.js"
import { InOrder } from "../../InOrder.js"
import { isLevel } from "../../Level.js"
import { isList, lists } from "../../listMethods.js"
import { type Client as Introduced, clientOf } from "../../wrap/introductions.js"
import type { Group } from "../Group.js"
import * as JsonRpcError from "../JsonRpcError.js"
import type { Changing, Kind } from "../Lists.js"
import * as Logged from "../Logged.js"
import { isReadable, unreadableParams } from "../readable.js"
import * as StatusTool from "../StatusTool.js"
import { ClientRelay } from "./ClientRelay.js"
import * as Destination from "./Destination.js"
import { explain } from "./misfit.js"
import { type Owner, OwnServers } from "./OwnServers.js"
import { type Place, Places } from "./Places.js"
import { Standing } from "./Standing.js"
import type { Surroundings } from "./Surroundings.js"

/** Requests of one client at once. */
const maxOpen = 1000

/** Resources that one client may subscribe to. */
const maxSubscriptions = 10_000

/** Stands between one client and the servers. */
export class FleetConversation implements Conversation {
  readonly #surroundings: Surroundings
  readonly #client: Client
  readonly #relay: ClientRelay
  readonly #own: OwnServers
  readonly #places: Places
  readonly #standing: Standing
  readonly #onClose: () => void
  /** What the client has said in `initialize`. */
  #introduced: Introduced | undefined
  /** Ends the measurement of the client's session, if it has one. */
  #sessionEnded: (() => void) | undefined
  readonly #inOrder = new InOrder((message) => this.#take(message))
  #closing: Promise<void> | undefined

  constructor(surroundings: Surroundings, client: Client, resumed: Resumed | undefined, onClose: () => void) {
    const relay = new ClientRelay(surroundings, client)
    this.#surroundings = surroundings
    this.#client = client
    this.#relay = relay
    this.#onClose = onClose
    this.#standing = new Standing(
      {
        notify: (server, notification) => relay.pass(notification, server),
        remember: (wishes) => client.remember(wishes)
      },
      surroundings.shared,
      resumed?.wishes.subscriptions.slice(0, maxSubscriptions)
    )
    this.#own = new OwnServers(surroundings, () => this.#owner())
    this.#places = new Places(surroundings.shared, this.#own)
    if (resumed !== undefined) this.#resume(resumed)
  }

  receive(message: JSONRPCMessage): void {
    this.#inOrder.receive(message)
  }

  #take(message: JSONRPCMessage): void {
    if (this.#closing !== undefined) return
    if (!("method" in message)) this.#relay.answered(message)
    else if ("id" in message) this.#request(message)
    else this.#notification(message)
  }

  introduce(): Promise<Introduction> {
    const { introduction, isReady, patience, ready, runtime } = this.#surroundings
    if (isReady()) return Promise.resolve(introduction())
    return Runtime.runPromise(runtime)(Effect.timeoutOption(ready, patience)).then(introduction)
  }

  close(why: string): Promise<void> {
    this.#closing ??= this.#close(why)
    return this.#closing
  }

  async #close(why: string): Promise<void> {
    this.#sessionEnded?.()
    this.#standing.close()
    this.#onClose()
    await Promise.all([this.#relay.interrupt(why), this.#own.close()])
    this.#relay.end()
  }

  /** Tells the client of lists that have changed. */
  listsChanged(kinds: ReadonlyArray<Changing>): void {
    for (const kind of kinds) this.#relay.pass({ method: `notifications/${kind}/list_changed` })
  }

  /** The configuration says otherwise which servers each client has to itself. */
  ownChanged(): void {
    this.#own.changed()
  }

  /** The client's runtime of a server that it has to itself. */
  ownRuntime(server: string): ReturnType<OwnServers["runtime"]> {
    return this.#own.runtime(server)
  }

  /** A person has signed in to a server. */
  signedIn(server: string): void {
    this.#own.signedIn(server)
  }

  /** A server has logged something; see `Logged`. */
  logged(server: string, notification: ServerNotification): void {
    if (this.#standing.wants(notification.params?.["level"])) this.#relay.pass(notification, server)
  }

  /** Answers all that is not answered yet: that `why`. Ends when that is done. */
  interrupt(why: string): Promise<void> {
    return this.#relay.interrupt(why)
  }

  // --- from the client

  #request({ id, method, params }: JSONRPCRequest): void {
    const { open } = this.#relay
    if (method === "ping") return this.#relay.write({ jsonrpc: "2.0", id, result: {} })
    if (open.get(id) !== undefined) {
      const message = `a request with the id ${JSON.stringify(id)} is not answered yet`
      return this.#relay.write({ jsonrpc: "2.0", id, error: { code: JsonRpc.invalidRequest, message } })
    }
    if (open.size >= maxOpen) {
      const message = `${maxOpen} requests of this client are not answered yet; wait for some of them`
      return this.#relay.write({ jsonrpc: "2.0", id, error: { code: Failure.ourCode, message } })
    }
    open.add(id, method, params)
    this.#relay.guard(id, () => this.#handle(id, method, params))
  }

  #handle(id: RequestId, method: string, params: JSONRPCRequest["params"]): void {
    if (method === "initialize") return this.#initialize(id, params)
    if (this.#introduced === undefined) {
      return this.#refuse(id, JsonRpc.invalidRequest, "the first request must be initialize")
    }
    if (isList(method)) return this.#list(id, lists[method])
    if (Destination.isRouted(method)) return this.#call(id, method, params)
    switch (method) {
      case "logging/setLevel": {
        const level = params?.["level"]
        if (!isLevel(level)) return this.#misfit(id, method, params)
        return this.#answerOnce(id, this.#standing.want(level))
      }
      case "resources/subscribe":
      case "resources/unsubscribe": {
        const uri = params?.["uri"]
        if (!Predicate.isString(uri)) return this.#misfit(id, method, params)
        if (method === "resources/subscribe") return this.#subscribe(id, uri)
        return this.#answerOnce(id, this.#standing.unsubscribe(uri))
      }
      default:
        return this.#relay.fail(id, JsonRpcError.methodNotFound(method))
    }
  }

  #notification(notification: JSONRPCNotification): void {
    const { method } = notification
    if (method === "notifications/initialized") return this.#relay.initialized()
    if (method === "notifications/cancelled") return this.#relay.cancel(notification)
    if (this.#own.group === undefined) return
    this.#own.tell(notification)
    this.#inOrder.hold()
  }

  #initialize(id: RequestId, params: unknown): void {
    if (this.#introduced !== undefined) return this.#refuse(id, JsonRpc.invalidRequest, "initialize was sent before")
    const client = this.#introduce(params)
    if (client === undefined) return this.#refuse(id, JsonRpc.invalidParams, "not an initialize request")
    const { introduction, isReady, patience, ready } = this.#surroundings
    const answer = (): void => {
      const { capabilities, instructions, serverInfo } = introduction()
      const said = { protocolVersion: client.protocolVersion, capabilities, serverInfo }
      this.#relay.answer(id, instructions === undefined ? said : { ...said, instructions })
    }
    if (isReady()) answer()
    else this.#relay.after(id, Effect.timeoutOption(ready, patience), answer)
  }

  #introduce(params: unknown): Introduced | undefined {
    const client = clientOf(params)
    if (client === undefined) return undefined
    const { agreedVersion, operations, transport } = this.#surroundings
    const protocol = agreedVersion(client.protocolVersion)
    if (this.#client.isStateless !== true) this.#sessionEnded = operations.beginSession({ protocol, transport })
    this.#introduced = { ...client, protocolVersion: protocol }
    return this.#introduced
  }

  /** Goes on with what was asked for before, as far as it is still there. */
  #resume({ initialize, wishes: { level, subscriptions } }: Resumed): void {
    this.#introduce(initialize)
    this.#relay.initialized()
    if (isLevel(level)) void this.#standing.want(level)
    for (const uri of subscriptions.slice(0, maxSubscriptions)) {
      this.#run(
        Effect.ignore(
          Effect.flatMap(this.#places.route("resources", uri), (place) => this.#standing.subscribe(uri, place, true))
        )
      )
    }
  }

  #list(id: RequestId, kind: Kind): void {
    const { isReady, list, listWith, ready } = this.#surroundings
    const answer = (): void => {
      const own = this.#own.group
      this.#relay.answerText(id, own === undefined ? list(kind) : listWith(kind, own))
    }
    const own = this.#own.need()
    if (isReady() && own === undefined) answer()
    else this.#relay.after(id, Effect.zip(ready, own ?? Effect.void, { concurrent: true }), answer)
  }

  #subscribe(id: RequestId, uri: string): void {
    if (this.#standing.size >= maxSubscriptions) {
      return this.#refuse(id, Failure.ourCode, `${maxSubscriptions} resources are subscribed to, the maximum`)
    }
    const subscribed = Effect.flatMap(this.#places.route("resources", uri), (place) => {
      const server = place.route.backend.id
      const said = this.#surroundings.servers.introduction(server)
      return said !== undefined && said.capabilities.resources?.subscribe !== true
        ? Effect.succeed(server)
        : Effect.as(this.#standing.subscribe(uri, place), undefined)
    })
    this.#relay.after(id, subscribed, (without) =>
      without === undefined
        ? this.#relay.answer(id, {})
        : this.#refuse(id, JsonRpc.methodNotFound, `${without} does not tell of changes of its resources`), "unknown")
  }

  #call(id: RequestId, method: Destination.Method, params: unknown): void {
    if (!isReadable(params)) {
      return this.#relay.fail(id, unreadableParams(method))
    }
    const destination = Destination.of(method, params)
    if (destination === undefined) return this.#misfit(id, method, params)
    const { kind, name } = destination
    const send = ({ group, route: { backend, original } }: Place): void =>
      this.#relay.send(id, backend, {
        method,
        params: Translation.enabled(destination.under(original), this.#abilities(group, backend.id)),
        arrived: (result) => Destination.arrived(method, destination, original, result)
      })
    const { hasStatus, status } = this.#surroundings
    const said = hasStatus() ? StatusTool.asked(method, name) : undefined
    if (said !== undefined) {
      return this.#relay.after(id, status(this.#own.group), (report) => this.#relay.answer(id, said(report)))
    }
    const place = this.#places.find(kind, name)
    if (place === undefined) this.#relay.after(id, this.#places.route(kind, name), send)
    else send(place)
  }

  /** What a server is told in a request that the client can do: one that clients share, and that has no session in which it was told. */
  #abilities(group: Group, server: string): unknown {
    const { servers, shared } = this.#surroundings
    const isTold = group !== shared || Initialize.versions.includes(servers.introduction(server)?.protocolVersion ?? "")
    return isTold ? undefined : this.#introduced?.capabilities
  }

  #misfit(id: RequestId, method: Parameters<typeof explain>[0], params: unknown): void {
    this.#relay.after(id, Effect.promise(() => explain(method, params)), (error) => this.#relay.fail(id, error))
  }

  /** Answers what the client wished once it is remembered: whoever has the answer loses nothing when the gateway is killed. */
  #answerOnce(id: RequestId, remembered: Promise<void>): void {
    this.#relay.after(id, Effect.promise(() => remembered), () => this.#relay.answer(id, {}), "unknown")
  }

  #refuse(id: RequestId, code: number, message: string): void {
    this.#relay.fail(id, { code, message })
  }

  // --- servers of its own

  /** Whose they are; nobody's where there is no session that they could belong to. */
  #owner(): Owner | undefined {
    const client = this.#introduced
    if (client === undefined || this.#client.isStateless === true) return undefined
    return {
      client,
      receiver: (server) => ({
        notified: (notification) => this.#ownNotified(server, notification),
        asked: (request, signal) => this.#relay.ask(server, request, signal)
      }),
      listsChanged: (kinds) => this.listsChanged(kinds),
      hasRoom: (count) => this.#client.startsServers?.(count) ?? true,
      opened: (group) => this.#standing.join(group)
    }
  }

  #ownNotified(server: string, notification: ServerNotification): void {
    const { method, params } = notification
    if (method === "notifications/message") Logged.of(server, notification, (one) => this.logged(server, one))
    else if (method === "notifications/resources/updated") this.#own.group?.subscriptions.updated(server, params ?? {})
    // Its lists are compared when they are read again.
    else if (!method.endsWith("/list_changed") && isReadable(params)) this.#relay.pass(notification, server)
  }

  #run(effect: Effect.Effect<void>): void {
    Runtime.runFork(this.#surroundings.runtime)(effect)
  }
}
