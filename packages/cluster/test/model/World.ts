/** A cluster in virtual time: replicas with clocks of their own, and a database and a network that fail. */
import { Simulation } from "@mcp-lifeline/testing"
import { Clock, Duration, Effect, Exit, Fiber, Scope } from "effect"
import { mayLeave } from "../../../testing/test/support/Holdings.js"
import { type ClusterStore, type Replica, StoreError } from "../../src/ClusterStore.js"
import * as Membership from "../../src/Membership.js"
import { type Answers, PeerError, type Peers } from "../../src/Peers.js"
import type { Terms } from "../../src/Terms.js"
import * as MemoryStore from "../../src/testing/MemoryStore.js"

export const terms: Terms = { lease: 6000, margin: 1500, renewal: 1000, withoutStore: 20_000 }

const killTime = 200

export type Fate =
  | "ok"
  | "refused"
  /** It is never carried out, and never answered. */
  | "lost"
  /** It is carried out, and never answered. */
  | "unanswered"
  | { readonly after: number }

/** How a way is: for each message the next one, and the last for all that follow. */
interface Way {
  fate: Fate
}

interface Process {
  readonly replica: Node
  readonly generation: number
  /** When it has ended at the latest, in the time of the simulation. */
  end: number
}

const server = "notes"

class Node {
  readonly toStore: Way = { fate: "ok" }
  readonly toPeers = new Map<string, Way>()
  isStopped = false
  isDead = false
  membership: Membership.Membership | undefined
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  readonly scope = Effect.runSync(Scope.make())
  /** When the watchdog kills, by this machine's clock. */
  watched = -Infinity
  hasWatchdog = true
  /** Whether there is one that answers nothing. */
  hasHangingWatchdog = false
  running: Process | undefined
  #give: (() => void) | undefined
  readonly name: string
  readonly world: World
  readonly speed: number
  readonly offset: number
  #waiting: Array<() => void> = []

  constructor(world: World, name: string, speed: number, offset: number) {
    this.world = world
    this.name = name
    this.speed = speed
    this.offset = offset
  }

  readonly now = (): number => this.world.sim.now * this.speed + this.offset

  /** Waits while the process is stopped. A process that is dead does not go on. */
  readonly awake: Effect.Effect<void> = Effect.async((resume) => {
    const goOn = () => resume(Effect.void)
    if (!this.isStopped && !this.isDead) return goOn()
    this.#waiting.push(goOn)
    return Effect.sync(() => {
      this.#waiting = this.#waiting.filter((one) => one !== goOn)
    })
  })

  readonly given: Effect.Effect<"given"> = Effect.async((resume) => {
    this.#give = () => resume(Effect.succeed("given"))
  })

  give(): void {
    const give = this.#give
    this.#give = undefined
    give?.()
  }

  goOn(): void {
    this.isStopped = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one()
  }

  get clock(): Clock.Clock {
    const { clock } = this.world.sim
    return {
      ...clock,
      sleep: (duration) =>
        Effect.zipRight(clock.sleep(Duration.millis(Duration.toMillis(duration) / this.speed)), this.awake)
    }
  }

  via<A, E>(way: Way, work: Effect.Effect<A, E>, refused: () => E): Effect.Effect<A, E> {
    const { sim } = this.world
    return Effect.suspend(() => {
      const { fate } = way
      if (fate === "refused") return Effect.fail(refused())
      if (fate === "lost") return Effect.never
      // It happens there, whether the one who asked still waits or not.
      const elsewhere = Effect.sync(() => {
        const delay = typeof fate === "object" ? fate.after : 1
        return sim.fork(Effect.zipRight(sim.clock.sleep(Duration.millis(delay)), work))
      })
      return Effect.flatMap(elsewhere, (fiber) =>
        Effect.zipRight(
          fate === "unanswered" ? Effect.never : Effect.void,
          Effect.flatMap(Effect.flatMap(Fiber.await(fiber), (exit) => Effect.as(this.awake, exit)), (exit) => exit)
        ))
    })
  }
}

export class World {
  readonly sim: Simulation.Simulation
  readonly terms: Terms
  readonly store = MemoryStore.make()
  readonly nodes: Array<Node> = []
  readonly violations: Array<string> = []
  readonly starts: Array<{ readonly at: number; readonly by: string; readonly generation: number }> = []

  constructor(seed: number, own: Terms = terms) {
    // A test drops its world as it is: what is never answered there waits for good.
    mayLeave("timers")
    this.terms = own
    this.sim = new Simulation.Simulation({ seed })
  }

  start(speed = 1): void {
    const node = new Node(this, `r${this.nodes.length}`, speed, this.nodes.length * 1e6)
    this.nodes.push(node)
    const refused = () => new StoreError({ message: "the database refuses" })
    const over = <A>(work: Effect.Effect<A, StoreError>) => node.via(node.toStore, work, refused)
    const store: ClusterStore = {
      ...this.store,
      join: (...given) => over(this.store.join(...given)),
      renew: (...given) => over(this.store.renew(...given)),
      end: (...given) => over(this.store.end(...given)),
      find: (...given) => over(this.store.find(...given)),
      claim: (...given) => over(this.store.claim(...given)),
      release: (...given) => over(this.store.release(...given)),
      loads: over(this.store.loads),
      servers: over(this.store.servers)
    }
    const ask = (to: Replica, answer: (asked: Answers) => boolean) => {
      const target = this.nodes.find(({ name }) => name === to.address)
      const way = node.toPeers.get(to.address ?? "") ?? { fate: "ok" }
      const answered = Effect.suspend(() => {
        const asked = target?.membership
        return asked?.id() === to.id
          ? Effect.succeed(answer(asked.answers))
          : new PeerError({ message: "another replica" })
      })
      const there = target === undefined ? answered : Effect.zipRight(target.awake, answered)
      return node.via(way, there, () => new PeerError({ message: "refused" }))
    }
    const peers: Peers = {
      promise: (to, ...given) => ask(to, ({ promise }) => promise(...given)),
      consent: (to, ...given) => ask(to, ({ consent }) => consent(...given))
    }
    const watch = (until: number): void => {
      // What it has killed stays dead.
      if (node.hasWatchdog) this.#look(node)
      node.watched = until
    }
    const isWatched = Effect.suspend(() => node.hasHangingWatchdog ? Effect.never : Effect.succeed(node.hasWatchdog))
    const options = { store, peers, terms: this.terms, address: node.name, now: node.now, watch, isWatched }
    const life = Effect.gen(function*() {
      // A process that cannot reach the database when it starts is started again.
      const membership = yield* Effect.retry(Membership.make(options), {
        while: () => Effect.as(Effect.sleep("1 seconds"), true)
      })
      node.membership = membership
      return yield* node.world.run(node, membership, store)
    }).pipe(Scope.extend(node.scope), Effect.withClock(node.clock))
    node.fiber = this.sim.fork(life)
    this.sim.runUntilIdle()
  }

  run(node: Node, membership: Membership.Membership, store: ClusterStore): Effect.Effect<never> {
    /** The generation that was given back last, if that was not answered. */
    let givenBack: number | undefined
    const turn = Effect.gen(this, function*() {
      const held = yield* membership.held
      const claim = store.claim(held.id, server, givenBack)
      const claimed = yield* Effect.option(Effect.timeout(Effect.disconnect(claim), "2 seconds"))
      if (claimed._tag === "None") return yield* Effect.sleep("200 millis")
      const owner = claimed.value
      if (owner === undefined) return yield* Effect.sleep("200 millis")
      if (owner.owner !== held.id) {
        return yield* Effect.race(membership.ended(owner.owner), Effect.sleep("5 seconds"))
      }
      if (!held.isHeld() || owner.generation === givenBack) return
      this.#started(node, owner.generation)
      const why = yield* Effect.raceFirst(held.lapsed, node.given)
      this.#ended(node)
      if (why !== "given") return
      yield* this.#hasEnded(node)
      givenBack = owner.generation
      const release = Effect.disconnect(store.release(held.id, server, owner.generation))
      const isReleased = yield* Effect.isSuccess(Effect.timeout(release, "2 seconds"))
      if (isReleased) givenBack = undefined
      yield* Effect.sleep("1 seconds")
    })
    return Effect.forever(turn)
  }

  /** Whether a process runs now: its watchdog kills it in time, even if its replica does nothing. */
  #isAlive(one: Process): boolean {
    const { hasWatchdog, now, watched } = one.replica
    const late = now() - watched
    return this.sim.now < one.end && (late < killTime || !hasWatchdog)
  }

  #look({ now, running, watched }: Node): void {
    const late = now() - watched
    if (late >= 0 && running !== undefined) {
      running.end = Math.min(running.end, this.sim.now + Math.max(0, killTime - late))
    }
  }

  setWatchdog(node: Node, isThere: boolean | "hangs"): void {
    if (node.isDead || node.isStopped) return
    // What the one before has killed stays dead.
    if (node.hasWatchdog) this.#look(node)
    node.hasWatchdog = isThere === true
    node.hasHangingWatchdog = isThere === "hangs"
  }

  /** Stops a replica for a while, if it has a watchdog: nobody ends what it runs otherwise. */
  stop(node: Node): void {
    if (node.hasWatchdog) node.isStopped = true
  }

  #started(node: Node, generation: number): void {
    for (const { running } of this.nodes) {
      if (running !== undefined && running.replica !== node && this.#isAlive(running)) {
        this.violations.push(
          `at ${this.sim.now} ${node.name} starts ${generation} while ${running.replica.name} runs ${running.generation}`
        )
      }
    }
    const last = this.starts.at(-1)
    if (
      last !== undefined && (generation < last.generation || (generation === last.generation && last.by !== node.name))
    ) {
      this.violations.push(
        `at ${this.sim.now} ${node.name} starts generation ${generation} after ${last.generation} of ${last.by}`
      )
    }
    this.starts.push({ at: this.sim.now, by: node.name, generation })
    node.running = { replica: node, generation, end: Infinity }
  }

  #ended(node: Node): void {
    if (node.running !== undefined) node.running.end = Math.min(node.running.end, this.sim.now + killTime)
  }

  /** Ends when the process of a replica has ended, whatever its clock says. */
  #hasEnded(node: Node): Effect.Effect<void> {
    return Effect.zipRight(this.sim.clock.sleep(Duration.millis(killTime)), node.awake)
  }

  kill(node: Node): void {
    if (node.isDead || !node.hasWatchdog) return
    node.isDead = true
    this.#ended(node)
  }

  leave(node: Node): void {
    if (node.isDead || node.isStopped || node.fiber === undefined) return
    const { fiber } = node
    node.fiber = undefined
    const stopped = Effect.zipRight(Fiber.interrupt(fiber), Effect.sync(() => this.#ended(node)))
    const left = Effect.zipRight(this.#hasEnded(node), Scope.close(node.scope, Exit.void))
    this.sim.fork(Effect.withClock(Effect.zipRight(stopped, left), node.clock))
  }

  runs(): ReadonlyArray<string> {
    return this.nodes.flatMap(({ name, running }) => running !== undefined && this.#isAlive(running) ? [name] : [])
  }
}
