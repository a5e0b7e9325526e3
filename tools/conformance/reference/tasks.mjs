/**
 * The reference server for the extension of 2026-07-28 for tasks, which the official SDKs do not serve: `node tasks.mjs stdio`, or `http`,
 * which writes its URL. What its tools do is in the descriptions of the suite's scenarios.
 */
import { randomUUID } from "node:crypto"
import { createInterface } from "node:readline"
import { json } from "node:stream/consumers"
import { setTimeout as sleep } from "node:timers/promises"
import { said } from "./fixtures.mjs"
import { listen } from "./listen.mjs"

const extension = "io.modelcontextprotocol/tasks"
const capabilities = { tools: {}, extensions: { [extension]: {} } }

/** An answer that is an error. */
class Refusal extends Error {
  /** @param {number} code @param {string} message @param {object=} data */
  constructor(code, message, data) {
    super(message)
    this.code = code
    this.data = data
  }
}

/** @typedef {Record<string, any>} Given */
/** @typedef {{ taskId: string, status: string, [key: string]: any }} Task */
/** @type {Map<string, Task>} */
const tasks = new Map()

const isOver = (/** @type {Task} */ { status }) => ["completed", "failed", "cancelled"].includes(status)

/** @param {Task} task @param {Given} change */
const change = (task, change) => {
  if (!isOver(task)) Object.assign(task, change, { lastUpdatedAt: new Date().toISOString() })
}

/** @param {string} message @param {string} field @param {string} type */
const form = (message, field, type) => ({
  method: "elicitation/create",
  params: { mode: "form", message, requestedSchema: { type: "object", properties: { [field]: { type } } } }
})

/** Begins a task, which ends with what the work gives. @param {(task: Task) => Promise<object>} work @param {object} first */
const begin = (work, first = {}) => {
  const now = new Date().toISOString()
  /** @type {Task} */
  const task = {
    taskId: randomUUID(),
    status: "working",
    createdAt: now,
    lastUpdatedAt: now,
    ttlMs: 600_000,
    pollIntervalMs: 100
  }
  const created = { ...task, resultType: "task" }
  tasks.set(task.taskId, Object.assign(task, first))
  work(task).then(
    (result) => change(task, { status: "completed", result: { resultType: "complete", ...result } }),
    ({ message }) => change(task, { status: "failed", error: { code: -32_603, message } })
  )
  return created
}

/** Begins a task that asks all of this, and then is done. @param {Record<string, object>} inputRequests */
const asking = (inputRequests) => {
  const isAnswered = async (/** @type {Task} */ task) => {
    while (!isOver(task) && Object.keys(task["inputRequests"]).length > 0) await sleep(20, undefined, { ref: false })
    return said("All was answered")
  }
  return begin(isAnswered, { status: "input_required", inputRequests })
}

/** What a task shows of itself. @param {Task} task */
const shown = ({ inputRequests, ...task }) => ({
  ...task,
  ...(task.status === "input_required" ? { inputRequests } : {}),
  resultType: "complete"
})

const schema = (/** @type {Record<string, string>} */ types) => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }]))
})

/** By name: whether it needs a task, the types of its arguments, and what it does. @type {Record<string, { isTask: boolean, given: Record<string, string>, call: (given: Given, params: Given, declares: boolean) => any }>} */
const tools = {
  greet: { isTask: false, given: { name: "string" }, call: ({ name }) => said(`Hello, ${name}!`) },
  slow_compute: {
    isTask: false,
    given: { seconds: "number", label: "string" },
    call: ({ seconds = 0 }, _, declares) => {
      const work = async () => {
        await sleep(seconds * 1000, undefined, { ref: false })
        return said("Computed")
      }
      return declares ? begin(work) : work()
    }
  },
  failing_job: {
    isTask: true,
    given: {},
    call: () => begin(async () => ({ ...await sleep(1000, said("The job has failed")), isError: true }))
  },
  protocol_error_job: {
    isTask: true,
    given: {},
    call: () => begin(() => Promise.reject(new Error("The job has crashed")))
  },
  confirm_delete: {
    isTask: true,
    given: { filename: "string" },
    call: ({ filename }) => asking({ confirm: form(`Delete ${filename}?`, "confirm", "boolean") })
  },
  multi_input: {
    isTask: true,
    given: {},
    call: () => asking({ first: form("The first?", "name", "string"), second: form("The second?", "name", "string") })
  },
  test_tool_with_task: {
    isTask: true,
    given: {},
    call: (_, { inputResponses }) => {
      const name = inputResponses?.user_name?.content?.name
      const inputRequests = { user_name: form("What is your name?", "name", "string") }
      return name === undefined
        ? { resultType: "input_required", inputRequests }
        : begin(async () => said(`Hello, ${name}!`))
    }
  }
}

/** @param {string} method @param {Given} params */
const answer = (method, params) => {
  const declares =
    params["_meta"]?.["io.modelcontextprotocol/clientCapabilities"]?.extensions?.[extension] !== undefined
  const needTasks = () => {
    if (declares) return
    throw new Refusal(-32_021, "Needs a client that knows tasks", {
      requiredCapabilities: { extensions: { [extension]: {} } }
    })
  }
  const known = () => {
    needTasks()
    const task = tasks.get(params["taskId"])
    if (task === undefined) throw new Refusal(-32_602, "Task not found")
    return task
  }
  const serverInfo = { name: "reference-tasks", version: "1.0.0" }
  const cached = { ttlMs: 0, cacheScope: "private" }
  switch (method) {
    case "server/discover":
      return { supportedVersions: ["2026-07-28"], capabilities, serverInfo, ...cached }
    case "tools/list":
      return {
        tools: Object.entries(tools).map(([name, { given }]) => ({ name, inputSchema: schema(given) })),
        ...cached
      }
    case "tools/call": {
      const tool = tools[params["name"]]
      if (tool === undefined) throw new Refusal(-32_602, `Unknown tool: ${params["name"]}`)
      if (tool.isTask) needTasks()
      return tool.call(params["arguments"] ?? {}, params, declares)
    }
    case "tasks/get":
      return shown(known())
    case "tasks/update": {
      const task = known()
      const inputRequests = Object.fromEntries(
        Object.entries(task["inputRequests"] ?? {}).filter(([key]) => params["inputResponses"]?.[key] === undefined)
      )
      change(task, { inputRequests, status: Object.keys(inputRequests).length === 0 ? "working" : task.status })
      return {}
    }
    case "tasks/cancel":
      change(known(), { status: "cancelled" })
      return {}
  }
  throw new Refusal(-32_601, `Method not found: ${method}`)
}

/** @param {any} message */
const respond = async ({ id, method, params = {} }) => {
  try {
    return { jsonrpc: "2.0", id, result: { resultType: "complete", ...await answer(method, params) } }
  } catch (thrown) {
    const { code, data, message } = /** @type {Refusal} */ (thrown)
    return { jsonrpc: "2.0", id, error: { code, message, ...(data && { data }) } }
  }
}

/** The parameters that are a header, too. */
const named = { "tools/call": "name", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId" }

/** With which status the answer comes over HTTP. @param {object} answer */
const statusOf = (answer) => {
  const { code } = "error" in answer ? /** @type {Refusal} */ (answer.error) : { code: 0 }
  return code === -32_601 ? 404 : code === -32_020 || code === -32_021 ? 400 : 200
}

if (process.argv[2] === "stdio") {
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const message = JSON.parse(line)
    if (message.id !== undefined) console.log(JSON.stringify(await respond(message)))
  })
} else {
  listen(async (request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    const message = /** @type {any} */ (await json(request))
    if (message.id === undefined) return void response.writeHead(202).end()
    const { id, method, params } = message
    const name = params?.[/** @type {Record<string, string>} */ (named)[method] ?? ""]
    const headers = request.headers
    const isMatch = headers["mcp-method"] === method && (name === undefined || headers["mcp-name"] === name)
    const answer = isMatch
      ? await respond(message)
      : { jsonrpc: "2.0", id, error: { code: -32_020, message: "The headers do not match the message" } }
    response.writeHead(statusOf(answer), { "content-type": "application/json" }).end(JSON.stringify(answer))
  })
}
