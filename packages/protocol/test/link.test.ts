import type { Loss, ServerNotification } from "@mcp-lifeline/core"
import { RequestError } from "@mcp-lifeline/core"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { assert, describe, it } from "vitest"
import { Link } from "../src/Link.js"
import type { Requests } from "../src/Requests.js"
import { transportOf } from "./scripted.js"

const loss: Loss = { kind: "closed", message: "it is gone" }
const earlier: Loss = { kind: "session", message: "404" }

const linked = (startsLater = false) => {
  const happened: Array<unknown> = []
  const asking: Array<string> = []
  const logged: Array<string> = []
  const { closed, transport } = transportOf(() => Promise.resolve())
  const requests = {
    answered: (message: unknown) => happened.push(["answered", message]),
    progressed: (message: unknown) => happened.push(["progressed", message]),
    failed: (id: unknown, error: unknown) => happened.push(["failed", id, error]),
    end: (...given: ReadonlyArray<unknown>) => happened.push(["end", ...given]),
    asks: () => {
      asking.push("asks")
      return () => void asking.push("has asked")
    }
  } as unknown as Requests
  const link = new Link(transport, {
    requests,
    notified: (notification: ServerNotification) => {
      happened.push(["notified", notification.method])
      if (notification.method === "throws") throw new Error("in a listener")
    },
    log: (message) => logged.push(message),
    startsLater
  })
  link.onmessage = (message) => happened.push(["client", message])
  link.onclose = () => happened.push("closed")
  link.onerror = (error) => happened.push(["error", error])
  const receive = (message: unknown): void => transport.onmessage?.(message as JSONRPCMessage)
  return { asking, link, transport, happened, logged, receive, closed }
}

type Linked = ReturnType<typeof linked>

describe("the link between a transport and who waits for its messages", () => {
  it("[C8:unit] its end ends the requests for the reason that was known first, and is told once", () => {
    const { happened, link } = linked()
    link.refuse(earlier)
    link.refuse(loss)
    assert.strictEqual(link.ended, earlier)
    assert.deepStrictEqual(happened, [])
    link.end(loss)
    assert.deepStrictEqual(happened, [["end", earlier], "closed"])
    link.end(loss)
    assert.strictEqual(happened.filter((one) => one === "closed").length, 1)
    const other = linked()
    other.link.end(loss)
    assert.deepStrictEqual(other.happened, [["end", loss], "closed"])
  })

  const ends = {
    "an answer": ({ link }: Linked) => void link.send({ jsonrpc: "2.0", id: 7, result: {} }),
    "a cancellation": ({ receive }: Linked) =>
      receive({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 7 } }),
    "the end of the connection": ({ link }: Linked) => link.end(loss),
    "a session that goes on elsewhere": ({ link }: Linked) => link.release(loss, new Set())
  }
  for (const [what, end] of Object.entries(ends)) {
    it(`[C5:unit] a question of the server lasts until ${what}`, () => {
      for (const method of ["elicitation/create", "sampling/createMessage", "roots/list"]) {
        const linking = linked()
        linking.receive({ jsonrpc: "2.0", id: 7, method })
        linking.receive({ jsonrpc: "2.0", id: 8, method: "ping" })
        void linking.link.send({ jsonrpc: "2.0", id: 8, result: {} })
        assert.deepStrictEqual(linking.asking, ["asks"])
        end(linking)
        end(linking)
        assert.deepStrictEqual(linking.asking, ["asks", "has asked"])
      }
    })
  }

  it("[C8:unit] requests that are left to who goes on with the session are ended by him", () => {
    const { happened, link } = linked()
    const waiting = new Set([1])
    link.release(loss, waiting)
    assert.deepStrictEqual(happened, [["end", loss, waiting]])
    assert.strictEqual(link.ended, loss)
    link.end(earlier)
    assert.deepStrictEqual(happened.slice(1), ["closed"])
  })

  it("[C8:unit] after the end only answers are taken, and nothing of it is asked of anybody", () => {
    const { happened, link, logged, receive } = linked()
    const answer = { jsonrpc: "2.0", id: 1, result: {} }
    const progress = { jsonrpc: "2.0", method: "notifications/progress" }
    receive(progress)
    receive({ jsonrpc: "2.0", id: 2, method: "ping" })
    receive({ jsonrpc: "2.0", method: "notifications/cancelled" })
    receive({ jsonrpc: "2.0", method: "x" })
    assert.deepStrictEqual(
      happened.map((one) => (one as ReadonlyArray<unknown>)[0]),
      ["progressed", "client", "client", "notified"]
    )
    link.end(loss)
    happened.length = 0
    for (const method of ["ping", "notifications/cancelled", "notifications/progress", "x"]) {
      receive({ jsonrpc: "2.0", id: 3, method })
      receive({ jsonrpc: "2.0", method })
    }
    receive(answer)
    assert.deepStrictEqual(happened, [["answered", answer]])
    assert.deepStrictEqual(logged, [])
  })

  describe("behind a request whose handler starts later", () => {
    const kinds = (happened: ReadonlyArray<unknown>) => happened.map((one) => Array.isArray(one) ? one[0] : one)
    const request = { jsonrpc: "2.0", id: 2, method: "roots/list" }
    const answer = { jsonrpc: "2.0", id: 1, result: {} }
    const started = () => new Promise((resolve) => setImmediate(resolve))

    it("[C8:unit F2] messages wait until it has been started, and keep their order", async () => {
      const { happened, receive } = linked(true)
      for (const message of [answer, request, { method: "x" }, answer, request, answer]) receive(message)
      assert.deepStrictEqual(kinds(happened), ["answered", "client"])
      await Promise.resolve()
      assert.lengthOf(happened, 2)
      await started()
      assert.deepStrictEqual(kinds(happened), ["answered", "client", "notified", "answered", "client"])
      await started()
      assert.deepStrictEqual(kinds(happened).slice(5), ["answered"])
      receive(answer)
      assert.lengthOf(happened, 7)
    })

    it("[C8:unit] one that throws keeps nothing behind it", async () => {
      const { happened, link, logged, receive } = linked(true)
      for (const message of [request, { method: "notifications/cancelled" }, answer]) receive(message)
      link.onmessage = () => {
        throw new Error("in a client")
      }
      await started()
      assert.deepStrictEqual(kinds(happened), ["client", "answered"])
      assert.deepStrictEqual(logged, ["a message of the server failed: in a client"])
    })

    it("[C8:unit] the end of the connection and of a request find what has arrived before", () => {
      const error = new RequestError({ fate: "answered", reason: "protocol", message: "too long" })
      const ends: ReadonlyArray<readonly [(one: ReturnType<typeof linked>) => void, ReadonlyArray<string>]> = [
        [({ link }) => link.end(loss), ["end", "closed"]],
        [({ link }) => link.release(loss, new Set([1])), ["end"]],
        [({ link }) => link.refuse(loss), []],
        [({ transport }) => transport.onfailed?.(7, error), ["failed"]]
      ]
      for (const [end, ended] of ends) {
        const one = linked(true)
        for (const message of [request, answer, answer]) one.receive(message)
        end(one)
        assert.deepStrictEqual(kinds(one.happened), ["client", "answered", "answered", ...ended])
      }
    })
  })

  it("[S4:unit] what is no message is dropped with a line, and a listener that throws ends nothing", () => {
    const { happened, logged, receive } = linked()
    receive(null)
    receive("text")
    assert.deepStrictEqual(logged.splice(0), Array(2).fill("a message is no object and is dropped"))
    for (const bad of [{ method: 1 }, { method: "x", params: 1 }, { method: "x", params: [] }]) receive(bad)
    assert.deepStrictEqual(logged.splice(0), Array(3).fill("a notification is not JSON-RPC and is dropped"))
    assert.deepStrictEqual(happened, [])
    receive({ method: "x", params: {} })
    receive({ method: "throws" })
    assert.deepStrictEqual(logged, ["a listener of notifications threw: in a listener"])
    assert.deepStrictEqual(happened, [["notified", "x"], ["notified", "throws"]])
  })

  it("[C8:unit] what fails in the transport is handed on; its own close leaves the transport open", async () => {
    const { closed, happened, link, transport } = linked()
    const error = new RequestError({ fate: "answered", reason: "protocol", message: "too long" })
    transport.onfailed?.(7, error)
    transport.onerror?.(error)
    assert.deepStrictEqual(happened, [["failed", 7, error], ["error", error]])
    link.onerror = undefined
    transport.onerror?.(error)
    await link.close()
    assert.strictEqual(closed(), 0)
    assert.strictEqual(link.sessionId, "")
  })
})
