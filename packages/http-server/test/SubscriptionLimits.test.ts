import { Bytes } from "@mcp-lifeline/core/text"
import type { Limits } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import type { Begin } from "../src/Conversation.js"
import { PassedSubscriptions } from "../src/PassedSubscriptions.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import { noRoom } from "../src/subscriptionLimits.js"
import * as Raw from "./support/RawEndpoint.js"

const make = (subscriptions: Limits, shared: object = {}) => {
  const asked: Array<string> = []
  const begin: Begin = (client, resumed) => {
    const before = resumed?.settings.subscriptions ?? []
    const passed = new PassedSubscriptions(client.subscriptions, before)
    for (const uri of before) asked.push(`resources/subscribe ${uri}`)
    return Raw.conversing(() => undefined, {
      introduce: () => Promise.resolve(Raw.introduction as never),
      request: (request) => {
        const excess = passed.note(request)
        if (excess !== undefined) return request.refuse(-32_000, noRoom(excess))
        const uri = String(request.params?.["uri"])
        asked.push(`${request.method} ${uri}`)
        if (uri.includes("refused")) return request.refuse(-32_002, "no such resource")
        const answer = () => request.answer({ result: request.method === "initialize" ? Raw.introduction : {} })
        if (request.method === "resources/subscribe") void client.saveSetting({ subscribed: uri }).then(answer)
        else answer()
      }
    })
  }
  return Effect.map(Raw.serve(undefined, { begin, limits: { subscriptions }, ...shared }), ({ errors, url }) => ({
    asked,
    errors,
    url
  }))
}

const errorOf = (text: string): string | undefined => {
  const parts = text.startsWith("{")
    ? [text]
    : text.split("\n").flatMap((line) => line.startsWith("data: {") ? [line.slice(6)] : [])
  return parts.map((one) => (JSON.parse(one) as Raw.Message).error?.message).find((one) => one !== undefined)
}

const version = "2026-07-28"
let ids = 0

const eras = {
  "2025-11-25": async (url: string, owner: string) => {
    const session = await Raw.begin(url, undefined, { Authorization: `Bearer ${owner}` })
    return {
      subscribe: async (...uris: ReadonlyArray<string>) => {
        let error: string | undefined
        for (const uri of uris) {
          const answered = await Raw.send(url, "POST", session, {
            id: ++ids,
            method: "resources/subscribe",
            params: { uri }
          })
          error ??= errorOf(await answered.body)
        }
        return error
      },
      leave: async () => void await (await Raw.send(url, "DELETE", session)).body
    }
  },
  [version]: async (url: string, owner: string) => {
    const open: Array<Raw.Answered> = []
    return {
      subscribe: async (...uris: ReadonlyArray<string>) => {
        const _meta = Raw.meta({ [Raw.key("clientInfo")]: { name: "n", version: "1" } })
        const headers = {
          Authorization: `Bearer ${owner}`,
          "MCP-Protocol-Version": version,
          "Mcp-Method": "subscriptions/listen"
        }
        const params = { notifications: { toolsListChanged: true, resourceSubscriptions: uris }, _meta }
        const answered = await Raw.send(url, "POST", headers, { id: ++ids, method: "subscriptions/listen", params })
        if (answered.status !== 200) return errorOf(await answered.body)
        open.push(answered)
        return errorOf(await answered.until("\n\n"))
      },
      leave: async () => open.splice(0).forEach((one) => one.cut())
    }
  }
}

const several = (count: number, bytes = 10) => Array.from({ length: count }, (_, n) => `${n}`.padStart(bytes, "x"))

describe.each(Object.entries(eras))("subscriptions in %s", (era, join) => {
  const all = { holder: { item: Bytes(50), count: 6, bytes: Bytes(120) }, all: { count: 16, bytes: Bytes(240) } }

  test.scopedLive("[X5 G17] are limited for each, for a client and for all; who has too many is told which limit and what to do, and others go on", function*() {
    const { asked, url } = yield* make(all)
    yield* Effect.promise(async () => {
      const [greedy, again, modest] = [
        await join(url, "greedy"),
        await join(url, "greedy"),
        await join(url, "modest")
      ]
      expect(await greedy.subscribe(`x${"y".repeat(50)}`)).toBe(
        "The URI has 51 bytes; one that is subscribed to may have 50: subscribe to a shorter one"
      )
      // Bytes, not characters.
      expect(await greedy.subscribe("é".repeat(26))).toContain("has 52 bytes")
      expect(await greedy.subscribe(...several(7, 5))).toMatch(
        /^6 resources are subscribed to, the maximum of one client: unsubscribe from others first/
      )
      await greedy.leave()
      const [next, other] = [await join(url, "greedy"), await join(url, "greedy")]
      expect(await next.subscribe(...several(3, 45))).toMatch(
        /^The URIs that are subscribed to have 90 bytes, and may have 120 of one client/
      )
      await next.leave()
      await expect.poll(async () => {
        const error = await other.subscribe(...several(6, 20))
        if (error !== undefined) await other.leave()
        return error
      }).toBeUndefined()
      asked.length = 0
      expect(await again.subscribe(...several(1, 21))).toMatch(
        /^This client has 6 subscriptions with URIs of 120 bytes, the maximum while all clients have 6 of 16 and 120 of 240 bytes: unsubscribe from others first, or try again later/
      )
      expect(asked.filter((one) => one.startsWith("resources/subscribe"))).toEqual([])
      expect(await modest.subscribe(...several(4))).toBeUndefined()
      await other.leave()
      await expect.poll(() => again.subscribe("room")).toBeUndefined()
    })
  })

  test.scopedLive("[X5 G17] that the server refuses take no room", function*() {
    const { url } = yield* make({
      holder: { item: Bytes(50), count: 1, bytes: Bytes(50) },
      all: { count: 8, bytes: Bytes(800) }
    })
    yield* Effect.promise(async () => {
      const client = await join(url, "c")
      for (let n = 0; n < 5; n++) {
        await client.subscribe(`refused ${n}`)
        if (era === version) await client.leave()
      }
      await expect.poll(() => client.subscribe("one")).toBeUndefined()
    })
  })
})

describe("the sessions of a gateway that has restarted", () => {
  test.scopedLive("[G10 G17] have room for their subscriptions, or it is said that they have none, and the session goes on", function*() {
    const shared = { seal: SealedId.make(SealedId.randomSecret()), records: SessionRecords.inMemory() }
    const limits = { holder: { item: Bytes(50), count: 6, bytes: Bytes(120) }, all: { count: 16, bytes: Bytes(240) } }
    const first = yield* make(limits, shared)
    const second = yield* make({ ...limits, all: { count: 8, bytes: Bytes(240) } }, shared)
    yield* Effect.promise(async () => {
      const subscribed = async (uris: ReadonlyArray<string>) => {
        const session = await Raw.begin(first.url)
        for (const uri of uris) {
          await (await Raw.send(first.url, "POST", session, {
            id: uri,
            method: "resources/subscribe",
            params: { uri }
          })).body
        }
        return session
      }
      const goesOn = async (session: Readonly<Record<string, string>>) => {
        second.asked.length = 0
        expect((await Raw.send(second.url, "POST", session, { id: 1, method: "ping" })).status).toBe(200)
        return second.asked.filter((one) => one.startsWith("resources/subscribe")).length
      }
      const [one, two] = [await subscribed(several(4)), await subscribed(several(4))]
      expect([await goesOn(one), second.errors.length]).toEqual([4, 0])
      expect(await goesOn(two)).toBe(2)
      expect(second.errors.map(String)).toEqual([
        "Error: 2 subscriptions of a session are not restored: there is no room"
      ])
    })
  })
})
