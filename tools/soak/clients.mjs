/**
 * Clients of every kind, all alike for the soak: each calls a tool, says what arrives unasked, closes, or goes away without a word.
 */
import { connect as connectFacade, connectAll } from "@mcp-lifeline/client"
import { Client as V2, StreamableHTTPClientTransport as HttpV2 } from "@modelcontextprotocol/client"
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio"
import { Client as V1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js"
import * as Http from "./http.mjs"

/** @typedef {import("./doors.mjs").Speech} Speech */
/** @typedef {import("./servers.mjs").Entry} Entry */
/**
 * Where a client connects: the facade to servers, by name; an official Client as host to a command; and each of the others to gateways, by
 * the addresses of their endpoints.
 *
 * @typedef {{ readonly entries: Readonly<Record<string, Entry>> } | { readonly command: string, readonly args: Array<string>, readonly env: Record<string, string> } | { readonly urls: ReadonlyArray<string> }} Target
 */
/** @typedef {{ readonly signal: AbortSignal, readonly timeout: number | undefined, readonly onProgress: (message: string) => void }} CallOptions */
/**
 * @typedef {object} Connected
 * @property {(server: string, tool: string, args: Record<string, unknown>, options: CallOptions) => Promise<any>} call
 * @property {() => Promise<unknown>} close
 * @property {() => void} leave goes away without closing anything
 */

const clientInfo = { name: "soak", version: "1" }

/**
 * How long a client waits for an answer: for longer than a gateway does anything. The first call of an official Client v2 also waits until the
 * program has been started once more, after the version was negotiated, which takes long on a busy machine.
 */
export const patience = 240_000

/** How servers are supervised at every door, so that a soak sees much in a short time. */
export const supervision = /** @type {const} */ ({
  keepalive: { interval: 2000, timeout: 1000, suspectInterval: 500 },
  timeouts: { request: 5000, wait: 15_000 },
  reconnect: { initialDelay: 100, maxDelay: 1000, demandInterval: 100, stableAfter: 1000 }
})

/** @param {{ readonly progress: number, readonly message?: string | undefined }} progress */
const said = ({ message = "" }) => message

/** @param {Entry} entry @returns {any} */
const server = (entry) => ({ ...entry, ...supervision })

/** @param {Readonly<Record<string, Entry>>} entries @param {(data: unknown) => void} onLog @returns {Promise<Connected>} */
const facade = async (entries, onLog) => {
  const names = Object.keys(entries)
  const [only = "", ...more] = names
  /** @param {CallOptions} options */
  const calling = ({ onProgress, signal, timeout }) => ({
    signal,
    onprogress: (/** @type {any} */ progress) => onProgress(said(progress)),
    ...(timeout === undefined ? {} : { timeout })
  })
  const leave = () => process.kill(process.pid, "SIGKILL")
  if (more.length === 0) {
    const client = await connectFacade(server(entries[only] ?? { url: "" }), { name: only })
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => onLog(params.data))
    return {
      call: (_, name, args, options) => client.callTool({ name, arguments: args }, undefined, calling(options)),
      close: () => client.close(),
      leave
    }
  }
  const mcpServers = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, server(entry)]))
  const fleet = await connectAll({ mcpServers }, { require: "all" })
  for (const name of names) {
    fleet.client(name).setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => onLog(params.data))
  }
  return {
    call: (server, name, args, options) =>
      fleet.callTool({ name: `${server}__${name}`, arguments: args }, undefined, calling(options)),
    close: () => fleet.close(),
    leave
  }
}

/** What does not connect is closed. @param {Promise<void>} connecting @param {{ close: () => Promise<void> }} transport */
const connected = (connecting, transport) =>
  connecting.catch(async (error) => {
    await transport.close()
    throw error
  })

/** The pipes end as they do when the host is killed. @param {any} transport */
const cutPipes = (transport) => {
  transport._process?.stdin?.destroy()
  transport._process?.stdout?.destroy()
}

/** @param {Exclude<Target, { entries: any }>} target @param {(data: unknown) => void} onLog @returns {Promise<Connected>} */
const first = async (target, onLog) => {
  const network = Http.make("urls" in target ? target.urls : [])
  const transport = "urls" in target
    ? new HttpV1(new URL(target.urls[0] ?? ""), { fetch: network.fetch })
    : new StdioV1({ ...target, stderr: "ignore" })
  const client = new V1(clientInfo)
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => onLog(params.data))
  await connected(client.connect(/** @type {any} */ (transport), { timeout: patience }), transport)
  return {
    call: (_, name, args, { onProgress, signal, timeout = patience }) =>
      client.callTool({ name, arguments: args }, undefined, {
        signal,
        timeout,
        onprogress: (one) => onProgress(said(one))
      }),
    close: async () => {
      if (transport instanceof HttpV1) await transport.terminateSession()
      await client.close()
      await network.close()
    },
    leave: () => {
      network.leave()
      cutPipes(transport)
    }
  }
}

/** @param {"legacy" | "auto"} mode @returns {typeof first} */
const second = (mode) => async (target, onLog) => {
  const network = Http.make("urls" in target ? target.urls : [])
  const transport = "urls" in target
    ? new HttpV2(new URL(target.urls[0] ?? ""), { fetch: network.fetch })
    : new StdioV2({ ...target, stderr: "ignore" })
  const client = new V2(clientInfo, { versionNegotiation: { mode } })
  client.setNotificationHandler("notifications/message", ({ params }) => onLog(params.data))
  await connected(client.connect(transport, { timeout: patience }), transport)
  return {
    call: (_, name, args, { onProgress, signal, timeout = patience }) =>
      client.callTool({ name, arguments: args }, { signal, timeout, onprogress: (one) => onProgress(said(one)) }),
    close: async () => {
      if (transport instanceof HttpV2) await transport.terminateSession()
      await client.close()
      await network.close()
    },
    leave: () => {
      network.leave()
      cutPipes(transport)
    }
  }
}

/** Plain requests, as a program without an SDK makes them. @param {"2025" | "2026"} era @returns {typeof first} */
const plain = (era) => async (target, onLog) => {
  const network = Http.make("urls" in target ? target.urls : [])
  const client = await Http.plainClient(network.fetch, "urls" in target ? target.urls[0] ?? "" : "", era, onLog)
  return {
    call: (_, name, args, { onProgress, signal, timeout = patience }) =>
      client.call(name, args, AbortSignal.any([signal, AbortSignal.timeout(timeout)]), onProgress),
    close: async () => {
      await client.end()
      await network.close()
    },
    leave: network.leave
  }
}

const speakers = {
  v1: first,
  v2: second("auto"),
  "v2-2025": second("legacy"),
  fetch25: plain("2025"),
  fetch26: plain("2026")
}

/** @param {Speech} speech @param {Target} target @param {(data: unknown) => void} onLog @returns {Promise<Connected>} */
export const connect = async (speech, target, onLog) => {
  if (speech === "facade") return facade("entries" in target ? target.entries : {}, onLog)
  if ("entries" in target) throw new Error(`${speech} does not connect to servers`)
  const connected = await speakers[speech](target, onLog)
  if (!("urls" in target)) return connected
  return {
    ...connected,
    call: (server, tool, args, options) => connected.call(server, `${server}__${tool}`, args, options)
  }
}
