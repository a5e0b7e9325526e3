/** A request goes unchanged to the server that has the tool, prompt or resource that it names. */
import type { Client, Conversation, Resumed } from "@mcp-lifeline/http-server/Conversation"
import type { ServerOperations } from "@mcp-lifeline/opentelemetry"
import { type ClientRequest, Initialize, type Introduction, ListChanges } from "@mcp-lifeline/protocol"
import { lists as fields } from "@mcp-lifeline/protocol/listMethods"
import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate } from "effect"
import { type Asking, audited } from "../audit/audited.js"
import { ClientRelay } from "../conversation/ClientRelay.js"
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
} from "../conversation/Handler.js"
import { type Client as Introduced, clientOf, introducing } from "../conversation/introductions.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { Kind } from "../pool/EncodedLists.js"
import * as ListChange from "../pool/ListChange.js"
import * as Call from "./Call.js"
import { ClientAccess } from "./ClientAccess.js"
import { ClientLogins } from "./ClientLogins.js"
import { ClientSubscriptions } from "./ClientSubscriptions.js"
import type { GatewayContext } from "./GatewayContext.js"
import { NameResolver } from "./NameResolver.js"
import * as RequestRouter from "./RequestRouter.js"
import * as SettingMethods from "./SettingMethods.js"
import * as StatusTool from "./StatusTool.js"
import * as TaskIds from "./TaskIds.js"

const measured = ({ begin }: ServerOperations.ServerOperations): Step => (next) => (request) => {
  const operation = begin(request.method, request.params)
  request.traced = (params) => operation.passedOn(params)
  request.onOver((error) => operation.end(error))
  next(request)
}

export class FleetConversation implements Conversation {
  readonly #context: GatewayContext
  readonly #client: Client
  readonly #access: ClientAccess
  readonly #relay: ClientRelay
  readonly #handle: Handler
  readonly #servers: ClientServers
  readonly #logins: ClientLogins
  readonly #subscriptions: ClientSubscriptions
  readonly #onClose: () => void
  /** From `initialize`. */
  #introduced: Introduced | undefined
  /** What a client without a session said when it asked who the server is. */
  #asking: Introduced | undefined
  #sessionEnded: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(context: GatewayContext, client: Client, resumed: Resumed | undefined, onClose: () => void) {
    const relay: ClientRelay = new ClientRelay({
      name: "the gateway",
      client,
      fork: context.fibers.fork,
      handle: (request) => this.#handle(request),
      notifyServers: (notification) => {
        this.#servers.own?.notify(notification)
        return this.#servers.own !== undefined
      },
      login: (server) => context.login(server, this.#access.caller()),
      shown: (request, error) => context.shown(error, this.#access.senderOf(request)),
      loggedIn: (request, server, error) => this.#logins.begin(request, server, error),
      door: () => "serve"
    })
    this.#context = context
    this.#client = client
    this.#access = new ClientAccess(context, client)
    this.#logins = new ClientLogins({
      signIn: (server) => context.personalSignIn?.(server, this.#access.caller()),
      capabilities: () => this.#introduced?.capabilities,
      ask: (server, request, signal) => relay.ask(server, request, signal),
      notify: (server, notification) => relay.pass(notification, server),
      connect: (server) => this.#servers.connect(server),
      run: (work) => this.#servers.run(work)
    })
    this.#relay = relay
    this.#onClose = onClose
    this.#subscriptions = new ClientSubscriptions({
      notify: (server, notification) => {
        if (this.#access.now.hasServer(server)) relay.pass(notification, server)
      },
      saveSetting: (change) => client.saveSetting(change),
      room: client.subscriptions,
      fleets: () => this.#servers.fleets
    }, resumed?.settings.subscriptions)
    this.#servers = context.servers.join({
      client: () =>
        client.isStateless === true && client.isLasting !== true ? undefined : this.#introduced ?? this.#asking,
      isStateless: client.isStateless === true,
      caller: this.#access.caller,
      hasRoom: (count) => client.startsServers?.(count) ?? true,
      mayUse: (server) => this.#access.now.hasServer(server),
      opened: () => this.#subscriptions.join(),
      logged: (server, notification) => {
        if (!this.#access.now.hasServer(server)) return
        if (this.#subscriptions.acceptsLevel(notification.params?.["level"])) relay.pass(notification, server)
      },
      listsChanged: (change) => this.listsChanged(change),
      notified: (server, notification) => relay.pass(notification, server),
      asked: (server, { method, params }, signal) =>
        relay.ask(server, { method, params: params && this.#access.taskIds.inMessage(server, params) }, signal)
    })
    const names = new NameResolver(this.#servers, () => this.#access.now)
    this.#handle = this.#steps(names)
    if (resumed !== undefined) this.#resume(resumed, names)
  }

  #steps(names: NameResolver): Handler {
    const { audit, operations } = this.#context
    const [access, relay, subscriptions] = [this.#access, this.#relay, this.#subscriptions]
    const capabilities = () => this.#introduced?.capabilities
    const router: RequestRouter.Options = {
      context: this.#context,
      capabilities,
      access,
      servers: this.#servers,
      names,
      logins: this.#logins
    }
    const handshake: Handshake = {
      hasBegun: () => this.#introduced !== undefined,
      initialize: (request, client) => this.#initialize(request, client)
    }
    const asking: Asking = {
      who: () => ({ caller: this.#access.caller(), introduced: this.#introduced }),
      isAdmin: () => access.now.isAdmin,
      named: (kind, name) => Predicate.isString(name) ? names.named(kind, name) : undefined
    }
    const refusal = (method: string) =>
      this.#client.isStateless === true ? TaskIds.refusal(method, capabilities()) : undefined
    const toTask = (call: Call.TaskCall) => relay.send(call.request, () => RequestRouter.ofTask(router, call))
    const toName = Call.named(access, relay)(
      this.#status((call) => relay.send(call.request, () => RequestRouter.byName(router, call)))
    )
    return pipeline([
      ping,
      measured(operations),
      audited(audit, asking),
      readable,
      introducedFirst(handshake),
      this.#current,
      lists((request, method) => this.#list(request, fields[method])),
      ownMethods(SettingMethods.handlers({ access, relay, names, subscriptions })),
      Call.limited(access),
      Call.ofTask(access, refusal, toTask)
    ], toName)
  }

  request(request: ClientRequest): void {
    if (this.#closing !== undefined) return
    this.#access.arrived(request)
    this.accessChanged()
    this.#relay.receive(request)
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (this.#closing === undefined) this.#relay.receive(message)
  }

  introduce(params: unknown): Promise<Introduction> {
    this.#asking = clientOf(params)
    return this.#context.fibers.promise(
      this.#context.introduction(this.#access.now, this.#access.caller(), this.#servers)
    )
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

  listsChanged(change: ListChange.ListChange): void {
    this.#announce(change.for(this.#access.now))
  }

  #announce(kinds: ReadonlyArray<Kind>): void {
    for (const method of ListChanges.notificationsOf(kinds)) this.#relay.pass({ method })
  }

  /** Announces which lists differ, when the client may use something else than before. */
  accessChanged(): void {
    const before = this.#access.note()
    if (before === undefined) return
    const { now } = this.#access
    const { fibers, servers } = this.#context
    this.#servers.allowed()
    const own = servers.servers().filter(({ sessions }) => sessions === "per-client")
    // What its own servers have is not known before they have started.
    if (own.some(({ id }) => before.hasServer(id) !== now.hasServer(id))) {
      return this.#announce(ListChange.ofAll().for(now))
    }
    fibers.fork(
      Effect.map(
        Effect.forEach(this.#servers.fleets, ({ lists }) => lists),
        (all) => this.#announce(all.flatMap((one) => one.visibleTo(now).changedSince(one.visibleTo(before))))
      )
    )
  }

  /** Resolves when all open requests are answered. */
  interrupt(why: string): Promise<void> {
    return this.#client.requests.interrupt(why)
  }

  /** Resolves when every request of the client has its answer. */
  get settled(): Promise<void> {
    return this.#client.requests.settled
  }

  #initialize(request: ClientRequest, introduced: Introduced): void {
    const { protocolVersion } = this.#introduce(introduced)
    this.#relay.after(
      request,
      this.#context.introduction(this.#access.of(request), this.#access.caller(), this.#servers),
      (introduction) => request.answer(introducing({ ...introduction, protocolVersion }))
    )
  }

  #introduce(client: Introduced): Introduced {
    const { operations } = this.#context
    const requested = client.protocolVersion
    const protocol = Initialize.versions.includes(requested) ? requested : Initialize.latestVersion
    if (this.#client.isStateless !== true) this.#sessionEnded = operations.beginSession({ protocol, transport: "http" })
    return this.#introduced = { ...client, protocolVersion: protocol }
  }

  #resume({ initialize, settings }: Resumed, names: NameResolver): void {
    const client = clientOf(initialize)
    if (client !== undefined) this.#introduce(client)
    this.#relay.initialized()
    SettingMethods.restore({ names, subscriptions: this.#subscriptions }, settings, (work) => this.#servers.run(work))
  }

  /** The servers become those of the client as it is known from this request on. */
  readonly #current: Step = (next) => (request) => {
    const current = this.#servers.current()
    if (current === undefined) next(request)
    else this.#relay.after(request, current, () => next(request))
  }

  readonly #status: Step<Call.NamedCall> = (next) => (call) => {
    const { destination: { name }, method, request } = call
    const { hasStatus, status } = this.#context
    const result = hasStatus() ? StatusTool.resultFor(method, name) : undefined
    if (result === undefined) return next(call)
    const report = status(this.#servers.fleets, this.#access.of(request), this.#access.senderOf(request))
    this.#relay.after(request, report, (report) => request.answer({ result: result(report) }))
  }

  #list(request: ClientRequest, kind: Kind): boolean {
    const isStateless = this.#client.isStateless === true
    const list = Effect.suspend(() =>
      this.#context.list(kind, this.#servers.fleets, { access: this.#access.of(request), isStateless })
    )
    const ready = this.#servers.need()
    this.#relay.after(
      request,
      ready === undefined ? list : Effect.zipRight(ready, list),
      (resultText) => request.answer({ resultText })
    )
    return true
  }
}
