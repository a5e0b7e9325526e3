/** What both versions of `@ai-sdk/mcp` have in common. */
import { textOf } from "../answer.mjs"
import { load } from "../rivals.mjs"

/** @typedef {import("../client.js").Hooks} Hooks */

/**
 * Gets the tools once, as for an agent. The timeout of a call comes by its `abortSignal`, as that of `generateText` does.
 *
 * @param {string} name as `package.json` calls it
 * @param {unknown} transport
 * @param {Hooks} hooks
 * @returns {Promise<import("../client.js").Opened>}
 */
const over = async (name, transport, { log, timeoutMs }) => {
  const { createMCPClient } = await load(name)
  const client = await createMCPClient({
    transport,
    initializationOptions: { timeout: timeoutMs },
    onUncaughtError: (/** @type {unknown} */ error) => log(String(error))
  })
  /** @type {any} */
  const tools = await client.tools().catch(async (/** @type {unknown} */ error) => {
    await client.close()
    throw error
  })
  return {
    call: async (args, { timeoutMs }) =>
      textOf(
        await tools.count.execute(args, {
          toolCallId: args.key,
          messages: [],
          abortSignal: AbortSignal.timeout(timeoutMs)
        })
      ),
    close: () => client.close()
  }
}

/**
 * @param {string} id
 * @param {string} version
 * @param {string} documentation
 * @returns {import("../client.js").Client}
 */
export const aiSdk = (id, version, documentation) => ({
  id,
  name: `@ai-sdk/mcp ${version}`,
  package: `ai-sdk-mcp-${version}`,
  rival: true,
  modules: [`ai-sdk-mcp-${version}`, `ai-sdk-mcp-${version}/mcp-stdio`],
  transports: ["stdio", "http"],
  protocols: version === "2" ? ["2025", "2026"] : ["2025"],
  documentation,
  open: async (target, hooks) => {
    const name = `ai-sdk-mcp-${version}`
    if (target.kind === "http") return over(name, { type: "http", url: target.url }, hooks)
    const { Experimental_StdioMCPTransport } = await load(`${name}/mcp-stdio`)
    const { args, command, env } = target
    return over(name, new Experimental_StdioMCPTransport({ command, args, env, stderr: "ignore" }), hooks)
  },
  underLifeline: (transport, hooks) => over(`ai-sdk-mcp-${version}`, transport, hooks)
})
