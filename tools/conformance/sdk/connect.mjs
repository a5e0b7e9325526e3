/** What `connect` returns, in the Client's place. What a test does with a Client before it connects is done with ours right afterwards. */
import { connect } from "@mcp-lifeline/client"
import { Client as Official } from "@modelcontextprotocol/sdk/client/index.js"
import { mergeCapabilities } from "@modelcontextprotocol/sdk/shared/protocol.js"
import { options as shorter } from "./places.mjs"
import { mirror, serverOf } from "./server.mjs"

export { getSupportedElicitationModes } from "@modelcontextprotocol/sdk/client/index.js"

const handlers = new Set([
  "setRequestHandler",
  "setNotificationHandler",
  "removeRequestHandler",
  "removeNotificationHandler"
])

/**
 * Our client, once there is one. Before that, an official one that never connects answers: it refuses what the official Client refuses.
 *
 * @param {any} clientInfo @param {any} [options]
 */
const make = (clientInfo, options = {}) => {
  const before = new Official(clientInfo, options)
  /** @type {any} */
  let ours
  let capabilities = options.capabilities ?? {}
  /** @type {Array<() => void>} */
  const later = []

  /** @param {any} transport @param {any} [requestOptions] */
  const connected = async (transport, requestOptions = {}) => {
    if (ours !== undefined) return ours.connect(transport, requestOptions)
    const { signal, timeout } = requestOptions
    const client = await connect(serverOf(transport), {
      ...options,
      ...shorter,
      clientInfo,
      capabilities,
      ...signal === undefined ? {} : { signal },
      ...timeout === undefined ? {} : { timeouts: { ...shorter.timeouts, connect: timeout } }
    })
    ours = client
    mirror(transport, () => client.transport, () => client)
    for (const act of later) act()
  }
  /** @type {Readonly<Record<string, unknown>>} */
  const own = {
    connect: connected,
    close: async () => ours?.close(),
    registerCapabilities: (/** @type {any} */ more) => {
      if (ours !== undefined) return ours.registerCapabilities(more)
      before.registerCapabilities(more)
      capabilities = mergeCapabilities(capabilities, more)
    }
  }
  return new Proxy(before, {
    get(_, key) {
      if (typeof key === "string" && Object.hasOwn(own, key)) return own[key]
      const from = ours ?? before
      const value = from[key]
      if (typeof value !== "function" || key === "onclose" || key === "onerror") return value
      return (/** @type {ReadonlyArray<any>} */ ...args) => {
        if (ours === undefined && handlers.has(String(key))) later.push(() => ours[key](...args))
        return value.apply(from, args)
      }
    },
    set(_, key, value) {
      if (ours === undefined) later.push(() => (ours[key] = value))
      const from = ours ?? before
      from[key] = value
      return true
    }
  })
}

export const Client = new Proxy(Official, { construct: (_, [clientInfo, options]) => make(clientInfo, options) })
