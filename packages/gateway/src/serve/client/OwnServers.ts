/**
 * The servers that one client has to itself: started in its name when it first needs them, and closed with it.
 */
import {
  type Backend,
  type Connector,
  Fleet,
  type InvalidOptions,
  RemoteError,
  type ServerNotification
} from "@mcp-lifeline/core"
import { Incoming, type Introduction, JsonRpcError, type Receiver } from "@mcp-lifeline/protocol"
import { Deferred, Effect, Exit, Fiber, Option, Runtime, Scope } from "effect"
import type { Client } from "../../wrap/introductions.js"
import * as Group from "../Group.js"
import type { Changing } from "../Lists.js"
import * as Servers from "../Servers.js"
import type { Surroundings } from "./Surroundings.js"

/** Whose they are. */
export interface Owner {
  readonly client: Client
  /** Takes what one of them says. */
  readonly receiver: (server: string) => Receiver
  readonly listsChanged: (kinds: ReadonlyArray<Changing>) => void
  /** Says whether there is room for so many, beside those of other clients. */
  readonly hasRoom: (count: number) => boolean
  /** Called once they are there. */
  readonly opened: (group: Group.Group) => void
}

interface Started {
  readonly group: Group.Group
  /** Starts, stops and replaces what the configuration has changed. */
  readonly apply: Effect.Effect<unknown, InvalidOptions>
}

type Options = Backend.BackendOptions & { readonly id: string }

/** Starts the servers of a client; they live as long as the scope. */
const start = (
  { isOff, servers }: Surroundings,
  { client: { capabilities, clientInfo, protocolVersion }, listsChanged, receiver }: Owner
): Effect.Effect<Started, InvalidOptions, Scope.Scope> =>
  Effect.gen(function*() {
    const introductions = new Map<string, Introduction>()
    const remembered = servers.remembered({ clientName: clientInfo.name, protocolVersion, capabilities })
    /** What each was made with: as long as its configuration is the same, it stays as it is, however it was switched since. */
    const made = new Map<string, { readonly server: Servers.Server; readonly options: Options }>()
    const around = (server: string, connector: Connector): Connector => {
      const incoming = new Incoming()
      incoming.isRaw = true
      incoming.protocolVersion = protocolVersion
      incoming.receiver = {
        ...receiver(server),
        introduced: (introduction) => {
          introductions.set(server, introduction)
          servers.introduced(server, introduction)
          return undefined
        }
      }
      return incoming.around(connector)
    }
    const optionsOf = (server: Servers.Server): Options => {
      const known = made.get(server.id)
      if (known !== undefined && Servers.sameOptions(known.server, server)) return known.options
      const options: Options = {
        ...Servers.backendOf(server, remembered, (connector) => around(server.id, connector)),
        lifecycle: { ...server.lifecycle, disabled: isOff(server) },
        clientInfo,
        capabilities
      }
      made.set(server.id, { server, options })
      return options
    }
    const backends = Effect.gen(function*() {
      const all = servers.own()
      yield* remembered.recall(all)
      for (const name of made.keys()) if (!all.some(({ id }) => id === name)) made.delete(name)
      return all.map(optionsOf)
    })
    const fleet = yield* Fleet.make({ backends: yield* backends })
    const introduction = (server: string) => introductions.get(server) ?? remembered.introduction(server)
    const group = yield* Group.make({ fleet, listsChanged, introduction })
    return { group, apply: Effect.flatMap(backends, fleet.apply) }
  })

/** Other clients have as many as there may be, and use them. */
const noRoom = (servers: ReadonlyArray<Servers.Server>): RemoteError =>
  new RemoteError({
    backend: servers.map(({ id }) => id).join(", "),
    method: "initialize",
    code: JsonRpcError.ourCode,
    message:
      "the servers that each client has for itself are not started, because other clients use as many as the gateway may run at once: try again later"
  })

/** The servers of one client, started or not. */
export class OwnServers {
  readonly #surroundings: Surroundings
  readonly #owner: () => Owner | undefined
  #opened = Deferred.unsafeMake<void>(Fiber.id(Fiber.void))
  #settled = Deferred.unsafeMake<void>(Fiber.id(Fiber.void))
  #scope: Scope.CloseableScope | undefined
  #starting: Fiber.RuntimeFiber<void> | undefined
  #started: Started | undefined
  #isSettled = false
  #refusal: RemoteError | undefined

  /** `owner` is asked when they are needed; where nobody is, there are none. */
  constructor(surroundings: Surroundings, owner: () => Owner | undefined) {
    this.#surroundings = surroundings
    this.#owner = owner
  }

  /** They, once they are there. */
  get group(): Group.Group | undefined {
    return this.#started?.group
  }

  /** Starts them, if there are any. What is given back ends when each has had its first outcome; nothing where that is so. */
  need(): Effect.Effect<void> | undefined {
    if (this.#isSettled) return undefined
    if (this.#scope === undefined) {
      const owner = this.#owner()
      const servers = this.#surroundings.servers.own()
      const refusedBefore = this.#refusal !== undefined
      this.#refusal = undefined
      if (owner === undefined || servers.length === 0) return undefined
      if (!owner.hasRoom(servers.length)) {
        this.#refusal = noRoom(servers)
        if (!refusedBefore) this.#run(Effect.logWarning(this.#refusal.message))
        return undefined
      }
      this.#open(owner)
    }
    return Deferred.await(this.#settled)
  }

  /** Why they were not started when they were needed last, where they were not. */
  get refusal(): RemoteError | undefined {
    return this.#refusal
  }

  /** Ends when they are there, whether they are connected or not; at once where they are not needed. */
  get opened(): Effect.Effect<void> {
    return Effect.suspend(() => this.#scope === undefined ? Effect.void : Deferred.await(this.#opened))
  }

  /** The configuration says otherwise which servers each client has to itself. */
  changed(): void {
    if (this.#scope === undefined) {
      // Who reads the lists again needs them.
      if (!this.#isSettled) this.#owner()?.listsChanged(["tools", "prompts", "resources"])
      return
    }
    // Who has some keeps them, also where there are more of them now.
    this.#owner()?.hasRoom(this.#surroundings.servers.own().length)
    const applied = Effect.zipRight(
      Deferred.await(this.#settled),
      Effect.suspend(() => this.#started?.apply ?? Effect.void)
    )
    this.#run(Effect.asVoid(applied))
  }

  /** Tells all of them that are connected: what changes while a server is down, it asks for when it is back. */
  tell({ method, params }: ServerNotification): void {
    const fleet = this.group?.fleet
    if (fleet === undefined) return
    const tell = (backend: Backend.Backend) =>
      Effect.if(backend.isConnected, {
        onTrue: () => Effect.ignore(backend.notify(method, params)),
        onFalse: () => Effect.void
      })
    this.#run(Effect.flatMap(fleet.backends, Effect.forEach(tell, { concurrency: "unbounded", discard: true })))
  }

  /** A person has signed in to a server. */
  signedIn(server: string): void {
    const fleet = this.group?.fleet
    if (fleet !== undefined) this.#run(Effect.ignore(Effect.flatMap(fleet.backend(server), Servers.connect)))
  }

  /** The one of this name, where they were started; waits for those that are just being made. */
  runtime(server: string): Effect.Effect<Option.Option<Backend.Backend>> {
    return Effect.flatMap(
      this.opened,
      () => this.#started === undefined ? Effect.succeedNone : Effect.option(this.#started.group.fleet.backend(server))
    )
  }

  /** Ends them, and lets none begin. */
  async close(): Promise<void> {
    const scope = this.#scope
    this.#scope = undefined
    this.#started = undefined
    this.#settle()
    if (scope === undefined) return
    const starting = this.#starting
    const interrupted = starting === undefined ? Effect.void : Fiber.interrupt(starting)
    await Runtime.runPromise(this.#surroundings.runtime)(Effect.zipRight(interrupted, Scope.close(scope, Exit.void)))
  }

  #open(owner: Owner): void {
    const scope = Effect.runSync(Scope.make())
    this.#scope = scope
    this.#starting = this.#run(
      Effect.ensuring(
        Effect.gen(this, function*() {
          const started = yield* Effect.tapErrorCause(
            Scope.extend(start(this.#surroundings, owner), scope),
            () => Effect.sync(() => this.#failed(scope))
          )
          this.#started = started
          Deferred.unsafeDone(this.#opened, Effect.void)
          owner.opened(started.group)
          yield* started.group.fleet.ready
        }),
        Effect.sync(() => this.#scope === scope ? this.#settle() : undefined)
      )
    )
  }

  /** They cannot be made as they are configured: nothing waits for them, and they are made anew when they are needed again. */
  #failed(scope: Scope.CloseableScope): void {
    if (this.#scope !== scope) return
    this.#settle()
    this.#scope = undefined
    this.#isSettled = false
    this.#opened = Deferred.unsafeMake<void>(Fiber.id(Fiber.void))
    this.#settled = Deferred.unsafeMake<void>(Fiber.id(Fiber.void))
    Runtime.runFork(this.#surroundings.runtime)(Scope.close(scope, Exit.void))
  }

  #settle(): void {
    this.#isSettled = true
    Deferred.unsafeDone(this.#opened, Effect.void)
    Deferred.unsafeDone(this.#settled, Effect.void)
  }

  #run(effect: Effect.Effect<void, InvalidOptions>): Fiber.RuntimeFiber<void> {
    return Runtime.runFork(this.#surroundings.runtime)(
      Effect.catchAllCause(effect, (cause) => Effect.logError("a client's own servers cannot be made", cause))
    )
  }
}
