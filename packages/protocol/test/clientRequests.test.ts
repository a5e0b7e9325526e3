import { describe, expect, it } from "vitest"
import { type Answer, type ClientRequest, ClientRequests, type Work } from "../src/relay/ClientRequest.js"

const make = () => {
  const requests = new ClientRequests()
  const told: Array<unknown> = []
  const responder = {
    say: ({ id }: ClientRequest, message: object) => void told.push({ id, message }),
    answer: ({ id }: ClientRequest, answer: Answer) => void told.push({ id, ...answer }),
    cancelled: ({ id }: ClientRequest) => void told.push({ id, cancelled: true })
  }
  const open = (id: number, method = "tools/call"): ClientRequest =>
    requests.open({ jsonrpc: "2.0", id, method }, responder)
  return { responder, open, requests, told }
}

const work = (fate: ReturnType<Work["stop"]>) => {
  const stopped: Array<unknown> = []
  return {
    stopped,
    work: {
      stop: (reason: unknown, why?: string) => {
        stopped.push([reason, why])
        return fate
      }
    }
  }
}

const progress = { jsonrpc: "2.0", method: "notifications/progress" } as const

const interrupted = (id: number, fate: "notSent" | "unknown") => ({
  id,
  error: {
    code: -32_000,
    message: fate === "notSent"
      ? "it is over before the request was sent: it was not carried out"
      : "it is over before the request was answered: it may have been carried out",
    data: { tag: "Interrupted", fate }
  }
})

describe("a request of a client", () => {
  it("[G18:unit] is answered once, hears nothing after that, and leaves before its answer is handed on", () => {
    const { open, requests, told } = make()
    const request = open(1)
    const over: Array<unknown> = []
    request.onOver((error) => over.push([error, told.length]))
    request.onOver((error) => over.push(error))
    request.say(progress)
    expect(requests.get(1)).toBe(request)
    request.answer({ result: { n: 1 } })
    request.answer({ result: { n: 2 } })
    request.say(progress)
    request.cancel()
    request.interrupt("it is over")
    expect(told).toEqual([{ id: 1, message: progress }, { id: 1, result: { n: 1 } }])
    expect([requests.size, requests.get(1), over]).toEqual([0, undefined, [[undefined, 2], undefined]])
  })

  it("[G18:unit] that fails is over with the code of its error; one that is cancelled is stopped, and not answered", () => {
    const { open, told } = make()
    const [failed, cancelled] = [open(1), open(2)]
    const over: Array<unknown> = []
    for (const request of [failed, cancelled]) request.onOver((error) => over.push(error))
    const { stopped, work: doing } = work("unknown")
    cancelled.work = doing
    failed.answer({ error: { code: -32_602, message: "no" } })
    cancelled.cancel("enough")
    cancelled.answer({ result: {} })
    expect(told).toEqual([{ id: 1, error: { code: -32_602, message: "no" } }, { id: 2, cancelled: true }])
    expect([over, stopped]).toEqual([["-32602", "cancelled"], [["enough", undefined]]])
  })

  it("[G18:unit] is over where its answer cannot be handed on", () => {
    const { requests } = make()
    const over: Array<unknown> = []
    const request = requests.open({ jsonrpc: "2.0", id: 1, method: "tools/call" }, {
      say: () => undefined,
      answer: () => {
        throw new Error("broken")
      }
    })
    request.onOver((error) => over.push(error))
    expect(() => request.answer({ result: {} })).toThrow("broken")
    expect([requests.size, over]).toEqual([0, [undefined]])
  })
})

describe("the requests of a client", () => {
  it("[G18:unit] that are interrupted are answered what is known of them; who waits is told when all are", async () => {
    const { open, requests, told } = make()
    const [untouched, sent, late] = [open(1), open(2), open(3)]
    sent.work = work("unknown").work
    const { stopped, work: answersItself } = work(undefined)
    late.work = answersItself
    let isSettled = false
    const settled = requests.interrupt("it is over").then(() => (isSettled = true))
    expect(told).toEqual([interrupted(1, "notSent"), interrupted(2, "unknown")])
    expect([untouched.isOver, late.isOver, stopped]).toEqual([true, false, [["it is over", "it is over"]]])
    await Promise.resolve()
    expect(isSettled).toBe(false)
    late.answer({ result: {} })
    await settled
    expect(told.at(-1)).toEqual({ id: 3, result: {} })
    await requests.settled
  })

  it("[G18:unit] are found by id and by condition, the latest first; one that is gone does not take another's place", () => {
    const { open, requests } = make()
    const [first, second] = [open(1), open(2, "prompts/get")]
    const again = open(1, "resources/read")
    first.answer({ result: {} })
    expect(requests.get(1)).toBe(again)
    expect(requests.latest(({ method }) => method === "prompts/get")).toBe(second)
    expect(requests.latest(() => false)).toBeUndefined()
    expect([...requests]).toEqual([again, second])
  })

  it("[W3:unit] are cancelled by a notification, but for initialize", () => {
    const { open, requests } = make()
    const [initialize, call] = [open(1, "initialize"), open(2)]
    const found = [{ requestId: 1 }, { requestId: 2 }, { requestId: 2 }, { requestId: 7 }, undefined].map((params) =>
      requests.cancel({ jsonrpc: "2.0", method: "notifications/cancelled", params } as never)
    )
    expect(found).toEqual([true, true, false, false, false])
    expect([initialize.isOver, call.isOver]).toEqual([false, true])
  })

  it("[G18:unit] one that stands for another ends with it, whichever way that ends", () => {
    for (
      const [end, stop, said] of [
        [(outer: ClientRequest) => outer.cancel("enough"), ["enough", undefined], [{ id: 1, cancelled: true }]],
        [
          (outer: ClientRequest) => outer.interrupt("it is over"),
          ["it is over", "it is over"],
          [interrupted(1, "unknown")]
        ]
      ] as const
    ) {
      const { open, told } = make()
      const outer = open(1)
      const { stopped, work: doing } = work("unknown")
      const inner = new ClientRequests().openFor(outer, { jsonrpc: "2.0", id: "in", method: "tools/call" }, {
        say: (_, message) => outer.say(message),
        answer: (_, answer) => outer.answer(answer)
      })
      inner.work = doing
      end(outer)
      expect([inner.isOver, outer.isOver, stopped, told]).toEqual([true, true, [stop], said])
    }
  })
})
