import { afterEach, describe, expect, it } from "vitest"
import { isFull } from "../../testing/test/support/Full.js"
import * as Postgres from "../../testing/test/support/Postgres.js"
import { defaults as terms } from "../src/Terms.js"
import { type Member, Members } from "./support/Members.js"

const servers = ["one", "two", "three", "four", "five", "six"]

/** Longer than a lease. */
const long = 2 * terms.lease

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** How often the faults come one after the other. `pnpm test:cluster` sets it, and then all tests are run. */
const rounds = Number(process.env["LIFELINE_CLUSTER_ROUNDS"] ?? 0)

describe.skipIf(!Postgres.isInstalled || !(isFull || rounds > 0) || process.platform !== "linux")(
  `replicas as processes${Postgres.title}`,
  // For hangs.
  { timeout: 300_000 * Math.max(1, rounds) },
  () => {
    let cluster: Members
    afterEach(() => cluster[Symbol.asyncDispose]())

    /** Waits until each server runs once, on these replicas, in a process that is none of these. */
    const settled = async (on: ReadonlyArray<Member>, without: ReadonlySet<number> = new Set()): Promise<void> => {
      await expect.poll(() => {
        const alive = cluster.alive().filter(({ pid }) => !without.has(pid))
        const names = alive.filter((life) => on.includes(cluster.owner(life)!)).map(({ server }) => server)
        return [alive.length, ...names.toSorted()]
      }).toEqual([servers.length, ...servers.toSorted()])
    }

    const started = async (): Promise<ReadonlyArray<Member>> => {
      cluster = await Members.start(3, servers)
      await settled(cluster.members)
      // Until each has named all others in the store, of whom it then asks promises.
      await pause(5 * terms.renewal)
      return cluster.members
    }

    /** The processes on a replica. */
    const pidsOn = (member: Member): ReadonlySet<number> =>
      new Set(cluster.alive().filter((life) => cluster.owner(life) === member).map(({ pid }) => pid))

    /** A replica that runs servers. */
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
      expect(cluster.overlaps()).toEqual([])
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
      expect(cluster.overlaps()).toEqual([])
    })

    // A machine on which a replica gets no answer for seconds ends what it runs, and is right to.
    it.skipIf(rounds === 0)("[D5] nothing starts again while the database is away", async () => {
      const members = await started()
      const before = cluster.lives()
      await cluster.postgres.crash()
      await pause(long)
      await cluster.postgres.start()
      await pause(terms.lease)
      await settled(members)
      expect(cluster.lives().map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
    })

    it.skipIf(rounds === 0)("[D5] nothing starts again while the database does not answer", async () => {
      const members = await started()
      const before = cluster.lives()
      cluster.postgres.freeze()
      await pause(long)
      cluster.postgres.thaw()
      await pause(terms.lease)
      await settled(members)
      expect(cluster.lives().map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
    })

    it.skipIf(rounds === 0)(
      "[D1][D6] a replica that is cut off ends its servers before others start them",
      async () => {
        const members = await started()
        const member = busy()
        const before = pidsOn(member)
        cluster.cutOff(member, true)
        await settled(members.filter((one) => one !== member), before)
        cluster.cutOff(member, false)
        await pause(long)
        await settled(members.filter((one) => one !== member), before)
        expect(cluster.overlaps()).toEqual([])
      }
    )

    it.skipIf(rounds === 0)(
      "[D1][D4] replicas that are replaced one after the other hand their servers on",
      async () => {
        const members = await started()
        for (const member of Array.from({ length: rounds }, () => members).flat()) {
          const before = pidsOn(member)
          await member.end("SIGTERM")
          await settled(members.filter((one) => one !== member), before)
          await member.start()
        }
        expect(cluster.overlaps()).toEqual([])
      }
    )
  }
)
