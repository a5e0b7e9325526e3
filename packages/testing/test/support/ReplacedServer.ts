import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"

const script = fileURLToPath(new URL("httpServer.mjs", import.meta.url))

interface Process {
  readonly child: ChildProcess
  readonly port: number
}

const start = async (era: "2025" | "2026"): Promise<Process> => {
  const child = spawn(process.execPath, [script, era], { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(child.stdout, "data") as [Buffer]
  return { child, port: Number(String(line)) }
}

const kill = async ({ child }: Process): Promise<void> => {
  const ended = once(child, "exit")
  child.kill("SIGKILL")
  await ended
}

/** Once the process has stopped under a call of `stop`, it is replaced when somebody connects anew, and not before. */
export const serve = async (era: "2025" | "2026", use: (url: string) => Promise<void>): Promise<void> => {
  let current = start(era)
  let isStopped = false
  /** Requests of 2026 by which a client asks for a sign of life, and with the third, after two probes, connects anew. */
  let discovered = 0
  const isNew = (method: unknown): boolean =>
    method === "initialize" || (era === "2026" && method === "server/discover" && ++discovered > 2)
  const listener = createServer(async (request, response) => {
    let text = ""
    for await (const chunk of request) text += chunk
    const { method, params } = text === "" ? {} as Record<string, undefined> : JSON.parse(text)
    if (isStopped && isNew(method)) {
      isStopped = false
      const old = await current
      current = start(era)
      await kill(old)
    }
    if (method === "tools/call" && params?.["name"] === "stop") isStopped = true
    const { port } = await current
    const { headers, method: verb = "GET" } = request
    const asked = httpRequest({ host: "127.0.0.1", port, path: "/mcp", method: verb, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    asked.on("error", () => response.destroy())
    response.on("close", () => asked.destroy())
    asked.end(text)
  })
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve))
  try {
    await use(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`)
  } finally {
    listener.close()
    listener.closeAllConnections()
    await kill(await current)
  }
}
