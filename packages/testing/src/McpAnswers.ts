import type { ServerCapabilities, Tool as Listed } from "@modelcontextprotocol/sdk/types.js"
import { event, type Message, result, text } from "./HttpExchange.js"
import type { HttpSession } from "./HttpSessions.js"

export interface Call {
  readonly arguments: Record<string, any>
  readonly session: HttpSession | undefined
  /** Sent if the client asked for it and answers are event streams. */
  readonly progress: (progress: number, total?: number, message?: string) => void
}

export interface Tool extends Partial<Omit<Listed, "name">> {
  /** Returns the result, or rejects with a JSON-RPC error. Default: echoes `message`. */
  readonly run?: ((call: Call) => unknown) | undefined
}

/** A call that was carried out. */
export interface Applied {
  readonly tool: string
  readonly arguments: Call["arguments"]
  readonly session: string | undefined
  /** In milliseconds of `performance.now()`. */
  readonly at: number
}

export interface Answer {
  readonly jsonrpc: "2.0"
  readonly id: string | number | undefined
  readonly result?: object | undefined
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown } | undefined
}

/** Added to results of 2026. */
const lasting = { resultType: "complete", ttlMs: 0, cacheScope: "private" }

const statelessAnswer = ({ id, method }: Message, capabilities: ServerCapabilities): Answer | undefined => {
  const supported = ["2026-07-28"]
  const error = (code: number, text: string, data?: unknown): Answer => ({
    jsonrpc: "2.0",
    id,
    error: { code, message: text, data }
  })
  switch (method) {
    case "server/discover":
      return { jsonrpc: "2.0", id, result: { supportedVersions: supported, capabilities } }
    case "initialize":
      return error(-32022, "Unsupported protocol version", { supported })
    case "ping":
    case "logging/setLevel":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return error(-32601, "Method not found")
  }
  return undefined
}

/** By default everything is supported and nothing fails. */
export interface Options {
  /** `2025`, with sessions, does not know `server/discover`; `2026`, without, refuses `initialize`. Default `2025`. */
  readonly era?: "2025" | "2026" | undefined
  /** By name. Default: `echo`, which returns its `message`. */
  readonly tools?: Readonly<Record<string, Tool>> | undefined
  /** Default: tools, of 2025 with list changes. */
  readonly capabilities?: ServerCapabilities | undefined
  /** Otherwise answers -32601. Default true. */
  readonly pings?: boolean | undefined
  /** Each page of `tools/list` leads to another with one more tool. Default false. */
  readonly endless?: boolean | undefined
}

/** The MCP part of a fault server, without HTTP. */
export class McpAnswers {
  /** Executed tool calls, in order: what a client must not cause twice. */
  readonly applied: Array<Applied> = []
  /** By name. Changes hold from the next request on; clients are not notified. */
  readonly tools: Map<string, Tool>
  capabilities: ServerCapabilities
  era: "2025" | "2026"
  pings: boolean
  endless: boolean

  constructor(options: Options = {}) {
    this.tools = new Map(Object.entries(options.tools ?? { echo: {} }))
    this.era = options.era ?? "2025"
    this.capabilities = options.capabilities ?? { tools: this.era === "2025" ? { listChanged: true } : {} }
    this.pings = options.pings ?? true
    this.endless = options.endless ?? false
  }

  protected onApplied(): void {}

  /** `before` takes events that precede the answer. */
  protected async respond(
    message: Message,
    session: HttpSession | undefined,
    before: (event: string) => void
  ): Promise<Answer> {
    if (this.era === "2025") return this.#respond(message, session, before)
    const answer = statelessAnswer(message, this.capabilities) ?? await this.#respond(message, session, before)
    return answer.result === undefined ? answer : { ...answer, result: { ...lasting, ...answer.result } }
  }

  async #respond(
    message: Message,
    session: HttpSession | undefined,
    before: (event: string) => void
  ): Promise<Answer> {
    const error = (code: number, text: string): Answer => ({
      jsonrpc: "2.0",
      id: message.id,
      error: { code, message: text }
    })
    const { params = {} } = message
    switch (message.method) {
      case "initialize":
        return result(message, {
          protocolVersion: params["protocolVersion"],
          capabilities: this.capabilities,
          serverInfo: { name: "test", version: "1.0.0" }
        })
      case "ping":
        return this.pings ? result(message, {}) : error(-32601, "Method not found")
      case "tools/list":
        return result(message, this.#page(Number(params["cursor"] ?? 0)))
      case "tools/call": {
        const name = String(params["name"])
        const tool = this.tools.get(name)
        if (tool === undefined) return error(-32602, `Unknown tool: ${name}`)
        const given = params["arguments"] ?? {}
        const progressToken = params["_meta"]?.progressToken
        this.applied.push({ tool: name, arguments: given, session: session?.id, at: performance.now() })
        this.onApplied()
        const progress: Call["progress"] = (progress, total, message) => {
          if (progressToken === undefined) return
          // Undefined is not written.
          const said = { progressToken, progress, total, message }
          before(event({ jsonrpc: "2.0", method: "notifications/progress", params: said }))
        }
        try {
          return result(message, await (tool.run ?? echo)({ arguments: given, session, progress }))
        } catch (cause) {
          return error(-32603, cause instanceof Error ? cause.message : String(cause))
        }
      }
      case "prompts/list":
        return result(message, { prompts: [] })
      case "resources/list":
        return result(message, { resources: [] })
      case "resources/templates/list":
        return result(message, { resourceTemplates: [] })
      case "resources/subscribe":
        session?.subscriptions.add(String(params["uri"]))
        return result(message, {})
      case "resources/unsubscribe":
        session?.subscriptions.delete(String(params["uri"]))
        return result(message, {})
      case "logging/setLevel":
        if (session !== undefined) session.level = String(params["level"])
        return result(message, {})
      default:
        return error(-32601, "Method not found")
    }
  }

  #page(page: number): unknown {
    const tools = page > 0 ? [] : [...this.tools].map(([name, tool]) => listed(name, tool))
    return this.endless ? { tools: [...tools, listed(`endless_${page}`)], nextCursor: String(page + 1) } : { tools }
  }
}

const listed = (name: string, tool: Tool = {}): unknown => ({
  inputSchema: { type: "object" },
  ...tool,
  run: undefined,
  name
})

const echo = ({ arguments: given }: Call): unknown => text(String(given["message"] ?? ""))
