import { describe, expect, it } from "vitest"
import type { Client, Conversation } from "../../src/http/Conversation.js"
import { EventBudget } from "../../src/http/EventBudget.js"
import { Session } from "../../src/http/Session.js"
import * as Reader from "../support/Reader.js"

/** A session in front of a conversation that answers nothing, and what is told of it. */
const make = (close: Conversation["close"] = () => Promise.resolve()) => {
  const state = { reasons: [] as Array<string>, errors: [] as Array<unknown>, client: undefined as Client | undefined }
  const session = new Session({
    begin: (client) => {
      state.client = client
      return {
        introduce: () => Promise.reject(new Error("is not asked")),
        receive: () => undefined,
        close: (reason) => {
          state.reasons.push(reason)
          return close(reason)
        }
      }
    },
    budget: new EventBudget(1_000_000),
    maxCalls: 10,
    onError: (error) => void state.errors.push(error),
    onServers: () => true,
    onWishes: () => Promise.resolve(),
    onIntroduced: () => ({ id: "one" })
  })
  /** Sends a call, about which something is said at once, so that a stream begins. */
  const call = (id: number, reader = Reader.make()) => {
    session.post([{ jsonrpc: "2.0", id, method: "tools/call", params: {} }], false, reader.response)
    state.client?.write({ jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: id } }, id)
    return reader
  }
  return { call, session, state }
}

const messages = ({ text }: Reader.Reader): ReadonlyArray<any> =>
  [...text().matchAll(/^data: (\{.+)$/gm)].map(([, data = ""]) => JSON.parse(data))

const interrupted = (id: number) => ({
  jsonrpc: "2.0",
  id,
  error: {
    code: -32_000,
    message: "it is enough before the request was answered: it may have been carried out",
    data: { tag: "Interrupted", fate: "unknown" }
  }
})

describe("a session that ends", () => {
  it("[G18:unit] answers what its conversation has not, and says so once; its conversation hears why", async () => {
    const { call, session, state } = make()
    const readers = [call(1), call(2)]
    await session.close("it is enough")
    await session.close("once more")
    expect(state.reasons).toEqual(["it is enough"])
    for (const [index, reader] of readers.entries()) {
      expect(messages(reader).slice(1)).toEqual([interrupted(index + 1)])
    }
    expect(session.isBusy).toBe(false)
  })

  it("[G18:unit] answers also where its conversation cannot be closed, which is no secret", async () => {
    const broken = new Error("broken")
    const { call, session, state } = make(() => Promise.reject(broken))
    const reader = call(1)
    await session.close("it is enough")
    expect(messages(reader).slice(1)).toEqual([interrupted(1)])
    expect(state.errors).toEqual([broken])
  })

  it("[G18:unit] who reads slowly is sent all that was said, and the answer as it is", async () => {
    const { call, session } = make()
    const reader = call(1, Reader.make(true))
    await session.close("it is enough")
    expect(messages(reader)).toEqual([])
    for (let times = 0; times < 3; times++) reader.drain()
    expect(messages(reader)).toEqual([expect.objectContaining({ method: "notifications/progress" }), interrupted(1)])
    expect(reader.end()).toBe("ended")
  })

  it("[G3:unit] ends the stream of what is about no request, too", async () => {
    const { session } = make()
    const reader = Reader.make()
    session.listen(reader.response, undefined)
    expect(session.isBusy).toBe(true)
    await session.close("it is enough")
    expect([reader.end(), session.isBusy]).toEqual(["ended", false])
  })
})
