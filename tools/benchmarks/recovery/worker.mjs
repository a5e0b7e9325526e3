/**
 * One client in a process of its own, so that a hang or a crash of it stops nothing else. Does what its parent tells it.
 *
 *     node worker.mjs MODULE (of the client) transport|alone 2025|2026
 */
import { load } from "./rivals.mjs"

/** @typedef {import("./client.js").Target} Target */
/** @typedef {{ readonly number: number } & ({ readonly what: "open", readonly target: Target, readonly timeoutMs: number } | { readonly what: "call", readonly key: string, readonly timeoutMs: number } | { readonly what: "load" | "close" })} Order */
/** @typedef {{ readonly number: number, readonly text?: string | undefined, readonly error?: string | undefined }} Answer */

const [, , module = "", door, protocol] = process.argv

/** @type {{ readonly client: import("./client.js").Client }} */
const { client } = await import(module)
const lifeline = door === "transport" ? await import("@mcp-lifeline/client") : undefined
/** @type {import("./client.js").Opened | undefined} */
let opened

const log = (/** @type {string} */ text) => console.error(text)

/** @param {Target} target @param {number} timeoutMs */
const open = async (target, timeoutMs) => {
  /** @type {import("./client.js").Hooks} */
  const hooks = { protocol: protocol === "2026" ? "2026" : "2025", timeoutMs, log }
  if (lifeline === undefined) return client.open(target, hooks)
  if (client.underLifeline === undefined) throw new Error(`${client.id} takes no transport`)
  const transport = lifeline.supervisedTransport(
    target.kind === "http" ? { url: target.url } : { command: target.command, args: target.args, env: target.env },
    { name: "bench" }
  )
  return client.underLifeline(transport, hooks)
}

/** @param {Order} order @returns {Promise<string | undefined>} */
const obey = async (order) => {
  switch (order.what) {
    case "load":
      if (client.rival === true) { for (const name of client.modules ?? [client.package]) await load(name) }
      return undefined
    case "open":
      opened = await open(order.target, order.timeoutMs)
      return undefined
    case "call":
      if (opened === undefined) throw new Error("it is not open")
      return opened.call({ key: order.key }, { timeoutMs: order.timeoutMs })
    case "close":
      await opened?.close()
      return undefined
  }
}

process.on("message", (/** @type {Order} */ order) => {
  const { number } = order
  /** @param {Omit<Answer, "number">} answer */
  const answer = (answer) => process.connected && process.send?.({ number, ...answer })
  obey(order).then(
    (text) => answer({ text }),
    (error) => answer({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  )
})
// What a client lets fall does not end a program that is careful.
process.on("unhandledRejection", (error) => log(`unhandled: ${String(error)}`))
process.on("disconnect", () => process.exit(0))
