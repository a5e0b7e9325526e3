import { afterEach, describe, expect, it } from "vitest"
import * as Raw from "../../http-server/test/support/RawEndpoint.js"
import { notTakenMark } from "../src/sessions/Passage.js"
import * as PeerServer from "./support/PeerServer.js"
import { Places, type Routing, scripted, session, start } from "./support/Routers.js"

const { events, send } = Raw

const running: Array<Routing> = []

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

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/logLevel": "info"
}

const clients = {
  "with a session": { headers: session("a", "2025-11-25", "ann"), ids: [1], params: {}, isBatch: false },
  "in a batch": { headers: session("a", "2025-03-26", "ann"), ids: [1, 2], params: {}, isBatch: true },
  "without a session": {
    headers: { "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "write" },
    ids: [1],
    params: { _meta: meta },
    isBatch: false
  }
}

const bodyOf = ({ ids, isBatch, params }: (typeof clients)[keyof typeof clients]): string => {
  const calls = ids.map((id) => ({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "write", ...params } }))
  return JSON.stringify(isBatch ? calls : calls[0])
}

/** Two replicas. Calls wait at one that is not in `serves`, after a message that makes the answer a stream if `streams`. */
const pair = async (streams: boolean, longest?: number) => {
  const places = new Places()
  const serves = new Set<string>()
  const ledger: Array<string> = []
  const one = async (id: string): Promise<Routing> => {
    const replica = await start(
      id,
      places,
      (message, { client }) => {
        if (message.method !== "tools/call") return
        const [about, request] = [message.id!, client.requests.get(message.id!)!]
        const error = { code: -32_000, message: "nobody knows", data: { fate: "unknown" } }
        if (message.isRepeated) return client.write({ jsonrpc: "2.0", id: about, error })
        if (serves.has(id)) {
          ledger.push(`${id} ${request.givenId}`)
          return client.write({ jsonrpc: "2.0", id: about, result: { content: [], of: id } })
        }
        request.work = { stop: () => "notSent" }
        waiting.push(id)
        if (streams) client.write({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info" } }, about)
      },
      longest === undefined ? {} : { longest },
      { hasOwnServers: () => true, interruptsOnClose: true }
    )
    running.push(replica)
    return replica
  }
  const waiting: Array<string> = []
  const [a, b] = [await one("a"), await one("b")]
  places.move(a.replica)
  const lapse = async (): Promise<void> => {
    places.lapsed.add("a")
    places.move(undefined)
    await a.endpoint.requests.forget("this replica has lost its lease")
  }
  return { a, b, places, serves, ledger, waiting, lapse }
}

const authorized = { Authorization: "Bearer ann" }
const answersIn = (body: string) =>
  (body.startsWith("{") ? [JSON.parse(body) as Raw.Message] : body.startsWith("[")
    ? JSON.parse(body) as ReadonlyArray<Raw.Message>
    : events(body).map(({ message }) => message)).filter(({ method }) => method === undefined)

const cases = Object.keys(clients).flatMap((client) =>
  [true, false].flatMap((streams) =>
    ["at its home", "at another replica"].flatMap((at) =>
      ["goes to another replica", "stays"].map((next) => ({
        client: client as keyof typeof clients,
        streams,
        at,
        next
      }))
    )
  )
).filter(({ at, client, next }) => client !== "without a session" || (at === "at its home" && next === "stays"))

describe("a call that was not sent when a lease has ended", () => {
  it.each(cases)(
    "[D11] of a client $client $at is carried out once when its home $next (streams: $streams)",
    { timeout: 30_000 },
    async ({ at, client, next, streams }) => {
      const { a, b, lapse, ledger, places, serves, waiting } = await pair(streams)
      const made = clients[client]
      const sending = send(
        at === "at its home" ? a.url : b.url,
        "POST",
        { ...authorized, ...made.headers },
        bodyOf(made)
      )
      await until(() => waiting.length === made.ids.length)
      if (streams) await (await sending).until("notifications/message")
      const before = places.asked
      await lapse()
      // A lease ends for others later than for its replica, which has said by then what it leaves to them.
      if (client !== "without a session") await until(() => places.asked > before)
      const home = next === "stays" ? a : b
      serves.add(home.id)
      if (next === "stays") {
        places.lapsed.delete("a")
        places.move(a.replica)
      } else places.lose("a", b.replica)
      const answer = await sending
      expect(answer.status).toBe(200)
      const answers = answersIn(await answer.body)
      expect(answers.map(({ id }) => id).toSorted()).toEqual(made.ids)
      for (const { result } of answers) expect(result).toMatchObject({ of: home.id })
      expect(ledger.toSorted()).toEqual(made.ids.map((id) => `${home.id} ${id}`))
    }
  )

  it.each(["at its home", "at another replica"])(
    "[D11] %s ends, after a bounded time, with an error which says that it was not carried out and may be repeated",
    { timeout: 30_000 },
    async (at) => {
      const { a, b, lapse, ledger, waiting } = await pair(true, 50)
      const made = clients["with a session"]
      const answer = await send(
        at === "at its home" ? a.url : b.url,
        "POST",
        { ...authorized, ...made.headers },
        bodyOf(made)
      )
      await until(() => waiting.length === 1)
      await lapse()
      expect(answersIn(await answer.body)).toMatchObject([{
        id: 1,
        error: { message: expect.stringMatching(/not carried out.*may be sent again/), data: { fate: "notSent" } }
      }])
      expect(ledger).toEqual([])
    }
  )

  it.each<[string, number, Readonly<Record<string, string>>, boolean]>([
    ["says when to try again", 503, { "Retry-After": "1" }, true],
    ["has too much to do", 429, { "Retry-After": "1" }, true],
    ["does not know the session", 404, {}, false],
    ["fails", 500, {}, false]
  ])(
    "[D11] goes on until it is known what became of it, if the next home %s",
    { timeout: 30_000 },
    async (_, status, headers, isAskedAgain) => {
      let count = 0
      const address = await scripted((response) => {
        count++
        if (count === 1) {
          response.writeHead(200, { "lifeline-taken": "a", "Content-Type": "text/event-stream" })
          response.write(": begun\n\n")
          // In parts, as it may come over a network.
          for (const part of notTakenMark) response.write(part)
          return void response.end()
        }
        const json = { "lifeline-taken": "a", "Content-Type": "application/json" }
        if (count === 2) {
          response.writeHead(status, { ...json, ...headers })
          return void response.end(JSON.stringify({ jsonrpc: "2.0", id: 1, error: { code: -32_000, message: "no" } }))
        }
        response.writeHead(200, json).end(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [] } }))
      })
      const places = new Places()
      places.move(PeerServer.replica(address, "a"))
      const b = await start("b", places)
      running.push(b)
      // The home asks for the body of what is sent again.
      PeerServer.servers[0]?.on("checkContinue", (request, response) => {
        response.writeContinue()
        PeerServer.servers[0]?.emit("request", request, response)
      })
      const made = clients["with a session"]
      const answer = await send(b.url, "POST", { ...authorized, ...made.headers }, bodyOf(made))
      const [only, ...others] = answersIn(await answer.body)
      expect(others).toEqual([])
      expect(count).toBe(isAskedAgain ? 3 : 2)
      expect(only).toMatchObject(
        isAskedAgain
          ? { id: 1, result: {} }
          : { id: 1, error: { data: { fate: status === 500 ? "unknown" : "notSent" } } }
      )
    }
  )
})
