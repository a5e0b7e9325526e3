/**
 * The program of `StdioFaultServer`, in plain JavaScript so that it starts from the source as it does when it is built.
 * Speaks newline-delimited JSON-RPC by hand, so that it can also speak it wrongly.
 */
import { spawn } from "node:child_process"
import { appendFileSync, closeSync, existsSync, readFileSync, writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/** @typedef {import("./StdioFaultServer.js").Options} Options */
/** @typedef {import("./StdioFaultServer.js").Crash} Crash */
/** @typedef {import("./StdioFaultServer.js").Entry} Entry */
/** @typedef {string | number} Id */
/**
 * @typedef {object} Tool
 * @property {(id: Id, args: Record<string, any>) => void} run
 * @property {object} [annotations]
 * @property {object} [inputSchema] Default: any object.
 */

/** @type {Options} */
const options = JSON.parse(process.argv[2] ?? "{}")
const path = options.journal

/** @type {ReadonlyArray<Entry>} */
const past = path !== undefined && existsSync(path)
  ? readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
  : []
/** @param {string} event @param {string} [detail] */
const times = (event, detail) =>
  past.filter((entry) => entry.event === event && (detail === undefined || entry.detail === detail)).length

const isStateless = options.era === "2026" || times("start") + 1 >= (options.statelessFrom ?? Infinity)
const version = "2026-07-28"

/** How often what a crash can be at has happened, the processes before this one included. @type {Record<Crash["at"], number>} */
const seen = {
  start: times("start"),
  discover: times("discover"),
  initialize: times("initialize"),
  initialized: times("notification", "notifications/initialized"),
  call: times("call")
}
/** @type {Map<string, number>} */
const applied = new Map()
for (const { detail = "", event } of past) if (event === "apply") applied.set(detail, (applied.get(detail) ?? 0) + 1)

/** @param {string} event @param {string} [detail] */
const note = (event, detail) => {
  if (path !== undefined) appendFileSync(path, `${JSON.stringify({ pid: process.pid, event, detail })}\n`)
}

/** @param {Crash} crash */
const die = ({ exitCode = 1, signal, stderr }) => {
  if (stderr !== undefined) writeSync(2, stderr)
  if (signal === undefined) process.exit(exitCode)
  process.kill(process.pid, signal)
  // The signal may reach another thread of this process: nothing more is done meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
}

/** The crash that is due now, if any. @param {Crash["at"]} at @param {Crash["point"]} [point] */
const due = (at, point = "received") =>
  options.crashes?.find((crash) =>
    crash.at === at && (crash.nth ?? seen[at]) === seen[at] && (crash.point ?? "received") === point
  )
/** @param {Crash["at"]} at @param {Crash["point"]} [point] */
const maybeDie = (at, point) => {
  const crash = due(at, point)
  if (crash !== undefined) die(crash)
}

/** @param {object} message */
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
/** @param {object} result */
const complete = (result) => isStateless ? { resultType: "complete", ...result } : result
/** @param {Id} id @param {object} result */
const reply = (id, result) => {
  const line = `${JSON.stringify({ jsonrpc: "2.0", id, result: complete(result) })}\n`
  const half = due("call", "answering")
  if (half !== undefined) {
    writeSync(1, line.slice(0, line.length / 2))
    die(half)
  }
  process.stdout.write(line)
  maybeDie("call", "answered")
}
/** @param {Id} id @param {string} text */
const answer = (id, text) => reply(id, { content: [{ type: "text", text }] })

/**
 * Starts a process that holds our stdout and outlives us, and calls back when its code has run.
 * @param {string} code
 * @param {(pid: string) => void} ready
 */
const grandchild = (code, ready) => {
  const child = spawn(process.execPath, ["-e", `${code};process.send("up")`], {
    stdio: ["ignore", "inherit", "ignore", "ipc"]
  })
  child.once("message", () => {
    child.disconnect()
    child.unref()
    note("grandchild", String(child.pid))
    ready(String(child.pid))
  })
}

/** @type {string | undefined} */
let user
/** What the client is to be asked, and what follows on its reply. @type {Map<Id, (reply: unknown) => void>} */
const asked = new Map()

/** @type {Tool["run"]} */
const apply = (id, { key = "" }) => {
  const count = (applied.get(key) ?? 0) + 1
  applied.set(key, count)
  note("apply", key)
  maybeDie("call", "applied")
  answer(id, String(count))
}

/**
 * Works on a key: says so in a log message and, after `millis`, answers with the key. @type {(isRead: boolean) => Tool["run"]}
 */
const workOn = (isRead) => (id, { exit, key = "", millis = 0 }) => {
  /** @param {string} point */
  const maybeExit = (point) => exit === point && die({ at: "call" })
  if (options.logs === true) send({ method: "notifications/message", params: { level: "info", data: key } })
  maybeExit("received")
  if (!isRead) note("apply", key)
  maybeExit("applied")
  setTimeout(() => {
    answer(id, key)
    maybeExit("answered")
  }, millis)
}

/** What was allocated. @type {Array<Buffer>} */
const held = []

/** @type {Record<string, Tool>} */
const tools = {
  echo: { run: (id, args) => answer(id, args["text"] ?? "") },
  length: { run: (id, args) => answer(id, String(args["text"].length)) },
  pid: { run: (id) => answer(id, String(process.pid)) },
  env: { run: (id) => answer(id, JSON.stringify(process.env)) },
  cwd: { run: (id) => answer(id, process.cwd()) },
  count: { run: apply, inputSchema: { type: "object", properties: { key: { type: "string" } } } },
  set: { run: apply, annotations: { idempotentHint: true } },
  look: { run: apply, annotations: { readOnlyHint: true } },
  work: { run: workOn(false) },
  read: { run: workOn(true), annotations: { readOnlyHint: true } },
  login: {
    run: (id, args) => {
      user = args["user"] ?? "somebody"
      answer(id, "welcome")
    }
  },
  whoami: {
    run: (id) =>
      user === undefined
        ? reply(id, { isError: true, content: [{ type: "text", text: "nobody is logged in" }] })
        : answer(id, user)
  },
  wait: { run: (id, args) => setTimeout(() => answer(id, "at last"), args["millis"] ?? 1_000) },
  silent: { run: () => {} },
  allocate: {
    run: (id, args) => {
      held.push(Buffer.alloc((args["megabytes"] ?? 1) * 1e6, 1))
      const end = () => {
        if (args["until"] === undefined || existsSync(args["until"])) answer(id, "allocated")
        else setTimeout(end, 20)
      }
      end()
    }
  },
  exit: {
    run: (_, args) => {
      process.stderr.write(args["stderr"] ?? "")
      process.exit(args["code"])
    }
  },
  exitAfterAnswer: {
    run: (id, args) => {
      answer(id, "last words")
      process.exit(args["code"])
    }
  },
  closeStdout: {
    run: () => {
      closeSync(1)
      setInterval(() => {}, 1_000)
    }
  },
  closeStdin: {
    run: (id) => {
      closeSync(0)
      setInterval(() => {}, 1_000)
      answer(id, "closed")
    }
  },
  stop: { run: () => die({ at: "call", signal: "SIGSTOP" }) },
  /** Its only thread is busy for a while, and then it answers. */
  spin: {
    run: (id, args) => {
      note("spin")
      const end = Date.now() + (args["millis"] ?? 1_000)
      while (Date.now() < end);
      answer(id, "spun")
    }
  },
  /** Reads nothing for a while, once the answer is out. */
  block: {
    run: (id, args) => {
      answer(id, "blocking")
      setImmediate(() =>
        setImmediate(() => {
          process.stdin.pause()
          setTimeout(() => process.stdin.resume(), args["millis"] ?? 1_000)
        })
      )
    }
  },
  grandchild: { run: (id, args) => grandchild(args["code"] ?? "setInterval(() => {}, 1000)", (pid) => answer(id, pid)) },
  stderr: { run: (id, args) => process.stderr.write(args["text"] ?? "", () => answer(id, "written")) },
  noise: {
    run: (id, args) => {
      process.stdout.write(`${(args["lines"] ?? ["noise"]).join("\n")}\n`)
      answer(id, "after the noise")
    }
  },
  /** A long answer with its id where it is asked to be. */
  long: {
    run: (id, args) => {
      const filler = JSON.stringify('x"y\\{["id":7,'.repeat(Math.ceil((args["bytes"] ?? 1_000_000) / 10)))
      const result = `"result":{"id":99,"content":[{"type":"text","text":${filler}}],"nested":{"id":98}}`
      const version = '"jsonrpc":"2.0"'
      const key = `"id":${JSON.stringify(id)}`
      const parts = { first: [key, version, result], last: [version, result, key], middle: [version, key, result] }
      process.stdout.write(`{${parts[/** @type {"first"} */ (args["id"] ?? "first")].join(",")}}\n`)
    }
  },
  /** Writes a line that begins so, and has no end. */
  endless: {
    run: (_, args) => {
      const more = Buffer.alloc(1 << 20, "x")
      const write = () => process.stdout.write(more, write)
      process.stdout.write(args["begin"] ?? "", write)
    }
  },
  longNotification: {
    run: (id, args) => {
      const data = "x".repeat(args["bytes"] ?? 1_000_000)
      send({ method: "notifications/message", params: { level: "info", data, id } })
      answer(id, "sent")
    }
  },
  /** Asks the client something too long, with the id of this very request. */
  longRequest: {
    run: (id, args) => {
      asked.set(id, (refusal) => answer(id, JSON.stringify(refusal)))
      send({ id, method: "roots/list", params: { filler: "x".repeat(args["bytes"] ?? 1_000_000) } })
    }
  },
  /** An answer that comes byte by byte. */
  pieces: {
    run: (id, args) => {
      const result = { content: [{ type: "text", text: args["text"] ?? "piecemeal" }] }
      const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", id, result })}\n`)
      /** @param {number} at */
      const next = (at) => {
        process.stdout.write(bytes.subarray(at, at + 1))
        if (at + 1 < bytes.length) setImmediate(next, at + 1)
      }
      next(0)
    }
  },
  batch: {
    run: (id) => {
      const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" }
      const result = { jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "batched" }] } }
      process.stdout.write(`${JSON.stringify([changed, result])}\n`)
    }
  }
}
if (options.addedFrom !== undefined && seen.start + 1 >= options.addedFrom) {
  tools["added"] = { run: (id) => answer(id, "new here") }
}

/** @param {Id} id */
const unknown = (id) => send({ id, error: { code: -32601, message: "Method not found" } })

/** It was asked `server/discover` before. */
let discovered = false

/** @type {Record<string, (id: Id, params: Record<string, any>) => void>} */
const methods = {
  "server/discover": (id) => {
    const isPing = discovered
    discovered = true
    seen.discover++
    note(isPing ? "ping" : "discover")
    maybeDie("discover")
    if (isPing ? options.ping === "silent" : options.silentAtDiscover === true) return
    if (!isStateless || (isPing && options.ping === "unsupported")) {
      unknown(id)
      return
    }
    const said = { supportedVersions: [version], capabilities: { tools: {} }, ttlMs: 0, cacheScope: "private" }
    send({ id, result: complete(said) })
  },
  initialize: (id, params) => {
    seen.initialize++
    note("initialize")
    maybeDie("initialize")
    if (options.neverReady === true) return
    if (isStateless) {
      const error = { code: -32022, message: "Unsupported protocol version", data: { supported: [version] } }
      send({ id, error })
      return
    }
    const serverInfo = { name: "stdio-fault-server", version: "1.0.0" }
    const capabilities = { tools: {}, ...(options.logs === true ? { logging: {} } : {}) }
    send({ id, result: { protocolVersion: params["protocolVersion"], capabilities, serverInfo } })
  },
  ping: (id) => {
    note("ping")
    if (isStateless || options.ping === "unsupported") unknown(id)
    else if (options.ping !== "silent") send({ id, result: {} })
  },
  "logging/setLevel": (id) => options.logs === true ? send({ id, result: {} }) : unknown(id),
  "tools/list": (id) => {
    const listed = Object.entries(tools).map(([name, { annotations, inputSchema = { type: "object" } }]) => ({
      name,
      inputSchema,
      annotations
    }))
    send({ id, result: complete({ tools: listed, ...(isStateless ? { ttlMs: 0, cacheScope: "private" } : {}) }) })
  },
  "tools/call": (id, { _meta, arguments: args = {}, name }) => {
    seen.call++
    note("call", name)
    maybeDie("call")
    const progressToken = _meta?.progressToken
    if (progressToken !== undefined) {
      send({ method: "notifications/progress", params: { progressToken, progress: 1, message: args["key"] } })
    }
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined
    if (tool === undefined) send({ id, error: { code: -32602, message: `there is no tool ${name}` } })
    else tool.run(id, args)
  }
}

/** @param {string} line */
const onLine = (line) => {
  const { error, id, method, params = {} } = JSON.parse(line)
  if (method === undefined) return asked.get(id)?.(error)
  if (id === undefined) {
    note("notification", method)
    if (method !== "notifications/initialized") return
    seen.initialized++
    maybeDie("initialized")
  } else if (Object.hasOwn(methods, method)) methods[method]?.(id, params)
  else unknown(id)
}

const listen = () => {
  if (options.startsAfter !== undefined && !existsSync(options.startsAfter)) return void setTimeout(listen, 20)
  createInterface({ input: process.stdin }).on("line", onLine)
}

/** @param {number} left */
const begin = (left) => {
  if (left > 0) {
    const code = options.ignoreTerm === true ? "process.on('SIGTERM', () => {});" : ""
    grandchild(`${code}setInterval(() => {}, 1000)`, () => begin(left - 1))
  } else if (options.startDelay === undefined) listen()
  else setTimeout(listen, options.startDelay)
}

if (options.wrapper === true) {
  const inner = JSON.stringify({ ...options, wrapper: false })
  spawn(process.execPath, [fileURLToPath(import.meta.url), inner], { stdio: "inherit" })
    .on("exit", (code) => process.exit(code ?? 1))
} else {
  if (options.ignoreTerm === true) process.on("SIGTERM", () => note("SIGTERM"))
  if (options.ignoreStdinEnd === true) setInterval(() => {}, 1_000)
  seen.start++
  note("start")
  if (options.noise === true) process.stdout.write('Welcome!\n\n{"level":"info"}\n[1,2]\nnull\n')
  maybeDie("start")
  begin(options.grandchildren ?? 0)
}
