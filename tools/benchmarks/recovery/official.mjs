/**
 * How the official Clients, of both versions, get to a server. They are the same in all but the names of their modules and how a call is written.
 */
import { textOf } from "./answer.mjs"

/** @typedef {import("./client.js").Hooks} Hooks */
/** @typedef {import("./client.js").Opened} Opened */
/** @typedef {import("./client.js").Target} Target */
/**
 * What both versions have; a transport is the one of that version.
 *
 * @typedef {object} Official
 * @property {((error: Error) => void) | undefined} [onerror]
 * @property {(transport: any, options: { readonly timeout: number }) => Promise<void>} connect
 * @property {() => Promise<void>} close
 */

/**
 * @param {Official} client
 * @param {unknown} transport
 * @param {Hooks} hooks
 * @param {(params: { readonly name: string, readonly arguments: { readonly key: string } }, options: { readonly timeout: number }) => Promise<unknown>} callTool
 * @returns {Promise<Opened>}
 */
export const over = async (client, transport, { log, timeoutMs }, callTool) => {
  client.onerror = (error) => log(error.message)
  try {
    await client.connect(transport, { timeout: timeoutMs })
  } catch (error) {
    await client.close()
    throw error
  }
  return {
    call: async (args, { timeoutMs }) =>
      textOf(await callTool({ name: "count", arguments: args }, { timeout: timeoutMs })),
    close: () => client.close()
  }
}

/**
 * With the Client's own transports, as its documentation says.
 *
 * @template {{ terminateSession: () => Promise<void> }} Http
 * @template Stdio
 * @param {Target} target
 * @param {{ readonly Http: new (url: URL) => Http, readonly Stdio: new (server: { command: string, args: Array<string>, env: Record<string, string>, stderr: "ignore" }) => Stdio }} transports
 * @param {(transport: Http | Stdio) => Promise<Opened>} open
 * @returns {Promise<Opened>}
 */
export const opened = async (target, { Http, Stdio }, open) => {
  if (target.kind === "stdio") {
    const { args, command, env } = target
    return open(new Stdio({ command, args, env, stderr: "ignore" }))
  }
  const transport = new Http(new URL(target.url))
  const { call, close } = await open(transport)
  // Its documentation ends the session before the connection.
  return { call, close: () => transport.terminateSession().finally(close) }
}
