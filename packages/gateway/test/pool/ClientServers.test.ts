import { ConnectError } from "@mcp-lifeline/core"
import { ClientRequests } from "@mcp-lifeline/protocol"
import { Effect, Exit, Logger, Scope } from "effect"
import { ServerPool } from "mcp-lifeline"
import { hearing } from "../../../http-server/test/support/hearing.js"
import { member } from "../support/member.js"
import { chatty, gateway } from "../support/Talk.js"
import { describe, expect, test } from "../support/vitest.js"

const down = (id: string, options: object = {}): ServerPool.Server => ({
  id,
  sessions: "per-client",
  connector: {
    transport: "stdio",
    target: id,
    connect: () => Effect.fail(new ConnectError({ backend: id, reason: "spawn", message: "not there" } as never))
  } as never,
  ...options
})

const make = Effect.fnUntraced(function*(first: ReadonlyArray<ServerPool.Server> = []) {
  const lines: Array<string> = []
  const logged = Logger.make(({ message }) => void lines.push(String(message)))
  const state = { hasRoom: true, asked: [] as Array<number>, opened: 0, changes: 0 }
  const pool = yield* Effect.provide(ServerPool.make(first), Logger.replace(Logger.defaultLogger, logged))
  const own = pool.join({
    ...member(),
    hasRoom: (count) => {
      state.asked.push(count)
      return state.hasRoom
    },
    opened: () => void state.opened++,
    listsChanged: () => void state.changes++
  })
  yield* pool.shared.ready
  const names = Effect.suspend(() => Effect.map(own.own!.fleet.status, (statuses) => Object.keys(statuses)))
  return { lines, names, own, pool, state }
})

describe("the servers that one client has to itself", () => {
  test.scopedLive("[G15] start once they can be made, also after a configuration with which they could not", function*() {
    const { lines, names, own, pool, state } = yield* make([down("o", { timeouts: { wait: "no time" } })])
    yield* own.need() ?? Effect.void
    yield* own.made
    expect([own.own, own.fleets, state.opened]).toEqual([undefined, [pool.shared], 0])
    expect(lines).toContain("a client's own servers cannot be made")
    yield* pool.apply([down("o")])
    expect(state.changes).toBe(1)
    void own.need()
    yield* own.made
    expect(state.opened).toBe(1)
    expect(yield* names).toEqual(["o"])
    // From now on a change is applied to those that there are.
    yield* pool.apply([down("o"), down("p")])
    yield* Effect.promise(() => expect.poll(() => Effect.runPromise(names)).toEqual(["o", "p"]))
    expect(state.changes).toBe(1)
    // A configuration that is refused changes nothing, and is no longer in force when the next one is applied.
    yield* pool.apply([down("o", { timeouts: { wait: "no time" } })])
    yield* Effect.promise(() => expect.poll(() => lines.length).toBe(2))
    expect(yield* names).toEqual(["o", "p"])
    yield* pool.apply([down("p")])
    yield* Effect.promise(() => expect.poll(() => Effect.runPromise(names)).toEqual(["p"]))
  })

  test.scopedLive("[X5 G15] are not started where there is no room, which is said, and started when there is", function*() {
    const { lines, own, state } = yield* make([down("o"), down("p")])
    state.hasRoom = false
    expect([own.need(), own.need()]).toEqual([undefined, undefined])
    expect(own.refusal)
      .toMatchObject({ backend: "o, p", message: expect.stringContaining("other clients use as many") })
    yield* Effect.promise(() => expect.poll(() => lines.length).toBe(1))
    expect(own.own).toBeUndefined()
    state.hasRoom = true
    void own.need()
    yield* own.made
    expect([own.refusal, state.opened]).toEqual([undefined, 1])
    expect(state.asked).toEqual([2, 2, 2])
  })

  test.scopedLive("[G15] none are started where none are configured, or once the client has gone", function*() {
    const { own, pool, state } = yield* make()
    expect(own.need()).toBeUndefined()
    yield* own.close
    yield* pool.apply([down("o")])
    expect(own.need()).toBeUndefined()
    expect([state.asked, state.changes, state.opened]).toEqual([[], 0, 0])
  })

  test.scopedLive("[G15] end with the client, also while they are being made, and with the pool", function*() {
    const { own, pool } = yield* make([down("o")])
    void own.need()
    yield* own.made
    const [backend] = yield* pool.backends("o")
    yield* own.close
    expect(yield* pool.backends("o")).toEqual([])
    expect((yield* backend!.status).state).toBe("Closed")
    expect([own.need(), own.own]).toEqual([undefined, undefined])
    const scope = yield* Scope.make()
    const other = yield* Scope.extend(make([down("o")]), scope)
    void other.own.need()
    const [ended] = yield* other.pool.backends("o")
    yield* Scope.close(scope, Exit.void)
    expect((yield* ended!.status).state).toBe("Closed")
  })

  test.scopedLive("[X5 G15 G18] a call to one that was not started says why, and lists have the servers that clients share", function*() {
    const { clients } = yield* gateway([chatty("o", { sessions: "per-client" })])
    const said: Array<any> = []
    const requests = new ClientRequests()
    const responder = hearing((message) => said.push(message))
    const conversation = clients.begin({
      requests,
      write: (message) => void said.push(message),
      saveSetting: () => Promise.resolve(),
      startsServers: () => false
    })
    const request = (id: number, method: string, params: object) =>
      Effect.promise(async () => {
        conversation.request(requests.open({ jsonrpc: "2.0", id, method, params } as never, responder))
        await expect.poll(() => said.find((one) => one.id === id)).toBeDefined()
        return said.find((one) => one.id === id)
      })
    const clientInfo = { name: "a-test", version: "1" }
    yield* request(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo })
    const { result } = yield* request(2, "tools/list", {})
    expect(result.tools.map(({ name }: { readonly name: string }) => name)).toEqual(["lifeline__status"])
    const { error } = yield* request(3, "tools/call", { name: "o__pid", arguments: {} })
    expect(error.message).toContain("other clients use as many as the gateway may run at once")
    yield* Effect.promise(() => conversation.close("the client has gone"))
  })
})
