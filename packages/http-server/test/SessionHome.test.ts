import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Home } from "../src/McpEndpoint.js"
import { notTakenHeader } from "../src/Refusal.js"
import * as SealedId from "../src/SealedId.js"
import * as SessionRecords from "../src/SessionRecords.js"
import * as Raw from "./support/RawEndpoint.js"

const { begin, initialize, send } = Raw
const ping = { id: 1, method: "ping" }

/** Which sessions live here, as the test says. */
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

/** The status of an answer, and whether it says that another replica may be asked. */
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
  it.scopedLive("[D3] its id says where it began", () =>
    Effect.gen(function*() {
      const { seal, url } = yield* setup()
      const session = yield* Effect.promise(() => begin(url))
      expect(seal.open(session["Mcp-Session-Id"]!)?.home).toBe("a")
    }))

  it.scopedLive("[D1] none begins and none goes on where none may live", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[D1] one that lives elsewhere is not restored, whatever the request is", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[D1] one that moves while its record is read is not restored", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[D2] when all are forgotten, open requests are answered, and the ids stay good", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[D7] who is told of the end of a session is told once that is written", () =>
    Effect.gen(function*() {
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
    }))

  it.scopedLive("[D4] an endpoint that has closed has taken nothing", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* setup()
      yield* Effect.promise(async () => {
        const session = await begin(url)
        await requests.close()
        expect(await outcome(url, session)).toBe("503 not taken")
      })
    }))
})
