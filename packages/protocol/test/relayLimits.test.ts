import { describe, expect, it } from "vitest"
import { Relay } from "../src/relay/Relay.js"
import { held, heldLimits, questionLimits, questions } from "../src/relay/relayLimits.js"

const make = () => {
  const got: Array<any> = []
  const relay = new Relay("server", { onmessage: (message) => void got.push(message) }, { holds: true })
  return { relay, got }
}

const never = new AbortController().signal
const text = (bytes: number) => ({ data: "x".repeat(bytes) })

describe("what servers say by themselves", () => {
  it("[X5] waits for a client that is not initialized within the limits of each, and of all; its last messages stay", () => {
    const { bytes, item } = heldLimits.holder
    const clients = Array.from({ length: 40 }, make)
    for (let number = 0; number < 8; number++) {
      for (const { relay } of clients) relay.pass({ method: `notifications/${number}`, params: text(0.9 * item) })
      expect(held.held.bytes).toBeLessThanOrEqual(heldLimits.all.bytes)
    }
    const [first, second] = clients as [ReturnType<typeof make>, ReturnType<typeof make>]
    expect(held.heldBy(first.relay).bytes).toBeLessThanOrEqual(bytes)
    first.relay.pass({ method: "notifications/large", params: text(2 * item) })
    first.relay.initialized()
    const methods = first.got.map(({ method }) => method)
    expect(methods.length).toBeGreaterThan(0)
    expect(methods).toEqual([4, 5, 6, 7].slice(-methods.length).map((number) => `notifications/${number}`))
    // Small ones are limited in number.
    for (let number = 0; number < 2000; number++) second.relay.pass({ method: `notifications/small ${number}` })
    second.relay.initialized()
    expect(second.got.length).toBeLessThanOrEqual(heldLimits.holder.count)
    expect(second.got.at(-1)).toMatchObject({ method: "notifications/small 1999" })
    for (const { relay } of clients) relay.end()
    expect(held.held).toEqual({ count: 0, bytes: 0 })
  })

  it("[X5 G18] is answered with an error if it is a question that has made room for others", async () => {
    const { got, relay } = make()
    const asked = relay.ask({ method: "roots/list", params: text(10) }, never)
    for (let number = 0; number < heldLimits.holder.count; number++) relay.pass({ method: "notifications/x" })
    await expect(asked).rejects.toThrow("too much waits")
    relay.initialized()
    expect(got.some(({ id }) => id !== undefined)).toBe(false)
    relay.end()
    expect([held.held.count, questions.held.count]).toEqual([0, 0])
  })

  it("[X5 G18] is refused if it is one question more than the client may have to answer; each that is over makes room", async () => {
    const { got, relay } = make()
    relay.initialized()
    const taken = new AbortController()
    const ask = (signal = never) => {
      const asked = relay.ask({ method: "elicitation/create", params: {} }, signal)
      asked.catch(() => undefined)
      return asked
    }
    const { count } = questionLimits.holder
    const open = Array.from({ length: count }, (_, number) => ask(number === 0 ? taken.signal : never))
    await expect(ask()).rejects.toThrow(`${count} requests wait for an answer of this client, the maximum`)
    expect(got).toHaveLength(count)
    taken.abort()
    await expect(open[0]).rejects.toThrow("closed")
    const second = ask()
    await expect(ask()).rejects.toThrow("the maximum")
    relay.answered({
      jsonrpc: "2.0",
      id: got.findLast(({ method }) => method === "elicitation/create").id,
      result: { a: 1 }
    })
    await expect(second).resolves.toEqual({ a: 1 })
    const third = ask()
    const other = make().relay
    other.initialized()
    const elsewhere = other.ask({ method: "roots/list" }, never)
    relay.end()
    await expect(third).rejects.toThrow("closed")
    other.end()
    await expect(elsewhere).rejects.toThrow("closed")
    expect(questions.held.count).toBe(0)
  })
})
