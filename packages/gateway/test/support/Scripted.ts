/** The statement that lists these tools, by their names or with more than that: for `before`. */
export const listing = (
  ...tools: ReadonlyArray<string | { readonly name: string; readonly annotations?: object }>
): string => {
  const all = tools.map((tool) => ({
    ...(typeof tool === "string" ? { name: tool } : tool),
    inputSchema: { type: "object" }
  }))
  return `if (method === "tools/list") return send(answer({ tools: ${JSON.stringify(all)} }))`
}

/**
 * The arguments of `wrap` that start it. `body`: the statements that handle a `tools/call`, in which `name`, `id` and `params` are
 * those of the call; `send(...messages)` writes messages in one piece; `said(text)` is the answer of the call; and
 * `ask(method, params)` asks the client. `run` counts the processes that share `journal`, from 0. `heard` has the messages that came.
 * `before`: the statements that handle other requests first.
 */
export const scripted = (
  body: string,
  journal = "",
  { before = "", capabilities = { tools: {}, logging: {}, resources: { subscribe: true } } }: {
    readonly before?: string
    readonly capabilities?: object
  } = {}
): ReadonlyArray<string> => [
  "--",
  process.execPath,
  "--input-type=module",
  "-e",
  `
import { appendFileSync, readFileSync } from "node:fs"
const journal = ${JSON.stringify(journal)}
if (journal !== "") appendFileSync(journal, "x")
const run = journal === "" ? 0 : readFileSync(journal, "utf8").length - 1
const heard = []
const waiting = new Map()
const send = (...messages) =>
  process.stdout.write(messages.map((message) => JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n").join(""))
const ask = (method, params) => new Promise((resolve) => {
  waiting.set(waiting.size + 1, resolve)
  send({ id: waiting.size, method, params })
})
const capabilities = ${JSON.stringify(capabilities)}
const receive = async (message) => {
  heard.push(message)
  const { id, method, params } = message
  if (method === undefined) return waiting.get(id)?.(message.result ?? message.error)
  if (id === undefined) return
  const answer = (result) => ({ id, result })
  const said = (text) => answer({ content: [{ type: "text", text: typeof text === "string" ? text : JSON.stringify(text) }] })
  ${before}
  switch (method) {
    case "initialize":
      return send(answer({ protocolVersion: params.protocolVersion, capabilities, serverInfo: { name: "scripted", version: "1" } }))
    case "tools/list":
      return send(answer({ tools: Array.from({ length: run + 1 }, (_, nth) => ({ name: "tool-" + nth, inputSchema: { type: "object" } })) }))
    case "ping": case "logging/setLevel": case "resources/subscribe": case "resources/unsubscribe":
      return send(answer({}))
    case "tools/call": {
      const { name } = params
      ${body}
      return
    }
  }
  send({ id, error: { code: -32601, message: "Method not found" } })
}
let rest = ""
process.stdin.setEncoding("utf8").on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n")
  rest = lines.pop()
  for (const line of lines) receive(JSON.parse(line))
})
`
]
