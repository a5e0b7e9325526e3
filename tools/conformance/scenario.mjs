/**
 * What both clients are run with: the suite gives the server's address as the last argument, the scenario's name and what
 * it has to know (credentials) in the environment.
 */

/** @typedef {import("@modelcontextprotocol/sdk/types.js").Tool} Tool */
/** @typedef {import("@modelcontextprotocol/sdk/types.js").ClientCapabilities} ClientCapabilities */

export const name = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""

/** @type {Readonly<Record<string, string>> & { readonly toolCalls?: ReadonlyArray<{ name: string, arguments: Record<string, unknown> }> }} */
export const context = JSON.parse(process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}")

/** The server's address. */
export const url = new URL(process.argv.at(-1) ?? "")

export const clientInfo = { name: "conformance", version: "1.0.0" }

/** Defaults of a form are filled in by the SDK's Client, on either side. @type {ClientCapabilities} */
export const capabilities = { elicitation: { form: { applyDefaults: true } } }

/** Accepts each form as it is. */
export const elicit = () => ({ action: /** @type {const} */ ("accept"), content: {} })

/**
 * Arguments that fit a tool's schema.
 *
 * @param {Tool} tool
 * @returns {Record<string, unknown>}
 */
const argumentsFor = (tool) => {
  /** @type {Readonly<Record<string, unknown>>} */
  const examples = { number: 2, integer: 2, boolean: true, string: "text", array: [], object: {} }
  return Object.fromEntries(
    Object.entries(tool.inputSchema.properties ?? {}).map(([key, schema]) => [
      key,
      examples[String(/** @type {{ type?: unknown }} */ (schema).type)]
    ])
  )
}

/**
 * What is asked of every server: its tools, and each of them once, or the calls that the scenario wants.
 *
 * @param {{ readonly tools: () => Promise<ReadonlyArray<Tool>>, readonly call: (params: { name: string, arguments: Record<string, unknown> }) => Promise<unknown> }} client
 */
export const play = async (client) => {
  const tools = await client.tools()
  // Its server has a list and nothing else.
  if (name === "json-schema-ref-no-deref") return
  for (const call of context.toolCalls ?? callsOf(tools)) await client.call(call)
}

/** @param {ReadonlyArray<Tool>} tools */
const callsOf = (tools) =>
  tools.map((tool) => ({
    name: tool.name,
    arguments: name === "json-schema-2020-12-preservation" && tool.inputSchema.properties?.["schema"] !== undefined
      ? { schema: tools[0]?.inputSchema }
      : argumentsFor(tool)
  }))

/**
 * Ends the process, also when something hangs: the suite would only end our shell.
 *
 * @param {() => Promise<void>} program
 */
export const main = (program) => {
  const patience = Number(process.env["CONFORMANCE_PATIENCE"])
  setTimeout(() => {
    console.error(`not done after ${patience / 1000} s`)
    process.exit(1)
  }, patience).unref()
  program().catch((error) => {
    console.error(error)
    process.exitCode = 1
  })
}
