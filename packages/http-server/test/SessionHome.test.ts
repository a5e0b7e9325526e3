import type { ClientRequest } from "@mcp-lifeline/protocol"
import { Effect } from "effect"
import type { ServerResponse } from "node:http"
import { describe, expect, test } from "../../testing/test/support/vitest.js"
import type { Home } from "../src/McpEndpoint.js"
import { notTakenHeader } from "../src/Refusal.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, initialize, send } = Raw
const ping = { id: 1, method: "ping" }

class ScriptedHome implements Home {
  id: string | undefined = "a"
  here = true
  readonly asked: Array<string | undefined> = []
  own = () => this.id
  isHere = (_id: string, born: string | undefined) => {
    this.asked.push(born)
    return this.here
  }
}

const setup = (options: Partial<Parameters<typeof Raw.serve>[1]> = {}) =>
  Effect.gen(function*() {
    const home = new ScriptedHome()
    const seal = SealedId.make(SealedId.randomSecret())
    const records = SessionRecords.inMemory()
    const endpoint = yield* Raw.serve(undefined, { seal, records, home, ...options })
    return { home, seal, records, ...endpoint }
  })

const outcome = async (
  url: string,
  session: Readonly<Record<string, string>>,
  method = "POST",
  body: object = ping
) => {
  const answered = await send(url, method, session, method === "POST" ? body : undefined)
  const isTaken = answered.headers[notTakenHeader] === undefined
  if (answered.status !== 200 || method !== "GET") await answered.body
  answered.cut()
  return `${answered.status}${isTaken ? "" : " not taken"}`
}

describe("where a session lives", () => {
  test.scopedLive("[D3] its id says where it began", function*() {
    const { seal, url } = yield* setup()
    const session = yield* Effect.promise(() => begin(url))
    expect(seal.open(session["Mcp-Session-Id"]!)?.home).toBe("a")
  })

  test.scopedLive("[D1] none begins and none goes on where none may live", function*() {
    const { conversations, home, requests, url } = yield* setup()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      home.id = undefined
      const refused = await send(url, "POST", {}, initialize())
      expect(refused.status).toBe(503)
      expect(refused.headers["mcp-session-id"]).toBeUndefined()
      expect(JSON.parse(await refused.body)).toMatchObject({ id: 0 })
      for (const method of ["POST", "GET", "DELETE"]) {
        expect(await outcome(url, session, method)).toBe("503 not taken")
      }
      expect(requests.has(session["Mcp-Session-Id"]!)).toBe(true)
      home.id = "a"
      expect(await outcome(url, session)).toBe("200")
      expect(conversations).toHaveLength(1)
    })
  })

  test.scopedLive("[D1] one that lives elsewhere is not restored, whatever the request is", function*() {
    const { conversations, home, seal, url } = yield* setup()
    home.here = false
    const id = seal.seal({
      initialize: initialize("2025-03-26").params,
      version: "2025-03-26",
      lists: [],
      owner: "",
      born: Date.now() / 1000,
      home: "b"
    })
    const session = { "Mcp-Session-Id": id }
    const stateless = { ...session, "MCP-Protocol-Version": "2026-07-28" }
    yield* Effect.promise(async () => {
      for (const headers of [session, stateless]) {
        expect(await outcome(url, headers, "DELETE")).toBe("503 not taken")
        expect(
          await send(url, "POST", headers, JSON.stringify([{ jsonrpc: "2.0", ...ping }])).then(({ status }) => status)
        )
          .toBe(503)
      }
      expect(await outcome(url, session)).toBe("503 not taken")
      expect(await outcome(url, session, "GET")).toBe("503 not taken")
      expect(conversations).toHaveLength(0)
      expect(new Set(home.asked)).toEqual(new Set(["b"]))
      home.here = true
      expect(await outcome(url, session)).toBe("200")
      expect(conversations).toHaveLength(1)
    })
  })

  test.scopedLive("[D1] one that moves while its record is read is not restored", function*() {
    const records = SessionRecords.inMemory()
    let read = (): void => undefined
    const slow: SessionRecords.SessionRecords = {
      ...records,
      get: (...given) => new Promise<void>((resolve) => read = resolve).then(() => records.get(...given))
    }
    const { conversations, home, requests, url } = yield* setup({ records: slow })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      await requests.forget("the lease has ended")
      expect(requests.has(session["Mcp-Session-Id"]!)).toBe(false)
      const restoring = async (meanwhile: () => void): Promise<string> => {
        read = () => undefined
        const before = read
        const answered = outcome(url, session)
        while (read === before) await new Promise((resolve) => setImmediate(resolve))
        meanwhile()
        read()
        return answered
      }
      expect(await restoring(() => home.here = false)).toBe("503 not taken")
      home.here = true
      // As if it had gone and come back meanwhile.
      expect(await restoring(() => void requests.forget("the lease has ended"))).toBe("503 not taken")
      expect(conversations).toHaveLength(1)
      expect(await restoring(() => undefined)).toBe("200")
      expect(conversations).toHaveLength(2)
    })
  })

  test.scopedLive("[D11] one whose record nobody can read has not ended: whoever asks is told to ask again", function*() {
    const records = SessionRecords.inMemory()
    let isAway = false
    const { conversations, requests, url } = yield* setup({
      records: { ...records, get: (...given) => isAway ? Promise.resolve("unknown") : records.get(...given) }
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const batches = await begin(url, "2025-03-26")
      await requests.forget("the lease has ended")
      const { length } = conversations
      isAway = true
      const sent: ReadonlyArray<readonly [string, object, (object | string)?]> = [
        ["POST", session, ping],
        ["POST", session, { id: 2, method: "tools/call", params: { name: "a" } }],
        ["POST", session, { method: "notifications/initialized" }],
        ["POST", batches, JSON.stringify([{ jsonrpc: "2.0", ...ping }])],
        ["GET", session],
        ["DELETE", session]
      ]
      for (const [method, headers, body] of sent) {
        const answered = await send(url, method, headers as Readonly<Record<string, string>>, body)
        expect(answered.status).toBe(503)
        expect(answered.headers["retry-after"]).toBe("1")
        expect(JSON.parse(await answered.body)).toMatchObject({
          error: { message: expect.stringContaining("try again") }
        })
      }
      expect(conversations).toHaveLength(length)
      isAway = false
      expect(await outcome(url, session)).toBe("200")
      expect(await outcome(url, batches)).toBe("200")
    })
  })

  test.scopedLive("[D11] when all are forgotten, what was not sent may be sent again, and what may have been sent not", function*() {
    const opened: Array<ClientRequest> = []
    const { requests, url } = yield* setup({
      begin: () =>
        Raw.conversing(() => undefined, {
          request: (request) => {
            const { name } = (request.params ?? {}) as { readonly name?: string }
            if (request.method === "initialize" && opened.length === 0) {
              return request.answer({ result: { ...Raw.introduction, ...request.params } })
            }
            if (name === "sent") request.work = { stop: () => "unknown" }
            if (name === "waits") request.work = { stop: () => "notSent" }
            opened.push(request)
          },
          introduce: () => Promise.resolve(Raw.introduction as never)
        })
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const call = (id: number, name: string) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name } })
      const batches = await begin(url, "2025-03-26")
      opened.length = 0
      const sending = [
        send(url, "POST", session, call(7, "waits")),
        send(url, "POST", session, call(8, "new")),
        send(url, "POST", batches, JSON.stringify([call(9, "waits"), call(10, "new")])),
        send(url, "POST", {}, initialize()),
        send(url, "POST", session, call(11, "sent")),
        send(url, "POST", batches, JSON.stringify([call(12, "waits"), call(13, "sent")]))
      ]
      while (opened.length < 8) await new Promise((resolve) => setImmediate(resolve))
      await requests.forget("this replica has lost its lease")
      const answers = await Promise.all(sending)
      for (const one of answers.slice(0, 4)) {
        expect([one.status, one.headers["retry-after"], one.headers[notTakenHeader]]).toEqual([503, "1", "1"])
      }
      for (const one of answers.slice(4)) {
        expect([one.status, one.headers["retry-after"], one.headers[notTakenHeader]]).toEqual([
          200,
          undefined,
          undefined
        ])
      }
      expect(JSON.parse(await answers[3]!.body)).toMatchObject({ id: 0, error: { data: { fate: "notSent" } } })
      expect(JSON.parse(await answers[2]!.body)).toMatchObject([{ id: 9 }, { id: 10 }])
    })
  })

  test.scopedLive("[D11] what was not sent when all are forgotten can be answered elsewhere, in a stream that has begun, too; and nothing else", function*() {
    const opened: Array<ClientRequest> = []
    const moved: Array<{ readonly response: ServerResponse; readonly body: string }> = []
    const { requests, url } = yield* setup({
      hasOwnServers: () => true,
      unsent: (response, body) => moved.push({ response, body: body.toString() }),
      begin: (client) =>
        Raw.conversing(() => undefined, {
          request: (request) => {
            const { name } = (request.params ?? {}) as { readonly name?: string }
            if (request.method === "initialize") {
              return request.answer({ result: { ...Raw.introduction, ...request.params } })
            }
            if (request.method === "ping") return request.answer({ result: {} })
            if (name !== "new") {
              request.work = { stop: () => name?.startsWith("sent") === true ? "unknown" : "notSent" }
            }
            if (name?.endsWith("streamed") === true) {
              request.say({
                jsonrpc: "2.0",
                method: "notifications/progress",
                params: { progressToken: 1, progress: 1 }
              })
            }
            opened.push(request)
          },
          introduce: () => Promise.resolve(Raw.introduction as never),
          close: (why) => client.requests.interrupt(why)
        })
    })
    const call = (id: number, name: string) => ({
      jsonrpc: "2.0",
      id,
      method: "tools/call",
      params: { name, arguments: { id: "#" } }
    })
    const text = (body: unknown) => JSON.stringify(body).replaceAll('"#"', "9007199254740993")
    const meta = { _meta: Raw.meta({ [Raw.key("clientInfo")]: { name: "raw", version: "1" } }) }
    const stateless = {
      Authorization: "Bearer ann",
      "MCP-Protocol-Version": "2026-07-28",
      "Mcp-Method": "tools/call"
    }
    yield* Effect.promise(async () => {
      const outcomes = async (end: (session: string) => unknown) => {
        opened.length = 0
        moved.length = 0
        const session = await begin(url)
        const batches = await begin(url, "2025-03-26")
        const answers = new Map<string, Promise<string>>()
        const sent: Array<Raw.Answered> = []
        const post = (headers: Readonly<Record<string, string>>, body: object, name: string) => {
          const sending = send(url, "POST", headers, text(body))
          answers.set(name, sending.then((one) => (sent.push(one), one.body)))
        }
        let id = 1
        const sessionCalls = ["waits", "waits streamed", "new", "sent", "sent streamed"]
        for (const name of sessionCalls) post(session, call(id++, name), name)
        post(batches, [call(id++, "waits streamed"), call(id++, "new")], "batch")
        post(batches, [call(id++, "waits streamed"), call(id++, "sent")], "mixed batch")
        for (const name of sessionCalls) {
          const one = call(id++, name)
          post(
            { ...stateless, "Mcp-Name": name },
            { ...one, params: { ...one.params, ...meta } },
            `stateless ${name}`
          )
        }
        while (opened.length < 14) await new Promise((resolve) => setImmediate(resolve))
        await end(session["Mcp-Session-Id"]!)
        const all = [...answers.values()]
        await Promise.race([new Promise((resolve) => setTimeout(resolve, 300)), Promise.all(all)])
        const given = moved.map(({ body, response }) => {
          expect(response.writableEnded || response.destroyed).toBe(false)
          expect(body).toContain("9007199254740993")
          response.end(response.headersSent ? ": elsewhere\n\n" : "elsewhere")
          const value = JSON.parse(body) as { readonly params: { readonly name: string } }
          return Array.isArray(value) ? "batch" : value.params.name
        })
        const fates = await Promise.all(Array.from(answers, async ([name, answer]) => {
          const body = await answer
          const fates = [...body.matchAll(/"fate":"(\w+)"/g)].map(([, fate]) => fate)
          return [name, fates.length > 0 ? fates.join(" ") : body.includes("elsewhere") ? "elsewhere" : body]
        }))
        for (const one of sent) one.cut()
        return { given: given.toSorted(), fates: Object.fromEntries(fates) as Record<string, string> }
      }
      const unsent = ["waits", "waits streamed", "new"]
      const told = (fate: (name: string) => string, names = [...unsent, "sent", "sent streamed"]) =>
        Object.fromEntries(names.flatMap((name) => [[name, fate(name)], [`stateless ${name}`, fate(name)]]))
      const one = await outcomes(() => requests.forget("this replica has lost its lease"))
      expect(one.fates).toEqual({
        ...told((name) => name.startsWith("sent") ? "unknown" : "elsewhere"),
        batch: "elsewhere",
        "mixed batch": "unknown notSent"
      })
      expect(one.given).toEqual([...unsent, ...unsent, "batch"].toSorted())
      // Who may not go on may not go on elsewhere; nor does a session that its client has ended.
      const ended = await outcomes(async (session) => {
        await (await send(url, "DELETE", { "Mcp-Session-Id": session })).body
        requests.endOf({ subject: "ann", claims: {} }, "it is not accepted any more")
        requests.endOf({ subject: "", claims: {} }, "it is not accepted any more")
      })
      expect(ended.given).toEqual([])
      expect(ended.fates).toMatchObject(told((name) => name.startsWith("sent") ? "unknown" : "notSent"))
    })
  })

  test.scopedLive("[D2] when all are forgotten, open requests are answered, and the ids stay good", function*() {
    const { conversations, requests, url } = yield* setup()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      const stream = await send(url, "GET", session)
      const called = send(url, "POST", session, { id: 7, method: "tools/call", params: { name: "slow" } })
      while (!conversations[0]!.received.some(({ id }) => id === 7)) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      await requests.forget("this replica has lost its lease")
      expect(requests.sessions()).toBe(0)
      expect(JSON.parse(await (await called).body)).toMatchObject({
        id: 7,
        error: { message: expect.stringContaining("lost its lease"), data: { fate: "unknown" } }
      })
      await stream.body
      expect(conversations[0]!.isClosed).toBe(true)
      expect(await outcome(url, session)).toBe("200")
      expect(conversations[1]!.resumed).toBeDefined()
    })
  })

  test.scopedLive("[D7] who is told of the end of a session is told once that is written", function*() {
    const records = SessionRecords.inMemory()
    const told: Array<string> = []
    const { url } = yield* setup({
      records: {
        ...records,
        set: (id, record) => records.set(id, record).then(() => void told.push(`set ${record.hasEnded}`))
      },
      onEnded: (id) => told.push(id)
    })
    yield* Effect.promise(async () => {
      const session = await begin(url)
      expect(await outcome(url, session, "DELETE")).toBe("200")
      expect(told).toEqual(["set true", session["Mcp-Session-Id"]])
      expect(await outcome(url, session)).toBe("404")
      expect(told).toHaveLength(2)
    })
  })

  test.scopedLive("[D4] an endpoint that has closed has taken nothing", function*() {
    const { requests, url } = yield* setup()
    yield* Effect.promise(async () => {
      const session = await begin(url)
      await requests.close()
      expect(await outcome(url, session)).toBe("503 not taken")
    })
  })
})
