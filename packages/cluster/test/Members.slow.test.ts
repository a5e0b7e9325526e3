import { afterEach, describe, expect, it } from "vitest"
import * as Postgres from "../../testing/test/support/Postgres.js"
import { defaults as terms } from "../src/Terms.js"
import { type Member, Members } from "./support/Members.js"

const servers = ["one", "two", "three", "four", "five", "six"]

/** Longer than a lease. */
const long = 2 * terms.lease

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** How often the faults come one after the other. `pnpm test:release cluster` sets it, and then all tests are run. */
const rounds = Number(process.env["LIFELINE_CLUSTER_ROUNDS"] ?? 0)

describe.skipIf(!Postgres.isInstalled || process.platform !== "linux")(
  `replicas as processes${Postgres.title}`,
  // For hangs.
  { timeout: 300_000 * Math.max(1, rounds) },
  () => {
    let cluster: Members
    afterEach(() => cluster[Symbol.asyncDispose]())

    /** Waits until each server runs once, on these replicas, in a process that is none of these. */
    const settled = async (on: ReadonlyArray<Member>, without: ReadonlySet<number> = new Set()): Promise<void> => {
      await expect.poll(() => {
        const alive = cluster.ledger.alive().filter(({ pid }) => !without.has(pid))
        const names = alive.filter((life) => on.includes(cluster.owner(life)!)).map(({ server }) => server)
        return [alive.length, ...names.toSorted()]
      }).toEqual([servers.length, ...servers.toSorted()])
    }

    const started = async (options?: Parameters<typeof Members.start>[2]): Promise<ReadonlyArray<Member>> => {
      cluster = await Members.start(3, servers, options)
      await settled(cluster.members)
      // Until each has named all others in the store, of whom it then asks promises.
      await pause(5 * terms.renewal)
      return cluster.members
    }

    /** No two processes of a server at once, no effect twice; what a client was told is true, and each live call is answered. */
    const allIsWell = async (): Promise<void> => {
      const pids = new Set(cluster.members.map(({ pid }) => String(pid)))
      await expect.poll(() => {
        const { told } = cluster.ledger.calls()
        const old = Math.max(...Array.from(told.keys(), (key) => Number(key.split("-")[2]))) - 300
        return [...told].filter(([key, what]) => {
          const [, pid = "", number] = key.split("-")
          return pids.has(pid) && Number(number) < old && what.length < 2
        })
      }).toEqual([])
      expect(cluster.ledger.overlaps()).toEqual([])
      const { effects, told } = cluster.ledger.calls()
      expect([...effects].filter(([, times]) => times > 1)).toEqual([])
      const wrong = [...told].filter(([key, [, what]]) => {
        if (what === "done") return effects.get(key) !== 1
        // Nothing else was sent.
        return what !== undefined && what !== "ResultUnknown" && what !== "RequestTimeout" && effects.has(key)
      })
      expect(wrong).toEqual([])
      const counts: Record<string, number> = {}
      for (const [, what = "the client has gone"] of told.values()) counts[what] = (counts[what] ?? 0) + 1
      console.log(`${expect.getState().currentTestName}: ${told.size} calls: ${JSON.stringify(counts)}`)
    }

    const pidsOn = (member: Member): ReadonlySet<number> =>
      new Set(cluster.ledger.alive().filter((life) => cluster.owner(life) === member).map(({ pid }) => pid))

    const busy = (): Member => cluster.members.find((member) => pidsOn(member).size > 0)!

    it("[D1][D4] a replica that is killed is replaced, and started again gets nothing twice", async () => {
      const members = await started()
      for (let times = 0; times < Math.max(1, rounds); times++) {
        const member = busy()
        const before = pidsOn(member)
        await member.end("SIGKILL")
        await settled(members.filter((one) => one !== member), before)
        await member.start()
      }
      await allIsWell()
    })

    it("[D1][D6] a replica that is stopped for longer than its lease has lost its servers when it goes on", async () => {
      const members = await started()
      const member = busy()
      const before = pidsOn(member)
      member.signal("SIGSTOP")
      await settled(members.filter((one) => one !== member), before)
      member.signal("SIGCONT")
      await pause(long)
      await settled(members.filter((one) => one !== member), before)
      await allIsWell()
    })

    // A machine on which a replica gets no answer for seconds ends what it runs, and is right to.
    it.skipIf(rounds === 0)("[D5] nothing starts again while the database is away", async () => {
      const members = await started()
      const before = cluster.ledger.lives()
      await cluster.postgres.crash()
      await pause(long)
      await cluster.postgres.start()
      await pause(terms.lease)
      await settled(members)
      expect(cluster.ledger.lives().map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
      await allIsWell()
      expect([...cluster.ledger.calls().told.values()].filter(([, what]) => what !== undefined && what !== "done"))
        .toEqual([])
    })

    it.skipIf(rounds === 0)("[D5] nothing starts again while the database does not answer", async () => {
      const members = await started()
      const before = cluster.ledger.lives()
      cluster.postgres.freeze()
      await pause(long)
      cluster.postgres.thaw()
      await pause(terms.lease)
      await settled(members)
      expect(cluster.ledger.lives().map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
      await allIsWell()
      expect([...cluster.ledger.calls().told.values()].filter(([, what]) => what !== undefined && what !== "done"))
        .toEqual([])
    })

    it.skipIf(rounds === 0)(
      "[D1][D6] a replica that is cut off ends its servers before others start them",
      async () => {
        const members = await started({ isCuttable: true })
        const member = busy()
        const before = pidsOn(member)
        cluster.cutOff(member, true)
        await settled(members.filter((one) => one !== member), before)
        cluster.cutOff(member, false)
        await pause(long)
        await settled(members.filter((one) => one !== member), before)
        expect(cluster.ledger.overlaps()).toEqual([])
      }
    )

    it.skipIf(rounds === 0)(
      "[D1][D4] replicas that are replaced one after the other hand their servers on, and no call fails",
      async () => {
        const members = await started()
        for (const member of Array.from({ length: Math.max(1, rounds) }, () => members).flat()) {
          const before = pidsOn(member)
          await member.end("SIGTERM")
          await settled(members.filter((one) => one !== member), before)
          await member.start()
        }
        await allIsWell()
        expect([...cluster.ledger.calls().told].filter(([, [, what]]) => what !== undefined && what !== "done"))
          .toEqual([])
      }
    )

    it.skipIf(rounds === 0)(
      "[D1][D4] replicas have equally many servers a while after they have started, and no call fails",
      async () => {
        const members = await started({ calm: 3000 })
        const balanced = () =>
          expect.poll(() => members.map((member) => pidsOn(member).size), { timeout: 120_000 }).toEqual([2, 2, 2])
        await balanced()
        const [member] = members
        await member!.end("SIGTERM")
        await member!.start()
        await balanced()
        await allIsWell()
        expect([...cluster.ledger.calls().told].filter(([, [, what]]) => what !== undefined && what !== "done"))
          .toEqual([])
      }
    )
  }
)
