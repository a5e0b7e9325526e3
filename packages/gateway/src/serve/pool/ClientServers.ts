/**
 * The servers that one client can use: those that all clients share, and those that it has for itself. The latter start when the client
 * first needs them, and end with the client.
 */
import { type Backend, RemoteError } from "@mcp-lifeline/core"
import { JsonRpcError } from "@mcp-lifeline/protocol"
import type { Option, Scope } from "effect"
import { Cause, Effect, Fiber, Queue } from "effect"
import type { Server } from "../../config/Backends.js"
import * as Holder from "./Holder.js"
import * as HolderFleet from "./HolderFleet.js"

/** What the servers of one client take from the pool of all servers. */
export interface Pool {
  /** The servers that all clients share, and only those. */
  readonly everyones: readonly [HolderFleet.HolderFleet]
  readonly settings: HolderFleet.Settings
  /** Has a message after each change of the configuration. */
  readonly changes: Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope>
  /** Runs work until it ends, or the pool does. */
  readonly run: (work: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  /** The client has gone: it is told nothing any more. */
  readonly leave: (member: Holder.Member) => void
}

/** The servers that a client has for itself, from their start on. */
class Own {
  readonly made = Effect.unsafeMakeLatch()
  fleet: HolderFleet.HolderFleet | undefined
  fiber: Fiber.RuntimeFiber<void> | undefined
}

/** Other clients have as many as there may be, and use them. */
const noRoom = (servers: ReadonlyArray<Server>): RemoteError =>
  new RemoteError({
    backend: servers.map(({ id }) => id).join(", "),
    method: "initialize",
    code: JsonRpcError.ourCode,
    message:
      "the servers that each client has for itself are not started, because other clients use as many as the gateway may run at once: try again later"
  })

/** The servers of one client. */
export class ClientServers {
  readonly #pool: Pool
  readonly #member: Holder.Member
  #own: Own | undefined
  #isClosed = false
  #fleets: ReadonlyArray<HolderFleet.HolderFleet>
  #refusal: RemoteError | undefined

  constructor(pool: Pool, member: Holder.Member) {
    this.#pool = pool
    this.#member = member
    this.#fleets = pool.everyones
  }

  /** Those that it has for itself, once they are there. */
  get own(): HolderFleet.HolderFleet | undefined {
    return this.#own?.fleet
  }

  /** All that it can use now. If several offer the same name, the first in this order has it. */
  get fleets(): ReadonlyArray<HolderFleet.HolderFleet> {
    return this.#fleets
  }

  /** Why its own servers were not started when they were needed last, if they were not. */
  get refusal(): RemoteError | undefined {
    return this.#refusal
  }

  /**
   * Starts the client's own servers, if it may have any. Returns what ends when each server that it can use has had its first outcome;
   * `undefined` if all have.
   */
  need(): Effect.Effect<void> | undefined {
    if (this.#own === undefined) this.#start()
    const own = this.#own
    const [shared] = this.#pool.everyones
    if (own === undefined) return shared.isReady() ? undefined : shared.ready
    if (shared.isReady() && own.fleet?.isReady() === true) return undefined
    const ready = Effect.zipRight(own.made.await, Effect.suspend(() => own.fleet?.ready ?? Effect.void))
    return Effect.zipRight(shared.ready, ready, { concurrent: true })
  }

  /** Ends when its own servers are there, connected or not; at once if they are not needed. */
  get made(): Effect.Effect<void> {
    return Effect.suspend(() => this.#own?.made.await ?? Effect.void)
  }

  /** Its own server of this name. Waits for servers that are just being made. */
  backend(server: string): Effect.Effect<Option.Option<Backend.Backend>> {
    return Effect.flatMap(
      this.made,
      () => this.own === undefined ? Effect.succeedNone : Effect.option(this.own.fleet.backend(server))
    )
  }

  /** The configuration says otherwise which servers each client has for itself. */
  changed(): void {
    if (this.#own === undefined) return this.#member.listsChanged(["tools", "prompts", "resources"])
    // A client that has some keeps them, also if there are more of them now.
    this.#member.hasRoom(this.#configured.length)
  }

  /** Runs what nobody waits for. */
  run(work: Effect.Effect<void>): void {
    this.#pool.run(work)
  }

  /** Ends its own servers, and lets none start. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const fiber = this.#own?.fiber
      this.#isClosed = true
      this.#pool.leave(this.#member)
      return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(fiber))
    })
  }

  get #configured(): ReadonlyArray<Server> {
    return this.#pool.settings.servers().filter(({ sessions }) => sessions === "per-client")
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
    const own = new Own()
    this.#own = own
    own.fiber = this.#pool.run(this.#live(own, Holder.one(client, this.#member)))
  }

  /** The life of its own servers. The scope, and with it the servers, ends when the fiber that runs this is interrupted. */
  #live(own: Own, holder: Holder.Holder): Effect.Effect<void> {
    const { changes, everyones, run, settings } = this.#pool
    return Effect.gen(this, function*() {
      const changed = yield* changes
      const fleet = yield* HolderFleet.make(holder, settings)
      own.fleet = fleet
      this.#fleets = [...everyones, fleet]
      this.#member.opened()
      yield* own.made.open
      yield* fleet.ready
      // A change that takes its time does not hold up the end of the client.
      return yield* Effect.forever(Effect.map(Queue.take(changed), () => void run(logged(fleet.apply))))
    }).pipe(
      Effect.scoped,
      logged,
      Effect.ensuring(Effect.suspend(() => {
        own.fleet = undefined
        this.#fleets = everyones
        // They could not be made as they are configured: nothing waits for them, and they are made anew when they are needed again.
        if (this.#own === own) this.#own = undefined
        return own.made.open
      }))
    )
  }
}

/** Logs why servers cannot be made as they are configured. */
const logged = <A, E>(work: Effect.Effect<A, E>): Effect.Effect<void> =>
  Effect.catchAllCause(Effect.asVoid(work), (cause) =>
    Cause.isInterruptedOnly(cause)
      ? Effect.interrupt
      : Effect.logError("a client's own servers cannot be made", cause))
