/**
 * The durations of a cluster that its operators decide, with real gateways.
 */
import { Effect, Redacted } from "effect"
import { describe, expect, it } from "vitest"
import * as PostgresStore from "../../../cluster/src/PostgresStore.js"
import { termsOf } from "../../../cluster/src/Terms.js"
import * as CountingLedger from "../../../testing/test/support/CountingLedger.js"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { ManyGateways, type Replica, sessionKey } from "../support/ManyGateways.js"

/** Shorter than the usual time without the database. */
const patience = { timeout: 240_000, interval: 100 }

const [lease, withoutDatabase] = [8000, 4000]

/** How many others each replica has named in the database: these have to promise that they do not end its lease. */
const witnesses = (url: string) =>
  Effect.runPromise(Effect.scoped(
    PostgresStore.make({
      url: Redacted.make(url),
      terms: termsOf({ lease, withoutStore: withoutDatabase }),
      key: Redacted.make(sessionKey)
    }).pipe(
      Effect.flatMap((store) => store.renew("nobody", [])),
      Effect.map(({ replicas }) => replicas.map(({ witnesses }) => witnesses.length))
    )
  ))

describe.skipIf(!Postgres.isInstalled || process.platform !== "linux")(
  `the durations of a cluster${Postgres.title}`,
  { timeout: 2 * patience.timeout },
  () => {
    it("[D1:real D5] that operators decide count: after all replicas were killed at once, servers run again when they are over", async () => {
      await using all = await ManyGateways.start(3, {
        servers: ["notes"],
        lease: `${lease}ms`,
        withoutDatabase: `${withoutDatabase}ms`
      })
      const [first, second] = all.replicas as [Replica, Replica]
      await expect.poll(() => witnesses(all.postgres.url), patience).toEqual([2, 2, 2])
      await expect.poll(() => all.ledger.alive().length, patience).toBe(1)
      const before = new Set(all.ledger.lives().map(({ pid }) => pid))
      const killed = CountingLedger.now()
      await Promise.all(all.replicas.map((replica) => replica.end("SIGKILL")))
      await first.start()
      const next = () => all.ledger.lives().find(({ pid }) => !before.has(pid))
      await expect.poll(next, patience).toBeDefined()
      // The clock of leases has steps.
      expect(next()!.from - killed).toBeGreaterThan(lease + withoutDatabase - 100)
      expect(all.owner(next()!.pid)).toBe(first)
      expect(all.ledger.overlaps()).toEqual([])

      const remedy = (option: string): string =>
        `give all replicas the same ${option}, or, to change it, stop them all, delete the row of lifeline_terms, and start them anew`
      await expect(second.start({ MCP_LIFELINE_CLUSTER_LEASE: "" })).rejects.toThrow(
        `--cluster: the lease of this replica is 6 s, and that of the cluster 8 s; ${remedy("--cluster-lease")}`
      )
      await expect(second.start({ MCP_LIFELINE_CLUSTER_WITHOUT_DATABASE: "1h" })).rejects.toThrow(
        "--cluster: the time without the database of this replica is 1 h, and that of the cluster 4 s; "
          + remedy("--cluster-without-database")
      )
      await second.start()
    })
  }
)
