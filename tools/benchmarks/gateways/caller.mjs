/**
 * A client that costs little, over sockets that stay open: one request of `node:http` a call, and nothing of an SDK.
 */
import { Agent, request } from "node:http"

/** @typedef {import("./processes.mjs").Gateway} Gateway */
/** @typedef {{ call: () => Promise<void>, close: () => void }} Caller */

/**
 * A request over HTTP; `take` gets the answer as it comes, and what it returns once that is not undefined is the result.
 *
 * @template A
 * @param {{ url: string, agent: Agent, method?: string, headers?: Record<string, string>, body?: string | undefined }} options
 * @param {(text: string, headers: import("node:http").IncomingHttpHeaders, isWhole: boolean) => A | undefined} take
 * @returns {Promise<A>}
 */
export const exchange = ({ agent, body, headers = {}, method = "POST", url }, take) =>
  new Promise((resolve, reject) => {
    const sent = request(url, {
      agent,
      method,
      headers: {
        accept: "application/json, text/event-stream",
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...headers
      }
    }, (response) => {
      let text = ""
      /** @param {boolean} isWhole */
      const look = (isWhole) => {
        const found = take(text, response.headers, isWhole)
        if (found !== undefined) resolve(found)
        else if (isWhole) reject(new Error(`${response.statusCode}: ${text}`))
      }
      response.setEncoding("utf8")
      response.on("data", (chunk) => {
        text += chunk
        look(false)
      })
      response.on("end", () => look(true))
      response.on("error", reject)
    })
    sent.on("error", (error) => {
      // The gateway has closed a socket that was unused while others were measured.
      if (sent.reusedSocket) resolve(exchange({ agent, body, headers, method, url }, take))
      else reject(error)
    })
    sent.end(body)
  })

/** @param {string} text */
export const parsed = (text) => JSON.parse(text.startsWith("{") ? text : (/^data: ?(.*\S.*)$/m.exec(text)?.[1] ?? "{}"))

export const initialize = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "bench", version: "1" } }
}
export const initialized = { jsonrpc: "2.0", method: "notifications/initialized" }

/** @param {number} id @param {string | undefined} name */
export const callOf = (id, name = "") =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: { message: "hi" } } })

/** @param {any} answer */
export const checked = (answer) => {
  if (answer.result?.content?.[0]?.text === undefined || answer.result.isError === true) {
    throw new Error(JSON.stringify(answer))
  }
}

/** @param {Gateway} gateway @param {number} inFlight @returns {Promise<Caller>} */
const overHttp = async ({ tools, url }, inFlight) => {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight + 1 })
  const session = await exchange(
    { url, agent, body: JSON.stringify(initialize) },
    (_, headers, isWhole) => isWhole ? headers["mcp-session-id"] ?? "" : undefined
  )
  const headers = { "mcp-session-id": String(session), "mcp-protocol-version": "2025-06-18" }
  await exchange({ url, agent, headers, body: JSON.stringify(initialized) }, (_, __, isWhole) => isWhole || undefined)
  let id = 0
  return {
    call: async () =>
      checked(
        await exchange(
          { url, agent, headers, body: callOf(++id, tools[id % tools.length]) },
          (text, _, isWhole) => isWhole ? parsed(text) : undefined
        )
      ),
    close: () => agent.destroy()
  }
}

/** The older transport: answers come on one stream. @param {Gateway} gateway @param {number} inFlight @returns {Promise<Caller>} */
const overSse = async ({ tools, url }, inFlight) => {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight + 2 })
  /** @type {Map<number, (answer: unknown) => void>} */
  const waiting = new Map()
  let read = 0
  const path = await exchange({ url, agent, method: "GET", headers: { accept: "text/event-stream" } }, (text) => {
    for (let end = text.indexOf("\n\n", read); end !== -1; end = text.indexOf("\n\n", read)) {
      const data = /^data: ?(.*)$/m.exec(text.slice(read, end))?.[1] ?? ""
      read = end + 2
      if (!data.startsWith("{")) continue
      const answer = JSON.parse(data)
      waiting.get(answer.id)?.(answer)
      waiting.delete(answer.id)
    }
    return /^data: ?(\/\S*)/m.exec(text)?.[1]
  })
  const target = new URL(path, url).href
  /** @param {string} body @returns {Promise<unknown>} */
  const post = (body) => exchange({ url: target, agent, body }, (_, __, isWhole) => isWhole || undefined)
  /** @param {number} id @param {string} body @returns {Promise<unknown>} */
  const ask = (id, body) =>
    new Promise((resolve, reject) => {
      waiting.set(id, resolve)
      post(body).catch(reject)
    })
  await ask(0, JSON.stringify(initialize))
  await post(JSON.stringify(initialized))
  let id = 0
  return {
    call: async () => checked(await ask(++id, callOf(id, tools[id % tools.length]))),
    close: () => agent.destroy()
  }
}

/** A session with a gateway, for so many calls at once. The calls go to its servers in turn. @param {Gateway} gateway @param {number} inFlight */
export const open = (gateway, inFlight) => gateway.sse ? overSse(gateway, inFlight) : overHttp(gateway, inFlight)
