/**
 * [D10] Many gateways as one: what it costs that a request comes to another replica, and what the database has to do. It starts everything
 * that it measures, with a PostgreSQL (Debian's package `postgresql`), and ends it.
 *
 * `--part hop` (about 2 minutes): one call after the other, block by block in turns. A request *enters* at a replica, the session of the
 * client *lives* at one, and the *server* runs at one. `p50 ms` is of the best block; `over it, best` is the
 * difference of these, and `median` the median of the differences of blocks of the same round. `CPU ms a call` is of all gateways of the cluster together;
 * the second table has it for clients whose requests go to all replicas in turn.
 *
 * `--part scale` (about 2 minutes): three replicas, `--servers` small servers, and `--clients` clients with a session and an open stream, each of which calls
 * a server about every `--every` seconds for `--seconds`. Each request goes to the next replica, as with a load balancer.
 *
 * `--part database`: the same, and what the replicas ask the database meanwhile; before that, while nobody calls.
 *
 *     node tools/benchmarks/cluster.mjs [--part all|hop|scale|database] [--rounds 15] [--calls 100] [--many 300] [--inFlight 10] [--servers 100]
 *       [--clients 1000] [--every 5] [--seconds 30] [--json]
 */
import { existsSync } from "node:fs"
import * as Postgres from "../postgres.mjs"
import * as Clients from "./cluster/clients.mjs"
import * as Replicas from "./cluster/replicas.mjs"
import * as common from "./common.mjs"
import * as Processes from "./gateways/processes.mjs"

const { calls, clients, every, inFlight, json, many, part, rounds, seconds, servers } = common.options(
  { rounds: 15, calls: 100, many: 300, inFlight: 10, servers: 100, clients: 1000, every: 5, seconds: 30 },
  { part: ["all", "hop", "scale", "database"] }
)

/** @param {string} why */
const fail = (why) => {
  console.error(why)
  process.exit(1)
}
if (process.platform !== "linux") fail("This benchmark reads /proc, so it needs Linux.")
if (!Postgres.isInstalled) fail("PostgreSQL is not installed. On Debian: apt-get install postgresql")
if (!existsSync(Processes.lifeline.file)) fail("Build first: npx --yes pnpm@10.34.8 bench cluster")

/** How much more a call may take at the median because it is passed on, in milliseconds. */
const mostOver = 0.6
/** How many statements a second and replica an idle cluster may ask. */
const mostStatements = 2

/** @param {ReadonlyArray<{ readonly pid: number }>} replicas */
const cpu = (replicas) => replicas.reduce((sum, one) => sum + Processes.cpu(one), 0)

/** @template A @param {ReadonlyArray<A>} all @param {number} i @returns {A} */
const turn = (all, i) => /** @type {A} */ (all[i % all.length])

/** The cases of one cluster. @param {Replicas.Cluster} alone @param {Replicas.Cluster} three */
const casesOf = async (alone, three) => {
  const owners = await Clients.ready(three)
  const [tool = ""] = three.tools
  const a = /** @type {Replicas.Replica} */ (owners[0])
  const [b, c] = /** @type {[Replicas.Replica, Replicas.Replica]} */ (three.replicas.filter((one) => one !== a))
  const [single] = /** @type {[Replicas.Replica]} */ (alone.replicas)
  const atA = await Clients.session(a)
  const atB = await Clients.session(b)
  const atAlone = await Clients.session(single)
  const none = Clients.stateless()
  /** @param {string} name @param {Clients.Client} client @param {Replicas.Replica} at @param {number | undefined} compared @param {number} [most] */
  const one = (name, client, at, compared, most) => ({
    name,
    compared,
    most,
    replicas: at === single ? alone.replicas : three.replicas,
    call: async () => {
      const starter = await client.call(tool, at)
      if (starter !== a.pid && starter !== single.pid) throw new Error("the server has moved: run the benchmark again")
    }
  })
  return [
    one("no cluster", atAlone, single, undefined),
    one("enters, lives and server at A", atA, a, 0),
    one("enters and lives at B, server at A", atB, b, 1, mostOver),
    one("enters at B, lives and server at A", atA, b, 1, mostOver),
    one("enters at C, lives at B, server at A", atB, c, 1),
    one("without session: enters at A, server at A", none, a, 1),
    one("without session: enters at B, server at A", none, b, 5, mostOver)
  ]
}

/** @param {() => Promise<unknown>} call */
const latencies = async (call) => {
  const took = []
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await call()
    took.push(performance.now() - startedAt)
  }
  return took
}

/** CPU of a cluster in milliseconds a call, with clients whose requests go to all replicas in turn. @param {Replicas.Cluster} cluster */
const loaded = async ({ replicas, tools }) => {
  const all = await Promise.all(
    Array.from({ length: 4 * replicas.length }, (_, i) => Clients.session(turn(replicas, i)))
  )
  let i = 0
  return async () => {
    const before = cpu(replicas)
    const last = i + many
    await Promise.all(Array.from({ length: inFlight }, async () => {
      while (i < last) {
        const n = i++
        // Both go round, at speeds of their own.
        const at = turn(replicas, n + Math.floor(n / replicas.length))
        await turn(all, n).call(turn(tools, n), at)
      }
    }))
    return (cpu(replicas) - before) / many
  }
}

/** @param {number} port of the database server */
const hop = async (port) => {
  // With more than one, replicas would move some of them to others meanwhile.
  const few = 1
  const alone = await Replicas.alone(few)
  await Clients.ready(alone)
  const clusters = []
  for (const count of [1, 2, 3]) clusters.push(await Replicas.cluster(port, `hop${count}`, count, few))
  const cases = await casesOf(alone, /** @type {Replicas.Cluster} */ (clusters[2]))
  for (const one of clusters) await Clients.ready(one)
  const loads = [
    { name: "no cluster", load: await loaded(alone), cpu: /** @type {Array<number>} */ ([]) },
    ...await Promise.all(
      clusters.map(async (one, i) => ({
        name: `${i + 1} replica${i === 0 ? "" : "s"}`,
        load: await loaded(one),
        cpu: /** @type {Array<number>} */ ([])
      }))
    )
  ]
  const medians = cases.map(() => /** @type {Array<number>} */ ([]))
  const all = cases.map(() => /** @type {Array<number>} */ ([]))
  const used = cases.map(() => 0)
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { call, replicas }] of cases.entries()) {
      // The first round warms up.
      for (let i = 0; round === 0 && i < 4; i++) await latencies(call)
      const before = cpu(replicas)
      const took = await latencies(call)
      if (round === 0) continue
      medians[i]?.push(common.median(took))
      all[i]?.push(...took)
      used[i] = (used[i] ?? 0) + cpu(replicas) - before
    }
    for (const one of loads) {
      const spent = await one.load()
      if (round > 0) one.cpu.push(spent)
    }
  }
  for (const { replicas } of [alone, ...clusters]) for (const { pid } of replicas) Processes.killTree(pid)
  /** @param {number} i */
  const mediansOf = (i) => medians[i] ?? []
  const calling = cases.map(({ compared, most, name }, i) => {
    const over = compared === undefined
      ? undefined
      : common.median(mediansOf(i).map((value, round) => value - (mediansOf(compared)[round] ?? Number.NaN)))
    const best = compared === undefined ? undefined : Math.min(...mediansOf(i)) - Math.min(...mediansOf(compared))
    return {
      name,
      figures: {
        "p50 ms": common.round(Math.min(...mediansOf(i)), 2),
        "p99 ms": common.round(common.quantile(all[i] ?? [], 0.99), 2),
        "CPU ms a call": common.round((used[i] ?? 0) / calls / rounds, 2),
        ...(over === undefined || best === undefined
          ? {}
          : {
            than: cases[compared ?? 0]?.name ?? "",
            "over it, best": common.round(best, 2),
            "median": common.round(over, 2)
          })
      },
      ...(most === undefined || best === undefined ? {} : { bound: `<= ${most} ms over it`, within: best <= most })
    }
  })
  const using = loads.map(({ cpu, name }) => ({
    name,
    figures: {
      "CPU ms a call, best": common.round(Math.min(...cpu), 2),
      median: common.round(common.median(cpu), 2)
    }
  }))
  return [
    { id: "hop", title: "What a call costs that is passed on", rows: calling },
    {
      id: "cpu",
      title: `CPU of all gateways together, ${inFlight} calls in flight, requests to the replicas in turn`,
      rows: using
    }
  ]
}

/** What a cluster does for some seconds. @param {Replicas.Cluster} cluster @param {() => Promise<unknown>} work */
const observed = async ({ bytes, replicas, statements }, work) => {
  const before = { at: performance.now(), bytes: bytes(), statements: statements(), cpu: cpu(replicas) }
  await work()
  const perSecond = 1000 / (performance.now() - before.at) / replicas.length
  return {
    "statements": common.round((statements() - before.statements) * perSecond, 2),
    "bytes": Math.round((bytes() - before.bytes) * perSecond),
    "CPU ms": common.round((cpu(replicas) - before.cpu) * perSecond, 1)
  }
}

/** @param {number} port of the database server */
const scale = async (port) => {
  const startedAt = performance.now()
  const cluster = await Replicas.cluster(port, "scale", 3, servers)
  const { replicas, tools } = cluster
  await Clients.ready(cluster)
  const began = performance.now() - startedAt
  // Until what the start has left to do is done.
  await common.sleep(15_000)
  const idle = await observed(cluster, () => common.sleep(seconds * 1000))
  const small = replicas.map(Replicas.memory)

  const connecting = performance.now()
  /** @type {Array<Awaited<ReturnType<typeof Clients.session>>>} */
  const sessions = []
  const opening = await observed(cluster, async () => {
    let next = 0
    await Promise.all(Array.from({ length: 20 }, async () => {
      while (next < clients) {
        const i = next++
        const one = await Clients.session(turn(replicas, i))
        one.listen(turn(replicas, i + Math.floor(i / 3)))
        sessions.push(one)
      }
    }))
  })
  const connected = performance.now() - connecting
  await common.sleep(2000)

  /** @type {Array<number>} */
  const took = []
  /** @type {Map<string, number>} */
  const failures = new Map()
  const calling = await observed(cluster, async () => {
    const end = performance.now() + seconds * 1000
    await Promise.all(sessions.map(async (one, i) => {
      // Pauses are the same in each run, and of all lengths from 0 to twice `every`.
      for (let n = 0;; n++) {
        await common.sleep(every * 2000 * ((0.618_033_988_7 * (i + 1) + 0.754_877_666_2 * n) % 1))
        if (performance.now() > end) return
        const at = performance.now()
        try {
          await one.call(turn(tools, i * 7 + n), turn(replicas, i + n))
          took.push(performance.now() - at)
        } catch (error) {
          const text = String(error).slice(0, 200)
          failures.set(text, (failures.get(text) ?? 0) + 1)
        }
      }
    }))
  })
  const large = replicas.map(Replicas.memory)
  const owners = await Clients.ready(cluster)
  for (const { pid } of replicas) Processes.killTree(pid)
  Clients.agent.destroy()

  const share = (/** @type {number} */ i) => owners.filter((one) => one === replicas[i]).length
  const rows = [
    ...replicas.map((_, i) => ({
      name: `replica ${i + 1}`,
      figures: {
        servers: share(i),
        sessions: sessions.filter((_, n) => n % 3 === i).length,
        "RSS MB without clients": Math.round(small[i] ?? 0),
        "and after": Math.round(large[i] ?? 0)
      }
    })),
    {
      name: "calls",
      figures: {
        "calls/s": Math.round(took.length / seconds),
        "p50 ms": common.round(common.median(took), 1),
        "p99 ms": common.round(common.quantile(took, 0.99), 1),
        failed: [...failures.values()].reduce((sum, one) => sum + one, 0)
      }
    }
  ]
  const notes = [
    `All servers answered at all replicas after ${
      common.round(began / 1000)
    } s. ${clients} clients had connected after ${common.round(connected / 1000)} s.`,
    ...Array.from(failures, ([text, count]) => `${count} times: ${text}`)
  ]
  const asked = [
    {
      name: "nobody calls",
      figures: idle,
      bound: `statements <= ${mostStatements}`,
      within: idle.statements <= mostStatements
    },
    { name: `${clients} clients connect`, figures: opening },
    { name: "they call", figures: calling }
  ]
  return [
    { id: "replicas", title: `Three replicas, ${servers} servers, ${clients} clients`, rows, notes },
    { id: "database", title: "What a replica asks the database, and its CPU, in a second", rows: asked }
  ]
}

const postgres = await Replicas.database()
/** @type {Array<common.Result>} */
const parts = []
if (part === "all" || part === "hop") parts.push(...await hop(postgres.port))
if (part !== "hop") parts.push(...await scale(postgres.port))
common.reportParts({ parts, json })
await postgres.end()
process.exit()
