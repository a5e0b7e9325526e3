/**
 * Who makes the calls of the timeline: the official Client alone, the same with the usual remedy, and `connect` of this repository.
 */
import { connect } from "@mcp-lifeline/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

/** @typedef {import("@modelcontextprotocol/sdk/shared/transport.js").Transport} Transport */
/** @typedef {{ readonly command: string, readonly args: Array<string> } | { readonly url: string }} Target */
/** @typedef {{ name: string, arguments: Record<string, unknown> }} Params */

/**
 * Resolves with the text of the answer.
 *
 * @typedef {{ call: (params: Params, timeout: number) => Promise<string>, close: () => Promise<unknown> }} Caller
 */

/** @param {unknown} result */
const textOf = (result) => {
  const { content, isError } = /** @type {any} */ (result)
  if (isError === true) throw new Error(content?.[0]?.text)
  return String(content?.[0]?.text)
}

/** @param {Target} target */
const official = async (target) => {
  const client = new Client({ name: "timeline", version: "1.0.0" })
  const transport = "url" in target
    ? new StreamableHTTPClientTransport(new URL(target.url))
    : new StdioClientTransport({ ...target, stderr: "ignore" })
  await client.connect(/** @type {Transport} */ (transport))
  return client
}

/** @param {Target} target @returns {Promise<Caller>} */
const alone = async (target) => {
  const client = await official(target)
  return {
    call: async (params, timeout) => textOf(await client.callTool(params, undefined, { timeout })),
    close: () => client.close()
  }
}

/**
 * After an error of a call, closes the Client and makes another one, for which later calls wait. It cannot know whether the call that failed
 * was carried out, so it does not repeat it.
 *
 * @param {Target} target
 * @returns {Promise<Caller>}
 */
const renewed = async (target) => {
  let current = official(target)
  await current
  return {
    call: async (params, timeout) => {
      const used = current
      try {
        return textOf(await (await used).callTool(params, undefined, { timeout }))
      } catch (error) {
        // Only the first of the calls that fail with a Client replaces it.
        if (used === current) {
          current = used.then((client) => client.close()).catch(() => undefined).then(() => official(target))
          current.catch(() => undefined)
        }
        throw error
      }
    },
    close: async () => (await current).close()
  }
}

/** @param {Target} target @returns {Promise<Caller>} */
const supervised = async (target) => {
  const client = await connect(target)
  // Lifeline learns from the list which tools only read.
  await client.listTools()
  return {
    call: async (params, timeout) => textOf(await client.callTool(params, undefined, { timeout })),
    close: () => client.close()
  }
}

/** By what they are called in tables and pictures. @type {Readonly<Record<string, (target: Target) => Promise<Caller>>>} */
export const clients = {
  "official Client": alone,
  "official, new Client on error": renewed,
  "Lifeline": supervised
}
