/**
 * A proxy in front of the gateway for a client that knows one server's own names: adds `<server>__` to the names of tools and prompts
 * that are asked for, and takes it from what comes back. Everything else passes as it is.
 */
import { createServer, request as httpRequest } from "node:http"
import { text } from "node:stream/consumers"

/** @param {string} body @param {string} prefix */
const asked = (body, prefix) => {
  /** @type {any} */
  let message
  try {
    message = JSON.parse(body)
  } catch {
    return body
  }
  const { method, params } = message ?? {}
  if (typeof params !== "object" || params === null) return body
  if ((method === "tools/call" || method === "prompts/get") && typeof params.name === "string") {
    params.name = prefix + params.name
  } else if (method === "completion/complete" && typeof params.ref?.name === "string") {
    params.ref.name = prefix + params.ref.name
  } else return body
  return JSON.stringify(message)
}

/**
 * Starts one.
 *
 * @param {string} url
 * @param {string} server
 * @returns {Promise<{ readonly url: string, readonly end: () => Promise<unknown> }>}
 */
export const proxy = (url, server) => {
  const prefix = `${server}__`
  const target = new URL(url)
  const answered = (/** @type {string} */ part) => part.replaceAll(`"${prefix}`, '"')
  // Longer than a scenario: the suite fails with a request that meets the end of an idle connection.
  const listener = createServer({ keepAliveTimeout: 600_000 }, async (incoming, outgoing) => {
    const body = asked(await text(incoming), prefix)
    const headers = { ...incoming.headers }
    const name = headers["mcp-name"]
    if (typeof name === "string" && /^(tools\/call|prompts\/get)$/.test(String(headers["mcp-method"]))) {
      headers["mcp-name"] = prefix + name
    }
    if (headers["content-length"] !== undefined) headers["content-length"] = String(Buffer.byteLength(body))
    delete headers["transfer-encoding"]
    const passed = httpRequest(
      { host: target.hostname, port: target.port, path: incoming.url, method: incoming.method, headers, agent: false },
      (response) => {
        const { connection: _, "keep-alive": _1, "content-length": _2, "transfer-encoding": _3, ...others } =
          response.headers
        outgoing.writeHead(response.statusCode ?? 502, others)
        outgoing.flushHeaders()
        const end = String(others["content-type"]).startsWith("text/event-stream") ? "\n\n" : undefined
        let held = ""
        response.setEncoding("utf8").on("data", (chunk) => {
          held += chunk
          const whole = end === undefined ? 0 : held.lastIndexOf(end) + end.length
          if (end === undefined || whole < end.length) return
          outgoing.write(answered(held.slice(0, whole)))
          held = held.slice(whole)
        })
        response.once("close", () => outgoing.end(answered(held)))
      }
    )
    passed.on("error", () => outgoing.destroy())
    outgoing.once("close", () => passed.destroy())
    passed.end(body)
  })
  return new Promise((resolve) =>
    listener.listen(0, "127.0.0.1", () => {
      const address = /** @type {import("node:net").AddressInfo} */ (listener.address())
      resolve({
        url: `http://127.0.0.1:${address.port}/mcp`,
        end: async () => {
          listener.closeAllConnections()
          listener.close()
        }
      })
    })
  )
}
