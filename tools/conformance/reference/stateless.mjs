/**
 * The reference server for the revision without sessions (2026-07-28), on the official SDK's v2: `node stateless.mjs stdio`, or `http`,
 * which writes its URL.
 */
import { toNodeHandler } from "@modelcontextprotocol/node"
import {
  CLIENT_CAPABILITIES_META_KEY,
  createMcpHandler,
  createRequestStateCodec,
  inputRequired,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  Server
} from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
import { randomBytes } from "node:crypto"
import { completion, prompts, resources, said, tool, tools as common } from "./fixtures.mjs"
import { listen } from "./listen.mjs"

const state = createRequestStateCodec({ key: randomBytes(32) })

/** @param {string} message @param {string} field @returns {any} */
const form = (message, field, type = "string") => ({
  method: "elicitation/create",
  params: {
    message,
    requestedSchema: { type: "object", properties: { [field]: { type } }, required: [field] }
  }
})
/** @param {string} text @param {number} maxTokens @returns {any} */
const sampled = (text, maxTokens) => ({
  method: "sampling/createMessage",
  params: { messages: [{ role: "user", content: { type: "text", text } }], maxTokens }
})
const roots = { method: "roots/list", params: {} }
const name = form("What is your name?", "name")

/** What a form was answered with, if it was. @param {any} response */
const content = (response) => response?.action === "accept" ? response.content : undefined

/**
 * A tool that asks in rounds: what each of them asks, and whether an answer is one to it.
 *
 * @param {string} name
 * @param {ReadonlyArray<Record<string, any>>} rounds
 * @param {(given: any) => string} end
 * @param {{ readonly isSealed?: boolean }} options
 */
const asking = (name, rounds, end, { isSealed = false } = {}) =>
  tool(`test_input_required_result_${name}`, "Asks before it answers", async (_, context) => {
    const { mcpReq } = /** @type {any} */ (context)
    const responses = mcpReq.inputResponses ?? {}
    const answered = Number(mcpReq.requestState() ?? 0)
    const isAnswered = Object.entries(rounds[answered] ?? {}).every(([key, { method }]) =>
      method === "elicitation/create" ? content(responses[key]) !== undefined : responses[key] !== undefined
    )
    const round = isAnswered ? answered + 1 : answered
    if (round >= rounds.length) return said(end(responses))
    return inputRequired({
      inputRequests: rounds[round] ?? {},
      ...(isSealed || rounds.length > 1 ? { requestState: await state.mint(round) } : {})
    })
  })

const tools = [
  ...common,
  asking("elicitation", [{ user_name: name }], ({ user_name }) => `Hello, ${content(user_name).name}!`),
  asking(
    "sampling",
    [{ capital_question: sampled("What is the capital of France?", 100) }],
    ({ capital_question }) => capital_question.content.text
  ),
  asking("list_roots", [{ client_roots: roots }], ({ client_roots }) => JSON.stringify(client_roots.roots)),
  asking("request_state", [{ confirm: form("Please confirm", "ok", "boolean") }], () => "state-ok", { isSealed: true }),
  asking("tampered_state", [{ confirm: form("Please confirm", "ok", "boolean") }], () => "state-ok", {
    isSealed: true
  }),
  asking(
    "multiple_inputs",
    [{ user_name: name, greeting: sampled("Generate a greeting", 50), client_roots: roots }],
    () => "All was answered",
    { isSealed: true }
  ),
  asking(
    "multi_round",
    [
      { step1: form("Step 1: What is your name?", "name") },
      { step2: form("Step 2: What is your favorite color?", "color") }
    ],
    ({ step2 }) => `It is ${content(step2).color}`
  ),
  tool("test_input_required_result_capabilities", "Asks what the client can answer", (_, context) => {
    const { mcpReq } = /** @type {any} */ (context)
    const { elicitation, sampling } = mcpReq._meta?.[CLIENT_CAPABILITIES_META_KEY] ??
      mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}
    return inputRequired({
      inputRequests: {
        ...(elicitation === undefined ? {} : { user_name: name }),
        ...(sampling === undefined ? {} : { capital_question: sampled("What is the capital of France?", 100) })
      }
    })
  }),
  tool("test_missing_capability", "Needs a client that can sample", (_, context) => {
    const { mcpReq } = /** @type {any} */ (context)
    const { sampling } = mcpReq.envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {}
    if (sampling === undefined) {
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } })
    }
    return said("The client can sample")
  }),
  tool("test_streaming_elicitation", "Asks the person", (_, context) => {
    const { mcpReq } = /** @type {any} */ (context)
    return mcpReq.inputResponses === undefined
      ? inputRequired({ inputRequests: { user_name: /** @type {any} */ (name) } })
      : said("Answered")
  }),
  tool("test_logging_tool", "Logs where that is asked for", async (_, { log }) => {
    await log("It is called")
    return said("Logged")
  }),
  tool("test_trigger_tool_change", "Announces other tools", async (_, context) => {
    await /** @type {any} */ (context).changed("tools")
    return said("Announced")
  }),
  tool("test_trigger_prompt_change", "Announces other prompts", async (_, context) => {
    await /** @type {any} */ (context).changed("prompts")
    return said("Announced")
  }),
  tool("test_custom_header", "Has a parameter that is sent as a header, too", ({ region }) => said(`In ${region}`), {
    type: "object",
    properties: { region: { type: "string", "x-mcp-header": "Region" } },
    required: ["region"]
  })
]

/** Announces that a list has changed. @typedef {(server: Server, kind: "tools" | "prompts") => unknown} Announce */

/** @param {Announce} announce */
const make = (announce) => {
  const server = new Server({ name: "reference", version: "2.0.0" }, {
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {}
    },
    requestState: { verify: state.verify }
  })
  /** @type {(method: string, answer: (request: any, context: any) => unknown) => void} */
  const handle = server.setRequestHandler.bind(server)
  handle("tools/list", () => ({ tools: tools.map(({ definition }) => definition) }))
  handle("tools/call", ({ params }, { mcpReq }) => {
    const found = tools.find(({ definition }) => definition.name === params.name)
    if (found === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name}`)
    const progressToken = mcpReq._meta?.progressToken
    return found.call(
      params.arguments ?? {},
      /** @type {any} */ ({
        mcpReq,
        log: (/** @type {string} */ text) => mcpReq.log("info", text),
        progress: async (/** @type {number} */ progress, /** @type {number} */ total) => {
          if (progressToken === undefined) return
          await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } })
        },
        changed: (/** @type {"tools" | "prompts"} */ kind) => announce(server, kind)
      })
    )
  })
  handle("prompts/list", () => ({
    prompts: [
      ...Object.entries(prompts).map(([name, { definition }]) => ({ name, ...definition })),
      { name: "test_input_required_result_prompt", description: "Asks before it answers" }
    ]
  }))
  handle("prompts/get", ({ params }, { mcpReq }) => {
    if (params.name === "test_input_required_result_prompt") {
      const answer = content(mcpReq.inputResponses?.["user_context"])
      return answer === undefined
        ? inputRequired({
          inputRequests: { user_context: /** @type {any} */ (form("What context should the prompt use?", "context")) }
        })
        : { messages: [{ role: "user", content: { type: "text", text: `In the context of ${answer.context}` } }] }
    }
    const found = prompts[params.name]
    if (found === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown prompt: ${params.name}`)
    return found.get(params.arguments ?? {})
  })
  handle("resources/list", () => ({ resources: resources.list }))
  handle("resources/templates/list", () => ({ resourceTemplates: resources.templates }))
  handle("resources/read", ({ params: { uri } }) => {
    const found = resources.read(uri)
    if (found === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Resource not found", { uri })
    return found
  })
  handle("completion/complete", () => completion)
  return server
}

if (process.argv[2] === "stdio") {
  serveStdio(
    () => make((server, kind) => kind === "tools" ? server.sendToolListChanged() : server.sendPromptListChanged()),
    { legacy: "reject" }
  )
} else {
  const handler = createMcpHandler(
    () => make((_, kind) => kind === "tools" ? handler.notify.toolsChanged() : handler.notify.promptsChanged()),
    { legacy: "reject" }
  )
  listen(/** @type {any} */ (toNodeHandler(handler)))
}
