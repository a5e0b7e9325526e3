/** Replicas whose leases a test gives and takes; what each has seen of the others may be old. */
import type { Simulation } from "@mcp-lifeline/testing"
import { Deferred, Effect, Exit, FiberId, Scope } from "effect"
import { type Claims, type ClusterStore, type Replica, StoreError } from "../../src/ClusterStore.js"
import type { Held, Membership } from "../../src/Membership.js"
import * as SessionHomes from "../../src/sessions/SessionHomes.js"
import { defaults } from "../../src/Terms.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"

export type Fate = "ok" | "refused" | "lost" | "unanswered"

interface Lease {
  readonly held: Held
  readonly lapse: () => void
}

/** One replica. Its lease lapses before others may end it, as `Membership` promises. */
export class Node {
  readonly #leases: Leases
  readonly #scope = Effect.runSync(Scope.make())
  readonly #waiting = new Map<string, Deferred.Deferred<void>>()
  #given = Deferred.unsafeMake<Held>(FiberId.none)
  #lease: Lease | undefined
  #seen: ReadonlyArray<Replica> = []
  /** Ids of leases that have lapsed here and that nobody has ended yet. */
  readonly lapsedIds: Array<string> = []
  readonly ids: Array<string> = []
  readonly homes: SessionHomes.SessionHomes
  ends = 0
  ending: Effect.Effect<void> = Effect.void
  fate: Fate = "ok"
  readonly asked: Array<string> = []

  constructor(leases: Leases, maxMoved?: number) {
    this.#leases = leases
    const membership: Membership = {
      terms: defaults,
      id: () => this.#lease?.held.id ?? "nobody",
      answers: { promise: () => false, consent: () => false },
      changes: () => 0,
      held: Effect.suspend(() => Deferred.await(this.#given)),
      running: Effect.void,
      replicas: () => this.#seen,
      ended: (id) =>
        Effect.suspend(() => {
          const ended = this.#waiting.get(id) ?? Deferred.unsafeMake<void>(FiberId.none)
          this.#waiting.set(id, ended)
          return Deferred.await(ended)
        })
    }
    const ends = Effect.suspend(() => {
      this.ends++
      return this.ending
    })
    this.homes = leases.run(Scope.extend(SessionHomes.make(membership, this.#claims, ends, maxMoved), this.#scope))
  }

  get #claims(): Claims {
    const { sessions } = this.#leases.store
    const via = <A>(what: string, work: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
      Effect.suspend(() => {
        this.asked.push(what)
        // It takes a moment, in which something else may happen.
        const done = Effect.zipRight(Effect.sleep(1), work)
        if (this.fate === "refused") return Effect.fail(new StoreError({ message: "the store refuses" }))
        const late = Effect.zipRight(Effect.sleep(3000), new StoreError({ message: "the store does not answer" }))
        if (this.fate === "lost") return late
        return this.fate === "unanswered" ? Effect.zipRight(done, late) : done
      })
    return {
      find: (name) => via("find", sessions.find(name)),
      claim: (id, name) => via("claim", sessions.claim(id, name)),
      release: (id, name, generation) => via("release", sessions.release(id, name, generation))
    }
  }

  get isHeld(): boolean {
    return this.#lease !== undefined
  }

  give(): string {
    const id = `r${this.#leases.count++}`
    const lapsed = Deferred.unsafeMake<void>(FiberId.none)
    const lease: Lease = {
      held: { id, isHeld: () => this.#lease === lease, lapsed: Deferred.await(lapsed) },
      lapse: () => Deferred.unsafeDone(lapsed, Exit.void)
    }
    Effect.runSync(this.#leases.store.join(id, `http://${id}`))
    this.ids.push(id)
    this.#lease = lease
    this.#look(id)
    Deferred.unsafeDone(this.#given, Exit.succeed(lease.held))
    return id
  }

  /** Its lease ends for itself: it may do nothing with it any more. What waits for that is told later, with `tell`. */
  lapse(): () => void {
    const lease = this.#lease
    if (lease === undefined) return () => undefined
    this.#lease = undefined
    this.#given = Deferred.unsafeMake(FiberId.none)
    this.lapsedIds.push(lease.held.id)
    return lease.lapse
  }

  end(): void {
    const id = this.lapsedIds.shift()
    if (id !== undefined) Effect.runSync(this.#leases.store.end(id, undefined))
  }

  look(): void {
    this.#look(this.#lease?.held.id ?? "nobody")
  }

  #look(id: string): void {
    const { replicas } = Effect.runSync(this.#leases.store.renew(id, []))
    this.#seen = replicas.filter(({ hasEnded }) => !hasEnded)
    for (const [one, ended] of this.#waiting) {
      if (replicas.find((replica) => replica.id === one)?.hasEnded === false) continue
      this.#waiting.delete(one)
      Deferred.unsafeDone(ended, Exit.void)
    }
  }
}

export class Leases {
  readonly store: ClusterStore = MemoryStore.make()
  count = 0
  readonly sim: Simulation.Simulation

  constructor(sim: Simulation.Simulation) {
    this.sim = sim
  }

  run<A, E>(work: Effect.Effect<A, E>): A {
    const fiber = this.sim.fork(work)
    this.sim.runUntilIdle()
    const exit = fiber.unsafePoll()
    if (exit === null || Exit.isFailure(exit)) throw new Error(`it has not ended well: ${String(exit)}`)
    return exit.value
  }

  node(maxMoved?: number): Node {
    return new Node(this, maxMoved)
  }
}
