/**
 * The conversation between one client and the servers behind the gateway. A request goes unchanged to the server that has the tool, prompt or
 * resource that it names.
 */
import { type CallError, type Fleet, RemoteError, ResultUnknown } from "@mcp-lifeline/core"
import { firstOf, maySay, toolOptions } from "@mcp-lifeline/core/internal"
import { anyone, type Caller } from "@mcp-lifeline/http-server/Caller"
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
import type { SignIn } from "@mcp-lifeline/sign-in/SignIn"
import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Predicate } from "effect"
import type { Access } from "../../access/Access.js"
import * as Audit from "../../audit/Audit.js"
import { ClientRelay, type Resolved, type ServerRequest } from "../../conversation/ClientRelay.js"
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
import type { AnnouncedKind, Kind } from "../EncodedLists.js"
import * as ListChange from "../ListChange.js"
import type { ClientServers } from "../pool/ClientServers.js"
import type { GroupFleet } from "../pool/GroupFleet.js"
import type { ServerPool } from "../pool/ServerPool.js"
import * as StatusTool from "../StatusTool.js"
import { ClientAccess, type Control } from "./ClientAccess.js"
import { ClientLogins } from "./ClientLogins.js"
import { ClientSubscriptions } from "./ClientSubscriptions.js"
import * as Destination from "./Destination.js"
import { NameResolver, type ResolvedName } from "./NameResolver.js"
import * as TaskIds from "./TaskIds.js"

/** How many resources one client may subscribe to. */
const maxSubscriptions = 10_000

/** What the conversations of all clients share. */
export interface GatewayContext extends Control {
  readonly fibers: Fibers
  readonly servers: ServerPool
  /**
   * What the gateway says about itself to who may use this. Waits at the start for the shared servers, because it includes their instructions.
   */
  readonly introduction: (access: Access) => Effect.Effect<Introduction>
  /** Whether clients get the status of the servers, as a tool and as a resource. */
  readonly hasStatus: () => boolean
  /** The report about the servers that a client can use. */
  readonly status: (
    fleets: ReadonlyArray<GroupFleet>,
    access: Access,
    caller: Caller
  ) => Effect.Effect<StatusTool.Report>
  /** The result of a list method, for a client that can use these fleets. */
  readonly list: (kind: Kind, fleets: ReadonlyArray<GroupFleet>, access: Access) => Effect.Effect<string>
  /** What the user of a client has to do now to sign in to a server; `undefined` if nothing. */
  readonly login: (server: string, caller: Caller) => string | undefined
  /** The sign-in of a client to a server, if it has its own and is in use. */
  readonly personalSignIn: ((server: string, caller: Caller) => SignIn | undefined) | undefined
  /** Measures requests and sessions of clients. */
  readonly operations: ServerOperations.ServerOperations
  /** Records calls. Default: they are not. */
  readonly audit?: Audit.Audit | undefined
  /** How clients' messages are transported. */
  readonly transport: ServerOperations.Session["transport"]
}

/** Whether a tool may be called twice: by the options of the tool, or else by its hints. */
const mayRepeat = ({ fleet, key, route: { backend, original } }: ResolvedName): boolean =>
  toolOptions(backend, original)?.idempotent ?? fleet.isHarmless(key)

/** A call that another replica of the gateway may have carried out, and that is not to be carried out twice. */
const repeated = (backend: string, method: string): ResultUnknown =>
  new ResultUnknown({
    backend,
    method,
    message:
      `${backend}: the replica of the gateway that had ${method} has gone, and its result is unknown: check before you repeat it`
  })

/** Measures the duration of each request. */
const measured = ({ begin }: ServerOperations.ServerOperations): Step => (next) => (request) => {
  const operation = begin(request.method, request.params)
  request.traced = (params) => operation.passedOn(params)
  request.onOver((error) => operation.end(error))
  next(request)
}

/** The conversation of one client. */
export class FleetConversation implements Conversation {
  readonly #context: GatewayContext
  readonly #client: Client
  readonly #access: ClientAccess
  readonly #relay: ClientRelay
  readonly #handle: Handler
  readonly #servers: ClientServers
  readonly #logins: ClientLogins
  readonly #names: NameResolver
  readonly #subscriptions: ClientSubscriptions
  readonly #onClose: () => void
  /** What the client said about itself in `initialize`. */
  #introduced: Introduced | undefined
  /** Ends the measurement of the client's session; `undefined` if it has none. */
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
      login: (server) => this.#login(server),
      loggedIn: (request, server, error) => this.#logins.begin(request, server, error),
      door: () => "serve"
    })
    this.#context = context
    this.#client = client
    this.#access = new ClientAccess(context, client)
    this.#logins = new ClientLogins({
      signIn: (server) => context.personalSignIn?.(server, this.#caller),
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
      saveSettings: (settings) => client.saveSettings(settings),
      fleets: () => this.#servers.fleets
    }, resumed?.settings.subscriptions.slice(0, maxSubscriptions))
    this.#servers = context.servers.join({
      client: () => client.isStateless === true ? undefined : this.#introduced,
      caller: () => this.#caller,
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
    this.#names = new NameResolver(this.#servers, () => this.#access.now)
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
    const audit = Audit.audited(
      context.audit,
      () => Audit.clientOf(client.caller?.() ?? anyone, this.#introduced)
    )
    this.#handle = pipeline(
      [ping, measured(context.operations), readable, introducedFirst(handshake), audit, this.#current, catalogue, own],
      relay.toServer((request) => this.#resolve(request))
    )
    if (resumed !== undefined) this.#resume(resumed)
  }

  request(request: ClientRequest): void {
    if (this.#closing !== undefined) return
    this.accessChanged()
    this.#relay.receive(request)
  }

  receive(message: JSONRPCNotification | JSONRPCResponse): void {
    if (this.#closing === undefined) this.#relay.receive(message)
  }

  introduce(): Promise<Introduction> {
    return this.#context.fibers.promise(this.#context.introduction(this.#access.now))
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

  /** Announces to the client which lists have changed that it sees. */
  listsChanged(change: ListChange.ListChange): void {
    this.#announce(change.for(this.#access.now))
  }

  #announce(kinds: ReadonlyArray<AnnouncedKind>): void {
    for (const kind of kinds) this.#relay.pass({ method: `notifications/${kind}/list_changed` })
  }

  /** Called when the client may use something else than before: announces which of its lists differ. */
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
        (all) =>
          this.#announce([...new Set(all.flatMap((one) => one.visibleTo(now).changedSince(one.visibleTo(before))))])
      )
    )
  }

  /** Answers all open requests with an error that says `why`. Resolves when that is done. */
  interrupt(why: string): Promise<void> {
    return this.#client.requests.interrupt(why)
  }

  /** Resolves when every request of the client has its answer. */
  get settled(): Promise<void> {
    return this.#client.requests.settled
  }

  // --- from the client

  #initialize(request: ClientRequest, introduced: Introduced): void {
    const { protocolVersion } = this.#introduce(introduced)
    this.#relay.after(
      request,
      this.#context.introduction(this.#access.now),
      (introduction) => request.answer(introducing({ ...introduction, protocolVersion }))
    )
  }

  #introduce(client: Introduced): Introduced {
    const { operations, transport } = this.#context
    const requested = client.protocolVersion
    const protocol = Initialize.versions.includes(requested) ? requested : Initialize.latestVersion
    if (this.#client.isStateless !== true) this.#sessionEnded = operations.beginSession({ protocol, transport })
    return this.#introduced = { ...client, protocolVersion: protocol }
  }

  /** Restores the settings of a resumed session, as far as their servers are still there. */
  #resume({ initialize, settings: { level, subscriptions } }: Resumed): void {
    const client = clientOf(initialize)
    if (client !== undefined) this.#introduce(client)
    this.#relay.initialized()
    if (isLevel(level)) void this.#subscriptions.setLevel(level)
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

  get #caller(): Caller {
    return this.#client.caller?.() ?? anyone
  }

  #login(server: string): string | undefined {
    return this.#context.login(server, this.#caller)
  }

  /** Has the servers of the client be those of the client as it is known from this request on. */
  readonly #current: Step = (next) => (request) => {
    const current = this.#servers.current()
    if (current === undefined) next(request)
    else this.#relay.after(request, current, () => next(request))
  }

  #list(request: ClientRequest, kind: Kind): boolean {
    const list = Effect.suspend(() => this.#context.list(kind, this.#servers.fleets, this.#access.now))
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
    if (!isLevel(level)) return this.#refuseParams(request, "logging/setLevel")
    this.#answerAfterSave(request, this.#subscriptions.setLevel(level))
  }

  #subscribe(request: ClientRequest): void {
    const uri = request.params?.["uri"]
    if (!Predicate.isString(uri)) return this.#refuseParams(request, "resources/subscribe")
    if (this.#subscriptions.size >= maxSubscriptions) {
      return request.refuse(Failure.ourCode, `${maxSubscriptions} resources are subscribed to, the maximum`)
    }
    const subscribed = Effect.flatMap(this.#names.resolve("resources", uri), (resolved) => {
      const server = resolved.route.backend.id
      const introduction = resolved.fleet.introduction(server)
      return introduction !== undefined && introduction.capabilities.resources?.subscribe !== true
        ? Effect.succeed(server)
        : Effect.as(this.#subscriptions.subscribe(uri, resolved), undefined)
    })
    this.#relay.after(
      request,
      subscribed,
      (withoutUpdates) =>
        withoutUpdates === undefined
          ? request.answer({ result: {} })
          : request.refuse(JsonRpc.methodNotFound, `${withoutUpdates} does not tell of changes of its resources`),
      "unknown"
    )
  }

  #unsubscribe(request: ClientRequest): void {
    const uri = request.params?.["uri"]
    if (!Predicate.isString(uri)) return this.#refuseParams(request, "resources/unsubscribe")
    this.#answerAfterSave(request, this.#subscriptions.unsubscribe(uri))
  }

  /** Finds the server for a request. Answers requests that go to no server itself, and returns `undefined` for them. */
  #resolve(request: ClientRequest): Resolved {
    const { method, params } = request
    if (TaskIds.isAboutTask(method)) return this.#resolveTask(request)
    if (!Destination.isRouted(method)) return void request.answer({ error: methodNotFound(method) })
    const destination = Destination.of(method, params)
    if (destination === undefined) return void this.#refuseParams(request, method)
    const { kind, name } = destination
    const { hasStatus, servers, status } = this.#context
    const statusResult = hasStatus() ? StatusTool.resultFor(method, name) : undefined
    if (statusResult !== undefined) {
      const report = status(this.#servers.fleets, this.#access.now, this.#caller)
      return void this.#relay.after(request, report, (report) => request.answer({ result: statusResult(report) }))
    }
    const limited = this.#access.limit(method)
    if (limited !== undefined) return void request.answer(limited)
    const task = method === "tools/call" ? params?.["task"] : undefined
    const serverRequest = ({ fleet, key, route: { backend, original } }: ResolvedName): ServerRequest => {
      const given = destination.paramsFor(original)
      const asked = task !== undefined && fleet.takesTask(key) ? { ...given, task } : given
      return {
        backend,
        params: Translation.withCapabilities(asked, this.#capabilitiesFor(fleet, backend.id)),
        isBounded: servers.hasTimeout(backend.id),
        failFast: this.#login(backend.id) !== undefined,
        resultForClient: (result) => {
          const own = method === "tools/call" ? this.#access.taskIds.inResult(backend.id, result) : result
          return Destination.clientResult(method, destination, original, own)
        }
      }
    }
    const resolved = this.#names.find(kind, name)
    if (resolved !== undefined && !request.isRepeated) return serverRequest(resolved)
    return Effect.flatMap(
      this.#resolveName(kind, name),
      (resolved) =>
        request.isRepeated && method === "tools/call" && !mayRepeat(resolved)
          ? Effect.fail(repeated(resolved.route.backend.id, method))
          : Effect.succeed(serverRequest(resolved))
    )
  }

  /** Finds the server of a name, unless the user of the client has to log in there first. */
  #resolveName(kind: Fleet.Routed, name: string): Effect.Effect<ResolvedName, CallError> {
    const resolved = this.#names.resolve(kind, name)
    const { personalSignIn, servers } = this.#context
    if (personalSignIn === undefined || this.#caller.subject === "") return resolved
    const meant = servers.servers().flatMap(({ id, sessions }) =>
      sessions === "per-client" && maySay(kind, id, name) ? [id] : []
    )
    if (meant.length === 0) return resolved
    this.#servers.need()
    const needed = Effect.flatMap(this.#servers.made, () => this.#logins.needed(meant))
    return firstOf(resolved, needed)
  }

  /** Finds the server of a task by the id that the gateway has given the client. */
  #resolveTask(request: ClientRequest): Resolved {
    const { method, params } = request
    const refusal = this.#client.isStateless === true
      ? TaskIds.refusal(method, this.#introduced?.capabilities)
      : undefined
    if (refusal !== undefined) return void request.answer({ error: refusal })
    const task = this.#access.taskIds.find(params?.["taskId"])
    if (params === undefined || task === undefined || !this.#access.now.hasServer(task.server)) {
      return void request.refuse(JsonRpc.invalidParams, "Task not found")
    }
    const { servers } = this.#context
    const { id, server } = task
    const unknown = new RemoteError({
      backend: server,
      method,
      code: JsonRpc.invalidParams,
      message: "Task not found"
    })
    const found = Effect.firstSuccessOf(
      this.#servers.fleets.map((fleet) => Effect.map(fleet.fleet.backend(server), (backend) => ({ fleet, backend })))
    )
    return Effect.mapBoth(found, {
      onFailure: () => unknown,
      onSuccess: ({ backend, fleet }): ServerRequest => ({
        backend,
        params: Translation.withCapabilities(
          { ...Destination.forwarded(params), taskId: id },
          this.#capabilitiesFor(fleet, server)
        ),
        isBounded: servers.hasTimeout(server),
        failFast: this.#login(server) !== undefined,
        resultForClient: (result) => this.#access.taskIds.inResult(server, result)
      })
    })
  }

  /** The capabilities of the client to send with a request; `undefined` if the server got them in the handshake. */
  #capabilitiesFor(fleet: GroupFleet, server: string): unknown {
    return fleet.knowsItsClient(server) ? undefined : this.#introduced?.capabilities
  }

  #refuseParams(request: ClientRequest, method: Checked): void {
    const explained = Effect.promise(() => invalidParams(method, request.params))
    this.#relay.after(request, explained, (error) => request.answer({ error }))
  }

  /** Answers a change of settings only once it is saved: a client that has the answer does not lose the change in a crash of the gateway. */
  #answerAfterSave(request: ClientRequest, saved: Promise<void>): void {
    this.#relay.after(request, Effect.promise(() => saved), () => request.answer({ result: {} }), "unknown")
  }
}
