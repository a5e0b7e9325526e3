/**
 * The processes that are profiled: each has a way to make calls pass through it. They run what the compiler wrote, and no bundle, so that
 * each function has the file of its package.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as common from "../common.mjs"
import * as Caller from "../gateways/caller.mjs"
import { freePort } from "../gateways/processes.mjs"

/** @typedef {{ ask: (question: string | number) => Promise<any>, run: (calls: number) => Promise<unknown>, end: () => Promise<unknown> }} Subject */

const agent = new URL("agent.mjs", import.meta.url).href
const echo = fileURLToPath(new URL("../fixtures/echo.mjs", import.meta.url))
/** This checkout of the repository. */
export const here = fileURLToPath(new URL("../..", import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "lifeline-profile-"))
process.once("exit", () => rmSync(folder, { recursive: true, force: true }))

/** A process with the agent in it. @param {ReadonlyArray<string>} args */
const start = (args) => {
  const child = spawn(process.execPath, ["--import", agent, ...args], {
    env: { ...process.env, NO_COLOR: "1", MCP_LIFELINE_STATE: join(folder, `state-${performance.now()}`) },
    stdio: ["pipe", "pipe", "ignore", "ipc"]
  })
  process.once("exit", () => void child.kill("SIGKILL"))
  /** What comes in answer to a question. @param {string} question @returns {Promise<any>} */
  const answered = (question) =>
    new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`${args.join(" ")} has ended`))
      const look = (/** @type {any} */ message) => {
        if (message.question !== question) return
        child.off("message", look).off("exit", ended)
        resolve(message.answer)
      }
      child.on("message", look).once("exit", ended)
    })
  return {
    child,
    answered,
    /** @param {string | number} question */
    ask: (question) => {
      const answer = answered(typeof question === "number" ? "calls" : question)
      child.send(question)
      return answer
    },
    end: async () => {
      const exit = once(child, "exit")
      child.disconnect()
      child.stdin?.end()
      child.kill("SIGTERM")
      await exit
    }
  }
}

/** Makes calls, so many at once. @param {number} inFlight @param {() => Promise<unknown>} call */
const running = (inFlight, call) => (/** @type {number} */ calls) => {
  let left = calls
  return Promise.all(Array.from({ length: inFlight }, async () => {
    while (left-- > 0) await call()
  }))
}

/** The gateway of a checkout. @param {string} root */
const gateway = (root) => join(root, "packages/gateway/dist/bin.js")

/** @param {string} root @param {ReadonlyArray<string>} server how `connect` is told of it */
const facade = async (root, server) => {
  const { answered, ask, end } = start([join(root, "benchmarks/profile/connect.mjs"), ...server])
  await answered("ready")
  return { ask, end, run: ask }
}

/** A host that speaks JSON-RPC by lines. @param {string} root @param {ReadonlyArray<string>} target @param {number} inFlight */
const wrap = async (root, target, inFlight) => {
  const { ask, child, end } = start([gateway(root), "wrap", ...target])
  /** @type {Map<number, (message: any) => void>} */
  const waiting = new Map()
  if (child.stdout === null || child.stdin === null) throw new Error("no pipes")
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line)
    waiting.get(message.id)?.(message)
    waiting.delete(message.id)
  })
  const send = (/** @type {string} */ text) => child.stdin?.write(`${text}\n`)
  const asking = (/** @type {number} */ id, /** @type {string} */ text) =>
    new Promise((resolve) => {
      waiting.set(id, resolve)
      send(text)
    })
  await asking(0, JSON.stringify(Caller.initialize))
  send(JSON.stringify(Caller.initialized))
  let id = 0
  const call = async () => Caller.checked(await asking(++id, Caller.callOf(id, "echo")))
  return { ask, end, run: running(inFlight, call) }
}

/** A client over HTTP. @param {string} root @param {object} entry the server, in an mcp.json @param {number} inFlight */
const serve = async (root, entry, inFlight) => {
  const port = await freePort()
  const config = join(folder, `${port}.json`)
  writeFileSync(config, JSON.stringify({ mcpServers: { one: entry } }))
  const { ask, end } = start([gateway(root), "serve", "--port", String(port), "--config", config])
  const at = { name: "", tools: ["one__echo"], sse: false, url: `http://127.0.0.1:${port}/mcp`, pid: 0, stop: () => {} }
  for (let tries = 0;; tries++) {
    try {
      const { call, close } = await Caller.open(at, inFlight)
      await call()
      return {
        ask,
        run: running(inFlight, call),
        end: () => {
          close()
          return end()
        }
      }
    } catch (error) {
      if (tries === 300) throw error
      await common.sleep(200)
    }
  }
}

const server = async () => {
  const child = spawn(process.execPath, [echo, "http"], { stdio: ["pipe", "pipe", "inherit"] })
  const [port] = await once(child.stdout.setEncoding("utf8"), "data")
  return { url: `http://127.0.0.1:${Number(port)}/mcp`, end: () => void child.stdin.end() }
}

/** What a call can pass through, as `door over transport`. @type {ReadonlyArray<readonly [door: string, transport: string]>} */
export const all = [
  ["connect", "memory"],
  ["connect", "stdio"],
  ["connect", "http"],
  ["wrap", "stdio"],
  ["wrap", "http"],
  ["serve", "stdio"],
  ["serve", "http"]
]

/** The checkout `root`, which is built. @param {string} root @param {string} door @param {string} transport @param {number} inFlight @returns {Promise<Subject>} */
export const open = async (root, door, transport, inFlight) => {
  const http = transport === "http" ? await server() : undefined
  const [command, ...args] = [process.execPath, echo, "stdio"]
  const subject = await (door === "connect"
    ? facade(root, http === undefined ? [transport, ...args] : ["http", http.url])
    : door === "wrap"
    ? wrap(root, http === undefined ? ["--", command, ...args] : [http.url], inFlight)
    : serve(root, http === undefined ? { command, args } : { url: http.url }, inFlight))
  return {
    ...subject,
    end: async () => {
      await subject.end()
      http?.end()
    }
  }
}
