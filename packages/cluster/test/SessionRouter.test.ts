import * as Caller from "@mcp-lifeline/http-server/Caller"
import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { afterEach, describe, expect, it } from "vitest"
import * as Raw from "../../http-server/test/support/RawEndpoint.js"
import { path } from "../src/sessions/SessionRouter.js"
import * as PeerServer from "./support/PeerServer.js"
import { Places, type Routing, scripted, session, start } from "./support/Routers.js"

const { events, send } = Raw
const call = { id: 1, method: "tools/call", params: { name: "write" } }
const read = { id: 1, method: "tools/call", params: { name: "read" } }
const answered = { jsonrpc: "2.0", id: 1, result: { content: [] } }
const unknown = { jsonrpc: "2.0", id: 1, error: { code: -32_000, data: { fate: "unknown" } } }
const taken = { "lifeline-taken": "a" }
const json = { ...taken, "Content-Type": "application/json" }
const stream = { ...taken, "Content-Type": "text/event-stream" }

const running: Array<Routing> = []
const replica = async (...given: Parameters<typeof start>): Promise<Routing> => {
  const one = await start(...given)
  running.push(one)
  return one
}

afterEach(async () => {
  for (const one of running.splice(0)) {
    await one.close()
    expect(one.errors).toEqual([])
  }
  PeerServer.closeAll()
})

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

type Answer = Parameters<typeof scripted>[0]

const withHome = async (answer: Answer, options: Parameters<typeof start>[3] = {}) => {
  const places = new Places()
  const address = await scripted(answer)
  places.move(PeerServer.replica(address, "a"))
  const b = await replica("b", places, ({ id, isRepeated, params }, { client }) => {
    const result = isRepeated && params.name !== "read" ? { error: unknown.error } : { result: { here: true } }
    client.write({ jsonrpc: "2.0", id, ...result } as never)
  }, options)
  const post = (body: object | string = call, headers = {}) =>
    send(b.url, "POST", { ...session("a"), ...headers }, body)
  return { places, b, post, lose: () => places.lose("a", b.replica) }
}

const here = { jsonrpc: "2.0", id: 1, result: { here: true } }
const body = async (answered: Promise<Raw.Answered>): Promise<unknown> => JSON.parse(await (await answered).body)
const messages = (text: string) => events(text).map(({ message }) => message)

describe("a request of a session that lives elsewhere", () => {
  it("[D3] is passed on as it is, but for what belongs to a connection, a page, or a replica", async () => {
    let seen: IncomingMessage["headers"] = {}
    let given = ""
    const { post } = await withHome((response, body, request) => {
      seen = request.headers
      given = body
      response.writeHead(200, { ...json, "X-More": "1", "Keep-Alive": "timeout=9" }).end(JSON.stringify(answered))
    })
    const answer = await post(call, {
      Origin: "http://evil.example",
      "Sec-Fetch-Site": "cross-site",
      Connection: "X-Own",
      "X-Own": "1",
      "X-Other": "1",
      Authorization: "Bearer token",
      "Lifeline-Home": "b",
      "Lifeline-Authorization": "Bearer mine",
      "Lifeline-Caller": Caller.encode({ subject: "eve", claims: {} }),
      "Lifeline-Repeated": "1",
      Expect: "100-continue"
    })
    expect([answer.status, await answer.body]).toEqual([200, JSON.stringify(answered)])
    expect(answer.headers).toMatchObject({ "x-more": "1", "content-type": "application/json" })
    expect(answer.headers["lifeline-taken"]).toBeUndefined()
    expect(JSON.parse(given)).toEqual({ jsonrpc: "2.0", ...call })
    expect(seen).toMatchObject({ "x-other": "1", "lifeline-authorization": expect.stringMatching(/^a \d+ /) })
    expect(Caller.decode(String(seen["lifeline-caller"]))).toEqual({ subject: "token", claims: { of: "token" } })
    const left = ["origin", "sec-fetch-site", "lifeline-home", "x-own", "lifeline-repeated", "expect", "authorization"]
    expect(left.filter((name) => name in seen)).toEqual([])
  })

  it("[D13:real][D3] is carried out once although the clock of its home is wrong", async () => {
    const heard: Array<string> = []
    const address = await PeerServer.withFastClock("a", (_, response, body) => {
      heard.push(body)
      response.writeHead(200, json).end(JSON.stringify(answered))
    })
    const places = new Places()
    places.move(PeerServer.replica(address, "a"))
    const b = await replica("b", places)
    for (let i = 1; i <= 2; i++) {
      expect(await body(send(b.url, "POST", session("a"), call))).toEqual(answered)
      expect(heard).toHaveLength(i)
    }
  })

  it("[D13] waits while the address of its home is not sealed", async () => {
    const { b, places, post } = await withHome((response) =>
      response.writeHead(200, json).end(JSON.stringify(answered))
    )
    const home = await Effect.runPromise(places.seenBy("b").find("", undefined))
    places.move({ ...home, address: undefined })
    const posted = body(post())
    await until(() => places.asked > 1)
    places.move(home)
    expect(await posted).toEqual(answered)
    expect(b.endpoint.conversations).toEqual([])
  })

  it("[D3] and its answer may be large", async () => {
    const large = "x".repeat(10 * 1024 * 1024)
    const { post } = await withHome((response, body) => response.writeHead(200, json).end(body))
    const echoed = await body(post({ ...call, params: { name: "write", arguments: { large } } }))
    expect(echoed).toMatchObject({ params: { arguments: { large: expect.any(String) } } })
    expect((echoed as typeof call & { params: { arguments: { large: string } } }).params.arguments.large === large)
      .toBe(true)
  })

  it("[D2] that could not be sent waits, and is carried out once when the session has moved", async () => {
    const { b, lose, places, post } = await withHome(() => undefined)
    places.move(PeerServer.replica("http://127.0.0.1:1", "a"))
    const answer = post()
    await until(() => places.asked > 1)
    lose()
    expect(await body(answer)).toEqual(here)
    expect(b.endpoint.conversations[0]?.received.filter(({ method }) => method === "tools/call")).toHaveLength(1)
  })

  it.each<[string, Answer]>([
    ["resets the connection", (response) => response.destroy()],
    ["resets it in the middle of an answer", (response) => {
      response.writeHead(200, json).write('{"jsonrpc"')
      setImmediate(() => response.destroy())
    }],
    ["answers what is none, in the name of somebody else", (response) => response.writeHead(502).end("bad gateway")]
  ])("[D2] whose home %s has an unknown fate; one that reads is repeated", async (_, answer) => {
    let count = 0
    const { b, lose, post } = await withHome((...given) => {
      count++
      answer(...given)
    })
    const batch = JSON.stringify([{ jsonrpc: "2.0", ...call }, { jsonrpc: "2.0", ...read, id: 2 }])
    const old = session("a", "2025-03-26")
    const [called, repeated, both] = [post(), post(read), post(batch, old)]
    await until(() => count >= 3)
    lose()
    expect((await called).status).toBe(200)
    expect(await body(called)).toMatchObject(unknown)
    expect(await body(repeated)).toEqual(here)
    expect(await body(both)).toMatchObject([unknown, { ...here, id: 2 }])
    expect(b.endpoint.conversations).toHaveLength(3)
  })

  it.each<[string, Answer]>([
    [
      "over a connection that was used before",
      (response) => response.writeHead(200, json).end(JSON.stringify(answered))
    ],
    ["when the home had asked for it", (response) => response.writeHead(421, { "lifeline-not-taken": "1" }).end()]
  ])("[D2] that was sent %s may have arrived, so no other replica carries it out", async (how, first) => {
    let count = 0
    const { lose, post } = await withHome((response, ...given) => {
      count++
      if (count === 1) first(response, ...given)
      else response.destroy()
    })
    if (how.includes("before")) await (await post()).body
    const called = post()
    await until(() => count > 1)
    lose()
    expect(await body(called)).toMatchObject(unknown)
  })

  it("[D2] that was repeated to the same home says so", async () => {
    const seen: Array<unknown> = []
    const { post } = await withHome((response, _, { headers }) => {
      seen.push(headers["lifeline-repeated"])
      if (seen.length === 1) response.destroy()
      else response.writeHead(200, json).end(JSON.stringify(answered))
    })
    expect(await body(post(read))).toEqual(answered)
    expect(seen).toEqual([undefined, "1"])
  })

  it.each([
    ["at the end of an event", 'event: message\nid: 1\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\n\n'],
    ["in the middle of an event", 'event: message\nid: 1\ndata: {"jsonrpc":"2.0","meth'],
    ["in the middle of a field", "event: mess"]
  ])("[D2] whose stream is cut %s still gets an answer in it", async (_, begun) => {
    const { lose, post } = await withHome((response) => {
      response.writeHead(200, stream).write(begun)
      setTimeout(() => response.destroy(), 20)
    })
    const whole = (text: string) =>
      text.split("\n\n").filter((block) => !block.includes("event: interrupted")).map((block) => `${block}\n\n`).join(
        ""
      )
    const both = [await post(), await post(read)]
    for (const one of both) await one.until("event: interrupted")
    lose()
    expect(messages(whole(await both[0]!.body)).at(-1)).toMatchObject(unknown)
    expect(messages(whole(await both[1]!.body)).at(-1)).toEqual(here)
  })

  it("[D2] cannot be repeated once a large answer has begun: the connection ends", async () => {
    const { post } = await withHome((response) => {
      response.writeHead(200, json).write("x".repeat(2 * 1024 * 1024))
      setTimeout(() => response.destroy(), 50)
    })
    const answer = await post(read)
    expect((await answer.body).length).toBeGreaterThan(0)
    expect((answer.response as IncomingMessage).complete).toBe(false)
  })

  it("[D4] that was not taken is sent again with care, and goes on elsewhere", async () => {
    const seen: Array<unknown> = []
    const refuse = ({ headers }: IncomingMessage, response: ServerResponse): void => {
      seen.push(headers.expect)
      response.writeHead(421, { "lifeline-not-taken": "1" }).end()
    }
    const { lose, post } = await withHome((response, _, request) => refuse(request, response))
    // A body that was asked for may have been taken, if its home is lost before the answer is read.
    PeerServer.servers[0]?.on("checkContinue", refuse)
    const answer = post()
    await until(() => seen.length > 1)
    lose()
    expect(await body(answer)).toEqual(here)
    expect(seen.slice(0, 2)).toEqual([undefined, "100-continue"])
  })

  it("[D4] answers of who is no replica are none", async () => {
    let count = 0
    const { lose, post } = await withHome((response) => {
      count++
      response.writeHead(404).end()
    })
    // When it asks again, it sends the call only to who wants it. This one says nothing, so the call is at nobody.
    let again = 0
    PeerServer.servers[0]?.on("checkContinue", () => void again++)
    const answer = post()
    await until(() => again > 0)
    expect(count).toBe(1)
    lose()
    expect(await body(answer)).toEqual(here)
  })

  it("[D2] whose home is silent ends with the lease of that: as unknown, or repeated", async () => {
    let count = 0
    const { lose, post } = await withHome(() => void count++)
    const [called, reading] = [post(), post(read)]
    await until(() => count === 2)
    lose()
    expect(await body(called)).toMatchObject(unknown)
    expect(await body(reading)).toEqual(here)
  })

  it("[D2] waits for a bounded time: it is unknown if it was sent, and otherwise may be sent again", async () => {
    let count = 0
    const { places, post } = await withHome(() => void count++, { longest: 10 })
    expect(await body(post())).toMatchObject(unknown)
    expect(count).toBe(1)
    places.move(undefined)
    const nowhere = await post()
    expect([nowhere.status, nowhere.headers["retry-after"]]).toEqual([503, "1"])
    expect(JSON.parse(await nowhere.body)).toMatchObject({ id: 1, error: {} })
  })

  it("[D2] has an answer when this replica stops", async () => {
    let count = 0
    const { b, post, places } = await withHome((response, text) => {
      count++
      if (text.includes("streamed")) response.writeHead(200, stream).write(": begun\n\n")
    })
    const waiting = [post(), post(read), post({ ...call, params: { name: "streamed" } })]
    const listening = send(b.url, "GET", session("a"))
    await until(() => count === 4)
    places.move(undefined)
    await waiting[2]
    running.splice(running.indexOf(b), 1)
    await b.close()
    expect(await body(waiting[0]!)).toMatchObject(unknown)
    expect(await body(waiting[1]!)).toMatchObject(unknown)
    expect(messages(await (await waiting[2]!).body).at(-1)).toMatchObject(unknown)
    expect((await listening).status).toBe(503)
    expect((await post()).status).toBe(503)
    expect(b.errors).toEqual([])
  })

  it("[X5] that its client gives up ends at the home, too", async () => {
    const closed: Array<string> = []
    const { b, post } = await withHome((response, _, { method }) => {
      response.writeHead(200, stream).write(": begun\n\n")
      response.on("close", () => closed.push(method ?? ""))
    })
    const open = [await post(), await send(b.url, "GET", session("a"))]
    for (const one of open) one.cut()
    await until(() => closed.length === 2)
    expect(new Set(closed)).toEqual(new Set(["POST", "GET"]))
  })

  it("[X5] whose answer nobody reads holds the home back", async () => {
    let written = 0
    let isHeldBack = false
    const { post } = await withHome((response) => {
      response.writeHead(200, stream)
      const more = (): void => {
        while (written < 200) {
          written++
          if (!response.write(`data: ${"x".repeat(1024 * 1024)}\n\n`)) {
            isHeldBack = true
            return void response.once("drain", () => {
              isHeldBack = false
              more()
            })
          }
        }
        response.end()
      }
      more()
    })
    const answer = await post()
    Raw.pause(answer)
    await until(() => isHeldBack)
    expect(written).toBeLessThan(100)
    Raw.resume(answer)
    expect((await answer.body).length).toBeGreaterThan(200 * 1024 * 1024)
  })

  it("[X5] may not use more memory than its share while it waits", async () => {
    const { lose, places, post } = await withHome(() => undefined)
    places.move(undefined)
    const large = { ...read, params: { name: "read", arguments: "x".repeat(12 * 1024 * 1024) } }
    const id = session("a")
    const first = [post(large, id), post(large, id)]
    await until(() => places.asked === 2)
    const refused = await post(large, id)
    expect([refused.status, refused.headers["retry-after"]]).toEqual([503, "1"])
    // Others have theirs, and small ones of the same client go through.
    const more = [post(read, id), post(large)]
    await until(() => places.asked === 4)
    lose()
    for (const one of [...first, ...more]) expect((await one).status).toBe(200)
    expect((await post(large, id)).status).toBe(200)
  })

  it("[X1] to an address that is none is an error of this gateway", async () => {
    const { b, places, post } = await withHome(() => undefined)
    places.move(PeerServer.replica("no address", "a"))
    expect((await post()).status).toBe(500)
    expect((b.errors as Array<unknown>).splice(0)).toHaveLength(1)
  })

  it.each<[string, Answer]>([
    ["no JSON in place of an event", (response) => response.writeHead(200, json).end("no JSON")],
    ["an error in place of an event", (response) => response.writeHead(400, json).end("{}")]
  ])("[X1] %s is no answer", async (_, second) => {
    let count = 0
    const { places, post } = await withHome((...given) => {
      count++
      if (count > 1) return second(...given)
      given[0].writeHead(200, stream).write(": begun\n\n")
      setTimeout(() => given[0].destroy(), 20)
    }, { longest: 10 })
    const text = await (await post(read)).body
    expect(messages(text.split("event: interrupted\n\n").join("")).at(-1)).toMatchObject(unknown)
    expect(places.home).toBe("a")
  })
})

describe("a stream of a session that lives elsewhere", () => {
  it("[D3] is passed on, and ends when its home has gone, for the client to open it again", async () => {
    const { b, lose } = await withHome((response) => void response.writeHead(200, stream).write("data: 1\n\n"))
    const listening = await send(b.url, "GET", session("a"))
    await listening.until("data: 1")
    lose()
    await listening.body
    expect((listening.response as IncomingMessage).complete).toBe(true)
  })

  it("[D3] ends when the home ends it", async () => {
    let response: ServerResponse | undefined
    const { b } = await withHome((one) => {
      response = one
      one.writeHead(200, stream).write("data: 1\n\n")
    })
    const listening = await send(b.url, "GET", session("a"))
    await listening.until("data: 1")
    response?.end("data: 2\n\n")
    expect(await listening.body).toBe("data: 1\n\ndata: 2\n\n")
  })

  it("[D4] does not keep a replica that stops: it is drained without it", async () => {
    let [isCalled, isAnswered] = [false, false]
    const { b, post } = await withHome((response, _, { method }) => {
      if (method === "GET") return void response.writeHead(200, stream).write(": begun\n\n")
      isCalled = true
      setTimeout(() => {
        isAnswered = true
        response.writeHead(200, json).end(JSON.stringify(answered))
      }, 300)
    })
    await send(b.url, "GET", session("a"))
    const called = body(post())
    await until(() => isCalled)
    await Effect.runPromise(b.router.drained)
    expect(isAnswered).toBe(true)
    expect(await called).toEqual(answered)
  })
})

const passHeaders = (
  home: string,
  headers: Readonly<Record<string, string>>,
  message: object,
  key = PeerServer.key
): Readonly<Record<string, string>> =>
  PeerServer.signedFor(home, {
    target: path,
    headers: { "Lifeline-Caller": Caller.encode(Caller.anyone), ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    key
  })

const pair = async (answer: Raw.Answer) => {
  const places = new Places()
  const a = await replica("a", places, answer)
  const b = await replica(
    "b",
    places,
    ({ id }, { client }) => client.write({ jsonrpc: "2.0", id, result: { here: true } } as never)
  )
  places.move(a.replica)
  return { places, a, b, session: await Raw.begin(a.url) }
}

describe("a client that asks another replica than the one on which its session lives", () => {
  it("[D3] uses it as if it lived there: calls, streams, questions of servers, cancellations, batches, and its end", async () => {
    const { a, b, session } = await pair(({ id, method, params, result }, { client, received }) => {
      if (result !== undefined) {
        const asking = received.find(({ params }) => params?.name === "ask")
        return client.write({ jsonrpc: "2.0", id: asking!.id, result: { told: result } } as never)
      }
      if (method !== "tools/call" || params.name === "never") return
      if (params.name === "ask") return client.write({ jsonrpc: "2.0", id: "q", method: "roots/list" } as never, id!)
      client.write({ jsonrpc: "2.0", id, result: { name: params.name } } as never)
    })
    const post = (body: object | string) => send(b.url, "POST", session, body)
    expect(await body(post({ ...call, id: 5 }))).toMatchObject({ id: 5, result: { name: "write" } })
    const asking = await post({ id: 6, method: "tools/call", params: { name: "ask" } })
    await asking.until("roots/list")
    expect((await post({ id: "q", result: { roots: [] } })).status).toBe(202)
    expect(messages(await asking.body).at(-1)).toMatchObject({ id: 6, result: { told: { roots: [] } } })
    const never = post({ id: 7, method: "tools/call", params: { name: "never" } })
    await until(() => a.endpoint.conversations[0]!.received.some(({ id }) => id === 7))
    expect((await post({ method: "notifications/cancelled", params: { requestId: 7 } })).status).toBe(202)
    expect((await never).status).toBe(200)
    const listening = await send(b.url, "GET", session)
    a.endpoint.conversations[0]!.client.write({ jsonrpc: "2.0", method: "notifications/tools/list_changed" })
    const told = await listening.until("list_changed")
    listening.cut()
    a.endpoint.conversations[0]!.client.write({ jsonrpc: "2.0", method: "notifications/prompts/list_changed" })
    const resumed = await send(b.url, "GET", { ...session, "Last-Event-ID": Raw.lastId(told) })
    await resumed.until("prompts/list_changed")
    expect((await send(b.url, "DELETE", session)).status).toBe(200)
    await resumed.body
    for (const { url } of [a, b]) expect((await send(url, "POST", session, Raw.initialize())).status).toBe(400)
    expect((await post(call)).status).toBe(404)
    expect([a.endpoint.conversations.length, b.endpoint.conversations.length]).toEqual([1, 0])
  })

  it("[D3] resumes the stream of a call that is under way at its home", async () => {
    const { b, session, a } = await pair(() => undefined)
    const calling = await send(b.url, "POST", session, { id: 9, method: "tools/call", params: { name: "slow" } })
    const begun = await calling.until("id: ")
    calling.cut()
    a.endpoint.conversations[0]!.client.write({ jsonrpc: "2.0", id: 9, result: { late: true } } as never)
    const resumed = await send(b.url, "GET", { ...session, "Last-Event-ID": Raw.lastId(begun) })
    expect(messages(await resumed.body)).toMatchObject([{ id: 9, result: { late: true } }])
  })

  it("[D2] gets the answer of a read that was repeated to a home which still carries it out", async () => {
    const { a, session } = await pair(({ id, params }, { client, received }) => {
      const calls = received.filter(({ method }) => method === "tools/call")
      if (calls.length === 2) client.write({ jsonrpc: "2.0", id, result: { name: params.name } } as never)
    })
    const pass = (headers = {}) =>
      send(a.replica.address + path, "POST", passHeaders("a", { ...session, ...headers }, read), read)
    const first = pass()
    await until(() => a.endpoint.conversations[0]!.received.some(({ id }) => id === 1))
    const second = await pass({ "Lifeline-Repeated": "1" })
    expect(JSON.parse(await second.body)).toMatchObject({ id: 1, result: { name: "read" } })
    expect((await first).status).toBe(200)
  })

  it("[D4] of a replica that leaves: calls wait for the next home, what those under way need is taken", async () => {
    const { a, b, places, session } = await pair(({ id, result }, { client }) => {
      if (result !== undefined) client.write({ jsonrpc: "2.0", id: 1, result: { told: result } } as never)
      else if (id === 1) client.write({ jsonrpc: "2.0", id: "q", method: "roots/list" } as never, id)
      else client.write({ jsonrpc: "2.0", id, result: {} } as never)
    })
    const post = (body: object) => send(b.url, "POST", session, body)
    const asking = await post({ ...call, params: { name: "ask" } })
    await asking.until("roots/list")
    a.router.leave()
    const waiting = post({ ...call, id: 2 })
    await until(() => a.passed.length >= 3)
    expect((await post({ id: "q", result: { roots: [] } })).status).toBe(202)
    expect(messages(await asking.body).at(-1)).toMatchObject({ id: 1, result: { told: {} } })
    places.lose("a", b.replica)
    expect(messages(await (await waiting).body).at(-1)).toMatchObject({ id: 2, result: { here: true } })
    expect(a.endpoint.conversations[0]!.received.some(({ id }) => id === 2)).toBe(false)
  })
})

describe("who sends what only replicas send", () => {
  it("[G6] needs the key of the cluster, and is told nothing without it", async () => {
    const { a, session } = await pair(({ id }, { client }) => client.write({ jsonrpc: "2.0", id, result: {} } as never))
    const right = passHeaders("a", session, call)
    const proof = right["lifeline-authorization"]!
    for (const other of ["", "Bearer x", proof.slice(0, -1), `${proof}, ${proof}`]) {
      const headers = { ...right, "lifeline-authorization": other }
      expect((await send(a.replica.address + path, "POST", headers, call)).status).toBe(403)
    }
    const foreign = passHeaders("a", session, call, PeerServer.otherKey)
    expect((await send(a.replica.address + path, "POST", foreign, call)).status).toBe(403)
    expect((await send(`${a.replica.address}/cluster/other`, "POST", session, call)).status).toBe(404)
    expect((await send(a.replica.address + path, "POST", right, call)).status).toBe(200)
  })

  it("[D3 G21] serves nobody who is not named: the key alone does not say for whom a replica asks", async () => {
    const { a, session } = await pair(({ id }, { client }) => client.write({ jsonrpc: "2.0", id, result: {} } as never))
    for (const caller of ["", "e30", "bm9uZQ", Caller.encode({ subject: 1 } as never)]) {
      const headers = passHeaders("a", { ...session, "Lifeline-Caller": caller }, call)
      expect((await send(a.replica.address + path, "POST", headers, call)).status).toBe(403)
    }
    expect(a.endpoint.conversations[0]!.received.some(({ method }) => method === "tools/call")).toBe(false)
  })

  it("[D3 G21:real] finds a session on any replica if it is its own, and on none if it is that of somebody else", async () => {
    const { a, b } = await pair(({ id }, { client }) => client.write({ jsonrpc: "2.0", id, result: {} } as never))
    const ofAnn = session("a", "2025-11-25", "ann")
    const asked = (url: string, headers: Record<string, string>) => send(url, "POST", { ...ofAnn, ...headers }, call)
    for (const { url } of [a, b]) {
      expect((await asked(url, { Authorization: "Bearer ann" })).status).toBe(200)
      for (
        const headers of [
          { Authorization: "Bearer eve" },
          { Authorization: "Bearer eve", "Lifeline-Caller": Caller.encode({ subject: "ann", claims: {} }) },
          {}
        ]
      ) {
        expect((await asked(url, headers)).status).toBe(404)
      }
    }
    expect(a.endpoint.conversations).toHaveLength(2)
    expect(a.endpoint.conversations[1]!.client.caller?.()).toEqual({ subject: "ann", claims: { of: "ann" } })
    expect(b.endpoint.conversations).toHaveLength(0)
  })

  it("[D1][D3] to a replica that is not the home gets no answer of the session, and nobody passes it on again", async () => {
    const { a, b, session } = await pair(({ id }, { client }) =>
      client.write({ jsonrpc: "2.0", id, result: {} } as never)
    )
    // Its home is another one than it is asked for; and it is asked for, but does not have the session.
    for (const home of ["a", "b"]) {
      const answer = await send(b.replica.address + path, "POST", passHeaders(home, session, call), call)
      expect(answer.headers["lifeline-not-taken"]).toBe("1")
    }
    expect(a.passed).toHaveLength(0)
    expect(b.endpoint.conversations).toHaveLength(0)
  })

  it("[G6] as a client is not believed", async () => {
    const { a, b, session } = await pair(({ id }, { client }) =>
      client.write({ jsonrpc: "2.0", id, result: {} } as never)
    )
    const claimed = passHeaders("b", { ...session, "Lifeline-Repeated": "1" }, call)
    const answer = await send(b.url + path, "POST", claimed, call)
    expect(answer.status).toBe(200)
    expect(a.endpoint.conversations[0]!.received.at(-1)).toMatchObject({ method: "tools/call" })
    await (await send(a.url, "POST", claimed, call)).body
    expect(a.endpoint.conversations[0]!.received.filter(({ isRepeated }) => isRepeated)).toEqual([])
    expect(a.passed).toHaveLength(1)
    expect(a.passed[0]!.headers["lifeline-authorization"]).toMatch(/^a /)
    expect(b.endpoint.conversations).toHaveLength(0)
  })
})
