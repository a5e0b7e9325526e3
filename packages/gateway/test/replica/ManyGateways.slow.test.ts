import { afterAll, afterEach, expect, it } from "vitest"
import { defaults as terms } from "../../../cluster/src/Terms.js"
import * as CountingLedger from "../../../testing/test/support/CountingLedger.js"
import { describeCluster, ManyGateways, type Replica } from "../support/ManyGateways.js"
import { RoundRobin } from "../support/RoundRobin.js"
import { clients as kinds, type Unaware } from "../support/Unaware.js"

/** How often the faults come one after the other. `pnpm test:release cluster` sets it, and then all tests are run. */
const rounds = Number(process.env["LIFELINE_CLUSTER_ROUNDS"] ?? 0)
const isLong = rounds > 0
const seed = Number(process.env["LIFELINE_CLUSTER_SEED"] ?? 0)
const long = 2 * terms.lease

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** Longer than anything here may take, and shorter than a test: it names the calls that took longer. */
const patience = 100_000

const outcomeOf = (error: unknown): string => {
  const { data, message } = error as { readonly data?: { readonly fate?: string }; readonly message?: string }
  const fate = data?.fate ?? /"fate":"(\w+)"/.exec(message ?? "")?.[1]
  if (fate !== undefined) return fate
  if (/may have been carried out|result is unknown/.test(String(message))) return "unknown"
  // The gateway that had the connection has gone, or none serves: the load balancer's answer.
  return /bad gateway|no gateway|fetch failed|terminated|aborted/.test(String(message))
    ? "network"
    : `failed:${String(message).replaceAll(/\s/g, "_")}`
}

class Crowd implements AsyncDisposable {
  readonly #ledger: CountingLedger.CountingLedger
  readonly #clients: Array<Unaware> = []
  readonly #working: Array<Promise<void>> = []
  #isOver = false
  readonly good: Array<{ readonly server: string; readonly began: number; readonly ended: number }> = []
  readonly counts = new Map<string, number>()

  constructor(ledger: CountingLedger.CountingLedger) {
    this.#ledger = ledger
  }

  async join(url: URL, kind: string, number: number, servers: ReadonlyArray<string>): Promise<void> {
    const name = `client-${this.#clients.length}`
    const client = await kinds[kind]!(url, name)
    this.#clients.push(client)
    this.#working.push(this.#work(client, `${name}-${number}`, servers))
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  async #work(client: Unaware, name: string, servers: ReadonlyArray<string>): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      for (const server of servers) {
        const key = `${name}-${server}-${number}`
        const began = CountingLedger.now()
        if (number % 2 === 0) {
          this.#ledger.tell(key, "begin")
          const told = await client.call(`${server}__add`, { key }, patience).then(() => "done", outcomeOf)
          this.#ledger.tell(key, told)
          this.#count(told)
          if (told === "done") this.good.push({ server, began, ended: CountingLedger.now() })
        } else this.#count(await this.#look(client, server))
      }
      await pause(20)
    }
  }

  /** A host repeats a request that only reads if its connection breaks, or it was not sent: the gateway that had it was cut off. */
  async #look(client: Unaware, server: string): Promise<string> {
    const look = () => client.call(`${server}__look`, {}, patience).then(() => "read", outcomeOf)
    const first = await look()
    return first === "network" || first === "notSent"
      ? `${await look()} at the second try`
      : first === "read"
      ? first
      : `read: ${first}`
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#working)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.allSettled(this.#clients.map((client) => client.close()))
  }
}

interface Row {
  readonly fault: string
  readonly times: number
  readonly calls: Readonly<Record<string, number>>
  /** How long the servers of the replica that failed were away, in milliseconds. */
  readonly away: ReadonlyArray<number>
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

describeCluster("many gateways, one fleet", () => {
  const servers = ["notes", "files", "mail"]
  const own = "desk"
  const report: Array<Row> = []
  let all: ManyGateways
  let balancer: RoundRobin
  let crowd: Crowd

  const statesAt = async (replica: Replica): Promise<ReadonlyArray<string>> =>
    (await replica.status()).servers.filter(({ name }) => servers.includes(name)).map(({ state }) => state)
  const begin = async (lease?: string): Promise<void> => {
    all = await ManyGateways.start(3, { servers, own: [own], lease })
    balancer = await RoundRobin.start(all.replicas.map(({ port }) => port))
    for (const replica of all.replicas) {
      await expect.poll(() => statesAt(replica), { timeout: patience }).toEqual(servers.map(() => "Connected"))
    }
    crowd = new Crowd(all.ledger)
    for (const kind of Object.keys(kinds)) {
      // A client without a session has no servers of its own.
      const used = /2026|ai-sdk/.test(kind) ? servers : [...servers, own]
      for (let number = 0; number < (isLong ? 3 : 1); number++) await crowd.join(balancer.url, kind, number, used)
    }
    // Until each replica has named all others in the store, of whom it then asks promises.
    await pause(5 * terms.renewal)
  }
  afterEach(async () => {
    await crowd[Symbol.asyncDispose]()
    await balancer[Symbol.asyncDispose]()
    await all[Symbol.asyncDispose]()
  })
  afterAll(() => {
    for (const { away, calls, fault, times } of report) {
      console.log(
        `${fault}, ${times} times: ${JSON.stringify(calls)}; away ${Math.round(median(away))} ms, at worst ${
          Math.round(Math.max(0, ...away))
        } ms`
      )
    }
  })

  const sharedOn = (replica: Replica): ReadonlyArray<string> =>
    all.ledger.alive().filter((life) => servers.includes(life.server) && all.owner(life.pid) === replica)
      .map(({ server }) => server)

  const busy = (round: number): Replica => {
    const candidates = all.replicas.filter((one) => sharedOn(one).length > 0)
    return candidates[(seed + round) % candidates.length]!
  }

  const inflict = async (replica: Replica, inflict: () => void | Promise<void>, away: Array<number>): Promise<void> => {
    const gone = sharedOn(replica)
    const from = CountingLedger.now()
    await inflict()
    for (const server of gone) {
      const first = () => crowd.good.find((one) => one.server === server && one.began >= from)
      await expect.poll(first, { timeout: patience }).toBeDefined()
      away.push(first()!.ended - from)
    }
  }

  /** No two processes of a server at once, and no effect twice; what a client was told is true; and no call is without an answer. */
  const allIsWell = async (fault: string, times: number, away: ReadonlyArray<number>): Promise<void> => {
    await crowd.stop()
    const calls = Object.fromEntries([...crowd.counts].toSorted())
    report.push({ fault, times, calls, away })
    expect(all.ledger.overlaps()).toEqual([])
    const { effects, told } = all.ledger.calls()
    expect([...effects].filter(([, times]) => times > 1)).toEqual([])
    expect([...told].filter(([, what]) => what.length !== 2)).toEqual([])
    const wrong = [...told].filter(([key, [, what = ""]]) => {
      if (what === "done") return effects.get(key) !== 1
      return what === "notSent" ? effects.has(key) : !["unknown", "network"].includes(what)
    })
    expect(wrong).toEqual([])
    if (!isLong) return
    const reads = Object.keys(calls).filter((what) => what.startsWith("read"))
    expect(reads.filter((what) => !/^read( at the second try)?$/.test(what))).toEqual([])
  }

  /** No call has failed. On a machine that is busy with other things, a replica may get no answer for seconds, and is right to stop then. */
  const nobodyHasNoticed = (): void => {
    const { done, read, ...others } = Object.fromEntries(crowd.counts)
    expect([done, read].every((count = 0) => count > 0)).toBe(true)
    if (isLong) expect(others).toEqual({})
  }

  const times = Math.max(1, rounds)

  it("[D1:real D2:real D3 D4] a gateway is killed", async () => {
    await begin()
    const away: Array<number> = []
    for (let round = 0; round < times; round++) {
      const replica = busy(round)
      await inflict(replica, () => replica.end("SIGKILL"), away)
      await replica.start()
      await pause(3 * terms.renewal)
    }
    await allIsWell("kill -9", times, away)
  })

  it("[D1:real D2:real D3 D4] gateways are replaced one after the other", async () => {
    // A replica that stops gives its lease back, so nobody waits for its end.
    await begin("1min")
    const away: Array<number> = []
    for (let round = 0; round < times; round++) {
      for (const replica of isLong ? all.replicas : [busy(round)]) {
        await inflict(replica, () => replica.end("SIGTERM"), away)
        await replica.start()
        await pause(3 * terms.renewal)
      }
    }
    await allIsWell("rolling restart", times, away)
    nobodyHasNoticed()
  })

  it.skipIf(!isLong)("[D1:real D2:real D6] a gateway is stopped for longer than its lease, and goes on", async () => {
    await begin()
    const away: Array<number> = []
    for (let round = 0; round < times; round++) {
      const replica = busy(round)
      await inflict(replica, () => replica.signal("SIGSTOP"), away)
      await pause(terms.lease)
      replica.signal("SIGCONT")
      await pause(long)
    }
    await allIsWell("SIGSTOP", times, away)
  })

  it.skipIf(!isLong)("[D1:real D2:real D6] a gateway is cut off from the database and the others", async () => {
    await begin()
    const away: Array<number> = []
    for (let round = 0; round < times; round++) {
      const replica = busy(round)
      await inflict(replica, () => all.cutOff(replica, true), away)
      await pause(30_000)
      all.cutOff(replica, false)
      await pause(long)
    }
    await allIsWell("cut off for 30 s", times, away)
  })

  it.skipIf(!isLong)("[D1:real D5] the database is away", async () => {
    await begin()
    const before = all.ledger.lives()
    for (let round = 0; round < times; round++) {
      await all.postgres.crash()
      await pause(30_000)
      await all.postgres.start()
      await pause(terms.lease)
    }
    await allIsWell("the database away for 30 s", times, [])
    expect(all.ledger.lives().map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
    nobodyHasNoticed()
  })
}, 300_000 * Math.max(1, rounds))
