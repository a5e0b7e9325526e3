import { describe, expect, it } from "vitest"
import * as messages from "../src/messages.js"

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

describe("the ids of requests in the ids of events", () => {
  it("[G11] say which requests are not answered, as long as they are short", () => {
    for (const ids of [[1], ["a", 2], [Number.MAX_SAFE_INTEGER], ["x".repeat(100)]]) {
      expect(messages.decodeIds(messages.encodeIds(ids))).toEqual(ids)
    }
    for (const ids of [["x".repeat(1_000_000)], Array.from({ length: 100 }, (_, id) => id)]) {
      expect(messages.encodeIds(ids)).toBe("")
    }
    // 150 bytes are 200 characters, which is the most that there is room for.
    expect(messages.encodeIds(["x".repeat(146)])).toHaveLength(200)
    expect(messages.encodeIds(["x".repeat(147)])).toBe("")
  })

  it("[X1:unit] of a client that sends others, only what can be the id of a request is taken", () => {
    expect(messages.decodeIds(encoded(["a", 1, 2 ** 53, 1.5, null, {}, ["b"], true]))).toEqual(["a", 1])
    for (const key of ["", "%%%", encoded({}), encoded("a"), encoded(null), "a".repeat(1_000_000)]) {
      expect(messages.decodeIds(key)).toEqual([])
    }
  })
})

describe("the kind of an event", () => {
  const kindOf = (method: string, more: object = {}) => messages.kindOf({ jsonrpc: "2.0", method, ...more })

  it("[G17:unit] of changes that say the same, one is enough; log messages are known as such; a question is neither", () => {
    expect(kindOf("notifications/message")).toEqual({ isLog: true })
    expect(kindOf("notifications/progress")).toEqual({})
    const lists = ["tools", "resources"].map((list) => kindOf(`notifications/${list}/list_changed`).key)
    const updated = [{ params: { uri: "a" } }, { params: { uri: "b" } }, {}].map((more) =>
      kindOf("notifications/resources/updated", more).key
    )
    expect(new Set([...lists, ...updated]).size).toBe(5)
    for (const method of ["notifications/message", "notifications/tools/list_changed", "ping"]) {
      expect(kindOf(method, { id: 1 })).toEqual({})
    }
  })
})

describe("a notification for many clients", () => {
  it("[X1:unit] that is long is written once", () => {
    let written = 0
    const params = (length: number) => ({ text: "x".repeat(length), toJSON: () => `${++written}${"x".repeat(length)}` })
    const [short, long] = [params(10), params(300_000)]
    const send = (one: object) =>
      messages.encode({ jsonrpc: "2.0", method: "notifications/message", params: { ...one } })
    const to = (one: ReturnType<typeof params>) =>
      [1, 2, 3].map(() => messages.encode({ jsonrpc: "2.0", method: "notifications/message", params: one }))
    expect(new Set(to(long)).size).toBe(1)
    expect(to(long)[0]).toContain(`"params":"1x`)
    expect(new Set(to(short)).size).toBe(3)
    expect(send(long)).toContain(`"params":"5x`)
  })
})
