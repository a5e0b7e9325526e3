import { describe, expect, it } from "@effect/vitest"
import { ConnectError } from "@mcp-lifeline/core"
import { Effect, Logger, Runtime } from "effect"
import { Remembered } from "../src/known/Remembered.js"
import { type Owner, OwnServers } from "../src/serve/client/OwnServers.js"
import type { Surroundings } from "../src/serve/client/Surroundings.js"
import type { Server } from "../src/serve/Servers.js"
import { chatty, gateway } from "./support/Talk.js"

/** A server that is never there. */
const down = (id: string, options: object = {}): Server => ({
  id,
  connector: {
    transport: "stdio",
    target: id,
    connect: () => Effect.fail(new ConnectError({ backend: id, reason: "spawn", message: "not there" } as never))
  } as never,
  ...options
})

/** The servers of one client, of which the test says what is configured, and whether there is room. */
const make = Effect.gen(function*() {
  const lines: Array<string> = []
  const logged = Logger.make(({ message }) => void lines.push(String(message)))
  const runtime = yield* Effect.provide(Effect.runtime<never>(), Logger.replace(Logger.defaultLogger, logged))
  const state = {
    configured: [] as ReadonlyArray<Server>,
    hasRoom: true,
    asked: [] as Array<number>,
    opened: 0,
    changes: 0
  }
  const client = { clientName: "a-test", protocolVersion: "2025-11-25", capabilities: {} }
  const surroundings = {
    runtime,
    isOff: () => false,
    servers: {
      own: () => state.configured,
      introduced: () => undefined,
      remembered: () => new Remembered(undefined, client, runtime)
    }
  } as unknown as Surroundings
  const owner: Owner = {
    client: { capabilities: {}, clientInfo: { name: "a-test", version: "1" }, protocolVersion: "2025-11-25" } as never,
    receiver: () => ({}) as never,
    listsChanged: () => void state.changes++,
    hasRoom: (count) => {
      state.asked.push(count)
      return state.hasRoom
    },
    opened: () => void state.opened++
  }
  const own = new OwnServers(surroundings, () => owner)
  yield* Effect.addFinalizer(() => Effect.promise(() => own.close()))
  return { lines, own, run: Runtime.runPromise(runtime), state }
})

describe("the servers that one client has to itself", () => {
  it.scopedLive("[G15] start once they can be made, also after a configuration with which they could not", () =>
    Effect.gen(function*() {
      const { lines, own, state } = yield* make
      state.configured = [down("o", { timeouts: { wait: "no time" } })]
      yield* own.need() ?? Effect.dieMessage("not needed")
      yield* own.opened
      expect([own.group, state.opened]).toEqual([undefined, 0])
      expect(lines).toContain("a client's own servers cannot be made")
      state.configured = [down("o")]
      own.changed()
      expect(state.changes).toBe(1)
      void own.need()
      yield* own.opened
      expect(state.opened).toBe(1)
      expect(Object.keys(yield* own.group!.fleet.status)).toEqual(["o"])
      // From now on a change is applied to those that there are.
      state.configured = [down("o"), down("p")]
      own.changed()
      yield* Effect.promise(() =>
        expect.poll(async () => Object.keys(await Effect.runPromise(own.group!.fleet.status))).toEqual(["o", "p"])
      )
      expect(state.changes).toBe(1)
    }))

  it.scopedLive("[X5 G15] are not started where there is no room, which is said, and started when there is", () =>
    Effect.gen(function*() {
      const { lines, own, state } = yield* make
      state.configured = [down("o"), down("p")]
      state.hasRoom = false
      expect([own.need(), own.need()]).toEqual([undefined, undefined])
      expect(own.refusal).toMatchObject({
        backend: "o, p",
        message: expect.stringContaining("other clients use as many")
      })
      yield* Effect.promise(() => expect.poll(() => lines.length).toBe(1))
      expect(own.group).toBeUndefined()
      state.hasRoom = true
      void own.need()
      yield* own.opened
      expect([own.refusal, state.opened]).toEqual([undefined, 1])
      expect(state.asked).toEqual([2, 2, 2])
    }))

  it.scopedLive("[G15] none are started where none are configured, or once the client has gone", () =>
    Effect.gen(function*() {
      const { own, state } = yield* make
      expect(own.need()).toBeUndefined()
      yield* Effect.promise(() => own.close())
      state.configured = [down("o")]
      expect(own.need()).toBeUndefined()
      own.changed()
      expect([state.asked, state.changes, state.opened]).toEqual([[], 0, 0])
    }))

  it.scopedLive("[X5 G15 G18] a call to one that was not started says why, and lists have the servers that clients share", () =>
    Effect.gen(function*() {
      const { clients } = yield* gateway([chatty("o", { sessions: "per-client" })])
      const said: Array<any> = []
      const conversation = clients.begin({
        write: (message) => void said.push(message),
        writeResult: (id, text) => void said.push({ id, result: JSON.parse(text) }),
        remember: () => Promise.resolve(),
        startsServers: () => false
      })
      const request = (id: number, method: string, params: object) =>
        Effect.promise(async () => {
          conversation.receive({ jsonrpc: "2.0", id, method, params } as never)
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
    }))
})
