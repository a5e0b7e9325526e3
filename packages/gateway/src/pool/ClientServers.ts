/** The shared servers, and the client's own, which start when it first needs them, and stop when it leaves. */
import { type Backend, RemoteError } from "@mcp-lifeline/core"
import { Routing } from "@mcp-lifeline/core/internal"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import type { Scope } from "effect"
import { Cause, Effect, Fiber, type Option, Queue } from "effect"
import type { Server } from "../config/Backends.js"
import * as ClientGroup from "./ClientGroup.js"
import * as GroupFleet from "./GroupFleet.js"
import * as ListChange from "./ListChange.js"

export interface Pool {
  readonly sharedFleet: GroupFleet.GroupFleet
  readonly settings: GroupFleet.Settings
  /** A message after each change of the configuration. */
  readonly changes: Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope>
  /** Until the work ends, or the pool closes. */
  readonly run: (work: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  /** The client gets no more notifications. */
  readonly leave: (member: ClientGroup.Member) => void
}

class OwnServers {
  readonly made = Effect.unsafeMakeLatch()
  fleet: GroupFleet.GroupFleet | undefined
  fiber: Fiber.RuntimeFiber<void> | undefined
}

const noRoom = (servers: ReadonlyArray<Server>): RemoteError =>
  new RemoteError({
    backend: servers.map(({ id }) => id).join(", "),
    method: "initialize",
    code: JsonRpcError.ourCode,
    message:
      "the servers that each client has for itself are not started, because other clients use as many as the gateway may run at once, or other sessions of this "
      + "caller as many as one caller may have (lifeline.maxOwnServers): end sessions that are not needed, or try again later"
  })

export class ClientServers {
  readonly #pool: Pool
  readonly #member: ClientGroup.Member
  #own: OwnServers | undefined
  #isClosed = false
  #fleets: ReadonlyArray<GroupFleet.GroupFleet>
  #refusal: RemoteError | undefined

  constructor(pool: Pool, member: ClientGroup.Member) {
    this.#pool = pool
    this.#member = member
    this.#fleets = [pool.sharedFleet]
  }

  /** Once it is made. */
  get own(): GroupFleet.GroupFleet | undefined {
    return this.#own?.fleet
  }

  /** If several offer the same name, the first fleet wins. */
  get fleets(): ReadonlyArray<GroupFleet.GroupFleet> {
    return this.#fleets
  }

  /** Why its own servers did not start when they were needed last. */
  get refusal(): RemoteError | undefined {
    return this.#refusal
  }

  /**
   * Starts the client's own servers, if it may have any. Ends when each server that it can use has connected or failed to; `undefined` if
   * each has already.
   */
  need(): Effect.Effect<void> | undefined {
    if (this.#own === undefined) this.#start()
    const own = this.#own
    const shared = this.#pool.sharedFleet
    if (own === undefined) return shared.isReady() ? undefined : shared.ready
    if (shared.isReady() && own.fleet?.isReady() === true) return undefined
    const ready = Effect.zipRight(own.made.await, Effect.suspend(() => own.fleet?.ready ?? Effect.void))
    return Effect.zipRight(shared.ready, ready, { concurrent: true })
  }

  /** Ends when the fleet of its own servers is made, connected or not; at once if nothing has needed it. */
  get made(): Effect.Effect<void> {
    return Effect.suspend(() => this.#own?.made.await ?? Effect.void)
  }

  /**
   * Ends when its servers are those of the client as it is known now; `undefined` if they are. Another token may say something else of it.
   */
  current(): Effect.Effect<void> | undefined {
    const own = this.#own
    if (own === undefined || !this.#configured.some(({ forClient }) => forClient !== undefined)) return undefined
    if (own.fleet === undefined) return Effect.flatMap(own.made.await, () => this.current() ?? Effect.void)
    // If that went wrong, the servers would be those of the client as it was.
    return own.fleet.isCurrent() ? undefined : Effect.orDie(Effect.asVoid(own.fleet.apply))
  }

  /** Waits for a fleet that is being made. */
  backend(server: string): Effect.Effect<Option.Option<Backend.Backend>> {
    return Effect.flatMap(
      this.made,
      () => this.own === undefined ? Effect.succeedNone : Effect.option(this.own.fleet.backend(server))
    )
  }

  connect(server: string): Effect.Effect<void> {
    return Effect.flatMap(
      this.made,
      () => this.own === undefined ? Effect.void : GroupFleet.connect(this.own.fleet, server)
    )
  }

  /** Called when a new configuration changes own servers. */
  changed(): void {
    if (this.#own === undefined) return this.#member.listsChanged(ListChange.ofAll())
    // Own servers that have started stay, even if the new configuration exceeds the limit.
    this.#member.hasRoom(this.#configured.length)
  }

  /** The client may use other servers than before: starts and stops its own. */
  allowed(): void {
    const fleet = this.#own?.fleet
    if (fleet !== undefined) this.#pool.run(logged(fleet.apply))
  }

  run(work: Effect.Effect<void>): void {
    this.#pool.run(work)
  }

  /** Also prevents new starts. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fiber = this.#own?.fiber
      this.#isClosed = true
      this.#pool.leave(this.#member)
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(fiber))
    })
  }

  get #configured(): ReadonlyArray<Server> {
    return this.#pool.settings.servers().filter(({ id, sessions }) =>
      sessions === "per-client" && this.#member.mayUse(id)
    )
  }

  #start(): void {
    const client = this.#member.client()
    const servers = this.#configured
    const refusedBefore = this.#refusal !== undefined
    this.#refusal = undefined
    if (this.#isClosed || client === undefined || servers.length === 0) return
    if (!this.#member.hasRoom(servers.length)) {
      this.#refusal = noRoom(servers)
      if (!refusedBefore) this.#pool.run(Effect.logWarning(this.#refusal.message))
      return
    }
    const own = new OwnServers()
    this.#own = own
    own.fiber = this.#pool.run(this.#live(own, ClientGroup.singleClient(client, this.#member)))
  }

  #reportDisplaced(own: GroupFleet.GroupFleet): Effect.Effect<void> {
    const { settings: { reports }, sharedFleet } = this.#pool
    const { catalog } = own.listed()
    const found = (["tools", "prompts"] as const).flatMap((kind) =>
      [...own.listed().displaced(kind, [sharedFleet.listed()])].flatMap(([key, other]) => {
        const { backend = "", original = "" } = catalog[kind].get(key) ?? {}
        const instead = other === undefined ? "it is left out" : `it is offered as ${JSON.stringify(other)}`
        const message = `${backend} offers ${JSON.stringify(original)}, which a shared server has under the name ${
          JSON.stringify(key)
        }; ${instead}`
        return Routing.reportOnce(reports, backend, message)
      })
    )
    return GroupFleet.logNames(found)
  }

  /** Until the fiber that runs this is interrupted: that closes the scope, and so stops the servers. */
  #live(own: OwnServers, group: ClientGroup.ClientGroup): Effect.Effect<void> {
    const { changes, sharedFleet, run, settings } = this.#pool
    return Effect.gen(this, function*() {
      const changed = yield* changes
      const fleet = yield* GroupFleet.make(group, settings)
      own.fleet = fleet
      this.#fleets = [sharedFleet, fleet]
      this.#member.opened()
      yield* own.made.open
      yield* fleet.ready
      yield* this.#reportDisplaced(fleet)
      // In a fiber of its own: a slow change does not delay the end of the client.
      return yield* Effect.forever(Effect.map(Queue.take(changed), () => void run(logged(fleet.apply))))
    }).pipe(
      Effect.scoped,
      logged,
      Effect.ensuring(Effect.suspend(() => {
        own.fleet = undefined
        this.#fleets = [sharedFleet]
        // Wakes what waits for servers that could not be made; the next need tries again.
        if (this.#own === own) this.#own = undefined
        return own.made.open
      }))
    )
  }
}

const logged = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.asVoid(work), (cause) =>
    Cause.isInterruptedOnly(cause)
      ? Effect.interrupt
      : Effect.logError("a client's own servers cannot be made", cause))
