import { Either } from "effect"
import { describe, expect, it } from "vitest"
import type { Server } from "../../src/http-api/GatewayStatus.js"
import { joined, ownerOf, type Part } from "../../src/http-api/joined.js"
import * as MadeUp from "../support/MadeUpReplica.js"

const server = MadeUp.serverOf

const part = (id: string, ...servers: ReadonlyArray<Server>): Part => ({
  replica: { id, address: `http://${id}` },
  since: 5,
  said: Either.right(MadeUp.statusOf(id, servers))
})

const away = (id: string): Part => ({ ...part(id), said: Either.left("no answer within 1 s") })

const owned = (replica: string, since: number, given: Partial<Server> = {}): Server =>
  server("one", { owner: { replica, since }, pid: since, ...given })

const asked = (...parts: ReadonlyArray<Part>) => joined(MadeUp.statusOf("a"), parts)

const shown = (...parts: ReadonlyArray<Part>) => asked(...parts).servers

describe("the status of several replicas", () => {
  it("[D8][S13] a server is shown as its owner says: its process, memory, generation and calls", () => {
    const calls = { total: 4, failed: 1, givenUp: 2, inFlight: 0, p50Millis: 8 }
    const one = owned("b", 9, { generation: 3, calls, usage: { memoryBytes: 5, cpuPercent: 1.5 } })
    const { gateway, servers } = asked(part("a", server("one", { generation: 7, target: "hop" })), part("b", one))
    expect([gateway, servers]).toEqual([MadeUp.statusOf("a").gateway, [one]])
  })

  it("[D8] all replicas are listed with their servers, and with why they are not reached", () => {
    const { replicas, servers } = asked(part("a", server("one")), part("b", owned("b", 9)), away("c"))
    const reached = { state: "reached", since: 5, startedAt: 2, version: "1", clients: 3 }
    expect(replicas).toEqual([
      { id: "a", address: "http://a", isHere: true, ...reached, servers: [] },
      { id: "b", address: "http://b", isHere: false, ...reached, servers: ["one"] },
      { id: "c", address: "http://c", isHere: false, state: "not reached", since: 5, problem: "no answer within 1 s" }
    ])
    expect(servers[0]?.owner?.replica).toBe("b")
  })

  it("[D8] a server that no replica says it has is shown as the asked one says, or else as the first that knows it", () => {
    const servers = shown(
      part("a", server("one", { state: "Idle" })),
      part("b", server("one"), server("new", { pid: 1 })),
      part("c", server("new", { pid: 2 }))
    )
    expect(servers).toMatchObject([{ name: "one", state: "Idle" }, { name: "new", pid: 1 }])
    expect(servers.map(({ owner, warnings }) => [owner, warnings])).toEqual([[undefined, []], [undefined, []]])
    expect(shown(part("a", server("one", { state: "Reconnecting" })), away("b")))
      .toMatchObject([{ state: "Reconnecting", warnings: [] }])
  })

  it("[D8] of two that say they have a server, the last to have got it has it", () => {
    const [a, b] = [part("a", owned("a", 1)), part("b", owned("b", 2))]
    expect([ownerOf([a, b], "one"), ownerOf([b, a], "one"), ownerOf([a, b], "two")]).toEqual([b, b, undefined])
  })

  it("[D8] a warning says on which other replicas a server needs help, or is configured as before", () => {
    const lost = { state: "Dormant", lastError: { message: "refused", remedy: "wait", at: 1 } } as const
    const [one] = shown(
      part("a", server("one", lost)),
      part("b", owned("b", 9, { warnings: ["its own"] })),
      part("c", server("one", { newerOn: "http://b" }))
    )
    expect(one?.warnings).toEqual([
      "its own",
      "on the replica a it is Dormant: refused",
      "the replica c has an older configuration of it; that of the replica at http://b counts"
    ])
  })
})
