/** A host under Wine. Starts servers as Node.js does it without a shell. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

export interface Entry {
  readonly command: string
  readonly args: ReadonlyArray<string>
}

export interface Host {
  readonly call: (name?: string) => Promise<unknown>
  readonly printed: () => string
  readonly hasEnded: () => boolean
  readonly close: () => Promise<void>
}

export const start = async ({ args, command }: Entry, cwd: string, env: NodeJS.ProcessEnv): Promise<Host> => {
  const child = spawn(command, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] })
  const waiting = new Map<number, (answer: unknown) => void>()
  let printed = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => printed += text)
  child.stdin.on("error", () => undefined)
  const closed = new Promise<void>((resolve) => {
    child.on("error", (error) => {
      printed += String(error)
      resolve()
    })
    child.on("close", () => resolve())
  })
  createInterface(child.stdout).on("line", (line) => {
    const { error, id, result } = JSON.parse(line) as { error?: { message: string }; id?: number; result?: unknown }
    if (id !== undefined) waiting.get(id)?.(error?.message ?? result)
  })
  const request = (method: string, params: object): Promise<unknown> =>
    new Promise((resolve) => {
      const id = waiting.size + 1
      waiting.set(id, resolve)
      void closed.then(() => resolve(`the server has ended: ${printed}`))
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
    })
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "host", version: "1" } }
  await request("initialize", params)
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`)
  return {
    call: async (name = "started") => {
      const answer = await request("tools/call", { name, arguments: {} })
      const text = (answer as { content?: ReadonlyArray<{ text: string }> }).content?.[0]?.text
      return text === undefined ? answer : JSON.parse(text)
    },
    printed: () => printed,
    hasEnded: () => child.exitCode !== null,
    close: () => {
      child.stdin.end()
      return closed
    }
  }
}
