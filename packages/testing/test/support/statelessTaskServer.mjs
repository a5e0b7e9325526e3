/**
 * `statelessTaskServer.mjs stdio|http <folder> [duration]`, of 2026-07-28, keeps tasks in files; over HTTP it prints its port. `<folder>/effects` has
 * a line for each time that a tool has begun, and for each request about a task.
 */
import { randomUUID } from "node:crypto"
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { createInterface } from "node:readline"

const [, , transport, folder = ".", duration = "600"] = process.argv
const extension = "io.modelcontextprotocol/tasks"
const meta = "io.modelcontextprotocol/clientCapabilities"

/** @param {string} line */
const note = (line) => appendFileSync(join(folder, "effects"), `${line} ${process.pid}\n`)
/** @param {string} id */
const path = (id) => join(folder, `${encodeURIComponent(id)}.task`)
/** @param {any} task */
const write = (task) => {
  writeFileSync(`${path(task.taskId)}.new`, JSON.stringify(task))
  renameSync(`${path(task.taskId)}.new`, path(task.taskId))
}
/** @param {any} content */
const complete = (content) => ({ resultType: "complete", content: [{ type: "text", text: content }] })

/** @param {number} code @param {string} message @param {any=} data */
const refuse = (code, message, data) => {
  throw { code, message, ...(data && { data }) }
}

/** @param {string} id */
const read = (id) => {
  if (!existsSync(path(id))) refuse(-32602, "Task not found")
  const task = JSON.parse(readFileSync(path(id), "utf8"))
  if (task.status !== "working" || Date.now() < task.doneAt) return task
  const { name } = task
  if (name === "fail") return { ...task, status: "failed", error: { code: -32001, message: "it failed" } }
  return { ...task, status: "completed", result: complete(task.said ?? "done") }
}

/** @param {any} task */
const shown = (task) => {
  const hidden = new Set(["doneAt", "name", "said"])
  return Object.fromEntries(Object.entries(task).filter(([key]) => !hidden.has(key)))
}

/** @param {string} method @param {any} params */
const answerOf = (method, params) => {
  const declares = params?._meta?.[meta]?.extensions?.[extension] !== undefined
  const needed = () =>
    declares || refuse(-32021, "needs tasks", { requiredCapabilities: { extensions: { [extension]: {} } } })
  switch (method) {
    case "server/discover":
      return {
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {}, extensions: { [extension]: {} } },
        ttlMs: 0,
        cacheScope: "private"
      }
    case "tools/list": {
      const tools = ["long", "ask", "either", "fail", "plain"].map((name) => ({
        name,
        inputSchema: { type: "object" }
      }))
      return { resultType: "complete", tools, ttlMs: 0, cacheScope: "private" }
    }
    case "tools/call": {
      const { name } = params
      if (name === "plain" || (name === "either" && !declares)) {
        note(name)
        return complete(name)
      }
      needed()
      note(name)
      const now = new Date().toISOString()
      const task = {
        taskId: randomUUID(),
        status: name === "ask" ? "input_required" : "working",
        statusMessage: "half done",
        createdAt: now,
        lastUpdatedAt: now,
        ttlMs: null,
        pollIntervalMs: 100,
        ...(name === "ask" && {
          inputRequests: {
            which: {
              method: "elicitation/create",
              params: {
                mode: "form",
                message: "which one?",
                requestedSchema: { type: "object", properties: { which: { type: "string" } } }
              }
            }
          }
        }),
        name,
        doneAt: Date.now() + Number(duration)
      }
      write(task)
      const { inputRequests: _, ...begun } = shown(task)
      return { ...begun, resultType: "task" }
    }
    case "tasks/get":
      needed()
      note("asked")
      return { ...shown(read(params.taskId)), resultType: "complete" }
    case "tasks/update": {
      needed()
      note("updated")
      const { inputRequests: _, ...task } = read(params.taskId)
      const { action, content } = params.inputResponses.which
      write({ ...task, status: "working", said: `${action} ${content?.which}` })
      return { resultType: "complete" }
    }
    case "tasks/cancel":
      needed()
      note("cancelled")
      write({ ...read(params.taskId), status: "cancelled" })
      return { resultType: "complete" }
    default:
      return refuse(-32601, "Method not found")
  }
}

/** @param {any} message */
const respond = ({ id, method, params }) => {
  try {
    return { jsonrpc: "2.0", id, result: answerOf(method, params) }
  } catch (error) {
    return { jsonrpc: "2.0", id, error }
  }
}

if (transport === "stdio") {
  createInterface({ input: process.stdin }).on("line", (line) => {
    const message = JSON.parse(line)
    if (message.id !== undefined && message.method !== "subscriptions/listen") {
      console.log(JSON.stringify(respond(message)))
    }
  })
} else {
  const server = createServer(async (request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    let text = ""
    for await (const chunk of request) text += chunk
    const message = JSON.parse(text)
    if (message.id === undefined) return void response.writeHead(202).end()
    const { method, params } = message
    const named = method.startsWith("tasks/") ? params.taskId : undefined
    if (named !== undefined && request.headers["mcp-name"] !== named) return void response.writeHead(400).end()
    const answer = respond(message)
    const status = "error" in answer && /** @type {any} */ (answer.error).code === -32021 ? 400 : 200
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address !== null && typeof address === "object") console.log(address.port)
  })
}
