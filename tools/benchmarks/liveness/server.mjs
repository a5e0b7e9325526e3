/**
 * A server that works, blocks, or ignores pings, as its tools are told. Each process writes its id into a file when it starts.
 *
 *     node server.mjs stdio|http FILE [pings-ignored|pings-empty|starts-late|never-starts-first|never-starts-second]
 *
 * Over HTTP it prints its port. `pings-empty`: a ping is answered with 200 and no body. `starts-late`: 45 s pass before it reads.
 * `never-starts-first`, `never-starts-second`: that process never answers.
 */
import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { appendFileSync, openSync, readFileSync, readSync } from "node:fs"
import { createServer } from "node:http"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

const [, , transport, file = "", mode = ""] = process.argv
appendFileSync(file, `${process.pid}\n`)
if (mode === "starts-late") await sleep(45_000)
const hanging = ["", "never-starts-first", "never-starts-second"].indexOf(mode)
if (hanging > 0 && readFileSync(file, "utf8").trim().split("\n").length === hanging) {
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1))
}

/** @param {number} millis */
const spin = (millis) => {
  for (const end = performance.now() + millis; performance.now() < end;);
}

/** @type {Readonly<Record<string, (millis: number) => unknown>>} */
const works = {
  look: () => {},
  /** Other requests are answered meanwhile. */
  sleep: (millis) => sleep(millis),
  spin,
  /** It answers, and then computes for some time. */
  pause: (millis) => void setTimeout(() => spin(millis), 50),
  /** Its session is answered no more, over HTTP. */
  stick: () => new Promise(() => {}),
  /** It waits for a lock that is never released. */
  deadlock: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  /** It waits in the kernel for bytes of another process, which come after that time. */
  read: (millis) => void readSync(pipeOf(millis), Buffer.alloc(1)),
  /** It waits for a process of its own, which computes. */
  child: (millis) =>
    execFileSync(process.execPath, ["-e", `const end = Date.now() + ${millis}; while (Date.now() < end);`])
}

/** A pipe in which another process writes after that time. @param {number} millis */
const pipeOf = (millis) => {
  const path = `${file}.${randomUUID()}`
  execFileSync("mkfifo", [path])
  // It opens the pipe for writing at once, and in a session of its own, so that it is no process of this server.
  execFileSync("setsid", ["-f", "sh", "-c", `exec 3>"$0"; sleep ${millis / 1000}; echo >&3`, path], { stdio: "ignore" })
  return openSync(path, "r")
}

const tools = Object.keys(works).map((name) => ({
  name,
  inputSchema: { type: "object", properties: { millis: { type: "number" } } }
}))

/** The result or error of a request. @param {any} message @param {string} self what it calls itself */
const answer = async ({ id, method, params }, self) => {
  const body = { jsonrpc: "2.0", id }
  switch (method) {
    case "initialize":
      return {
        ...body,
        result: {
          protocolVersion: params.protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: "liveness", version: "1.0.0" }
        }
      }
    case "ping":
      return { ...body, result: {} }
    case "tools/list":
      return { ...body, result: { tools } }
    case "tools/call":
      await works[params.name]?.(params.arguments?.millis ?? 0)
      return { ...body, result: { content: [{ type: "text", text: self }] } }
    default:
      return { ...body, error: { code: -32_601, message: "Method not found" } }
  }
}

if (transport === "stdio") {
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const message = JSON.parse(line)
    if (message.id === undefined || message.method === undefined) return
    if (message.method === "ping" && mode === "pings-ignored") return
    process.stdout.write(`${JSON.stringify(await answer(message, String(process.pid)))}\n`)
  })
} else {
  /** @type {Set<unknown>} */
  const stuck = new Set()
  const server = createServer(async (request, response) => {
    if (request.method !== "POST") return void response.writeHead(405).end()
    let text = ""
    for await (const chunk of request.setEncoding("utf8")) text += chunk
    const message = JSON.parse(text)
    const sent = request.headers["mcp-session-id"]
    if (message.params?.name === "stick") stuck.add(sent)
    if (sent !== undefined && stuck.has(sent)) return
    if (message.id === undefined || message.method === undefined) return void response.writeHead(202).end()
    if (message.method === "ping" && mode === "pings-empty") return void response.writeHead(200).end()
    const session = message.method === "initialize" ? randomUUID() : String(sent)
    response.writeHead(200, { "content-type": "application/json", "mcp-session-id": session })
    response.end(JSON.stringify(await answer(message, session)))
  })
  server.listen(
    0,
    "127.0.0.1",
    () => console.log(/** @type {import("node:net").AddressInfo} */ (server.address()).port)
  )
}
