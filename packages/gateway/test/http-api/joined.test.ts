import { describe, expect, it } from "vitest"
import type { GatewayStatus, Server } from "../../src/http-api/GatewayStatus.js"
import { joined, ownerOf, type Part } from "../../src/http-api/joined.js"

const server = (name: string, given: Partial<Server> = {}): Server => ({
  name,
  state: "Connected",
  since: 1,
  generation: 1,
  transport: "stdio",
  target: name,
  server: null,
  sessions: "shared",
  counts: { tools: 1, prompts: 0, resources: 0 },
  stale: false,
  calls: { total: 1, failed: 0, givenUp: 0, inFlight: 1, p50Millis: 1 },
  history: [],
  warnings: [],
  ...given
})

const part = (
  id: string,
  servers: ReadonlyArray<Server>,
  problem?: string
): Part & { readonly status: GatewayStatus } => ({
  replica: { id, address: `http://${id}` },
  since: 5,
  problem,
  status: {
    gateway: { name: "mcp-lifeline", version: "1", url: `http://${id}/mcp`, pid: 1, startedAt: 2, clients: 3 },
    servers
  }
})

const owned = (replica: string, since: number, given: Partial<Server> = {}): Server =>
  server("one", { owner: { replica, since }, pid: since, ...given })

describe("the status of several replicas", () => {
  it("[S13] memory is that of the owner; of servers that each client has, that of all replicas together", () => {
    const [of1, of2] = [{ memoryBytes: 5, cpuPercent: 1.5 }, { memoryBytes: 7, cpuPercent: null }]
    const own = (usage: Server["usage"]) => server("one", { sessions: "per-client", runtimesByState: {}, usage })
    expect(joined(part("a", [server("one")]), [part("b", [owned("b", 9, { usage: of1 })])]).servers[0]?.usage).toEqual(
      of1
    )
    expect(joined(part("a", [own(of1)]), [part("b", [own(of2)])]).servers[0]?.usage)
      .toEqual({ memoryBytes: 12, cpuPercent: 1.5 })
    expect(joined(part("a", [own(undefined)]), [part("b", [own(undefined)])]).servers[0]?.usage).toBeUndefined()
  })

  it("[D8] is that of the owner, with the calls of all", () => {
    const { replicas, servers: [one] } = joined(part("a", [server("one", { generation: 7, target: "hop" })]), [
      part("b", [
        owned("b", 9, { generation: 3, calls: { total: 4, failed: 1, givenUp: 2, inFlight: 0, p50Millis: 8 } })
      ])
    ])
    expect(one).toMatchObject({ pid: 9, generation: 3, target: "one", owner: { replica: "b", since: 9 }, warnings: [] })
    expect(one?.calls).toEqual({ total: 5, failed: 1, givenUp: 2, inFlight: 1, p50Millis: 8 })
    expect(replicas).toEqual([
      {
        id: "a",
        address: "http://a",
        isHere: true,
        state: "reached",
        since: 5,
        startedAt: 2,
        version: "1",
        clients: 3,
        servers: []
      },
      {
        id: "b",
        address: "http://b",
        isHere: false,
        state: "reached",
        since: 5,
        startedAt: 2,
        version: "1",
        clients: 3,
        servers: ["one"]
      }
    ])
  })

  it("[D8] says of a replica that is not reached what it said last, and of its servers what the others see", () => {
    const here = part("a", [server("one", { state: "Reconnecting", target: "hop" })])
    const away = part("b", [owned("b", 9)], "no answer within 1 s")
    const { replicas, servers: [one] } = joined(here, [away])
    expect(replicas?.[1]).toMatchObject({ state: "not reached", problem: "no answer within 1 s", servers: ["one"] })
    expect(one).toMatchObject({
      state: "Reconnecting",
      target: "hop",
      owner: { replica: "b" },
      calls: { total: 2, inFlight: 1 }
    })
    expect(one?.pid).toBeUndefined()
    const never: Part = { ...away, status: undefined }
    expect(joined(here, [never]).replicas?.[1]).toEqual({
      id: "b",
      address: "http://b",
      isHere: false,
      state: "not reached",
      since: 5,
      problem: "no answer within 1 s"
    })
  })

  it("[D8] takes the last of two that say they have a server, and one that is reached before one that is not", () => {
    const [a, b] = [part("a", [owned("a", 1)]), part("b", [owned("b", 2)])]
    expect(ownerOf([a, b], "one")).toBe(b)
    expect(ownerOf([b, a], "one")).toBe(b)
    expect(ownerOf([a, { ...b, problem: "away" }], "one")).toBe(a)
    expect(ownerOf([a, b], "two")).toBeUndefined()
  })

  it("[D8] says who cannot use a server where it runs, and without an owner shows the replica on which it needs help", () => {
    const lost = { state: "Dormant", lastError: { message: "refused", remedy: "wait", at: 1 } } as const
    const own = joined(part("a", [server("one", lost)]), [part("b", [owned("b", 9)])])
    expect(own.servers[0]).toMatchObject({
      state: "Connected",
      warnings: ["the replica a cannot use it there: it is Dormant: refused"]
    })
    const each = joined(part("a", [server("one")]), [part("b", [server("one", lost)]), part("c", [server("one")])])
    expect(each.servers[0]).toMatchObject({
      state: "Dormant",
      lastError: { message: "refused" },
      warnings: ["Connected on the replicas a, c; Dormant on the replica b"]
    })
    expect(each.servers[0]?.owner).toBeUndefined()
  })

  it("[D8] adds up the runtimes of clients, and names replicas whose files do not have a server", () => {
    const mine = (runtimesByState: NonNullable<Server["runtimesByState"]>) =>
      server("mine", { sessions: "per-client", runtimesByState })
    const { servers } = joined(part("a", [mine({ Connected: 1 })]), [
      part("b", [mine({ Connected: 2, Dormant: 1 }), server("new")]),
      part("c", [mine({ Connected: 5 })], "away")
    ])
    expect(servers.map(({ name }) => name)).toEqual(["mine", "new"])
    expect(servers[0]?.runtimesByState).toEqual({ Connected: 3, Dormant: 1 })
    expect(servers[1]?.warnings).toEqual(["the replica a does not have it: its file is another one"])
  })
})
