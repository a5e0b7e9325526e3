import { Effect } from "effect"
import { describe, expect, it } from "vitest"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import { alive } from "../../../testing/test/support/Processes.js"
import type { GatewayStatus, Server } from "../../src/http-api/GatewayStatus.js"
import * as Gateway from "../support/Gateway.js"
import { ManyGateways, type Replica } from "../support/ManyGateways.js"
import { fixture } from "../support/Program.js"
import { type ApiEvent, eventsIn, readEvents } from "../support/Team.js"

const patience = { timeout: 60_000, interval: 50 }

const ask = async ({ url }: Replica, path: string, method: "GET" | "POST" = "GET", body?: unknown): Promise<any> =>
  (await Effect.runPromise(Gateway.ask(`${url.origin}/api/${path}`, method, body))).body

const alphaOn = async (replica: Replica): Promise<Server | undefined> =>
  (await replica.status()).servers.find(({ name }) => name === "alpha")

const reading = ({ url }: Replica) => {
  const events: Array<ApiEvent> = []
  const controller = new AbortController()
  const take = (text: string): boolean => {
    events.splice(0, events.length, ...eventsIn(text))
    return false
  }
  const ended = readEvents(url.origin, {}, take, controller.signal).catch(() => undefined)
  const stop = async (): Promise<void> => {
    controller.abort()
    await ended
  }
  return { events, [Symbol.asyncDispose]: stop }
}

describe.skipIf(!Postgres.isInstalled)(`several gateways, seen as one${Postgres.title}`, () => {
  it("[D8] any of them shows all and does what it is told for all, also for those that are away", async () => {
    await using all = await ManyGateways.start(2, {
      servers: [],
      own: ["mine"],
      entries: { alpha: fixture("who") },
      lease: "1min"
    })
    const [first, second] = all.replicas as [Replica, Replica]
    for (const replica of all.replicas) {
      await expect.poll(async () => (await alphaOn(replica))?.state, patience).toBe("Connected")
      await expect.poll(async () => (await replica.status()).replicas?.map(({ state }) => state), patience)
        .toEqual(["reached", "reached"])
    }
    const pid = (await alphaOn(first))?.pid ?? 0
    const [owner, other] = all.owner(pid) === first ? [first, second] : [second, first]

    const [atOwner, atOther] = [await owner.status(), await other.status()]
    const idOf = ({ replicas = [] }: GatewayStatus) => replicas.find(({ isHere }) => isHere)?.id
    const [ownerId, otherId] = [idOf(atOwner), idOf(atOther)]
    expect(atOther.replicas?.find(({ id }) => id === ownerId))
      .toMatchObject({ address: `http://127.0.0.1:${owner.clusterPort}`, isHere: false, servers: ["alpha"] })
    expect(atOwner.replicas?.find(({ id }) => id === otherId)).toMatchObject({ servers: [] })
    const named = ({ name }: Server): boolean => name === "alpha"
    const alpha = atOther.servers.find(named)
    expect(alpha).toMatchObject({ name: "alpha", pid, generation: 1, owner: { replica: ownerId } })
    // What it uses is measured now and then, and so may differ between two questions.
    const withoutUsage = (server: Server | undefined) => ({ ...server, usage: undefined })
    expect(withoutUsage(atOwner.servers.find(named))).toEqual(withoutUsage(alpha))
    await expect.poll(async () => (await alphaOn(other))?.usage?.memoryBytes, patience).toBeGreaterThan(0)

    // Each call counts once, however many replicas it has passed.
    const call = (replica: Replica) => ask(replica, "call", "POST", { name: "alpha__who" })
    const answers = [await call(owner), await call(other)]
    for (const answer of answers) {
      expect(answer).toMatchObject({ content: [{ text: expect.stringContaining(`"pid":${pid}`) }] })
    }
    for (const replica of all.replicas) {
      expect((await alphaOn(replica))?.calls).toMatchObject({ total: 2, failed: 0, givenUp: 0, inFlight: 0 })
    }

    {
      await using reader = reading(other)
      await expect.poll(() => reader.events.some(({ event }) => event === "status"), patience).toBe(true)
      expect(await ask(other, "servers/alpha/reconnect", "POST")).toMatchObject({ state: "Connected", generation: 2 })
      expect((await alphaOn(owner))?.pid).not.toBe(pid)
      const isSeen = ({ data }: ApiEvent): boolean =>
        data.servers?.some(({ generation, name }: Server) => name === "alpha" && generation === 2) === true
      await expect.poll(() => reader.events.some(isSeen), patience).toBe(true)
      const line = expect.objectContaining({ server: "alpha", text: expect.stringMatching("generation 2") })
      expect((await ask(owner, "logs")).events).toContainEqual(line)
    }

    all.cutOff(owner, true)
    await expect.poll(async () => (await other.status()).replicas?.find(({ id }) => id === ownerId), patience)
      .toMatchObject({
        state: "not reached",
        problem: "no answer within 1 s",
        address: `http://127.0.0.1:${owner.clusterPort}`
      })
    all.cutOff(owner, false)
    await expect.poll(async () => (await other.status()).replicas?.map(({ state }) => state), patience)
      .toEqual(["reached", "reached"])

    await owner.end("SIGTERM")
    await expect.poll(async () => (await alphaOn(other))?.state, patience).toBe("Connected")
    const last = (await alphaOn(other))?.pid ?? 0
    expect(alive(last)).toBe(true)
    expect(await ask(other, "servers/alpha/disable", "POST")).toMatchObject({ state: "Disabled" })
    await expect.poll(() => alive(last), patience).toBe(false)
    await owner.start()
    await expect.poll(async () => (await owner.status()).replicas?.length, patience).toBe(2)
    expect((await alphaOn(owner))?.state).toBe("Disabled")
    expect(await ask(owner, "servers/alpha/enable", "POST")).toMatchObject({ state: "Connected" })
    expect((await alphaOn(other))?.state).toBe("Connected")
  })
})
