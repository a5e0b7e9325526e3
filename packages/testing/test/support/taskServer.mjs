/**
 * `taskServer.mjs stdio|http|stateless bound|kept <folder> [duration]`; over HTTP it prints its port. `bound`: the official store, which binds a
 * task to its session. `kept`: files, which outlive sessions and the process. `<folder>/effects` has a line for each start of a tool, cancelled
 * task, and request for a task.
 */
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from "@modelcontextprotocol/sdk/experimental/tasks"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { ElicitResultSchema } from "@modelcontextprotocol/sdk/types.js"
import { randomUUID } from "node:crypto"
import { appendFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"

const [, , transport, kind, folder = ".", duration = "600"] = process.argv
const pollInterval = 100

/** @param {string} line */
const note = (line) => appendFileSync(join(folder, "effects"), `${line}\n`)

/** A task is a file; one that runs by the clock ends when its time has come. */
class KeptTasks {
  /** @param {string} id */
  #path(id) {
    return join(folder, `${encodeURIComponent(id)}.task`)
  }

  /** @param {any} record */
  #write(record) {
    const path = this.#path(record.task.taskId)
    writeFileSync(`${path}.new`, JSON.stringify(record))
    renameSync(`${path}.new`, path)
  }

  /** @param {string} id */
  #read(id) {
    if (!existsSync(this.#path(id))) return undefined
    const record = JSON.parse(readFileSync(this.#path(id), "utf8"))
    if (record.task.status === "working" && Date.now() >= record.doneAt) record.task.status = "completed"
    return record
  }

  /** @param {any} params @param {any} _id @param {any} request */
  async createTask({ ttl }, _id, request) {
    const now = new Date().toISOString()
    const task = {
      taskId: randomUUID(),
      status: "working",
      ttl: ttl ?? null,
      createdAt: now,
      lastUpdatedAt: now,
      pollInterval
    }
    const isTimed = request?.params?.name === "long" || request?.params?.name === "either"
    this.#write({ task, doneAt: isTimed ? Date.now() + Number(duration) : Number.MAX_SAFE_INTEGER })
    return task
  }

  /** @param {string} id */
  async getTask(id) {
    return this.#read(id)?.task ?? null
  }

  /** @param {string} id @param {string} status @param {any} result */
  async storeTaskResult(id, status, result) {
    const record = this.#read(id)
    this.#write({ ...record, result, task: { ...record.task, status } })
  }

  /** @param {string} id */
  async getTaskResult(id) {
    return this.#read(id)?.result ?? { content: [{ type: "text", text: "done" }] }
  }

  /** @param {string} id @param {string} status @param {string=} statusMessage */
  async updateTaskStatus(id, status, statusMessage) {
    const record = this.#read(id)
    this.#write({ ...record, task: { ...record.task, status, ...(statusMessage && { statusMessage }) } })
  }

  async listTasks() {
    const ids = readdirSync(folder).filter((name) => name.endsWith(".task")).map((name) =>
      decodeURIComponent(name.slice(0, -5))
    )
    return { tasks: ids.map((id) => this.#read(id).task) }
  }
}

const official = new InMemoryTaskStore()
const taskStore = /** @type {any} */ (kind === "kept" ? new KeptTasks() : official)
const taskMessageQueue = new InMemoryTaskMessageQueue()

/** @type {(ms: number) => Promise<void>} */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** What a tool does in its task. @type {Record<string, (extra: any, taskId: string) => Promise<any>>} */
const works = {
  long: async ({ taskStore }, taskId) => {
    await taskStore.updateTaskStatus(taskId, "working", "half done")
    await sleep(Number(duration))
    return { content: [{ type: "text", text: "done" }] }
  },
  ask: async ({ sendRequest, taskStore }, taskId) => {
    await taskStore.updateTaskStatus(taskId, "input_required", "which one?")
    const requestedSchema = { type: "object", properties: { which: { type: "string" } } }
    const params = { mode: "form", message: "which one?", requestedSchema }
    const { action, content } = await sendRequest(
      { method: "elicitation/create", params },
      ElicitResultSchema,
      { relatedTask: { taskId } }
    )
    await taskStore.updateTaskStatus(taskId, "working", "understood")
    return { content: [{ type: "text", text: `${action} ${content?.which}` }] }
  },
  fail: async () => ({ isError: true, content: [{ type: "text", text: "it failed" }] })
}
works["either"] = /** @type {any} */ (works["long"])

const make = () => {
  const server = new McpServer({ name: "tasks", version: "1.0.0" }, {
    capabilities: { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } },
    taskStore,
    taskMessageQueue
  })
  for (const name of Object.keys(works)) {
    const taskSupport = name === "either" ? "optional" : "required"
    server.experimental.tasks.registerToolTask(name, { execution: { taskSupport } }, {
      createTask: async (/** @type {any} */ extra) => {
        note(`${name} ${process.pid}`)
        const task = await extra.taskStore.createTask({ ttl: extra.taskRequestedTtl, pollInterval })
        // A store in files knows when these are done.
        if (kind === "kept" && (name === "long" || name === "either")) return { task }
        works[name]?.(extra, task.taskId).then(async (result) => {
          const status = result.isError ? "failed" : "completed"
          const now = await taskStore.getTask(task.taskId, extra.sessionId)
          if (now?.status === "cancelled") note(`cancelled ${process.pid}`)
          else await extra.taskStore.storeTaskResult(task.taskId, status, result)
        }).catch((error) => console.error(error))
        return { task }
      },
      getTask: (/** @type {any} */ { taskId, taskStore }) => taskStore.getTask(taskId),
      getTaskResult: (/** @type {any} */ { taskId, taskStore }) => taskStore.getTaskResult(taskId)
    })
  }
  const handlers = /** @type {any} */ (server.server)._requestHandlers
  const status = handlers.get("tasks/get")
  handlers.set("tasks/get", (/** @type {any[]} */ ...given) => {
    note(`asked ${process.pid}`)
    return status(...given)
  })
  server.registerTool("plain", {}, () => {
    note(`plain ${process.pid}`)
    return { content: [{ type: "text", text: "plain" }] }
  })
  return server
}

if (transport === "stdio") await make().connect(new StdioServerTransport())
else {
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const sessions = new Map()
  const server = createServer(async (request, response) => {
    if (request.url === "/forget") {
      sessions.clear()
      return void response.end()
    }
    const id = request.headers["mcp-session-id"]
    const known = sessions.get(String(id))
    if (id !== undefined && known === undefined) return void response.writeHead(404).end()
    if (known !== undefined) return known.handleRequest(request, response)
    const made = new StreamableHTTPServerTransport(
      /** @type {any} */ ({
        sessionIdGenerator: transport === "http" ? () => randomUUID() : undefined,
        onsessioninitialized: (/** @type {string} */ session) => void sessions.set(session, made)
      })
    )
    await make().connect(/** @type {any} */ (made))
    return made.handleRequest(request, response)
  })
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    if (address !== null && typeof address === "object") console.log(address.port)
  })
}
