import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

/** @param {number} pid */
export const isAlive = (pid) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** How many of these are alive once they have had time to end. @param {ReadonlyArray<number>} pids */
export const aliveAtLast = async (pids) => {
  const deadline = performance.now() + 20_000
  while (pids.some(isAlive) && performance.now() < deadline) await sleep(50)
  return pids.filter(isAlive).length
}

const program = "node_modules/mcp-lifeline/esm/bin.js"

/** Starts it. @param {ReadonlyArray<string>} args @param {NodeJS.ProcessEnv} [env] */
export const start = (args, env = {}) => {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, MCP_LIFELINE_STATE: `state-${process.pid}`, ...env },
    stdio: ["pipe", "pipe", "inherit"],
    windowsHide: true
  })
  const lines = createInterface({ input: child.stdout })
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => child.once("exit", resolve))
  return { child, lines, ended }
}

/** What a tool of a server says: the ids of its processes. @param {any} message @returns {Array<number>} */
export const pidsOf = (message) => {
  const text = message.result?.content?.[0]?.text
  if (text === undefined) throw new Error(JSON.stringify(message))
  return JSON.parse(text)
}

export const introduction = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  clientInfo: { name: "host", version: "1" }
}
