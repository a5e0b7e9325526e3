import type { ClientRequest } from "@mcp-lifeline/protocol"
import { describe, expect, it } from "vitest"
import type { Caller } from "../../src/Caller.js"
import type { Client } from "../../src/Conversation.js"
import { Conversations } from "../../src/eras/Conversations.js"
import * as Conversing from "../../src/eras/conversing.js"
import { asked } from "../support/hearing.js"
import * as Raw from "../support/RawEndpoint.js"

const make = (owners: ReadonlyArray<string>, maxClients = 10) => {
  const conversations: Array<{ readonly client: Client; readonly calls: Array<ClientRequest>; closed: Array<string> }> =
    []
  const hosts = new Conversations({
    begin: Conversing.begin((client) => {
      const one = { client, calls: [] as Array<ClientRequest>, closed: [] as Array<string> }
      conversations.push(one)
      return Raw.conversing(() => undefined, {
        request: (request) => {
          if (request.method === "initialize") return request.answer({ result: Raw.introduction })
          one.calls.push(request)
          if (request.params?.["name"] !== "asks") request.answer({ result: {} })
        },
        close: async (why) => void one.closed.push(why)
      })
    }),
    hasOwnServers: ({ subject }) => owners.includes(subject),
    maxClients,
    idleTime: 1000
  })
  const post = (caller: Caller, asks = false, brought: object = {}) => {
    const _meta = Raw.meta({}, { elicitation: {} })
    const { answers, request } = asked(1, { name: asks ? "asks" : "x", _meta, ...brought })
    hosts.request(request, caller)
    return { answers }
  }
  const call = (caller: Caller): void => void post(caller)
  const listen = async (caller: Caller): Promise<ClientRequest> => {
    const params = { notifications: { toolsListChanged: true }, _meta: Raw.meta() }
    const { answers, request } = asked(2, params, "subscriptions/listen")
    hosts.request(request, caller)
    await expect.poll(() => answers).toMatchObject([{ method: "notifications/subscriptions/acknowledged" }])
    return request
  }
  const all = () =>
    conversations.map(({ calls, client, closed }) => [client.isLasting === true, calls.length, ...closed])
  const ask = async (caller: Caller) => {
    const { answers } = post(caller, true)
    conversations.at(-1)?.client.write({ jsonrpc: "2.0", id: "q", method: "elicitation/create", params: {} } as never)
    await expect.poll(() => answers).toMatchObject([{ result: { resultType: "input_required" } }])
    const requestState = String(answers[0]?.result?.requestState)
    return () => post(caller, true, { requestState, inputResponses: { q: { action: "accept" } } }).answers
  }
  const answer = (index: number): void => {
    for (const one of conversations[index]?.calls ?? []) one.answer({ result: {} })
  }
  return { all, answer, ask, call, hosts, listen }
}

const subject = (name: string): Caller => ({ subject: name, claims: {} })

describe("conversations of clients without sessions that may have servers of their own", () => {
  it("[G15:unit G22:unit] go on between the requests of one caller; those of who may not do not", () => {
    const { all, call } = make(["ann", "ben"])
    for (const one of ["ann", "ben", "ann", "cy", "cy"]) call(subject(one))
    expect(all()).toEqual([
      [true, 2],
      [true, 1],
      [false, 1, "the request is over"],
      [false, 1, "the request is over"]
    ])
  })

  it("[E8:unit G15:unit] get the input that they wait for, also if their caller has got or lost servers of its own meanwhile", async () => {
    const owners: Array<string> = []
    const { all, answer, ask } = make(owners)
    const first = await ask(subject("ann"))
    owners.push("ann")
    const ofFirst = first()
    answer(0)
    expect(ofFirst).toMatchObject([{ result: { resultType: "complete" } }])
    expect(all()).toEqual([[false, 1, "the request is over"]])
    const second = await ask(subject("ann"))
    owners.pop()
    const ofSecond = second()
    answer(1)
    expect(ofSecond).toMatchObject([{ result: { resultType: "complete" } }])
    expect(all().slice(1)).toEqual([[true, 1]])
  })

  it("[G15:unit G22:unit] last as long as a stream of changes is open, and make room for others when it has ended with its credentials", async () => {
    const { all, call, hosts, listen } = make(["ann", "ben", "cy"], 2)
    const stream = await listen(subject("ann"))
    call(subject("ben"))
    call(subject("cy"))
    expect(all()).toEqual([[true, 0], [true, 1, "the conversation made room for others"], [true, 1]])
    await stream.interrupt("the credentials of the stream have expired")
    call(subject("ben"))
    expect(all()[0]).toEqual([true, 0, "the conversation made room for others"])
    await hosts.close("the gateway is shutting down")
  })

  it("[G22:unit] that wait for input of a caller who is removed end, whether they last or not", async () => {
    const { all, ask, hosts } = make(["ann"])
    for (const one of ["ann", "cy"]) await ask(subject(one))
    for (const one of ["ann", "cy"]) hosts.endOf(subject(one), "the client is removed")
    expect(all()).toEqual([[true, 1, "the client is removed"], [false, 1, "the client is removed"]])
  })

  it("[G15:unit G22:unit] end with their caller, with the lease of a replica, and with the endpoint", async () => {
    const { all, call, hosts } = make(["ann", "ben"])
    for (const one of ["ann", "ben"]) call(subject(one))
    hosts.endOf(subject("ann"), "ann is gone")
    expect(all()).toEqual([[true, 1, "ann is gone"], [true, 1]])
    await hosts.forget("the lease has ended")
    expect(all()[1]).toEqual([true, 1, "the lease has ended"])
    for (const one of ["ann", "ben"]) call(subject(one))
    await hosts.close("the gateway is shutting down")
    expect(all().slice(2)).toEqual([
      [true, 1, "the gateway is shutting down"],
      [true, 1, "the gateway is shutting down"]
    ])
  })
})
