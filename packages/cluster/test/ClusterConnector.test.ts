import { Backend, type Connection, Sending } from "@mcp-lifeline/core"
import { ScriptedConnector, Simulation } from "@mcp-lifeline/testing"
import { Effect, Exit, Fiber, Scope } from "effect"
import { beforeEach, describe, expect, it } from "vitest"
import { mayLeave } from "../../testing/test/support/Holdings.js"
import * as ClusterConnector from "../src/ClusterConnector.js"
import { type ClusterStore, type Ownership, StoreError } from "../src/ClusterStore.js"
import * as Membership from "../src/Membership.js"
import { PeerError } from "../src/Peers.js"
import { defaults as terms, termsOf } from "../src/Terms.js"
import * as MemoryStore from "../src/testing/MemoryStore.js"

// What still closes at the end of a test waits for virtual time, which nobody moves any more.
beforeEach(() => mayLeave("connections", "timers"))

const noPeer = () => Effect.fail(new PeerError({ message: "there are no ways between them" }))

let sim: Simulation.Simulation
let store: ClusterStore
beforeEach(() => {
  sim = new Simulation.Simulation({ seed: 1 })
  store = MemoryStore.make()
})

const run = <A, E>(work: Effect.Effect<A, E>, millis = 0): A => {
  const fiber = sim.fork(work)
  sim.advance(millis)
  const exit = Effect.runSync(Fiber.poll(fiber))
  if (exit._tag === "None") throw new Error("it waits")
  return Exit.isSuccess(exit.value) ? exit.value.value : (() => {
    throw new Error(String((exit.value as Exit.Failure<A, E>).cause))
  })()
}

class Replica {
  readonly local = new ScriptedConnector.ScriptedConnector({ overlap: false })
  readonly remotes: Array<{ readonly owner: Ownership; readonly connector: ScriptedConnector.ScriptedConnector }> = []
  readonly pids: Array<string> = []
  readonly process = Effect.runSync(Scope.make())
  readonly server = Effect.runSync(Scope.make())
  outcome: ScriptedConnector.Outcome = {}
  isAway = false
  /** Whether releases are carried out, but not answered. */
  isReleaseLate = false
  readonly released: Array<Effect.Effect<unknown, unknown>> = []
  readonly backend: Backend.Backend
  readonly connector: ClusterConnector.ClusterConnector

  constructor(name: string, decided = terms) {
    const away = <A, E>(work: Effect.Effect<A, E>) => Effect.suspend(() => this.isAway ? Effect.never : work)
    const reached: ClusterStore = {
      ...store,
      renew: (...given) => away(store.renew(...given)),
      find: (...given) => away(store.find(...given)),
      claim: (...given) => away(store.claim(...given)),
      release: (...given) =>
        Effect.suspend(() => {
          if (!this.isReleaseLate) return store.release(...given)
          this.released.push(store.release(...given))
          return new StoreError({ message: "no answer" })
        })
    }
    const membership = run(Scope.extend(
      Membership.make({
        store: reached,
        peers: { promise: noPeer, consent: noPeer },
        terms: decided,
        address: `http://${name}`,
        now: () => sim.now,
        watch: () => {}
      }),
      this.process
    ))
    this.connector = run(Scope.extend(
      ClusterConnector.make({
        membership,
        store: reached,
        server: "notes",
        local: this.local,
        remote: (owner) => {
          const connector = new ScriptedConnector.ScriptedConnector()
          connector.otherwise = this.outcome
          this.remotes.push({ owner, connector })
          return connector
        }
      }),
      this.process
    ))
    this.backend = run(Scope.extend(Backend.make("notes", { connector: this.connector }), this.server))
    sim.advance(500)
  }

  get isConnected(): boolean {
    return run(this.backend.isConnected)
  }

  stop(): void {
    run(Effect.zipRight(Scope.close(this.server, Exit.void), Scope.close(this.process, Exit.void)), 1000)
  }
}

const call = (replica: Replica) => replica.backend.callTool({ name: "echo", arguments: {} })

describe("a server that runs once in the cluster", () => {
  it("[D1] is started by the first replica, and reached through it by the others", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    expect([a.isConnected, b.isConnected]).toEqual([true, true])
    expect([a.local.connections.length, a.remotes.length]).toEqual([1, 0])
    expect([b.local.connections.length, b.remotes.length]).toEqual([0, 1])
    expect(b.remotes[0]?.owner).toMatchObject({ address: "http://a", generation: 1 })
    run(call(a), 100)
    run(call(b), 100)
    expect(b.remotes[0]?.connector.ledger.sent("tools/call")).toHaveLength(1)
  })

  it("[D1] stays where it is when it crashes", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    a.local.current.lose()
    sim.advance(5000)
    expect(a.local.connections).toHaveLength(2)
    expect([b.local.connections.length, b.remotes.length]).toEqual([0, 1])
  })

  it("[D4] is started by another replica as soon as its replica has stopped in order", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    a.stop()
    b.remotes[0]?.connector.current.lose("session")
    sim.advance(2000)
    expect(b.local.connections).toHaveLength(1)
    expect(b.isConnected).toBe(true)
    expect(run(store.servers)).toMatchObject([{ server: "notes", generation: 2, address: "http://b" }])
  })

  it("[D4][D6] ends with its replica's lease, and is started by another one then", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    a.isAway = true
    sim.advance(terms.lease - terms.margin + 100)
    expect(a.local.current.state).toBe("closed")
    expect(b.local.connections).toHaveLength(0)
    sim.advance(terms.margin + 2 * terms.renewal)
    // What waits at the replica that has gone ends, too: nobody there will answer.
    expect(b.remotes[0]?.connector.current.loss).toBeUndefined()
    expect(b.remotes[0]?.connector.current.state).toBe("closed")
    expect(b.local.connections).toHaveLength(1)
    expect(a.local.connections).toHaveLength(1)
    a.isAway = false
    sim.advance(60_000)
    expect(a.isConnected).toBe(true)
    expect(a.remotes.at(-1)?.owner).toMatchObject({ address: "http://b", generation: 2 })
  })

  it("[D4] is not waited for at a replica that has gone", () => {
    const a = new Replica("a")
    a.isAway = true
    const b = new Replica("b")
    b.outcome = { connect: "hang" }
    run(b.backend.reconnect, 100_000)
    expect(b.local.connections).toHaveLength(1)
    expect(b.isConnected).toBe(true)
  })

  it.each([terms, termsOf({ lease: 20_000 })])(
    "[D4] is taken at once when the lease ends of a replica that refuses connections: %j",
    (terms) => {
      const a = new Replica("a", terms)
      const b = new Replica("b", terms)
      a.isAway = true
      b.outcome = { connect: "fail", error: { reason: "refused" } }
      b.remotes[0]?.connector.current.lose("closed")
      sim.advance(terms.lease)
      expect(b.local.connections).toHaveLength(0)
      sim.advance(terms.renewal + 600)
      expect(b.local.connections).toHaveLength(1)
      // Nobody has counted that as a failed attempt, and waited after it.
      expect(b.remotes).toHaveLength(2)
    }
  )

  it("[D1] is given to others by a replica that cannot start it", () => {
    const a = new Replica("a")
    a.local.otherwise = { connect: "fail", error: { permanent: true } }
    a.local.current.lose()
    sim.advance(1000)
    expect(run(store.servers)).toEqual([])
    const b = new Replica("b")
    expect(b.local.connections).toHaveLength(1)
    sim.advance(600_000)
    expect(a.isConnected).toBe(true)
  })

  it("[D4] goes to another replica when its own one leaves it, after the calls in flight", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    a.local.respond = (method) =>
      method === "tools/call" ? { answer: "result", result: { content: [] }, after: 1000 } : undefined
    const call = sim.fork(a.backend.callTool({ name: "echo", arguments: {} }))
    sim.advance(10)
    a.connector.leave()
    sim.fork(a.backend.reconnect)
    sim.advance(900)
    expect([a.local.connections.length, b.local.connections.length]).toEqual([1, 0])
    sim.advance(200)
    expect(Exit.isSuccess(run(Fiber.await(call)))).toBe(true)
    b.remotes[0]?.connector.current.lose("session")
    sim.advance(2000)
    expect([a.local.connections.length, b.local.connections.length]).toEqual([1, 1])
    expect(a.remotes.at(-1)?.owner).toMatchObject({ address: "http://b", generation: 2 })
    expect([a.isConnected, b.isConnected]).toEqual([true, true])
  })

  it("[D4] is taken again by the replica that has left it, if no other one wants it", () => {
    const a = new Replica("a")
    new Replica("b").stop()
    a.connector.leave()
    run(a.backend.reconnect, 5000)
    expect(a.local.connections).toHaveLength(2)
    expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 2 }])
  })

  it("[D4] goes to another replica for good when its own one leaves it so", () => {
    const [a, b] = [new Replica("a"), new Replica("b")]
    a.connector.leave(true)
    sim.fork(a.backend.reconnect)
    sim.advance(100)
    b.remotes[0]?.connector.current.lose("session")
    sim.advance(2000)
    expect([a.local.connections.length, b.local.connections.length]).toEqual([1, 1])
    run(call(a), 100)
    expect(a.remotes[0]?.connector.ledger.sent("tools/call")).toHaveLength(1)
    b.stop()
    a.remotes[0]?.connector.current.lose("session")
    sim.advance(60_000)
    expect(a.local.connections).toHaveLength(1)
    expect(run(store.servers)).toEqual([])
  })

  it("[D4] is taken within a second when its owner gives it up, by a replica that its owner has refused before", () => {
    run(store.join("other", "http://other"))
    run(store.claim("other", "notes"))
    const b = new Replica("b")
    expect(b.remotes).toHaveLength(1)
    b.remotes[0]?.connector.current.lose("session")
    b.outcome = { connect: "fail" }
    sim.advance(1500)
    run(store.release("other", "notes", 1))
    sim.advance(500)
    expect(b.remotes).toHaveLength(2)
    expect(b.local.connections).toHaveLength(1)
  })

  it.each(["leaves it", "cannot start it", "ends"])(
    "[D1] is not given to others before it has ended: its replica %s",
    (way) => {
      const a = new Replica("a")
      a.local.script({ close: 30_000 }, ...way === "cannot start it" ? [{ connect: "fail" as const }] : [])
      run(a.backend.reconnect, 1000)
      expect(a.local.connections).toHaveLength(2)
      if (way === "ends") sim.fork(Effect.zipRight(Scope.close(a.server, Exit.void), Scope.close(a.process, Exit.void)))
      else {
        if (way === "leaves it") a.connector.leave()
        sim.fork(a.backend.reconnect)
      }
      sim.advance(29_000)
      expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 1 }])
      expect(a.local.connections).toHaveLength(2)
      sim.advance(30_000)
      // At the end of the replica, its lease has to run out: the watchdog has killed the server then.
      expect(run(store.servers).some(({ generation }) => generation === 1)).toBe(way === "ends")
    }
  )

  it("[D1] runs with a new generation after a release that was not answered, and may still happen", () => {
    const a = new Replica("a")
    a.isReleaseLate = true
    a.connector.leave()
    run(a.backend.reconnect, 5000)
    expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 2 }])
    for (const release of a.released) run(release)
    expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 2 }])
  })

  it("[D1] runs with a new generation after a claim that was not answered, and has come late", () => {
    const a = new Replica("a")
    a.connector.leave()
    run(a.backend.disconnect, 100)
    const { owner, generation } = run(store.servers)[0]!
    run(store.release(owner, "notes", generation))
    run(store.claim(owner, "notes"))
    run(a.backend.reconnect, 5000)
    expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 3 }])
    run(store.release(owner, "notes", 2))
    expect(run(store.servers)).toMatchObject([{ address: "http://a", generation: 3 }])
  })

  it("[D4] is taken by the replica that runs the fewest", () => {
    const replicas = [new Replica("a"), new Replica("b"), new Replica("c")]
    replicas[0]!.stop()
    const [, b, c] = replicas
    // The second one runs another server.
    run(store.claim(run(store.renew("", [])).replicas.find(({ address }) => address === "http://b")!.id, "other"))
    sim.advance(2000)
    for (const one of [b, c]) one!.remotes[0]?.connector.current.lose("session")
    sim.advance(5000)
    expect([b!.local.connections.length, c!.local.connections.length]).toEqual([0, 1])
  })

  it("[D6] is watched until it has ended, and not served to others when the lease has", () => {
    const scope = Effect.runSync(Scope.make())
    const away = { is: false }
    const reached: ClusterStore = { ...store, renew: (...given) => away.is ? Effect.never : store.renew(...given) }
    const membership = run(Scope.extend(
      Membership.make({
        store: reached,
        peers: { promise: noPeer, consent: noPeer },
        terms,
        address: "",
        now: () => sim.now,
        watch: () => {}
      }),
      scope
    ))
    const seen: Array<string> = []
    const inner = new ScriptedConnector.ScriptedConnector({ overlap: false })
    inner.otherwise = { close: 2000 }
    const connector = run(Scope.extend(
      ClusterConnector.make({
        membership,
        store: reached,
        server: "notes",
        local: {
          ...inner,
          connect: (options) => Effect.map(inner.connect(options), (one) => ({ ...one, peer: { pid: 7 } }))
        },
        remote: () => inner,
        watchdog: {
          group: (pid) => void seen.push(`watch ${pid}`),
          gone: (pid) => void seen.push(`gone ${pid} ${inner.current.state} ${inner.ledger.entries.at(-1)?._tag}`)
        },
        whileOwned: Effect.acquireRelease(
          Effect.sync(() => void seen.push("served")),
          // As slow as the end of sessions can be.
          () => Effect.delay(Effect.sync(() => void seen.push("not served")), 100)
        )
      }),
      scope
    ))
    const backend = run(Scope.extend(Backend.make("notes", { connector }), scope), 500)
    expect(seen).toEqual(["served", "watch 7"])
    away.is = true
    sim.advance(terms.lease - terms.margin + 500)
    expect(seen).toEqual(["served", "watch 7", "not served"])
    sim.advance(2000)
    expect(seen.slice(3)).toEqual(["gone 7 closed Closed"])
    expect(run(backend.isConnected)).toBe(false)
  })

  it("[D2][D6] gets nothing from a replica whose lease has ended, even before its connection has", () => {
    let now = 0
    const local = new ScriptedConnector.ScriptedConnector()
    const scope = Effect.runSync(Scope.make())
    const membership = run(Scope.extend(
      Membership.make({
        store,
        peers: { promise: noPeer, consent: noPeer },
        terms,
        address: "",
        now: () => now,
        watch: () => {}
      }),
      scope
    ))
    const remote = () => local
    const connector = run(
      Scope.extend(ClusterConnector.make({ membership, store, server: "notes", local, remote }), scope)
    )
    const connection: Connection = run(
      Scope.extend(connector.connect({ report: () => {} }), scope),
      100
    )
    // The process was stopped, and goes on before any timer has.
    now = terms.lease - terms.margin
    const request = Sending.ask(connection, "tools/call", { name: "echo" }, { timeout: 1000 })
    expect(run(Effect.flip(request))).toMatchObject({ fate: "notSent", reason: "lost" })
    expect(run(Effect.flip(connection.notify("notifications/cancelled")))).toMatchObject({ fate: "notSent" })
    expect(local.ledger.sent("tools/call")).toHaveLength(0)
  })
})
