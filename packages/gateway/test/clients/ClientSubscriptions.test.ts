import type { CallError } from "@mcp-lifeline/core"
import type { SettingChange } from "@mcp-lifeline/http-server/Conversation"
import { bytesOf } from "@mcp-lifeline/http-server/subscriptionLimits"
import { Effect, Fiber } from "effect"
import { ClientSubscriptions } from "../../src/clients/ClientSubscriptions.js"
import type { ResolvedName } from "../../src/clients/NameResolver.js"
import { describe, expect, test } from "../support/vitest.js"

const uri = "file:///one"

const made = (before: ReadonlyArray<string> = []) => {
  const saved: Array<SettingChange> = []
  const asked: Array<string> = []
  let held = before.reduce((sum, one) => sum + bytesOf(one), 0)
  const server = { answer: Effect.void as Effect.Effect<void, CallError>, isFull: false }
  const fleet = {
    subscriptions: {
      subscribe: (_: unknown, { backend, original }: ResolvedName["route"], uri: string, isResumed: boolean) => {
        asked.push(`+ ${backend.id} ${original} as ${uri}${isResumed ? ", again" : ""}`)
        return server.answer
      },
      unsubscribe: (_: unknown, id: string, original: string) => void asked.push(`- ${id} ${original}`),
      leave: () => void asked.push("leave")
    },
    levels: {
      setLevel: (_: unknown, level: string) => void asked.push(`level ${level}`),
      leave: () => void asked.push("leave level")
    }
  }
  const client = new ClientSubscriptions({
    notify: () => {},
    saveSetting: async (change) => void saved.push(change),
    room: {
      take: (bytes: number) => {
        if (server.isFull) return "bytes" as never
        held += bytes
        return undefined
      },
      release: (bytes: number) => void (held -= bytes)
    } as never,
    fleets: () => [fleet as never]
  }, before)
  const at = (id: string, original = uri) => ({ fleet, route: { backend: { id }, original } }) as never as ResolvedName
  return { asked, at, client, held: () => held, saved, server }
}

describe("the subscriptions of one client", () => {
  test.effect("[X5 W3:unit] that there is no room for reach no server, are not saved, and hold nothing", function*() {
    const { asked, at, client, held, saved, server } = made()
    server.isFull = true
    expect(yield* client.subscribe(uri, at("a"))).toBe("bytes")
    yield* Effect.promise(() => client.unsubscribe(uri))
    expect([asked, saved, held()]).toEqual([[], [], 0])
  })

  test.effect("[G10:unit] of which a later one is at another server end at the first one, and where that fails, only the later one is lost", function*() {
    const { asked, at, client, held, server } = made()
    yield* client.subscribe(uri, at("a"))
    yield* client.subscribe(uri, at("a"))
    yield* client.subscribe(uri, at("b"))
    yield* client.subscribe(uri, at("b", "file:///other"))
    const [one, other] = [`+ a ${uri} as ${uri}`, `+ b ${uri} as ${uri}`]
    expect(asked).toEqual([one, one, `- a ${uri}`, other, `- b ${uri}`, `+ b file:///other as ${uri}`])
    server.answer = Effect.never
    const first = yield* Effect.fork(client.subscribe(uri, at("a")))
    yield* Effect.yieldNow()
    server.answer = Effect.void
    yield* client.subscribe(uri, at("b"))
    yield* Fiber.interrupt(first)
    expect(held()).toBe(bytesOf(uri))
  })

  test.effect("[G10:unit] from before a restart have their room, and are made again once, unless the client has ended them or made them itself", function*() {
    const uris = [uri, "file:///ended", "file:///own"]
    const { asked, at, client, held } = made(uris)
    const all = held()
    yield* Effect.promise(() => client.unsubscribe("file:///ended"))
    yield* client.subscribe("file:///own", at("a"))
    expect(held()).toBe(all - bytesOf("file:///ended"))
    for (const _ of [1, 2]) yield* Effect.forEach(uris, (one) => client.resume(one, at("a")))
    expect(asked).toEqual([`+ a ${uri} as file:///own`, `+ a ${uri} as ${uri}, again`])
  })

  test.effect("[G10:unit] end with the client, and a level is set at servers that come only if it has one", function*() {
    const { asked, at, client } = made(["file:///before"])
    client.join()
    expect(asked).toEqual([])
    yield* Effect.promise(() => client.setLevel("error"))
    client.join()
    expect(asked.splice(0)).toEqual(["level error", "level error"])
    expect([client.acceptsLevel("warning"), client.acceptsLevel("error")]).toEqual([false, true])
    yield* client.subscribe(uri, at("a"))
    asked.length = 0
    client.close()
    yield* client.resume("file:///before", at("a"))
    yield* Effect.promise(() => client.unsubscribe(uri))
    expect(asked).toEqual(["leave level", "leave"])
  })
})
