/**
 * [P13] How many tokens of `tools/list` a model has to read anew after its server was started again: those after the first byte that
 * differs, four bytes each. Of a server that gives the same tools in another order at each start, directly and through `wrap`, where
 * the server alone or `wrap` itself starts again. The gateway has to be bundled.
 *
 *     node tools/benchmarks/lists.mjs [--runs 5] [--json]
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as common from "./common.mjs"

const { json, runs } = common.options({ runs: 5 })

const bin = fileURLToPath(new URL("../../packages/gateway/esm/bin.js", import.meta.url))
const server = fileURLToPath(new URL("fixtures/shuffling.mjs", import.meta.url))
const work = mkdtempSync(join(tmpdir(), "lifeline-bench-"))

/** A host of a process. @param {ReadonlyArray<string>} args @param {string} state */
const start = async (args, state) => {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, MCP_LIFELINE_STATE: state },
    stdio: ["pipe", "pipe", "ignore"]
  })
  /** @type {Map<number, (message: any) => void>} */
  const waiting = new Map()
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = JSON.parse(line)
    waiting.get(message.id)?.(message)
  })
  let last = 0
  /** @param {string} method @param {object} params @returns {Promise<any>} */
  const request = (method, params) =>
    new Promise((resolve) => {
      const id = ++last
      waiting.set(id, resolve)
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
    })
  const clientInfo = { name: "bench", version: "1" }
  await request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo })
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })}\n`)
  return {
    /** By the server, not from memory. */
    list: async () => {
      await request("tools/call", { name: "tool-0", arguments: { path: "" } })
      return JSON.stringify((await request("tools/list", {})).result)
    },
    endServer: () => request("tools/call", { name: "end", arguments: { path: "" } }),
    end: () => {
      child.stdin.end()
      return new Promise((resolve) => child.once("exit", resolve))
    }
  }
}

/** @param {string} before @param {string} after */
const rewritten = (before, after) => {
  const [one, other] = [Buffer.from(before), Buffer.from(after)]
  const first = other.findIndex((byte, at) => byte !== one[at])
  return first === -1 ? 0 : Math.ceil((other.length - first) / 4)
}

let folders = 0
/** Two starts of all that `args` name. @param {ReadonlyArray<string>} args */
const anew = async (args) => {
  const state = join(work, `${folders++}`)
  /** @type {Array<string>} */
  const lists = []
  for (let life = 0; life < 2; life++) {
    const host = await start(args, state)
    lists.push(await host.list())
    await host.end()
  }
  return lists
}

/** Two starts of the server behind one `wrap`. @param {ReadonlyArray<string>} args */
const behind = async (args) => {
  const host = await start(args, join(work, `${folders++}`))
  const before = await host.list()
  await host.endServer()
  const after = await host.list()
  await host.end()
  return [before, after]
}

const wrap = [bin, "wrap", "--", process.execPath, server]
/** @type {Record<string, () => Promise<Array<string>>>} */
const ways = {
  "the server alone": () => anew([server]),
  "wrap, the server starts again": () => behind(wrap),
  "wrap, wrap starts again": () => anew(wrap)
}

try {
  const rows = []
  for (const [name, run] of Object.entries(ways)) {
    const tokens = []
    let all = 0
    for (let i = 0; i < runs; i++) {
      const [before = "", after = ""] = await run()
      tokens.push(rewritten(before, after))
      all = Math.ceil(after.length / 4)
    }
    const most = Math.max(...tokens)
    const bound = name.startsWith("wrap") ? { bound: "at most 0", within: most === 0 } : {}
    rows.push({
      name,
      figures: { "tokens listed": all, "read anew": common.median(tokens), "at most": most },
      ...bound
    })
  }
  common.report({ title: "Tokens of tools/list that are read anew after a restart", rows, json })
  if (rows.some(({ within }) => within === false)) process.exitCode = 1
} finally {
  rmSync(work, { recursive: true, force: true })
}
